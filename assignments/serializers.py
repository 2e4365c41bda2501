from assignments.models import (
    Filter,
    ProjectAssignment,
    ServiceAssignment,
    ServiceTypeAssignment,
    TrackingDecision,
)
from productive.jsonapi.serializers import ModelSerializer


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


class FilterSerializer(ModelSerializer):
    class Meta:
        model = Filter
        fields = ["name", "params", "created_at", "organization"]


class TrackingDecisionSerializer(ModelSerializer):
    class Meta:
        model = TrackingDecision
        fields = ["allowed", "kind", "on", "reasons", "person", "service"]
