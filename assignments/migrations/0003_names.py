"""Sort and find saved filters by the letters of their names."""

from django.db import migrations, models

import productive.database.fields
from productive.database.operations import Together


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0010_names"),
        ("assignments", "0002_keep_authors"),
    ]

    operations = [
        Together(
            [
                migrations.AddField(
                    model_name="filter",
                    name="name_key",
                    field=productive.database.fields.SortKeyField("name"),
                ),
                migrations.AddIndex(
                    model_name="filter",
                    index=models.Index(
                        fields=["organization", "name_key", "id"], name="assignments_filter_by_key"
                    ),
                ),
            ]
        ),
    ]
