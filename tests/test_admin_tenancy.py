"""A walk through every address of the admin, as staff of one organization in search of another's records."""

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

from productive.accounts.models import Organization, Person, User
from productive.database.history import change_set
from tests.support.admin import OWNED, RELATIONS, make, request_by, signed_in, staff, url
from tests.support.factories import ApiTokenFactory, OrganizationFactory, UserFactory

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
    # Signing out would end the walk.
    if route.startswith("admin/") and pattern.name != "logout"
}


Rows = dict[type[Any], Any]


def rows_called(mark: str) -> Rows:
    """A row of each model, all of one organization, and each called so."""
    # Nothing that another organization shares with it.
    with change_set():
        organization = OrganizationFactory(name=mark)
        rows = {Organization: organization} | {model: make(model, organization) for model in OWNED}
        for row in [row for model in rows for row in model.objects.all()]:
            if getattr(row, "organization", organization) == organization:
                for name in {"name", "first_name", "username"} & {field.name for field in row._meta.fields}:
                    setattr(row, name, f"{mark} {row.pk}")
                row.save()
    return {model: model.objects.get(pk=row.pk) for model, row in rows.items()}


@pytest.fixture
def strangers() -> Rows:
    """Their name is found nowhere else."""
    return rows_called(MARK)


def model_of(route: str) -> Any:
    """The model whose admin the address belongs to."""
    _, app, model, *_ = route.split("/")
    return apps.get_model(app, model)


def fill(route: str, parameter: str, rows: Rows) -> tuple[Any, Any]:
    """What the address asks for: one of these rows, and what there is none of."""
    restored = rows[next(iter(OWNED))]
    known = {
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


def asked_with(rows: dict[type[Any], int]) -> dict[str, Any]:
    """What a form, a filter or an action could name rows by."""
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
    """Status, address that it sends to, page."""
    chosen = {"_selected_action": ids.get(model, MISSING), "ids": ids.get(model, MISSING)}
    return told(getattr(client, method)(path, {**asked_with(ids), **chosen}))


def told(answer: Any) -> tuple[Any, ...]:
    page = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return answer.status_code, answer.headers.get("Location", ""), page.decode(errors="replace")


# What is another on every page: tokens against forgery, marks of scripts, names of what is asked for, and how
# long ago something was.
PASSING = re.compile(
    r'(?<=name="csrfmiddlewaretoken" value=")\w+|(?<=nonce=")[^"]+|[0-9a-f-]{36}|(?<=<time )[^<]+'
)


def alike(one: tuple[Any, ...], other: tuple[Any, ...], ids: set[int]) -> bool:
    """Whether two answers differ in nothing but the ids that were asked for."""
    numbers = re.compile(rf"\b({'|'.join(map(str, {*ids, MISSING}))})\b")
    return len({numbers.sub("#", PASSING.sub("", "\n".join(map(str, each)))) for each in (one, other)}) == 1


@pytest.mark.parametrize("method", ["get", "post"])
def test_stranger_finds_and_changes_nothing_at_any_address(method: str, strangers: Rows) -> None:
    clients = twice(staff(OrganizationFactory()))
    theirs = {model: row.pk for model, row in strangers.items()}
    none = dict.fromkeys(theirs, MISSING)
    before = kept(strangers)

    found = {}
    for route, pattern in ADDRESSES.items():
        filled = {name: fill(route, name, strangers) for name in pattern.pattern.regex.groupindex}
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
        is_like_nothing = alike(foreign, missing, {*theirs.values()})
        shows_nothing = foreign[0] < 500 and MARK not in foreign[2]
        found[route] = (is_like_nothing and shows_nothing) or (foreign, missing)
    assert found == dict.fromkeys(ADDRESSES, True)
    assert kept(strangers) == before


def kept(rows: Rows) -> Rows:
    """The rows, column by column; one that is gone fails here."""
    return {model: model.objects.filter(pk=row.pk).values().get() for model, row in rows.items()}


def twice(client: Client) -> list[Client]:
    """Two sessions of one user: each is told on the next page what became of what it asked before."""
    clients = [client, signed_in(User.objects.get(pk=client.session["_auth_user_id"]))]
    for each in clients:
        # Every address is told of, not only the first that fails.
        each.raise_request_exception = False
    return clients


def test_strangers_rows_can_be_chosen_for_no_action(strangers: Rows) -> None:
    clients, before = twice(staff(OrganizationFactory())), kept(strangers)
    theirs = [row.pk for row in strangers.values()]
    found = {}
    for model, row in strangers.items():
        for action, step in product(
            admin.site._registry[model].get_actions(request_by(clients[0])), ("", "apply")
        ):
            sent = {"action": action, "index": 0, "post": "yes", **({"step": step} if step else {})}
            one, other = (
                told(
                    client.post(url(model, "changelist"), {**sent, "_selected_action": pk, "chosen": chosen})
                )
                for client, pk, chosen in (
                    (clients[0], row.pk, theirs),
                    (clients[1], MISSING, [MISSING] * len(theirs)),
                )
            )
            shows_nothing = one[0] < 500 and MARK not in one[2]
            found[model, action, step] = (alike(one, other, {*theirs}) and shows_nothing) or (one, other)
    assert len(found) > 40
    assert found == dict.fromkeys(found, True)
    assert kept(strangers) == before


def own_address(route: str, pattern: URLPattern, rows: Rows) -> str:
    names = pattern.pattern.regex.groupindex
    return path_of(route, pattern, {name: fill(route, name, rows)[0] for name in names})


def test_own_pages_show_and_delete_nothing_of_strangers(strangers: Rows) -> None:
    """Drop-downs, filters and histories, confirmations, exports."""
    own, before = rows_called("Own"), kept(strangers)
    client = staff(own[Organization])
    statuses = []
    for route, pattern in ADDRESSES.items():
        is_list = (pattern.name or "").endswith("changelist")
        status, _, page = told(
            client.get(own_address(route, pattern, own) + ("?_facets=1" if is_list else ""))
        )
        assert (status < 500, MARK in page) == (True, False), route
        statuses.append(status)
    assert statuses.count(200) > 60
    for model, row in own.items():
        with transaction.atomic():
            client.post(url(model, "delete", row.pk), {"post": "yes"})
            assert kept(strangers) == before
            transaction.set_rollback(True)


@pytest.mark.parametrize("method", ["get", "post"])
def test_nobody_but_active_staff_gets_past_the_login_page(method: str, strangers: Rows) -> None:
    """Nobody; a user with all rights who isn't staff; staff switched off while signed in; an API token."""
    organization = strangers[Organization]
    switched_off = staff(organization)
    User.objects.filter(pk=switched_off.session["_auth_user_id"]).update(is_active=False)
    no_staff = UserFactory(organization=organization)
    no_staff.user_permissions.set(Permission.objects.all())
    token = ApiTokenFactory(organization=organization)
    ids = {model: row.pk for model, row in strangers.items()}
    before = kept(strangers)
    for client in (Client(), signed_in(no_staff), switched_off, Client(headers={"X-Auth-Token": token.name})):
        for route, pattern in ADDRESSES.items():
            path = own_address(route, pattern, strangers)
            status, location, page = answers(client, method, path, ids, None)
            if pattern.name != "login":
                assert (status, location.partition("?")[0]) == (302, reverse("admin:login")), path
            assert MARK not in page, path
    assert kept(strangers) == before


def test_staff_without_rights_see_no_record(strangers: Rows) -> None:
    client = staff(strangers[Organization], "no such right")
    statuses = set()
    for route, pattern in ADDRESSES.items():
        status, _, page = told(client.get(own_address(route, pattern, strangers)))
        assert MARK not in page, route
        statuses.add(status)
    assert statuses == {200, 302, 403, 404}


def test_staff_who_may_only_view_change_nothing_at_any_address(strangers: Rows) -> None:
    client = staff(strangers[Organization], *(f"view_{model._meta.model_name}" for model in strangers))
    ids = {model: row.pk for model, row in strangers.items()}
    before = kept(strangers)
    for route, pattern in ADDRESSES.items():
        path = own_address(route, pattern, strangers)
        model = next((m for m in ids if f"/{m._meta.app_label}/{m._meta.model_name}/" in route), None)
        assert answers(client, "post", path, ids, model)[0] < 500, path
    assert kept(strangers) == before


def test_stranger_finds_nothing_in_the_command_palette(strangers: Rows) -> None:
    query = reverse("admin:search") + f"?s={MARK}"
    # The page repeats what was searched for.
    found = f"{MARK} {strangers[Person].pk}"
    assert found not in staff(OrganizationFactory()).get(query).content.decode()
    assert found in staff(strangers[Organization]).get(query).content.decode()


def test_walk_would_meet_what_there_is(strangers: Rows) -> None:
    """Whoever may see the records meets the mark at the addresses where the stranger does not."""
    client = staff(strangers[Organization])
    met = {}
    for model, row in strangers.items():
        change = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[row.pk])
        met[model] = MARK in client.get(change).content.decode()
    assert met == dict.fromkeys(strangers, True)
