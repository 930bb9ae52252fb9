import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


def first_versions(apps, schema_editor):
    """What a space held becomes its version 1."""
    version = apps.get_model("webapp", "SpaceVersion")
    version.objects.bulk_create(
        [
            version(space=space, number=1, document=space.document, author_id=space.owner_id)
            for space in apps.get_model("webapp", "Space").objects.iterator()
        ]
    )


class Migration(migrations.Migration):
    dependencies = [
        ("webapp", "0013_batches"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="SpaceVersion",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveIntegerField()),
                ("document", models.JSONField()),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "author",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "space",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="versions", to="webapp.space"),
                ),
            ],
            options={"ordering": ["-number"]},
        ),
        migrations.AddConstraint(
            model_name="spaceversion",
            constraint=models.UniqueConstraint(fields=("space", "number"), name="space_version_number"),
        ),
        migrations.AddField(
            model_name="search",
            name="space_version",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="searches", to="webapp.spaceversion"
            ),
        ),
        migrations.RunPython(first_versions, migrations.RunPython.noop),
        # Foreign keys are checked at the end of a transaction; a table with checks to come cannot be altered.
        migrations.RunSQL("SET CONSTRAINTS ALL IMMEDIATE", migrations.RunSQL.noop),
        migrations.RemoveField(model_name="space", name="document"),
    ]
