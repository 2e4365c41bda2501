from catalog.details import DealDetails, ProjectDetails, ServiceDetails
from catalog.models import Deal, Project, Service, ServiceType
from productive.database.fields import field_names
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
        fields = [
            "name",
            "project_number",
            "created_at",
            "archived_at",
            *field_names(ProjectDetails),
            "organization",
        ]
        null_relationships = ("last_actor", "workflow", "template_object", "import")
        empty_relationships = ("custom_field_people", "custom_field_attachments")
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
            *field_names(DealDetails),
            "organization",
            "project",
        ]
        null_relationships = (
            "approval_policy_assignment",
            "automatic_invoicing_rule",
            "contact",
            "contract",
            "deal_status",
            "designated_approver",
            "document_type",
            "import",
            "invoice_template",
            "lost_reason",
            "next_todo",
            "origin_deal",
            "pipeline",
            "primary_contact",
            "proposal_document_type",
            "subsidiary",
            "tax_rate",
            "template",
        )
        empty_relationships = ("custom_field_people", "custom_field_attachments")
        about = {
            "name": ("The name of the budget", "Phase 1"),
            "budget": ("Always true: all deals are budgets", True),
            "date": ("The first day on which its services can be tracked", "2026-11-02"),
            "end_date": ("The last day on which its services can be tracked", "2026-12-18"),
            "currency": ("The code of the currency", "EUR"),
        }


class ServiceSerializer(ModelSerializer):
    class Meta:
        model = Service
        fields = [
            "name",
            "time_tracking_enabled",
            "expense_tracking_enabled",
            "created_at",
            *field_names(ServiceDetails),
            "organization",
            "deal",
            "service_type",
        ]
        null_relationships = ("section", "import")
        empty_relationships = ("custom_field_people", "custom_field_attachments")
        about = {
            "name": ("The name of the service", "UI design"),
            "time_tracking_enabled": ("Whether time can be tracked on it", True),
            "expense_tracking_enabled": ("Whether expenses can be logged on it", True),
            "price": ("The price of a unit, in cents", 12000),
        }
