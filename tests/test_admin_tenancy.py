"""A walk through every address of the admin, as staff of one organization in search of another's records."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.apps import apps
from django.contrib.contenttypes.models import ContentType
from django.test import Client
from django.urls import URLPattern, get_resolver, reverse

from productive.accounts.models import Organization, Person
from productive.history import change_set
from tests.factories import OrganizationFactory
from tests.test_admin import OWNED, RELATIONS, make, staff

pytestmark = pytest.mark.django_db

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


@pytest.fixture
def strangers() -> dict[type[Any], Any]:
    """A row of each model, all of one organization, with a name that is found nowhere else."""
    # Nothing that the walker's own organization shares with it.
    with change_set():
        organization = OrganizationFactory(name=MARK)
        rows = {Organization: organization} | {model: make(model, organization) for model in OWNED}
        for row in [row for model in rows for row in model.objects.all()]:
            for name in {"name", "first_name", "username"} & {field.name for field in row._meta.fields}:
                setattr(row, name, f"{MARK} {row.pk}")
            row.save()
    return {model: model.objects.get(pk=row.pk) for model, row in rows.items()}


def model_of(route: str) -> Any:
    """The model whose admin the address belongs to."""
    _, app, model, *_ = route.split("/")
    return apps.get_model(app, model)


def fill(route: str, parameter: str, strangers: dict[type[Any], Any]) -> tuple[Any, Any]:
    """What the address asks for: the stranger's, and what there is none of."""
    restored = strangers[next(iter(OWNED))]
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
        return (strangers[model].pk if model in strangers else MISSING), MISSING
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
    chosen = {"_selected_action": ids.get(model, MISSING), "ids": ids.get(model, MISSING)}
    answer = getattr(client, method)(path, {**asked_with(ids), **chosen})
    page = b"".join(answer.streaming_content) if answer.streaming else answer.content
    location = answer.headers.get("Location", "")
    for pk in {*ids.values(), MISSING}:
        location = re.sub(rf"(?<=[/=]){pk}(?=/|&|$)", "#", location)
    return answer.status_code, location, MARK in page.decode(errors="replace")


@pytest.mark.no_cover
@pytest.mark.parametrize("method", ["get", "post"])
def test_stranger_finds_and_changes_nothing_at_any_address(method: str, strangers: dict[Any, Any]) -> None:
    client = staff(OrganizationFactory())
    # Every address is told of, not only the first that fails.
    client.raise_request_exception = False
    theirs = {model: row.pk for model, row in strangers.items()}
    none = dict.fromkeys(theirs, MISSING)
    before = {model: model.objects.filter(pk=pk).values().get() for model, pk in theirs.items()}

    told = {}
    for route, pattern in ADDRESSES.items():
        filled = {name: fill(route, name, strangers) for name in pattern.pattern.regex.groupindex}
        model = next((m for m in theirs if f"/{m._meta.app_label}/{m._meta.model_name}/" in route), None)
        foreign, missing = (
            answers(
                client, method, path_of(route, pattern, {n: v[which] for n, v in filled.items()}), ids, model
            )
            for which, ids in enumerate((theirs, none))
        )
        told[route] = (foreign == missing and foreign[0] < 500 and not foreign[2]) or (foreign, missing)
    assert told == dict.fromkeys(ADDRESSES, True)
    assert {model: model.objects.filter(pk=pk).values().get() for model, pk in theirs.items()} == before


def test_stranger_finds_nothing_in_the_command_palette(strangers: dict[Any, Any]) -> None:
    query = reverse("admin:search") + f"?s={MARK}"
    # The page repeats what was searched for.
    found = f"{MARK} {strangers[Person].pk}"
    assert found not in staff(OrganizationFactory()).get(query).content.decode()
    assert found in staff(strangers[Organization]).get(query).content.decode()


def test_walk_would_meet_what_there_is(strangers: dict[Any, Any]) -> None:
    """Whoever may see the records meets the mark at the addresses where the stranger does not."""
    client = staff(strangers[Organization])
    met = {}
    for model, row in strangers.items():
        change = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[row.pk])
        met[model] = MARK in client.get(change).content.decode()
    assert met == dict.fromkeys(strangers, True)
