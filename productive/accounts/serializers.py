from productive.accounts.models import Organization, Person
from productive.jsonapi.serializers import ModelSerializer


class OrganizationSerializer(ModelSerializer):
    class Meta:
        model = Organization
        fields = ["name", "time_zone", "created_at"]


class PersonSerializer(ModelSerializer):
    class Meta:
        model = Person
        # service_types: the other side of catalog's ServiceType.assignees
        fields = [
            "first_name",
            "last_name",
            "email",
            "title",
            "created_at",
            "archived_at",
            "organization",
            "service_types",
        ]
