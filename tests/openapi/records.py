"""Create an organization's records, and serve requests of other threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections

from productive.accounts.models import ApiToken
from productive.wsgi import application
from tests.support.api import keep_connection
from tests.support.factories import (
    ApiTokenFactory,
    DealFactory,
    FilterFactory,
    PersonFactory,
    ProjectAssignmentFactory,
    ProjectFactory,
    ServiceAssignmentFactory,
    ServiceFactory,
    ServiceTypeAssignmentFactory,
    ServiceTypeFactory,
)


def create_records(token: ApiToken) -> None:
    """Create two records of every model, restricted in both ways."""
    owner = {"organization": token.organization}
    for _ in range(2):
        person, service_type = PersonFactory(**owner), ServiceTypeFactory(**owner)
        project = ProjectFactory(**owner)
        restricted = {"person_restricted_tracking": True, "service_type_restricted_tracking": True}
        deal = DealFactory(project=project, **restricted, **owner)
        service = ServiceFactory(deal=deal, service_type=service_type, **owner)
        ServiceAssignmentFactory(person=person, service=service, **owner)
        ServiceTypeAssignmentFactory(person=person, service_type=service_type, **owner)
        saved = FilterFactory(**owner)
        ProjectAssignmentFactory(person=person, project=project, default_filter_id=saved.pk, **owner)


def token_with_records() -> ApiToken:
    token = ApiTokenFactory()
    token.touch(token.created_at)
    create_records(token)
    return token


class Application:
    """The WSGI application for other threads, in the transaction of the test."""

    def __init__(self) -> None:
        self.wrapper: Any = connections[DEFAULT_DB_ALIAS]

    def __enter__(self) -> Application:
        self.wrapper.inc_thread_sharing()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.wrapper.dec_thread_sharing()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        connections[DEFAULT_DB_ALIAS] = self.wrapper
        environ.pop("HTTP_ACCEPT_ENCODING", None)  # the client doesn't decompress
        with keep_connection():
            response = application(environ, start_response)
            try:
                return [b"".join(response)]
            finally:
                response.close()
