from django.db import migrations


class Migration(migrations.Migration):
    """Parts are stored as they come: compressing text halves its size but makes an upload several times slower."""

    dependencies = [
        ("webapp", "0003_uploads_versions_templates"),
    ]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE webapp_blobpart ALTER COLUMN data SET STORAGE EXTERNAL",
            "ALTER TABLE webapp_blobpart ALTER COLUMN data SET STORAGE EXTENDED",
        ),
    ]
