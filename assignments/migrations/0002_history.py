import django.core.validators
import django.db.models.deletion
import django.utils.timezone
import simple_history.models
from django.conf import settings
from django.db import migrations, models

import productive.database.constraints
import productive.database.history
from productive.database.history import record_all

RECORDED = ("ServiceAssignment", "ServiceTypeAssignment", "Filter", "ProjectAssignment")


def record_existing(apps, schema_editor):
    """What is there already gets a first record, so that its next change has something to differ from."""
    for name in RECORDED:
        model, history = (
            apps.get_model("assignments", name),
            apps.get_model("assignments", f"Historical{name}"),
        )
        record_all(model._default_manager.all(), history, made_at="created_at", via="before history")


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0003_history"),
        ("assignments", "0001_initial"),
        ("catalog", "0003_history"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
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
                    models.CharField(default=productive.database.history.current_via, editable=False, max_length=300),
                ),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("name", models.CharField(max_length=255)),
                (
                    "params",
                    models.JSONField(
                        blank=True, default=dict, validators=[productive.database.constraints.validate_portable_json]
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
                    models.CharField(default=productive.database.history.current_via, editable=False, max_length=300),
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
            name="HistoricalServiceAssignment",
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
                    models.CharField(default=productive.database.history.current_via, editable=False, max_length=300),
                ),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
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
        migrations.RunPython(record_existing, migrations.RunPython.noop),
    ]
