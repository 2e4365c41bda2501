"""The header that names services which a request has opened to all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from assignments.access import guarded_by, opened
from assignments.models import ServiceAssignment
from productive.jsonapi.views import ModelViewSet

OPENED_HEADER = "Warning-Opened-Service"
OPENED = {
    OPENED_HEADER: {
        "description": "The ids of services that this has opened to all members of their projects, because"
        " nobody is assigned to them any more",
        "schema": {"type": "string"},
    }
}


class OpenedServicesViewSet(ModelViewSet):
    """Name in a header the services that lose their last assignee.

    Without assignees, a service is open to all members of the project.
    """

    response_headers: ClassVar[Mapping[str, Mapping[str, Any]]] = {"destroy": OPENED}

    def assignments_at_risk(self) -> QuerySet[ServiceAssignment]:
        """Return the assignments that the request may remove."""
        raise NotImplementedError

    def destroy(self, request: Request, **kwargs: Any) -> Response:
        guarded = guarded_by(self.assignments_at_risk())
        return self.warn(super().destroy(request, **kwargs), guarded)

    def warn(self, response: Response, guarded: list[int]) -> Response:
        if services := opened(guarded):
            response.headers[OPENED_HEADER] = ", ".join(map(str, services))
        return response
