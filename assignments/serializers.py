from typing import Any

from rest_framework.exceptions import ValidationError

from assignments.activities import EVENT_OF_CHANGE, ITEM_TYPES, Activity
from assignments.models import (
    Filter,
    ProjectAssignment,
    ServiceAssignment,
    ServiceTypeAssignment,
    TrackingDecision,
)
from assignments.tracking import ALLOWANCES, REFUSALS, Kind
from productive.jsonapi.errors import INVALID
from productive.jsonapi.fields import BooleanField, error_messages
from productive.jsonapi.serializers import ModelSerializer

# Attribute of requests only → what it does when it is true.
SUBSCRIPTIONS = {
    "subscribe": "Let the person watch the project: true sets `watched` to true",
    "unsubscribe": "Let the person no longer watch the project: true sets `watched` to false",
}


class ServiceAssignmentSerializer(ModelSerializer):
    class Meta:
        model = ServiceAssignment
        fields = ["organization", "person", "service"]


class ServiceTypeAssignmentSerializer(ModelSerializer):
    class Meta:
        model = ServiceTypeAssignment
        fields = ["organization", "person", "service_type"]


class ProjectAssignmentSerializer(ModelSerializer):
    class Meta:
        model = ProjectAssignment
        fields = [
            "default_filter_id",
            "tasks_layout_id",
            "created_at",
            "preferences",
            "budgets_filter_id",
            "deals_filter_id",
            "invoices_filter_id",
            "docs_filter_id",
            "watched",
            "organization",
            "person",
            "project",
            "favorite_filter",
            "budgets_favorite_filter",
            "deals_favorite_filter",
            "invoices_favorite_filter",
            "docs_favorite_filter",
        ]
        about = {
            "default_filter_id": ("The saved view that the project opens with; also `favorite_filter`", None),
            "tasks_layout_id": ("The layout of the project's tasks", None),
            "preferences": ("Other preferences of the person, in a format of the client", {"zoom": 2}),
            "budgets_filter_id": ("The saved view of budgets; also `budgets_favorite_filter`", None),
            "deals_filter_id": ("The saved view of deals; also `deals_favorite_filter`", None),
            "invoices_filter_id": ("The saved view of invoices; also `invoices_favorite_filter`", None),
            "docs_filter_id": ("The saved view of documents; also `docs_favorite_filter`", None),
            "watched": ("Whether the person watches the project", True),
        }

    def get_fields(self) -> Any:
        fields = super().get_fields()
        for name, text in SUBSCRIPTIONS.items():
            fields[name] = BooleanField(
                write_only=True,
                required=False,
                allow_null=True,
                help_text=text,
                error_messages={**error_messages(BooleanField)},
            )
        return fields

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Store a subscription in `watched`; false and null change nothing."""
        subscribe, unsubscribe = (attrs.pop(name, None) for name in SUBSCRIPTIONS)
        if subscribe and unsubscribe:
            raise ValidationError({"unsubscribe": [INVALID]})
        if subscribe or unsubscribe:
            attrs["watched"] = bool(subscribe)
        return super().validate(attrs)


class FilterSerializer(ModelSerializer):
    class Meta:
        model = Filter
        fields = ["name", "params", "created_at", "organization"]
        about = {
            "name": ("The name of the saved view", "Open budgets"),
            "params": ("What it shows, in a format of the client", {"filter": {"budget_status": "1"}}),
        }


class ActivitySerializer(ModelSerializer):
    class Meta:
        model = Activity
        fields = [
            "event",
            "changeset",
            "item_id",
            "item_type",
            "item_name",
            "item_deleted_at",
            "parent_id",
            "parent_type",
            "parent_name",
            "parent_deleted_at",
            "root_id",
            "root_type",
            "root_name",
            "root_deleted_at",
            "deal_is_budget",
            "task_id",
            "deal_id",
            "booking_id",
            "invoice_id",
            "company_id",
            "created_at",
            "discussion_id",
            "engagement_id",
            "page_id",
            "person_id",
            "purchase_order_id",
            "made_by_automation",
            "organization",
            "creator",
        ]
        null_relationships = ("comment", "email", "attachment", "role")
        about = {
            "event": ("What was done", "update"),
            "changeset": (
                "The changed attributes, with their values before and after",
                [{"name": ["A", "B"]}],
            ),
            "item_id": ("The id of the record", 12),
            "item_type": ("The kind of the record", "deal"),
            "item_name": ("The name of the record after the change", "Phase 1"),
            "item_deleted_at": ("When the record was deleted, or null", None),
            "parent_id": ("The id of the record that it belongs to", 34),
            "parent_type": ("The kind of the record that it belongs to", "project"),
            "parent_name": ("The name of the record that it belongs to", "Website relaunch"),
            "root_id": ("The id of the project that it belongs to", 34),
            "root_type": ("The kind of `root_id`", "project"),
            "root_name": ("The name of the project that it belongs to", "Website relaunch"),
            "deal_is_budget": ("Whether `deal_id` is a budget: all deals are", True),
            "deal_id": ("The id of the budget, if it is about one", 12),
            "company_id": ("The id of the company, if it is about one", None),
            "person_id": ("The id of the person, if it is about one", None),
            "created_at": ("When it was done", "2026-11-23T09:30:00.000+01:00"),
            "made_by_automation": ("Always false", False),
            **dict.fromkeys(
                (
                    "parent_deleted_at",
                    "root_deleted_at",
                    "task_id",
                    "booking_id",
                    "invoice_id",
                    "discussion_id",
                    "engagement_id",
                    "page_id",
                    "purchase_order_id",
                ),
                ("Always null", None),
            ),
        }
        schemas = {
            "event": {"type": "string", "enum": [*EVENT_OF_CHANGE.values()]},
            "item_type": {"type": "string", "enum": [*ITEM_TYPES]},
            "changeset": {
                "type": "array",
                "items": {
                    "type": "object",
                    "minProperties": 1,
                    "maxProperties": 1,
                    "additionalProperties": {"type": "array", "minItems": 2, "maxItems": 2},
                },
            },
        }


class TrackingDecisionSerializer(ModelSerializer):
    class Meta:
        model = TrackingDecision
        fields = ["allowed", "kind", "on", "reasons", "person", "service"]
        about = {
            "allowed": ("Whether the person may track on the service", True),
            "kind": ("What the person tracks: time or expenses", Kind.TIME),
            "on": ("The day", "2026-11-23"),
            "reasons": (
                "Why it is allowed, or all reasons why not",
                [{"code": "assigned", "message": "the person is assigned to the service"}],
            ),
        }
        schemas = {
            "id": {
                "pattern": r"^[1-9]\d{0,18}-[1-9]\d{0,18}-(time|expense)-\d{4}-\d\d-\d\d$",
                "examples": ["12-34-time-2026-11-23"],
            },
            "kind": {"type": "string", "enum": [*Kind]},
            "reasons": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "required": ["code", "message"],
                    "properties": {
                        "code": {"type": "string", "enum": [*REFUSALS, *ALLOWANCES]},
                        "message": {"type": "string"},
                    },
                },
            },
        }
