import django.db.models.deletion
import django.utils.timezone
import simple_history.models
from django.conf import settings
from django.db import migrations, models

import productive.database.constraints
import productive.database.history


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="ServiceType",
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
                ("archived_at", models.DateTimeField(blank=True, editable=False, null=True)),
                ("name", models.CharField(max_length=255)),
                ("description", models.TextField(blank=True, null=True)),
            ],
            options={
                "ordering": ["name", "id"],
                "abstract": False,
                "indexes": [
                    models.Index(fields=["organization", "archived_at"], name="catalog_servicetype_archived"),
                    models.Index(fields=["organization", "name", "id"], name="catalog_servicetype_by_name"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "id"), name="catalog_servicetype_unique_organization_id"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Project",
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
                ("archived_at", models.DateTimeField(blank=True, editable=False, null=True)),
                ("name", models.CharField(max_length=255)),
                ("project_number", models.CharField(blank=True, max_length=50, null=True)),
            ],
            options={
                "ordering": ["id"],
                "abstract": False,
                "indexes": [
                    models.Index(fields=["organization", "archived_at"], name="catalog_project_archived"),
                    models.Index(fields=["organization", "name", "id"], name="catalog_project_by_name"),
                    models.Index(
                        fields=["organization", "created_at", "id"], name="catalog_project_by_created_at"
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "id"), name="catalog_project_unique_organization_id"
                    )
                ],
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
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="deals",
                        to="catalog.project",
                    ),
                ),
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
            ],
            options={
                "verbose_name": "budget",
                "ordering": ["id"],
                "abstract": False,
                "indexes": [
                    models.Index(fields=["organization", "closed_at"], name="catalog_deal_closed"),
                    models.Index(fields=["organization", "name", "id"], name="catalog_deal_by_name"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "id"), name="catalog_deal_unique_organization_id"
                    ),
                    productive.database.constraints.SameOrganization(
                        "project", name="catalog_deal_own_project"
                    ),
                    productive.database.constraints.Check(
                        blame="budget",
                        condition=models.Q(("budget", True)),
                        name="catalog_deal_is_budget",
                        violation_error_message="must be true: only budgets are kept",
                    ),
                    productive.database.constraints.Check(
                        blame="end_date",
                        condition=models.Q(
                            ("date", None),
                            ("end_date", None),
                            ("end_date__gte", models.F("date")),
                            _connector="OR",
                        ),
                        name="catalog_deal_ends_after_start",
                        violation_error_message="must not be before the start date",
                    ),
                ],
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
                    "deal",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="services",
                        to="catalog.deal",
                        verbose_name="budget",
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
                ("name", models.CharField(max_length=255)),
                ("time_tracking_enabled", models.BooleanField(default=True)),
                ("expense_tracking_enabled", models.BooleanField(default=True)),
            ],
            options={
                "ordering": ["id"],
                "abstract": False,
                "indexes": [
                    models.Index(fields=["organization", "name", "id"], name="catalog_service_by_name")
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "id"), name="catalog_service_unique_organization_id"
                    ),
                    productive.database.constraints.SameOrganization("deal", name="catalog_service_own_deal"),
                    productive.database.constraints.SameOrganization(
                        "service_type", name="catalog_service_own_service_type"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="HistoricalServiceType",
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
                ("archived_at", models.DateTimeField(blank=True, null=True)),
                ("name", models.CharField(max_length=255)),
                ("description", models.TextField(blank=True, null=True)),
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
                "verbose_name": "historical service type",
                "verbose_name_plural": "historical service types",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
                "default_permissions": (),
                "indexes": [
                    models.Index(
                        fields=["id", "history_date", "history_id"], name="catalog_his_id_12d6f9_idx"
                    ),
                    models.Index(
                        fields=["organization", "history_date", "history_id"],
                        name="catalog_his_organiz_c9a712_idx",
                    ),
                    models.Index(
                        fields=["history_date", "history_id"], name="catalog_his_history_053d8d_idx"
                    ),
                    models.Index(fields=["change_set"], name="catalog_his_change__3d6872_idx"),
                ],
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="HistoricalProject",
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
                ("archived_at", models.DateTimeField(blank=True, null=True)),
                ("name", models.CharField(max_length=255)),
                ("project_number", models.CharField(blank=True, max_length=50, null=True)),
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
                "verbose_name": "historical project",
                "verbose_name_plural": "historical projects",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
                "default_permissions": (),
                "indexes": [
                    models.Index(
                        fields=["id", "history_date", "history_id"], name="catalog_his_id_dd6875_idx"
                    ),
                    models.Index(
                        fields=["organization", "history_date", "history_id"],
                        name="catalog_his_organiz_1b9262_idx",
                    ),
                    models.Index(
                        fields=["history_date", "history_id"], name="catalog_his_history_7971c4_idx"
                    ),
                    models.Index(fields=["change_set"], name="catalog_his_change__048e82_idx"),
                ],
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="HistoricalDeal",
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
                ("budget", models.BooleanField(default=True)),
                ("date", models.DateField(blank=True, null=True, verbose_name="start date")),
                ("end_date", models.DateField(blank=True, null=True)),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
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
                "verbose_name": "historical budget",
                "verbose_name_plural": "historical budgets",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
                "default_permissions": (),
                "indexes": [
                    models.Index(
                        fields=["id", "history_date", "history_id"], name="catalog_his_id_2e31d3_idx"
                    ),
                    models.Index(
                        fields=["organization", "history_date", "history_id"],
                        name="catalog_his_organiz_bfdee9_idx",
                    ),
                    models.Index(
                        fields=["history_date", "history_id"], name="catalog_his_history_0cb618_idx"
                    ),
                    models.Index(fields=["change_set"], name="catalog_his_change__f0bad8_idx"),
                ],
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="HistoricalService",
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
                ("time_tracking_enabled", models.BooleanField(default=True)),
                ("expense_tracking_enabled", models.BooleanField(default=True)),
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
                    "deal",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="catalog.deal",
                        verbose_name="budget",
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
                "verbose_name": "historical service",
                "verbose_name_plural": "historical services",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
                "default_permissions": (),
                "indexes": [
                    models.Index(
                        fields=["id", "history_date", "history_id"], name="catalog_his_id_c242a3_idx"
                    ),
                    models.Index(
                        fields=["organization", "history_date", "history_id"],
                        name="catalog_his_organiz_0f8256_idx",
                    ),
                    models.Index(
                        fields=["history_date", "history_id"], name="catalog_his_history_a2431e_idx"
                    ),
                    models.Index(fields=["change_set"], name="catalog_his_change__27b435_idx"),
                ],
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
    ]
