"""Serve the same documents by hand-written views for these endpoints only.

Each view runs as few statements as possible and builds literal dictionaries. There are no filters other than
`person_id`, no sorting, no sparse fieldsets, no other include paths, no writable attributes other than those
of the benchmark, no validation messages, and no retry after a lost race. The views have what no endpoint can
do without: the token, the organization, pages with links and the exact count, constraints, and a history
record in the transaction of each change. The token and the count use the application's own code, so they
don't contribute to the difference.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import wraps
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4
from zoneinfo import ZoneInfo

import orjson
from django.db import IntegrityError, connection, transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from assignments.models import ProjectAssignment, ServiceAssignment
from catalog.details import ProjectDetails, ServiceDetails
from productive.accounts.authentication import find_token
from productive.accounts.details import PersonDetails
from productive.accounts.models import ApiToken
from productive.database.fields import field_names
from productive.database.row_counts import count_rows

CONTENT_TYPE = "application/vnd.api+json; charset=utf-8"
NOT_INCLUDED = {"meta": {"included": False}}


class RejectedError(Exception):
    """Return a response without a body."""

    def __init__(self, status: int) -> None:
        self.status = status


def endpoint(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Pass the token of the request to the view."""

    @csrf_exempt
    @wraps(view)
    def authenticated(request: HttpRequest, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, token_of(request), **kwargs)
        except RejectedError as error:
            return HttpResponse(status=error.status)

    return authenticated


def token_of(request: HttpRequest) -> Any:
    now = timezone.now()
    token = find_token(request.headers.get("X-Auth-Token", ""))
    if token is None or not token.is_live(now):
        raise RejectedError(401)
    if not token.is_member or (token.read_only and request.method != "GET"):
        raise RejectedError(403)
    token.touch(now)
    return token


def respond(document: dict[str, Any], status: int = 200) -> HttpResponse:
    return HttpResponse(orjson.dumps(document), status=status, content_type=CONTENT_TYPE)


def list_response(
    request: HttpRequest,
    queryset: QuerySet[Any],
    columns: Iterable[str],
    render: Callable[[list[Any]], dict[str, Any]],
) -> HttpResponse:
    """Return a page with its links and total."""
    number, size = int(request.GET.get("page[number]", 1)), min(int(request.GET.get("page[size]", 30)), 200)
    if person := request.GET.get("filter[person_id]"):
        queryset = queryset.filter(person_id=person)
    first = (number - 1) * size
    rows = list(queryset.order_by("id").values_list(*columns)[first : first + size])
    total = first + len(rows) if 0 < len(rows) < size else count_rows(queryset)
    pages = -(-total // size)
    last = max(pages, 1)
    query = urlencode([(name, value) for name, value in request.GET.items() if not name.startswith("page[")])
    address = f"{request.build_absolute_uri(request.path)}?{query}{'&' if query else ''}page%5Bnumber%5D="
    links = {"first": f"{address}1&page%5Bsize%5D={size}"}
    if 1 < number <= last + 1:
        links["prev"] = f"{address}{number - 1}&page%5Bsize%5D={size}"
    if number < last:
        links["next"] = f"{address}{number + 1}&page%5Bsize%5D={size}"
    links["last"] = f"{address}{last}&page%5Bsize%5D={size}"
    return respond(
        {
            **render(rows),
            "links": links,
            "meta": {
                "current_page": number,
                "total_pages": pages,
                "total_count": total,
                "page_size": size,
                "max_page_size": 200,
            },
        }
    )


def local(moment: datetime | None, zone: ZoneInfo) -> str | None:
    return None if moment is None else moment.astimezone(zone).isoformat(timespec="milliseconds")


def fragment(value: Any) -> orjson.Fragment:
    """Precompute what is the same in every row."""
    return orjson.Fragment(orjson.dumps(value))


PERSON_DETAILS, SERVICE_DETAILS, PROJECT_DETAILS = map(
    field_names, (PersonDetails, ServiceDetails, ProjectDetails)
)
PERSON = [
    f"person__{n}"
    for n in ("first_name", "last_name", "email", "title", "created_at", "archived_at", *PERSON_DETAILS)
]
OF_PERSON = (
    *("company", "manager", "service_types", "approval_policy_assignment", "custom_role", "job_role"),
    *("subsidiary", "time_tracking_policy", "teams", "custom_field_people", "custom_field_attachments"),
)
OF_SERVICE = (
    *("deal", "service_type", "person", "section", "import"),
    *("custom_field_people", "custom_field_attachments"),
)
OF_PROJECT = (
    *("company", "project_manager", "last_actor", "workflow", "template_object", "import"),
    *("custom_field_people", "custom_field_attachments"),
)


def relationships_of(owner: Any, names: Iterable[str]) -> orjson.Fragment:
    return fragment({"organization": owner, **dict.fromkeys(names, NOT_INCLUDED)})


def person_object(row: Any, zone: ZoneInfo, relationships: orjson.Fragment) -> dict[str, Any]:
    pk, first_name, last_name, email, title, created_at, archived_at, *details = row
    return {
        "id": str(pk),
        "type": "people",
        "attributes": {
            "first_name": first_name,
            "last_name": last_name,
            "email": email,
            "title": title,
            "created_at": local(created_at, zone),
            "archived_at": local(archived_at, zone),
            **dict(zip(PERSON_DETAILS, details, strict=True)),
        },
        "relationships": relationships,
    }


# --- service assignments --------------------------------------------------------------------------


@endpoint
def service_assignments(request: HttpRequest, token: ApiToken) -> HttpResponse:
    queryset = ServiceAssignment.objects.owned_by(token.organization)
    owner = {"data": {"type": "organizations", "id": str(token.organization_id)}}
    zone = token.organization.zone

    def render(rows: list[Any]) -> dict[str, Any]:
        relationships = fragment({"organization": owner, "person": NOT_INCLUDED, "service": NOT_INCLUDED})
        return {
            "data": [
                {"id": str(pk), "type": "service_assignments", "relationships": relationships}
                for (pk,) in rows
            ]
        }

    def render_with_includes(rows: list[Any]) -> dict[str, Any]:
        data, people, services = [], set(), set()
        included: list[dict[str, Any]] = []
        of_person, of_service = relationships_of(owner, OF_PERSON), relationships_of(owner, OF_SERVICE)
        length = len(SERVICE_DETAILS)
        for pk, service, name, time_tracking, expense_tracking, created_at, *others in rows:
            person = others[length:]
            data.append(
                {
                    "id": str(pk),
                    "type": "service_assignments",
                    "relationships": {
                        "organization": owner,
                        "person": {"data": {"type": "people", "id": str(person[0])}},
                        "service": {"data": {"type": "services", "id": str(service)}},
                    },
                }
            )
            if person[0] not in people:
                people.add(person[0])
                included.append(person_object(person, zone, of_person))
            if service not in services:
                services.add(service)
                included.append(
                    {
                        "id": str(service),
                        "type": "services",
                        "attributes": {
                            "name": name,
                            "time_tracking_enabled": time_tracking,
                            "expense_tracking_enabled": expense_tracking,
                            "created_at": local(created_at, zone),
                            **dict(zip(SERVICE_DETAILS, others[:length], strict=True)),
                        },
                        "relationships": of_service,
                    }
                )
        return {"data": data, "included": included}

    if request.GET.get("include") != "person,service":
        return list_response(request, queryset, ["id"], render)
    own = ("name", "time_tracking_enabled", "expense_tracking_enabled", "created_at", *SERVICE_DETAILS)
    service = [f"service__{n}" for n in own]
    return list_response(
        request, queryset, ["id", "service_id", *service, "person_id", *PERSON], render_with_includes
    )


# --- project assignments --------------------------------------------------------------------------

ATTRIBUTES = [
    "default_filter_id",
    "tasks_layout_id",
    "created_at",
    "preferences",
    "budgets_filter_id",
    "deals_filter_id",
    "invoices_filter_id",
    "docs_filter_id",
    "watched",
]
FAVORITES = dict.fromkeys(
    (
        "favorite_filter",
        "budgets_favorite_filter",
        "deals_favorite_filter",
        "invoices_favorite_filter",
        "docs_favorite_filter",
    ),
    NOT_INCLUDED,
)


def project_assignment_object(row: Any, zone: ZoneInfo, relationships: Any) -> dict[str, Any]:
    pk, default, layout, created_at, preferences, budgets, deals, invoices, docs, watched = row
    return {
        "id": str(pk),
        "type": "project_assignments",
        "attributes": {
            "default_filter_id": default,
            "tasks_layout_id": layout,
            "created_at": local(created_at, zone),
            "preferences": preferences,
            "budgets_filter_id": budgets,
            "deals_filter_id": deals,
            "invoices_filter_id": invoices,
            "docs_filter_id": docs,
            "watched": watched,
        },
        "relationships": relationships,
    }


def project_assignment_document(row: Any, organization: Any) -> dict[str, Any]:
    owner = {"data": {"type": "organizations", "id": str(organization.pk)}}
    relationships = {"organization": owner, "person": NOT_INCLUDED, "project": NOT_INCLUDED, **FAVORITES}
    return {"data": project_assignment_object(row, organization.zone, relationships), "meta": {}}


@endpoint
def project_assignments(request: HttpRequest, token: ApiToken) -> HttpResponse:
    if request.method == "POST":
        return create_project_assignment(request, token)
    queryset = ProjectAssignment.objects.owned_by(token.organization)
    owner = {"data": {"type": "organizations", "id": str(token.organization_id)}}
    zone = token.organization.zone

    def render(rows: list[Any]) -> dict[str, Any]:
        relationships = fragment(
            {"organization": owner, "person": NOT_INCLUDED, "project": NOT_INCLUDED, **FAVORITES}
        )
        return {"data": [project_assignment_object(row, zone, relationships) for row in rows]}

    def render_with_includes(rows: list[Any]) -> dict[str, Any]:
        data, people, projects = [], set(), set()
        included: list[dict[str, Any]] = []
        of_person, of_project = relationships_of(owner, OF_PERSON), relationships_of(owner, OF_PROJECT)
        end = 10 + 1 + len(PERSON)
        for row in rows:
            person, (project, name, project_number, created_at, archived_at, *details) = (
                row[10:end],
                row[end:],
            )
            relationships = {
                "organization": owner,
                "person": {"data": {"type": "people", "id": str(person[0])}},
                "project": {"data": {"type": "projects", "id": str(project)}},
                **FAVORITES,
            }
            data.append(project_assignment_object(row[:10], zone, relationships))
            if person[0] not in people:
                people.add(person[0])
                included.append(person_object(person, zone, of_person))
            if project not in projects:
                projects.add(project)
                included.append(
                    {
                        "id": str(project),
                        "type": "projects",
                        "attributes": {
                            "name": name,
                            "project_number": project_number,
                            "created_at": local(created_at, zone),
                            "archived_at": local(archived_at, zone),
                            **dict(zip(PROJECT_DETAILS, details, strict=True)),
                        },
                        "relationships": of_project,
                    }
                )
        return {"data": data, "included": included}

    if request.GET.get("include") != "person,project":
        return list_response(request, queryset, ["id", *ATTRIBUTES], render)
    own = ("name", "project_number", "created_at", "archived_at", *PROJECT_DETAILS)
    project = [f"project__{n}" for n in own]
    return list_response(
        request,
        queryset,
        ["id", *ATTRIBUTES, "person_id", *PERSON, "project_id", *project],
        render_with_includes,
    )


@endpoint
def project_assignment(request: HttpRequest, token: ApiToken, pk: int) -> HttpResponse:
    if request.method == "PATCH":
        return update_project_assignment(request, token, pk)
    if request.method == "DELETE":
        return delete_project_assignment(token, pk)
    rows = ProjectAssignment.objects.filter(organization_id=token.organization_id, id=pk)
    for row in rows.values_list("id", *ATTRIBUTES):
        return respond(project_assignment_document(row, token.organization))
    raise RejectedError(404)


FIND_BOTH = (
    "SELECT 1 FROM accounts_person, catalog_project"
    " WHERE accounts_person.id = %s AND accounts_person.organization_id = %s"
    " AND catalog_project.id = %s AND catalog_project.organization_id = %s"
)
INSERT = (
    "INSERT INTO assignments_projectassignment (organization_id, created_at, person_id, project_id)"
    " VALUES (%s, %s, %s, %s) RETURNING id"
)
UPDATE = "UPDATE assignments_projectassignment SET preferences = %s WHERE id = %s"
DELETE = "DELETE FROM assignments_projectassignment WHERE id = %s"
RECORDED = f"id, organization_id, person_id, project_id, {', '.join(ATTRIBUTES)}"
# Only names of columns, from the constants above.
RECORD = f"""
    INSERT INTO assignments_historicalprojectassignment
        ({RECORDED}, history_type, history_date, history_user_id, change_set, via)
    SELECT {RECORDED}, %s, %s, %s, %s, %s FROM assignments_projectassignment
    WHERE id = %s AND organization_id = %s
"""  # noqa: S608


def record(cursor: Any, token: ApiToken, kind: str, pk: int, now: datetime) -> None:
    """Record the change of this row. Raise RejectedError if the organization has no such row."""
    moment = connection.ops.adapt_datetimefield_value(now)
    change_set, via = uuid4().hex, f"API: {token.name}"
    cursor.execute(RECORD, [kind, moment, token.user_id, change_set, via, pk, token.organization_id])
    if not cursor.rowcount:
        raise RejectedError(404)


def create_project_assignment(request: HttpRequest, token: ApiToken) -> HttpResponse:
    relationships = orjson.loads(request.body)["data"]["relationships"]
    person, project = (int(relationships[name]["data"]["id"]) for name in ("person", "project"))
    organization, now = token.organization, timezone.now()
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(FIND_BOTH, [person, organization.pk, project, organization.pk])
            if cursor.fetchone() is None:
                raise RejectedError(422)
            moment = connection.ops.adapt_datetimefield_value(now)
            cursor.execute(INSERT, [organization.pk, moment, person, project])
            (pk,) = cursor.fetchone()
            record(cursor, token, "+", pk, now)
    except IntegrityError:
        raise RejectedError(422) from None
    row = (pk, None, None, now, None, None, None, None, None, None)
    response = respond(project_assignment_document(row, organization), 201)
    response.headers["Location"] = request.build_absolute_uri(f"{request.path}/{pk}")
    return response


def update_project_assignment(request: HttpRequest, token: ApiToken, pk: int) -> HttpResponse:
    preferences = orjson.loads(request.body)["data"]["attributes"]["preferences"]
    rows = ProjectAssignment.objects.filter(organization_id=token.organization_id, id=pk)
    with transaction.atomic(), connection.cursor() as cursor:
        row = rows.select_for_update().values_list("id", *ATTRIBUTES).first()
        if row is None:
            raise RejectedError(404)
        if row[4] != preferences:
            cursor.execute(UPDATE, [json.dumps(preferences), pk])
            record(cursor, token, "~", pk, timezone.now())
    return respond(project_assignment_document((*row[:4], preferences, *row[5:]), token.organization))


def delete_project_assignment(token: ApiToken, pk: int) -> HttpResponse:
    with transaction.atomic(), connection.cursor() as cursor:
        record(cursor, token, "-", pk, timezone.now())
        cursor.execute(DELETE, [pk])
        if not cursor.rowcount:
            raise RejectedError(404)
    return HttpResponse(status=204)


@endpoint
def nothing(request: HttpRequest, token: ApiToken) -> HttpResponse:
    """Return an empty response: the cost of middleware, connection and token."""
    return respond({"meta": {}})


urlpatterns = [
    path("nothing", nothing),
    path("service_assignments", service_assignments),
    path("project_assignments", project_assignments),
    path("project_assignments/<int:pk>", project_assignment),
]
