import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import productive.database.constraints


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "0001_initial"),
        ("catalog", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Filter",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("name", models.CharField(max_length=255)),
                (
                    "params",
                    models.JSONField(
                        blank=True, default=dict, validators=[productive.database.constraints.validate_portable_json]
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
            ],
            options={
                "ordering": ["id"],
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="ProjectAssignment",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                (
                    "default_filter_id",
                    models.PositiveBigIntegerField(
                        blank=True, null=True, validators=[django.core.validators.MinValueValidator(1)]
                    ),
                ),
                (
                    "tasks_layout_id",
                    models.PositiveBigIntegerField(
                        blank=True, null=True, validators=[django.core.validators.MinValueValidator(1)]
                    ),
                ),
                (
                    "preferences",
                    models.JSONField(
                        blank=True, null=True, validators=[productive.database.constraints.validate_portable_json]
                    ),
                ),
                (
                    "budgets_filter_id",
                    models.PositiveBigIntegerField(
                        blank=True, null=True, validators=[django.core.validators.MinValueValidator(1)]
                    ),
                ),
                (
                    "deals_filter_id",
                    models.PositiveBigIntegerField(
                        blank=True, null=True, validators=[django.core.validators.MinValueValidator(1)]
                    ),
                ),
                (
                    "invoices_filter_id",
                    models.PositiveBigIntegerField(
                        blank=True, null=True, validators=[django.core.validators.MinValueValidator(1)]
                    ),
                ),
                (
                    "docs_filter_id",
                    models.PositiveBigIntegerField(
                        blank=True, null=True, validators=[django.core.validators.MinValueValidator(1)]
                    ),
                ),
                ("watched", models.BooleanField(blank=True, null=True)),
                (
                    "budgets_favorite_filter",
                    models.ForeignObject(
                        editable=False,
                        from_fields=["organization", "budgets_filter_id"],
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="assignments.filter",
                        to_fields=["organization", "id"],
                    ),
                ),
                (
                    "deals_favorite_filter",
                    models.ForeignObject(
                        editable=False,
                        from_fields=["organization", "deals_filter_id"],
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="assignments.filter",
                        to_fields=["organization", "id"],
                    ),
                ),
                (
                    "docs_favorite_filter",
                    models.ForeignObject(
                        editable=False,
                        from_fields=["organization", "docs_filter_id"],
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="assignments.filter",
                        to_fields=["organization", "id"],
                    ),
                ),
                (
                    "favorite_filter",
                    models.ForeignObject(
                        editable=False,
                        from_fields=["organization", "default_filter_id"],
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="assignments.filter",
                        to_fields=["organization", "id"],
                    ),
                ),
                (
                    "invoices_favorite_filter",
                    models.ForeignObject(
                        editable=False,
                        from_fields=["organization", "invoices_filter_id"],
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="assignments.filter",
                        to_fields=["organization", "id"],
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
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="project_assignments",
                        to="accounts.person",
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="project_assignments",
                        to="catalog.project",
                    ),
                ),
            ],
            options={
                "ordering": ["id"],
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="ServiceAssignment",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
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
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="service_assignments",
                        to="accounts.person",
                    ),
                ),
                (
                    "service",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="service_assignments",
                        to="catalog.service",
                    ),
                ),
            ],
            options={
                "ordering": ["id"],
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="ServiceTypeAssignment",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
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
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="service_type_assignments",
                        to="accounts.person",
                    ),
                ),
                (
                    "service_type",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="service_type_assignments",
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
            model_name="filter",
            index=models.Index(fields=["organization", "name", "id"], name="assignments_filter_by_name"),
        ),
        migrations.AddConstraint(
            model_name="filter",
            constraint=models.UniqueConstraint(
                fields=("organization", "id"), name="assignments_filter_unique_organization_id"
            ),
        ),
        migrations.AddConstraint(
            model_name="projectassignment",
            constraint=models.UniqueConstraint(
                fields=("organization", "id"), name="assignments_projectassignment_unique_organization_id"
            ),
        ),
        migrations.AddConstraint(
            model_name="projectassignment",
            constraint=productive.database.constraints.SameOrganization(
                "person", name="assignments_projectassignment_own_person"
            ),
        ),
        migrations.AddConstraint(
            model_name="projectassignment",
            constraint=productive.database.constraints.SameOrganization(
                "project", name="assignments_projectassignment_own_project"
            ),
        ),
        migrations.AddConstraint(
            model_name="projectassignment",
            constraint=productive.database.constraints.UniqueTogether(
                blame="person",
                fields=("project", "person"),
                name="assignments_projectassignment_unique_project_person",
                violation_error_message="has already been assigned to that project",
            ),
        ),
        migrations.AddConstraint(
            model_name="serviceassignment",
            constraint=models.UniqueConstraint(
                fields=("organization", "id"), name="assignments_serviceassignment_unique_organization_id"
            ),
        ),
        migrations.AddConstraint(
            model_name="serviceassignment",
            constraint=productive.database.constraints.SameOrganization(
                "person", name="assignments_serviceassignment_own_person"
            ),
        ),
        migrations.AddConstraint(
            model_name="serviceassignment",
            constraint=productive.database.constraints.SameOrganization(
                "service", name="assignments_serviceassignment_own_service"
            ),
        ),
        migrations.AddConstraint(
            model_name="serviceassignment",
            constraint=productive.database.constraints.UniqueTogether(
                blame="service",
                fields=("service", "person"),
                name="assignments_serviceassignment_unique_service_person",
                violation_error_message="only one assignment per service, per person is allowed",
            ),
        ),
        migrations.AddConstraint(
            model_name="servicetypeassignment",
            constraint=models.UniqueConstraint(
                fields=("organization", "id"), name="assignments_servicetypeassignment_unique_organization_id"
            ),
        ),
        migrations.AddConstraint(
            model_name="servicetypeassignment",
            constraint=productive.database.constraints.SameOrganization(
                "person", name="assignments_servicetypeassignment_own_person"
            ),
        ),
        migrations.AddConstraint(
            model_name="servicetypeassignment",
            constraint=productive.database.constraints.SameOrganization(
                "service_type", name="assignments_servicetypeassignment_own_service_type"
            ),
        ),
        migrations.AddConstraint(
            model_name="servicetypeassignment",
            constraint=productive.database.constraints.UniqueTogether(
                blame="service_type",
                fields=("service_type", "person"),
                name="assignments_servicetypeassignment_unique_service_type_person",
                violation_error_message="only one assignment per service type, per person is allowed",
            ),
        ),
    ]
