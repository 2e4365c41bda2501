import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import productive.database.constraints


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Project",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("archived_at", models.DateTimeField(blank=True, editable=False, null=True)),
                ("name", models.CharField(max_length=255)),
                ("project_number", models.CharField(blank=True, max_length=50, null=True)),
                (
                    "organization",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="accounts.organization",
                    ),
                ),
            ],
            options={
                "ordering": ["id"],
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="Deal",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("name", models.CharField(max_length=255)),
                ("budget", models.BooleanField(default=True)),
                ("date", models.DateField(blank=True, null=True, verbose_name="start date")),
                ("end_date", models.DateField(blank=True, null=True)),
                ("closed_at", models.DateTimeField(blank=True, editable=False, null=True)),
                (
                    "person_restricted_tracking",
                    models.BooleanField(
                        default=False,
                        help_text="Only the people assigned to a service may track on it.",
                        verbose_name="restricted by person",
                    ),
                ),
                (
                    "service_type_restricted_tracking",
                    models.BooleanField(
                        default=False,
                        help_text="Only people who hold a service's type may track on it.",
                        verbose_name="restricted by service type",
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="accounts.organization",
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="deals",
                        to="catalog.project",
                    ),
                ),
            ],
            options={
                "verbose_name": "budget",
                "ordering": ["id"],
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="ServiceType",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("archived_at", models.DateTimeField(blank=True, editable=False, null=True)),
                ("name", models.CharField(max_length=255)),
                ("description", models.TextField(blank=True, null=True)),
                (
                    "organization",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="accounts.organization",
                    ),
                ),
            ],
            options={
                "ordering": ["name", "id"],
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="Service",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("name", models.CharField(max_length=255)),
                ("time_tracking_enabled", models.BooleanField(default=True)),
                ("expense_tracking_enabled", models.BooleanField(default=True)),
                (
                    "deal",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="services",
                        to="catalog.deal",
                        verbose_name="budget",
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="accounts.organization",
                    ),
                ),
                (
                    "service_type",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="services",
                        to="catalog.servicetype",
                    ),
                ),
            ],
            options={
                "ordering": ["id"],
                "abstract": False,
            },
        ),
        migrations.AddIndex(
            model_name="project",
            index=models.Index(fields=["organization", "archived_at"], name="catalog_project_archived"),
        ),
        migrations.AddIndex(
            model_name="project",
            index=models.Index(fields=["organization", "name", "id"], name="catalog_project_by_name"),
        ),
        migrations.AddIndex(
            model_name="project",
            index=models.Index(
                fields=["organization", "created_at", "id"], name="catalog_project_by_created_at"
            ),
        ),
        migrations.AddConstraint(
            model_name="project",
            constraint=models.UniqueConstraint(
                fields=("organization", "id"), name="catalog_project_unique_organization_id"
            ),
        ),
        migrations.AddIndex(
            model_name="deal",
            index=models.Index(fields=["organization", "closed_at"], name="catalog_deal_closed"),
        ),
        migrations.AddIndex(
            model_name="deal",
            index=models.Index(fields=["organization", "name", "id"], name="catalog_deal_by_name"),
        ),
        migrations.AddConstraint(
            model_name="deal",
            constraint=models.UniqueConstraint(
                fields=("organization", "id"), name="catalog_deal_unique_organization_id"
            ),
        ),
        migrations.AddConstraint(
            model_name="deal",
            constraint=productive.database.constraints.SameOrganization("project", name="catalog_deal_own_project"),
        ),
        migrations.AddConstraint(
            model_name="deal",
            constraint=productive.database.constraints.Check(
                blame="budget",
                condition=models.Q(("budget", True)),
                name="catalog_deal_is_budget",
                violation_error_message="must be true: only budgets are kept",
            ),
        ),
        migrations.AddConstraint(
            model_name="deal",
            constraint=productive.database.constraints.Check(
                blame="end_date",
                condition=models.Q(
                    ("date", None), ("end_date", None), ("end_date__gte", models.F("date")), _connector="OR"
                ),
                name="catalog_deal_ends_after_start",
                violation_error_message="must not be before the start date",
            ),
        ),
        migrations.AddIndex(
            model_name="servicetype",
            index=models.Index(fields=["organization", "archived_at"], name="catalog_servicetype_archived"),
        ),
        migrations.AddIndex(
            model_name="servicetype",
            index=models.Index(fields=["organization", "name", "id"], name="catalog_servicetype_by_name"),
        ),
        migrations.AddConstraint(
            model_name="servicetype",
            constraint=models.UniqueConstraint(
                fields=("organization", "id"), name="catalog_servicetype_unique_organization_id"
            ),
        ),
        migrations.AddIndex(
            model_name="service",
            index=models.Index(fields=["organization", "name", "id"], name="catalog_service_by_name"),
        ),
        migrations.AddConstraint(
            model_name="service",
            constraint=models.UniqueConstraint(
                fields=("organization", "id"), name="catalog_service_unique_organization_id"
            ),
        ),
        migrations.AddConstraint(
            model_name="service",
            constraint=productive.database.constraints.SameOrganization("deal", name="catalog_service_own_deal"),
        ),
        migrations.AddConstraint(
            model_name="service",
            constraint=productive.database.constraints.SameOrganization(
                "service_type", name="catalog_service_own_service_type"
            ),
        ),
    ]
