from collections.abc import Mapping
from typing import Any, ClassVar

from assignments.api_consequences import LOST, OPENED, AccessViewSet, described
from productive.accounts.filters import PersonFilterSet
from productive.accounts.serializers import OrganizationSerializer, PersonSerializer
from productive.jsonapi.views import ReadOnlyViewSet, model_action


class OrganizationViewSet(ReadOnlyViewSet):
    serializer_class = OrganizationSerializer


class PersonViewSet(AccessViewSet):
    serializer_class = PersonSerializer
    filterset_class = PersonFilterSet
    sorts = {
        "name": ("first_name", "last_name"),
        "email": ("email",),
        "created_at": ("created_at",),
    }
    archive = model_action("archive")
    restore = model_action("restore")
    deactivate = model_action("deactivate")
    activate = model_action("activate")
    response_headers: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "destroy": described(LOST, OPENED),
        "archive": described(LOST),
        "deactivate": described(LOST),
    }
