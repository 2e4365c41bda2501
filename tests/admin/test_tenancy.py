"""Request every URL of the admin as staff of another organization: no record is visible."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from typing import Any
from uuid import uuid4

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, get_resolver, reverse

from catalog.models import Deal, Project
from productive.accounts.models import Organization, Person, User
from productive.database.history import change_set
from tests.support.admin import FACTORIES, RELATIONS, create_row, delete, request_by, signed_in, staff, url
from tests.support.factories import ApiTokenFactory, OrganizationFactory, UserFactory
from tests.support.samples import sampled

pytestmark = [pytest.mark.django_db, pytest.mark.no_cover, pytest.mark.any_database]

MARK = "Zyxwvut"
MISSING = 987_654_321


def addresses(patterns: Any, before: str = "") -> Iterator[tuple[str, URLPattern]]:
    for pattern in patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield route, pattern
        else:
            yield from addresses(pattern.url_patterns, route)


ADDRESSES = {
    route: pattern
    for route, pattern in addresses(get_resolver().url_patterns)
    # A logout would end the session.
    if route.startswith("admin/") and pattern.name != "logout"
}


Rows = dict[type[Any], Any]


def rows_called(mark: str) -> Rows:
    """Create a row of each model in one organization, with the mark as name."""
    # No values that another organization has.
    with change_set():
        organization = OrganizationFactory(name=mark)
        rows = {Organization: organization} | {model: create_row(model, organization) for model in FACTORIES}
        for row in [row for model in rows for row in model.objects.all()]:
            if getattr(row, "organization", organization) == organization:
                for name in {"name", "first_name", "username"} & {field.name for field in row._meta.fields}:
                    setattr(row, name, f"{mark} {row.pk}")
                row.save()
    return {model: model.objects.get(pk=row.pk) for model, row in rows.items()}


@pytest.fixture
def other_rows() -> Rows:
    """Create rows of another organization. Their name appears nowhere else."""
    return rows_called(MARK)


def model_of(route: str) -> Any:
    """Return the model of the route's admin."""
    _, app, model, *_ = route.split("/")
    return apps.get_model(app, model)


def fill(route: str, parameter: str, rows: Rows) -> tuple[Any, Any]:
    """Return values for a parameter of the route: one of these rows, and one that doesn't exist."""
    restored = rows[next(iter(FACTORIES))]
    known = {
        "boards/budget/<int:pk>": lambda: (rows[Deal].pk, MISSING),
        "boards/project/<int:pk>": lambda: (rows[Project].pk, MISSING),
        "changes/<uuid:pk>": lambda: (restored.history.latest().change_set, uuid4()),
        "<int:pk>": lambda: (restored.history.latest().pk, MISSING),
        "<str:model>": lambda: (restored._meta.label_lower,) * 2,
        "<path:content_type_id>": lambda: (ContentType.objects.get_for_model(restored).pk,) * 2,
        "r/<path:content_type_id>/<path:object_id>": lambda: (restored.pk, MISSING),
        "?P<app_label>": lambda: ("accounts",) * 2,
        "?P<url>": lambda: ("nowhere",) * 2,
    }
    for where, filled in known.items():
        if where in route and parameter in where.rpartition(":")[2].rpartition("<")[2]:
            return filled()
    if parameter in ("object_id", "id"):
        model = model_of(route)
        return (rows[model].pk if model in rows else MISSING), MISSING
    pytest.fail(f"{route}: how is {parameter} filled?")


def path_of(route: str, pattern: URLPattern, values: dict[str, Any]) -> str:
    path = re.sub(r"\(\?P<(\w+)>.*?\)(?=[/$])", r"<\1>", route).replace("^", "").replace("$", "")
    for name, value in values.items():
        path = re.sub(rf"<(\w+:)?{name}>", str(value), path)
    assert "<" not in path, f"{route}: what is left of it is {path}"
    return f"/{path}"


def parameters_naming(rows: dict[type[Any], int]) -> dict[str, Any]:
    """Return parameters of forms, filters and actions that name the rows."""
    relations = {field.name: rows[field.related_model] for field in RELATIONS}
    return {
        **relations,
        **{f"{name}_id": pk for name, pk in relations.items()},
        **{f"{name}__id__exact": pk for name, pk in relations.items()},
        "post": "yes",
        "apply": "1",
        "confirm": "1",
    }


def answers(client: Client, method: str, path: str, ids: dict[type[Any], int], model: Any) -> tuple[Any, ...]:
    """Return status, redirect target and page of each response."""
    chosen = {"_selected_action": ids.get(model, MISSING), "ids": ids.get(model, MISSING)}
    return summarize(getattr(client, method)(path, {**parameters_naming(ids), **chosen}))


def summarize(answer: Any) -> tuple[Any, ...]:
    page = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return answer.status_code, answer.headers.get("Location", ""), page.decode(errors="replace")


# Parts that differ on every page: CSRF tokens, nonces, names of the requested object, and relative times.
VARYING = re.compile(
    r'(?<=name="csrfmiddlewaretoken" value=")\w+|(?<=nonce=")[^"]+|[0-9a-f-]{36}|(?<=<time )[^<]+'
)


def equal_but_for_ids(one: tuple[Any, ...], other: tuple[Any, ...], ids: set[int]) -> bool:
    """Return whether two responses differ in the requested ids only."""
    numbers = re.compile(rf"\b({'|'.join(map(str, {*ids, MISSING}))})\b")
    return len({numbers.sub("#", VARYING.sub("", "\n".join(map(str, each)))) for each in (one, other)}) == 1


@pytest.mark.parametrize("method", ["get", "post"])
def test_other_organization_sees_and_changes_nothing_at_any_url(method: str, other_rows: Rows) -> None:
    clients = two_sessions(staff(OrganizationFactory()))
    theirs = {model: row.pk for model, row in other_rows.items()}
    none = dict.fromkeys(theirs, MISSING)
    before = values_of(other_rows)

    found = {}
    share = 1 if method == "get" else 3
    for route, pattern in sampled(ADDRESSES.items(), share=share):
        filled = {name: fill(route, name, other_rows) for name in pattern.pattern.regex.groupindex}
        model = next((m for m in theirs if f"/{m._meta.app_label}/{m._meta.model_name}/" in route), None)
        foreign, missing = (
            answers(
                clients[which],
                method,
                path_of(route, pattern, {n: v[which] for n, v in filled.items()}),
                ids,
                model,
            )
            for which, ids in enumerate((theirs, none))
        )
        is_like_nothing = equal_but_for_ids(foreign, missing, {*theirs.values()})
        shows_nothing = foreign[0] < 500 and MARK not in foreign[2]
        found[route] = (is_like_nothing and shows_nothing) or (foreign, missing)
    assert found == dict.fromkeys(found, True)
    assert values_of(other_rows) == before


def values_of(rows: Rows) -> Rows:
    """Return the values of the rows. Raise DoesNotExist if one was deleted."""
    return {model: model.objects.filter(pk=row.pk).values().get() for model, row in rows.items()}


def two_sessions(client: Client) -> list[Client]:
    """Return two sessions of one user, because messages appear on the next page of a session."""
    clients = [client, signed_in(User.objects.get(pk=client.session["_auth_user_id"]))]
    for each in clients:
        # Report every URL, not only the first that fails.
        each.raise_request_exception = False
    return clients


def test_actions_reject_rows_of_other_organization(other_rows: Rows) -> None:
    clients, before = two_sessions(staff(OrganizationFactory())), values_of(other_rows)
    theirs = [row.pk for row in other_rows.values()]
    found = {}
    for place, (model, row) in enumerate(other_rows.items()):
        actions = admin.site._registry[model].get_actions(request_by(clients[0]))
        for action, step in sampled(product(actions, ("", "apply")), place, share=3):
            sent = {"action": action, "index": 0, "post": "yes", **({"step": step} if step else {})}
            one, other = (
                summarize(
                    client.post(url(model, "changelist"), {**sent, "_selected_action": pk, "chosen": chosen})
                )
                for client, pk, chosen in (
                    (clients[0], row.pk, theirs),
                    (clients[1], MISSING, [MISSING] * len(theirs)),
                )
            )
            shows_nothing = one[0] < 500 and MARK not in one[2]
            found[model, action, step] = (equal_but_for_ids(one, other, {*theirs}) and shows_nothing) or (
                one,
                other,
            )
    assert len(found) > 15
    assert found == dict.fromkeys(found, True)
    assert values_of(other_rows) == before


def own_address(route: str, pattern: URLPattern, rows: Rows) -> str:
    names = pattern.pattern.regex.groupindex
    return path_of(route, pattern, {name: fill(route, name, rows)[0] for name in names})


def test_own_pages_show_and_delete_nothing_of_other_organization(other_rows: Rows) -> None:
    """Drop-downs, filters and histories, confirmations, exports."""
    own, before = rows_called("Own"), values_of(other_rows)
    client = staff(own[Organization])
    statuses = []
    for route, pattern in sampled(ADDRESSES.items(), share=2):
        is_list = (pattern.name or "").endswith("changelist")
        status, _, page = summarize(
            client.get(own_address(route, pattern, own) + ("?_facets=1" if is_list else ""))
        )
        assert (status < 500, MARK in page) == (True, False), route
        statuses.append(status)
    assert statuses.count(200) > 30
    for row in own.values():
        with transaction.atomic():
            delete(client, row)
            assert values_of(other_rows) == before
            transaction.set_rollback(True)


@pytest.mark.parametrize("method", ["get", "post"])
def test_only_active_staff_get_past_the_login_page(method: str, other_rows: Rows) -> None:
    """Not an anonymous user, a user who isn't staff, a deactivated user, or an API token."""
    organization = other_rows[Organization]
    switched_off = staff(organization)
    User.objects.filter(pk=switched_off.session["_auth_user_id"]).update(is_active=False)
    no_staff = UserFactory(organization=organization)
    no_staff.user_permissions.set(Permission.objects.all())
    token = ApiTokenFactory(organization=organization)
    ids = {model: row.pk for model, row in other_rows.items()}
    before = values_of(other_rows)
    for client in (Client(), signed_in(no_staff), switched_off, Client(headers={"X-Auth-Token": token.name})):
        for route, pattern in ADDRESSES.items():
            path = own_address(route, pattern, other_rows)
            status, location, page = answers(client, method, path, ids, None)
            if pattern.name != "login":
                assert (status, location.partition("?")[0]) == (302, reverse("admin:login")), path
            assert MARK not in page, path
    assert values_of(other_rows) == before


def test_staff_without_permissions_see_no_record(other_rows: Rows) -> None:
    client = staff(other_rows[Organization], "no such right")
    statuses = set()
    for route, pattern in ADDRESSES.items():
        status, _, page = summarize(client.get(own_address(route, pattern, other_rows)))
        assert MARK not in page, route
        statuses.add(status)
    assert statuses == {200, 302, 403, 404}


def test_staff_with_view_permission_change_nothing_at_any_url(other_rows: Rows) -> None:
    client = staff(other_rows[Organization], *(f"view_{model._meta.model_name}" for model in other_rows))
    ids = {model: row.pk for model, row in other_rows.items()}
    before = values_of(other_rows)
    for route, pattern in ADDRESSES.items():
        path = own_address(route, pattern, other_rows)
        model = next((m for m in ids if f"/{m._meta.app_label}/{m._meta.model_name}/" in route), None)
        assert answers(client, "post", path, ids, model)[0] < 500, path
    assert values_of(other_rows) == before


def test_command_palette_finds_nothing_of_other_organization(other_rows: Rows) -> None:
    query = reverse("admin:search") + f"?s={MARK}"
    # The page repeats the search term.
    found = f"{MARK} {other_rows[Person].pk}"
    assert found not in staff(OrganizationFactory()).get(query).content.decode()
    assert found in staff(other_rows[Organization]).get(query).content.decode()


def test_requests_show_own_records(other_rows: Rows) -> None:
    """Check that the requests above would find the mark if the records were visible."""
    client = staff(other_rows[Organization])
    shows_mark = {}
    for model, row in other_rows.items():
        change = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[row.pk])
        shows_mark[model] = MARK in client.get(change).content.decode()
    assert shows_mark == dict.fromkeys(other_rows, True)
