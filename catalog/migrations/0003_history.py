import django.db.models.deletion
import django.utils.timezone
import simple_history.models
from django.conf import settings
from django.db import migrations, models

import productive.database.history
from productive.database.history import record_all

RECORDED = ("ServiceType", "Project", "Deal", "Service")


def record_existing(apps, schema_editor):
    """What is there already gets a first record, so that its next change has something to differ from."""
    for name in RECORDED:
        model, history = apps.get_model("catalog", name), apps.get_model("catalog", f"Historical{name}")
        record_all(model._default_manager.all(), history, made_at="created_at", via="before history")


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0003_history"),
        ("catalog", "0002_assignees"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
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
                    models.CharField(default=productive.database.history.current_via, editable=False, max_length=300),
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
                ("history_id", models.BigAutoField(editable=False, primary_key=True, serialize=False)),
                ("history_date", models.DateTimeField()),
                ("history_change_reason", models.TextField(null=True)),
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
            name="HistoricalProject",
            fields=[
                ("id", models.BigIntegerField(auto_created=True, blank=True, verbose_name="ID")),
                (
                    "change_set",
                    models.UUIDField(default=productive.database.history.current_change_set, editable=False),
                ),
                (
                    "via",
                    models.CharField(default=productive.database.history.current_via, editable=False, max_length=300),
                ),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("archived_at", models.DateTimeField(blank=True, null=True)),
                ("name", models.CharField(max_length=255)),
                ("project_number", models.CharField(blank=True, max_length=50, null=True)),
                ("history_id", models.BigAutoField(editable=False, primary_key=True, serialize=False)),
                ("history_date", models.DateTimeField()),
                ("history_change_reason", models.TextField(null=True)),
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
            name="HistoricalService",
            fields=[
                ("id", models.BigIntegerField(auto_created=True, blank=True, verbose_name="ID")),
                (
                    "change_set",
                    models.UUIDField(default=productive.database.history.current_change_set, editable=False),
                ),
                (
                    "via",
                    models.CharField(default=productive.database.history.current_via, editable=False, max_length=300),
                ),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("name", models.CharField(max_length=255)),
                ("time_tracking_enabled", models.BooleanField(default=True)),
                ("expense_tracking_enabled", models.BooleanField(default=True)),
                ("history_id", models.BigAutoField(editable=False, primary_key=True, serialize=False)),
                ("history_date", models.DateTimeField()),
                ("history_change_reason", models.TextField(null=True)),
                (
                    "history_type",
                    models.CharField(
                        choices=[("+", "Created"), ("~", "Changed"), ("-", "Deleted")], max_length=1
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
                    "history_user",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
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
                    models.CharField(default=productive.database.history.current_via, editable=False, max_length=300),
                ),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("archived_at", models.DateTimeField(blank=True, null=True)),
                ("name", models.CharField(max_length=255)),
                ("description", models.TextField(blank=True, null=True)),
                ("history_id", models.BigAutoField(editable=False, primary_key=True, serialize=False)),
                ("history_date", models.DateTimeField()),
                ("history_change_reason", models.TextField(null=True)),
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
        migrations.RunPython(record_existing, migrations.RunPython.noop),
    ]
