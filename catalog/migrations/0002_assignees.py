from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("assignments", "0001_initial"),
        ("catalog", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="servicetype",
            name="assignees",
            field=models.ManyToManyField(
                related_name="service_types",
                through="assignments.ServiceTypeAssignment",
                to="accounts.person",
            ),
        ),
    ]
