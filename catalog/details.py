"""Documented attributes of companies, projects, budgets and services that have no further meaning here.

They are validated, stored and returned. Each is declared once: serializers and tables use these names.
"""

from django.core.validators import MaxValueValidator, RegexValidator
from django.db import models

from productive.database.fields import LineField, TagsField, TextField, soft_reference
from productive.database.validators import validate_portable_json

# The same values for projects and for budgets.
PROJECT_TYPES = [(1, "internal"), (2, "client")]
BILLING_TYPES = [(1, "fixed"), (2, "time and materials"), (3, "not billable"), (4, "other")]
UNITS = [(1, "hour"), (2, "piece"), (3, "day")]


def currency() -> models.CharField:
    """Return a field for the code of a currency."""
    return models.CharField(max_length=3, null=True, blank=True, validators=[RegexValidator("^[A-Z]{3}$")])


class CompanyDetails(models.Model):
    default_currency = currency()
    due_days = models.PositiveSmallIntegerField(null=True, blank=True, validators=[MaxValueValidator(9999)])
    description = TextField(null=True, blank=True)
    default_subsidiary_id = soft_reference()
    default_tax_rate_id = soft_reference()
    default_document_type_id = soft_reference()
    tag_list = TagsField()

    class Meta:
        abstract = True


class ProjectDetails(models.Model):
    project_type_id = models.PositiveSmallIntegerField(choices=PROJECT_TYPES, default=2, db_default=2)
    workflow_id = soft_reference()
    preferences = models.JSONField(
        default=dict, db_default={}, blank=True, validators=[validate_portable_json]
    )

    class Meta:
        abstract = True


class DealDetails(models.Model):
    deal_type_id = models.PositiveSmallIntegerField(choices=PROJECT_TYPES, default=2, db_default=2)
    deal_status_id = soft_reference()
    tracking_type_id = soft_reference()
    currency = currency()
    probability = models.PositiveSmallIntegerField(null=True, blank=True, validators=[MaxValueValidator(100)])
    delivered_on = models.DateField(null=True, blank=True)
    note = TextField(null=True, blank=True)
    client_access = models.BooleanField(default=False, db_default=False)
    tag_list = TagsField()

    class Meta:
        abstract = True


class ServiceDetails(models.Model):
    billing_type_id = models.PositiveSmallIntegerField(choices=BILLING_TYPES, default=2, db_default=2)
    unit_id = models.PositiveSmallIntegerField(choices=UNITS, default=1, db_default=1)
    price = models.BigIntegerField(null=True, blank=True)
    quantity = models.FloatField(null=True, blank=True)
    description = TextField(null=True, blank=True)
    limitation_type = LineField(max_length=255, null=True, blank=True)
    budget_cap_enabled = models.BooleanField(default=False, db_default=False)
    booking_tracking_enabled = models.BooleanField(default=True, db_default=True)
    section_id = soft_reference()
    position = models.BigIntegerField(null=True, blank=True)

    class Meta:
        abstract = True
