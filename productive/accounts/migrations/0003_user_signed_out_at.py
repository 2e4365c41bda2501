from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_tables_without_models")]

    operations = [
        migrations.AddField(
            "user", "signed_out_at", models.DateTimeField(blank=True, editable=False, null=True)
        ),
    ]
