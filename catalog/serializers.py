from catalog.models import Deal, Project, Service, ServiceType
from productive.accounts.serializers import ARCHIVED_AT
from productive.jsonapi.serializers import ModelSerializer


class ServiceTypeSerializer(ModelSerializer):
    class Meta:
        model = ServiceType
        fields = ["name", "archived_at", "description", "organization", "assignees"]
        about = {
            "name": ("What the work is called", "Design"),
            "description": ("What belongs to it", "Concepts, layouts, prototypes"),
            "archived_at": ARCHIVED_AT,
        }


class ProjectSerializer(ModelSerializer):
    class Meta:
        model = Project
        fields = ["name", "project_number", "created_at", "archived_at", "organization"]
        about = {
            "name": ("What the project is called", "Website relaunch"),
            "project_number": ("The company's own number of it", "P-117"),
            "archived_at": ARCHIVED_AT,
        }


class DealSerializer(ModelSerializer):
    class Meta:
        model = Deal
        fields = [
            "name",
            "budget",
            "date",
            "end_date",
            "closed_at",
            "person_restricted_tracking",
            "service_type_restricted_tracking",
            "created_at",
            "organization",
            "project",
        ]
        about = {
            "name": ("What the budget is called", "Phase 1"),
            "budget": ("Always true: only budgets are kept", True),
            "date": ("The first day on which its services can be tracked", "2026-11-02"),
            "end_date": ("The last day", "2026-12-18"),
            "closed_at": ("When the budget was closed, or null. Changed by `close` and `open`", None),
        }


class ServiceSerializer(ModelSerializer):
    class Meta:
        model = Service
        fields = [
            "name",
            "time_tracking_enabled",
            "expense_tracking_enabled",
            "created_at",
            "organization",
            "deal",
            "service_type",
        ]
        about = {
            "name": ("What the service is called", "UI design"),
            "time_tracking_enabled": ("Whether time can be tracked on it", True),
            "expense_tracking_enabled": ("Whether expenses can be logged on it", True),
        }
