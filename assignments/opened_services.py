"""The response header that names the services which a request has opened."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from assignments.access import restricted_services, services_without_assignees
from assignments.models import ServiceAssignment
from productive.jsonapi.views import ModelViewSet

OPENED_HEADER = "Warning-Opened-Service"
OPENED = {
    OPENED_HEADER: {
        "description": "The ids of the services that this has opened to all members of their projects: they"
        " no longer have assignees",
        "schema": {"type": "string"},
    }
}


class OpenedServicesViewSet(ModelViewSet):
    """Add a header with the services that lose their last assignee.

    Without assignees, a service is open to all members of its project.
    """

    response_headers: ClassVar[Mapping[str, Mapping[str, Any]]] = {"destroy": OPENED}

    def affected_assignments(self) -> QuerySet[ServiceAssignment]:
        """Return the assignments that the request may remove."""
        raise NotImplementedError

    def destroy(self, request: Request, **kwargs: Any) -> Response:
        services = restricted_services(self.affected_assignments())
        return self.add_header(super().destroy(request, **kwargs), services)

    def add_header(self, response: Response, services: list[int]) -> Response:
        if opened := services_without_assignees(services):
            response.headers[OPENED_HEADER] = ", ".join(map(str, opened))
        return response
