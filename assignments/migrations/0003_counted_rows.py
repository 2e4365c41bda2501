from django.db import migrations

import productive.database.row_counts

COUNTED = ("assignments_projectassignment_counted", "assignments_serviceassignment_counted")


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0003_history"),
        ("assignments", "0002_history"),
        ("catalog", "0003_history"),
    ]

    operations = [
        # SQLite makes a table anew without the constraint, and never learns that it had a table of its own.
        migrations.RunSQL(
            migrations.RunSQL.noop, reverse_sql=[f'DROP TABLE IF EXISTS "{name}"' for name in COUNTED]
        ),
        migrations.AddConstraint(
            model_name="projectassignment",
            constraint=productive.database.row_counts.CountedRows(name="assignments_projectassignment_counted"),
        ),
        migrations.AddConstraint(
            model_name="serviceassignment",
            constraint=productive.database.row_counts.CountedRows(name="assignments_serviceassignment_counted"),
        ),
    ]
