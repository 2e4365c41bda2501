from typing import Any

from django.db import migrations

# Many versions of a row come and go: room for them beside it, so that no index is touched.
MADE = """
CREATE UNLOGGED TABLE accounts_rate_window (
    key text PRIMARY KEY, number integer NOT NULL, ends_at double precision NOT NULL
) WITH (fillfactor = 50)
"""


def make(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(MADE)


def remove(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP TABLE accounts_rate_window")


class Migration(migrations.Migration):
    """No model stands for this table (productive/limits): what it says is forgotten within the hour."""

    dependencies = [("accounts", "0005_idempotency_keys")]

    operations = [migrations.RunPython(make, remove)]
