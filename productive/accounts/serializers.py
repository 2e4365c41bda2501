from productive.accounts.details import PersonDetails
from productive.accounts.memberships import OrganizationMembership
from productive.accounts.models import Organization, Person
from productive.database.fields import field_names
from productive.jsonapi.serializers import ModelSerializer


class OrganizationSerializer(ModelSerializer):
    class Meta:
        model = Organization
        fields = ["name", "time_zone", "created_at"]
        about = {
            "name": ("The company's name", "Studio North"),
            "time_zone": ("The IANA name of the time zone", "Europe/Zagreb"),
        }


class OrganizationMembershipSerializer(ModelSerializer):
    class Meta:
        model = OrganizationMembership
        fields = ["organization", "person"]
        null_relationships = ("user", "time_tracking_policy")


class PersonSerializer(ModelSerializer):
    class Meta:
        model = Person
        # `service_types` is the reverse of `ServiceType.assignees` in catalog.
        fields = [
            "first_name",
            "last_name",
            "email",
            "title",
            "created_at",
            "archived_at",
            *field_names(PersonDetails),
            "organization",
            "company",
            "manager",
            "service_types",
        ]
        null_relationships = (
            "approval_policy_assignment",
            "custom_role",
            "job_role",
            "subsidiary",
            "time_tracking_policy",
        )
        empty_relationships = ("teams", "custom_field_people", "custom_field_attachments")
        about = {
            "first_name": ("First name", "Ana"),
            "last_name": ("Last name", "Horvat"),
            "email": ("E-mail address; unique in the organization", "ana@example.com"),
            "title": ("Position in the company", "Designer"),
        }
