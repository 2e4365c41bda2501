from typing import Any

from django.db import migrations

# fillfactor leaves room for new versions of a row beside it, so that updates touch no index.
RATE_WINDOW = """
CREATE UNLOGGED TABLE accounts_rate_window (
    key text PRIMARY KEY, number integer NOT NULL, ends_at double precision NOT NULL
) WITH (fillfactor = 50)
"""


def create_rate_window(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(RATE_WINDOW)


def drop_rate_window(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP TABLE accounts_rate_window")


class Migration(migrations.Migration):
    """Create tables that hold no records, so no model stands for them.

    `accounts_last_write` holds positions in the log of one server (productive/database/replicas.py);
    `accounts_rate_window` counts requests and is emptied within the hour (productive/limits).
    """

    dependencies = [("accounts", "0001_initial")]

    operations = [
        migrations.RunSQL(
            "CREATE TABLE accounts_last_write (organization_id bigint PRIMARY KEY, position bigint NOT NULL)",
            "DROP TABLE accounts_last_write",
        ),
        migrations.RunPython(create_rate_window, drop_rate_window),
    ]
