from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("webapp", "0014_space_versions")]

    operations = [
        migrations.AddField("baseline", "valid_slices", models.JSONField(default=dict)),
        migrations.AddField("baseline", "test_slices", models.JSONField(default=dict)),
        migrations.AddField("finalistrun", "test_slices", models.JSONField(default=dict)),
        migrations.AddField("trial", "slices", models.JSONField(default=dict)),
    ]
