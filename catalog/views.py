from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from assignments.access import Access, access_of
from assignments.api_consequences import LOST, AccessViewSet, described
from catalog.filters import (
    CompanyFilterSet,
    DealFilterSet,
    ProjectFilterSet,
    ServiceFilterSet,
    ServiceTypeFilterSet,
)
from catalog.serializers import (
    CompanySerializer,
    DealSerializer,
    ProjectSerializer,
    ServiceSerializer,
    ServiceTypeSerializer,
)
from productive.jsonapi.write_views import model_action


class ServiceTypeViewSet(AccessViewSet):
    serializer_class = ServiceTypeSerializer
    filterset_class = ServiceTypeFilterSet
    archive = model_action("archive")
    restore = model_action("restore")


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
    }
    archive = model_action("archive")
    restore = model_action("restore")
    response_headers: ClassVar[Mapping[str, Mapping[str, Any]]] = dict.fromkeys(
        ("destroy", "archive"), described(LOST)
    )


class DealViewSet(AccessViewSet):
    serializer_class = DealSerializer
    filterset_class = DealFilterSet
    sorts = {
        "name": ("name_key",),
        "created_at": ("created_at",),
        "date": ("date",),
        "end_date": ("end_date",),
    }
    close = model_action("close")
    open = model_action("open")
    response_headers: ClassVar[Mapping[str, Mapping[str, Any]]] = dict.fromkeys(
        ("partial_update", "destroy", "close"), described(LOST)
    )


class ServiceViewSet(AccessViewSet):
    serializer_class = ServiceSerializer
    filterset_class = ServiceFilterSet
    sorts = {"name": ("name_key",)}
    response_headers: ClassVar[Mapping[str, Mapping[str, Any]]] = dict.fromkeys(
        ("partial_update", "destroy"), described(LOST)
    )
    resource_meta: ClassVar[Mapping[str, Any]] = {
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
