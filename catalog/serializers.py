from catalog.models import Deal, Project, Service, ServiceType
from productive.jsonapi.serializers import ModelSerializer


class ServiceTypeSerializer(ModelSerializer):
    class Meta:
        model = ServiceType
        fields = ["name", "archived_at", "description", "organization", "assignees"]
        about = {
            "name": ("The name of the type of work", "Design"),
            "description": ("What the work includes", "Concepts, layouts, prototypes"),
        }


class ProjectSerializer(ModelSerializer):
    class Meta:
        model = Project
        fields = ["name", "project_number", "created_at", "archived_at", "organization"]
        about = {
            "name": ("The name of the project", "Website relaunch"),
            "project_number": ("The company's number for the project", "P-117"),
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
            "name": ("The name of the budget", "Phase 1"),
            "budget": ("Always true: all deals are budgets", True),
            "date": ("The first day on which its services can be tracked", "2026-11-02"),
            "end_date": ("The last day on which its services can be tracked", "2026-12-18"),
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
            "name": ("The name of the service", "UI design"),
            "time_tracking_enabled": ("Whether time can be tracked on it", True),
            "expense_tracking_enabled": ("Whether expenses can be logged on it", True),
        }
