import django.core.validators
import django.db.models.deletion
import django.utils.timezone
import simple_history.models
from django.conf import settings
from django.db import migrations, models

import productive.database.constraints
import productive.database.history
import productive.database.row_counts
import productive.database.validators


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "0001_initial"),
        ("catalog", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="ServiceAssignment",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
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
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
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
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "id"),
                        name="assignments_serviceassignment_unique_organization_id",
                    ),
                    productive.database.constraints.SameOrganization(
                        "person", name="assignments_serviceassignment_own_person"
                    ),
                    productive.database.constraints.SameOrganization(
                        "service", name="assignments_serviceassignment_own_service"
                    ),
                    productive.database.constraints.UniqueTogether(
                        blame="service",
                        fields=("service", "person"),
                        name="assignments_serviceassignment_unique_service_person",
                        violation_error_message="only one assignment per service, per person is allowed",
                    ),
                ],
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
                (
                    "organization",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="accounts.organization",
                    ),
                ),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
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
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "id"),
                        name="assignments_servicetypeassignment_unique_organization_id",
                    ),
                    productive.database.constraints.SameOrganization(
                        "person", name="assignments_servicetypeassignment_own_person"
                    ),
                    productive.database.constraints.SameOrganization(
                        "service_type", name="assignments_servicetypeassignment_own_service_type"
                    ),
                    productive.database.constraints.UniqueTogether(
                        blame="service_type",
                        fields=("service_type", "person"),
                        name="assignments_servicetypeassignment_unique_service_type_person",
                        violation_error_message="only one assignment per service type, per person is allowed",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Filter",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
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
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("name", models.CharField(max_length=255)),
                (
                    "params",
                    models.JSONField(
                        blank=True,
                        default=dict,
                        validators=[productive.database.validators.validate_portable_json],
                    ),
                ),
            ],
            options={
                "ordering": ["id"],
                "abstract": False,
                "indexes": [
                    models.Index(fields=["organization", "name", "id"], name="assignments_filter_by_name")
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "id"), name="assignments_filter_unique_organization_id"
                    )
                ],
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
                (
                    "organization",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="accounts.organization",
                    ),
                ),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
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
                        blank=True,
                        null=True,
                        validators=[productive.database.validators.validate_portable_json],
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
            ],
            options={
                "ordering": ["id"],
                "abstract": False,
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "id"),
                        name="assignments_projectassignment_unique_organization_id",
                    ),
                    productive.database.constraints.SameOrganization(
                        "person", name="assignments_projectassignment_own_person"
                    ),
                    productive.database.constraints.SameOrganization(
                        "project", name="assignments_projectassignment_own_project"
                    ),
                    productive.database.constraints.UniqueTogether(
                        blame="person",
                        fields=("project", "person"),
                        name="assignments_projectassignment_unique_project_person",
                        violation_error_message="has already been assigned to that project",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="HistoricalServiceAssignment",
            fields=[
                ("id", models.BigIntegerField(auto_created=True, blank=True, verbose_name="ID")),
                (
                    "change_set",
                    models.UUIDField(default=productive.database.history.current_change_set, editable=False),
                ),
                (
                    "via",
                    models.CharField(
                        default=productive.database.history.current_via, editable=False, max_length=300
                    ),
                ),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("history_change_reason", models.TextField(null=True)),
                (
                    "organization",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="accounts.organization",
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="accounts.person",
                    ),
                ),
                (
                    "service",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="catalog.service",
                    ),
                ),
                ("history_id", models.BigAutoField(editable=False, primary_key=True, serialize=False)),
                ("history_date", models.DateTimeField()),
                (
                    "history_type",
                    models.CharField(
                        choices=[("+", "Created"), ("~", "Changed"), ("-", "Deleted")], max_length=1
                    ),
                ),
                (
                    "history_user",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "historical service assignment",
                "verbose_name_plural": "historical service assignments",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
                "default_permissions": (),
                "indexes": [
                    models.Index(
                        fields=["id", "history_date", "history_id"], name="assignments_id_e82d96_idx"
                    ),
                    models.Index(
                        fields=["organization", "history_date", "history_id"],
                        name="assignments_organiz_61a526_idx",
                    ),
                    models.Index(
                        fields=["history_date", "history_id"], name="assignments_history_c44f44_idx"
                    ),
                    models.Index(fields=["change_set"], name="assignments_change__441db6_idx"),
                ],
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="HistoricalServiceTypeAssignment",
            fields=[
                ("id", models.BigIntegerField(auto_created=True, blank=True, verbose_name="ID")),
                (
                    "change_set",
                    models.UUIDField(default=productive.database.history.current_change_set, editable=False),
                ),
                (
                    "via",
                    models.CharField(
                        default=productive.database.history.current_via, editable=False, max_length=300
                    ),
                ),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("history_change_reason", models.TextField(null=True)),
                (
                    "organization",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="accounts.organization",
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="accounts.person",
                    ),
                ),
                (
                    "service_type",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="catalog.servicetype",
                    ),
                ),
                ("history_id", models.BigAutoField(editable=False, primary_key=True, serialize=False)),
                ("history_date", models.DateTimeField()),
                (
                    "history_type",
                    models.CharField(
                        choices=[("+", "Created"), ("~", "Changed"), ("-", "Deleted")], max_length=1
                    ),
                ),
                (
                    "history_user",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "historical service type assignment",
                "verbose_name_plural": "historical service type assignments",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
                "default_permissions": (),
                "indexes": [
                    models.Index(
                        fields=["id", "history_date", "history_id"], name="assignments_id_b5c313_idx"
                    ),
                    models.Index(
                        fields=["organization", "history_date", "history_id"],
                        name="assignments_organiz_92f28c_idx",
                    ),
                    models.Index(
                        fields=["history_date", "history_id"], name="assignments_history_dc76d9_idx"
                    ),
                    models.Index(fields=["change_set"], name="assignments_change__f0dc2d_idx"),
                ],
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="HistoricalFilter",
            fields=[
                ("id", models.BigIntegerField(auto_created=True, blank=True, verbose_name="ID")),
                (
                    "change_set",
                    models.UUIDField(default=productive.database.history.current_change_set, editable=False),
                ),
                (
                    "via",
                    models.CharField(
                        default=productive.database.history.current_via, editable=False, max_length=300
                    ),
                ),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("name", models.CharField(max_length=255)),
                (
                    "params",
                    models.JSONField(
                        blank=True,
                        default=dict,
                        validators=[productive.database.validators.validate_portable_json],
                    ),
                ),
                ("history_change_reason", models.TextField(null=True)),
                (
                    "organization",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="accounts.organization",
                    ),
                ),
                ("history_id", models.BigAutoField(editable=False, primary_key=True, serialize=False)),
                ("history_date", models.DateTimeField()),
                (
                    "history_type",
                    models.CharField(
                        choices=[("+", "Created"), ("~", "Changed"), ("-", "Deleted")], max_length=1
                    ),
                ),
                (
                    "history_user",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "historical filter",
                "verbose_name_plural": "historical filters",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
                "default_permissions": (),
                "indexes": [
                    models.Index(
                        fields=["id", "history_date", "history_id"], name="assignments_id_00cbdb_idx"
                    ),
                    models.Index(
                        fields=["organization", "history_date", "history_id"],
                        name="assignments_organiz_47d42f_idx",
                    ),
                    models.Index(
                        fields=["history_date", "history_id"], name="assignments_history_491f50_idx"
                    ),
                    models.Index(fields=["change_set"], name="assignments_change__c1608d_idx"),
                ],
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="HistoricalProjectAssignment",
            fields=[
                ("id", models.BigIntegerField(auto_created=True, blank=True, verbose_name="ID")),
                (
                    "change_set",
                    models.UUIDField(default=productive.database.history.current_change_set, editable=False),
                ),
                (
                    "via",
                    models.CharField(
                        default=productive.database.history.current_via, editable=False, max_length=300
                    ),
                ),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
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
                        blank=True,
                        null=True,
                        validators=[productive.database.validators.validate_portable_json],
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
                ("history_change_reason", models.TextField(null=True)),
                (
                    "organization",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="accounts.organization",
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="accounts.person",
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="catalog.project",
                    ),
                ),
                ("history_id", models.BigAutoField(editable=False, primary_key=True, serialize=False)),
                ("history_date", models.DateTimeField()),
                (
                    "history_type",
                    models.CharField(
                        choices=[("+", "Created"), ("~", "Changed"), ("-", "Deleted")], max_length=1
                    ),
                ),
                (
                    "history_user",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "historical project assignment",
                "verbose_name_plural": "historical project assignments",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
                "default_permissions": (),
                "indexes": [
                    models.Index(
                        fields=["id", "history_date", "history_id"], name="assignments_id_90acda_idx"
                    ),
                    models.Index(
                        fields=["organization", "history_date", "history_id"],
                        name="assignments_organiz_dbe390_idx",
                    ),
                    models.Index(
                        fields=["history_date", "history_id"], name="assignments_history_340d90_idx"
                    ),
                    models.Index(fields=["change_set"], name="assignments_change__96974e_idx"),
                ],
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="ServiceAssignmentRowCount",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "organization_id",
                        "block",
                        "shard",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("organization_id", models.BigIntegerField()),
                ("block", models.BigIntegerField()),
                ("shard", models.SmallIntegerField()),
                ("number", models.BigIntegerField()),
            ],
            options={
                "abstract": False,
                "default_permissions": (),
            },
        ),
        productive.database.row_counts.CreateRowCountTriggers(
            "ServiceAssignment", "ServiceAssignmentRowCount"
        ),
        migrations.CreateModel(
            name="ProjectAssignmentRowCount",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "organization_id",
                        "block",
                        "shard",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("organization_id", models.BigIntegerField()),
                ("block", models.BigIntegerField()),
                ("shard", models.SmallIntegerField()),
                ("number", models.BigIntegerField()),
            ],
            options={
                "abstract": False,
                "default_permissions": (),
            },
        ),
        productive.database.row_counts.CreateRowCountTriggers(
            "ProjectAssignment", "ProjectAssignmentRowCount"
        ),
    ]
