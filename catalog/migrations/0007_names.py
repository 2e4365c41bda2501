"""Sort and find the catalog by the letters of names."""

from django.db import migrations, models

import productive.database.fields
from productive.database.operations import Together


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0010_names"),
        ("assignments", "0003_names"),
        ("catalog", "0006_keep_authors"),
    ]

    operations = [
        Together(
            [
                migrations.AlterModelOptions(
                    name="servicetype",
                    options={"ordering": ["name_key", "id"]},
                ),
                migrations.AddField(
                    model_name="company",
                    name="name_key",
                    field=productive.database.fields.SortKeyField("name"),
                ),
                migrations.AddField(
                    model_name="deal",
                    name="name_key",
                    field=productive.database.fields.SortKeyField("name"),
                ),
                migrations.AddField(
                    model_name="project",
                    name="name_key",
                    field=productive.database.fields.SortKeyField("name"),
                ),
                migrations.AddField(
                    model_name="service",
                    name="name_key",
                    field=productive.database.fields.SortKeyField("name"),
                ),
                migrations.AddField(
                    model_name="servicetype",
                    name="name_key",
                    field=productive.database.fields.SortKeyField("name"),
                ),
                migrations.AddIndex(
                    model_name="company",
                    index=models.Index(
                        fields=["organization", "name_key", "id"], name="catalog_company_by_key"
                    ),
                ),
                migrations.AddIndex(
                    model_name="deal",
                    index=models.Index(fields=["organization", "name_key", "id"], name="catalog_deal_by_key"),
                ),
                migrations.AddIndex(
                    model_name="project",
                    index=models.Index(
                        fields=["organization", "name_key", "id"], name="catalog_project_by_key"
                    ),
                ),
                migrations.AddIndex(
                    model_name="service",
                    index=models.Index(
                        fields=["organization", "name_key", "id"], name="catalog_service_by_key"
                    ),
                ),
                migrations.AddIndex(
                    model_name="servicetype",
                    index=models.Index(
                        fields=["organization", "name_key", "id"], name="catalog_servicetype_by_key"
                    ),
                ),
            ]
        ),
    ]
