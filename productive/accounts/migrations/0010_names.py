"""Sort and find people by the letters of their names."""

from django.db import migrations, models

import productive.database.fields
import productive.database.operations


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0009_keep_authors"),
        ("catalog", "0006_keep_authors"),
    ]

    operations = [
        productive.database.operations.CreateTextFunctions(),
        migrations.AddField(
            model_name="person",
            name="name_key",
            field=productive.database.fields.SortKeyField("first_name", "last_name"),
        ),
        migrations.AddIndex(
            model_name="person",
            index=models.Index(fields=["organization", "name_key", "id"], name="accounts_person_by_key"),
        ),
    ]
