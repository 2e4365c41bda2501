from django.db import migrations


class Migration(migrations.Migration):
    """No model stands for this table (productive/database/replicas.py): what it says is true of one server alone."""

    dependencies = [("accounts", "0003_history")]

    operations = [
        migrations.RunSQL(
            "CREATE TABLE accounts_last_write (organization_id bigint PRIMARY KEY, position bigint NOT NULL)",
            "DROP TABLE accounts_last_write",
        )
    ]
