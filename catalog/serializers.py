from catalog.models import Deal, Project, Service, ServiceType
from productive.jsonapi.serializers import ModelSerializer


class ServiceTypeSerializer(ModelSerializer):
    class Meta:
        model = ServiceType
        fields = ["name", "archived_at", "description", "organization", "assignees"]


class ProjectSerializer(ModelSerializer):
    class Meta:
        model = Project
        fields = ["name", "project_number", "created_at", "archived_at", "organization"]


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
