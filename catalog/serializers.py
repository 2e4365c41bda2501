from catalog.details import CompanyDetails, DealDetails, ProjectDetails, ServiceDetails
from catalog.models import Company, Deal, Project, Service, ServiceType
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


class CompanySerializer(ModelSerializer):
    class Meta:
        model = Company
        fields = [
            "name",
            "billing_name",
            "vat",
            "company_code",
            "domain",
            *field_names(CompanyDetails),
            "archived_at",
            "created_at",
            "organization",
        ]
        null_relationships = ("default_subsidiary", "default_tax_rate", "default_document_type")
        empty_relationships = ("custom_field_people", "custom_field_attachments")
        about = {
            "name": ("The name of the client", "Cedar Bank"),
            "billing_name": ("The full name on invoices", "Cedar Bank plc"),
            "vat": ("The tax number", "HR12345678901"),
            "company_code": ("The company's own code for the client", "CEDAR"),
            "domain": ("The domain of the client's website", "cedarbank.example"),
            "default_currency": ("The code of the currency", "EUR"),
            "due_days": ("The number of days until an invoice is due", 15),
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
            "company",
            "project_manager",
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
            "company",
            "responsible",
            "creator",
        ]
        inherited = {"company": "project__company"}
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
            "person",
        ]
        null_relationships = ("section", "import")
        empty_relationships = ("custom_field_people", "custom_field_attachments")
        about = {
            "name": ("The name of the service", "UI design"),
            "time_tracking_enabled": ("Whether time can be tracked on it", True),
            "expense_tracking_enabled": ("Whether expenses can be logged on it", True),
            "price": ("The price of a unit, in cents", 12000),
        }
