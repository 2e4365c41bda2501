from typing import Any

from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX, make_password
from django.db import migrations, models
from django.db.models import Q


def remove_logins(apps: Any, schema_editor: Any) -> None:
    """Remove the passwords and the access of service accounts that have them."""
    users = apps.get_model("accounts", "User").objects.using(schema_editor.connection.alias)
    accounts = users.exclude(service_account_of=None)
    without_password = Q(password="") | Q(password__startswith=UNUSABLE_PASSWORD_PREFIX)
    # Update each row once: PostgreSQL checks the foreign keys of a row that is updated twice at the end of the
    # transaction, and can't alter the table before.
    accounts.filter(without_password).update(is_staff=False, is_superuser=False)
    accounts.exclude(without_password).update(
        is_staff=False, is_superuser=False, password=make_password(None)
    )


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_user_signed_out_at")]

    operations = [
        migrations.RunPython(remove_logins, migrations.RunPython.noop, elidable=True),
        migrations.AddConstraint(
            "user",
            models.CheckConstraint(
                condition=Q(
                    ("service_account_of", None),
                    Q(
                        Q(("password", ""), ("password__startswith", "!"), _connector="OR"),
                        ("is_staff", False),
                        ("is_superuser", False),
                    ),
                    _connector="OR",
                ),
                name="accounts_user_service_account_never_signs_in",
                violation_error_message="A service account can't have a password or access to the admin.",
            ),
        ),
    ]
