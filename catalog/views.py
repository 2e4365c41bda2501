from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models.functions import Coalesce

from assignments.access import Access, access_of
from assignments.api_consequences import LOST, AccessViewSet, describe_headers
from catalog.filters import (
    CompanyFilterSet,
    DealFilterSet,
    ProjectFilterSet,
    ServiceFilterSet,
    ServiceTypeFilterSet,
)
from catalog.look_alikes import types_like
from catalog.models import Company, Deal, Project
from catalog.serializers import (
    CompanySerializer,
    DealSerializer,
    ProjectSerializer,
    ServiceSerializer,
    ServiceTypeSerializer,
)
from productive.accounts.models import Person
from productive.database.functions import RelatedValue
from productive.jsonapi.merges import MergeMixin
from productive.jsonapi.parsers import ResourceObject
from productive.jsonapi.schema.json_schema import ID_STRING, object_schema
from productive.jsonapi.write_views import model_action

# Service types that `meta` names.
MAX_LOOK_ALIKES = 10


class ServiceTypeViewSet(MergeMixin, AccessViewSet):
    serializer_class = ServiceTypeSerializer
    filterset_class = ServiceTypeFilterSet
    write_meta = {
        "look_alikes": {
            "type": "array",
            "maxItems": MAX_LOOK_ALIKES,
            "description": "Other service types whose names are like the one that was sent",
            "items": object_schema(
                {"id": ID_STRING, "name": {"type": "string"}, "archived": {"type": "boolean"}},
                required=["id", "name", "archived"],
            ),
        }
    }
    archive = model_action("archive")
    restore = model_action("restore")

    def remarks(self, resource: ResourceObject | None, pk: int | None) -> dict[str, Any]:
        """Add the service types with a similar name."""
        remarks = super().remarks(resource, pk)
        name = None if resource is None else resource.attributes.get("name")
        if isinstance(name, str) and (found := types_like(self.organization, name, exclude=pk)):
            remarks["look_alikes"] = [
                {"id": str(each.pk), "name": each.name, "archived": each.archived_at is not None}
                for each in found[:MAX_LOOK_ALIKES]
            ]
        return remarks


class CompanyViewSet(AccessViewSet):
    serializer_class = CompanySerializer
    filterset_class = CompanyFilterSet
    sorts = {"name": ("name_key",), "created_at": ("created_at",)}
    archive = model_action("archive")
    restore = model_action("restore")


class ProjectViewSet(AccessViewSet):
    serializer_class = ProjectSerializer
    filterset_class = ProjectFilterSet
    sorts = {
        "name": ("name_key",),
        "created_at": ("created_at",),
        "project_number": ("project_number",),
        "number": ("project_number",),
        "company_name": ("company_name",),
    }
    sort_expressions = {"company_name": RelatedValue(Company, "company", "name_key")}
    archive = model_action("archive")
    restore = model_action("restore")
    response_headers = dict.fromkeys(("destroy", "archive"), describe_headers(LOST))


class DealViewSet(AccessViewSet):
    serializer_class = DealSerializer
    filterset_class = DealFilterSet
    sorts = {
        "name": ("name_key",),
        "created_at": ("created_at",),
        "date": ("date",),
        "end_date": ("end_date",),
        "closed_at": ("closed_at",),
        # Productive numbers budgets in the order of their creation; here, their ids do.
        "number": ("id",),
        "company_name": ("company_name",),
        "project_name": ("project_name",),
        "responsible_name": ("responsible_key",),
        "creator_name": ("creator_key",),
    }
    sort_expressions = {
        "company_name": Coalesce(
            RelatedValue(Company, "company", "name_key"),
            RelatedValue(Project, "project", "company__name_key"),
        ),
        "project_name": RelatedValue(Project, "project", "name_key"),
        "responsible_key": RelatedValue(Person, "responsible", "name_key"),
        "creator_key": RelatedValue(Person, "creator", "name_key"),
    }
    close = model_action("close")
    open = model_action("open")
    response_headers = dict.fromkeys(("partial_update", "destroy", "close"), describe_headers(LOST))


class ServiceViewSet(AccessViewSet):
    serializer_class = ServiceSerializer
    filterset_class = ServiceFilterSet
    sorts = {
        "name": ("name_key",),
        "budget": ("budget_name",),
        "project_name": ("project_name",),
        "company": ("company_name",),
    }
    sort_expressions = {
        "budget_name": RelatedValue(Deal, "deal", "name_key"),
        "project_name": RelatedValue(Deal, "deal", "project__name_key"),
        "company_name": RelatedValue(
            Deal, "deal", Coalesce("company__name_key", "project__company__name_key")
        ),
    }
    response_headers = dict.fromkeys(("partial_update", "destroy"), describe_headers(LOST))
    resource_meta = {
        "access": {
            "type": "string",
            "enum": [*Access],
            "description": "Which members of its project the service is open to",
            "examples": [Access.RESTRICTED],
        },
        "assignee_count": {
            "type": "integer",
            "minimum": 0,
            "description": "The number of active people assigned to it",
            "examples": [2],
        },
    }

    def resource_metas(self, ids: Sequence[int]) -> Mapping[int, dict[str, Any]]:
        return access_of(ids)
