"""Send invalid input to every page of every model in the admin: none causes a 500."""

from __future__ import annotations

from itertools import product
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.contrib.admin import site
from django.contrib.admin.utils import flatten_fieldsets
from django.db import IntegrityError, OperationalError, connection
from django.db.models import JSONField, Model
from django.urls import reverse

from catalog.models import Deal, ServiceType
from productive.accounts.models import ApiToken
from tests.support import factories
from tests.support.admin import (
    FACTORIES,
    MODELS,
    RELATIONS,
    autocomplete,
    create_row,
    every_model,
    every_relation,
    form_data,
    staff,
    superuser,
    url,
)
from tests.support.factories import OrganizationFactory
from tests.support.samples import sampled

pytestmark = [pytest.mark.django_db, pytest.mark.no_cover]

WRONG_IDS = [
    "9223372036854775808",
    "99999999999999999999999",
    "-1",
    "0",
    "abc",
    "1.0",
    "%00",
    "%ED%A0%80",
    "%0A",
    "_3A",
]


@every_model
def test_invalid_ids_are_not_found(model: type[Model]) -> None:
    row, client = create_row(model, OrganizationFactory()), superuser()
    # What Python's int() converts to the id of the row.
    full_width = "".join(chr(0xFF10 + int(digit)) for digit in str(row.pk))
    odd = [f"{row.pk}%20", f"%2B{row.pk}", f"0{row.pk}", "_".join(f"0{row.pk}"), full_width]
    for wrong in sampled([*WRONG_IDS, *odd], place(model)):
        for page in ("change", "delete", "history"):
            address = f"{url(model, 'changelist')}{wrong}/{page}/"
            assert client.get(address).status_code in (302, 404)
            assert client.post(address, {"post": "yes"}).status_code in (302, 404)
    assert model._default_manager.filter(pk=row.pk).exists()


WRONG_QUERIES = [
    "q=%00",
    "q=%ED%A0%80",
    "q=a%00b",
    "q=%22",
    "q=%27%22%5C",
    "q=" + "a+" * 3000,
    "q=" + "9" * 5000,
    "p=99999999999999999999",
    "p=-1",
    "p=x",
    "p=%00",
    "p=" + "9" * 5000,
    "all=",
    "all=&p=7",
    "o=99",
    "o=-99.1",
    "o=x",
    "o=1.-1.1",
    "o=99999999999999999999",
    "o=%00",
    "o=" + "9" * 5000,
    "e=1",
    "_facets=1&q=%00",
    "_popup=1&_to_field=id",
    "_to_field=organization",
    "_to_field=%00",
    "id=9223372036854775808",
    "id__in=9223372036854775808",
    "id__in=x",
    "pk=1_0",
    "unknown=1",
    "%00=1",
    "created_at__year=99999",
    "created_at__gte=99999-01-01",
    "created_at__gte=%00",
    "created_at__gte=0001-01-01T00:00%2B14:00",
    "created_at__lt=9999-12-31T23:59-14:00",
    "expires_at__gte=0001-01-01T00:00%2B14:00",
    "expires_at__gte=9999-12-31T23:59-14:00",
    "expires_at__isnull=x",
    "end_date__gte=99999-01-01",
    "end_date__lt=x",
    "year=99999",
    "name__regex=(",
    "digest__startswith=a",
    "password__startswith=a",
    "organization__name__regex=(",
    "organization__id__exact=9223372036854775808",
    "organization__id__exact=x",
    "organization__exact=%00",
    "organization__id__lt=99999999999999999999999",
    "organization__gte=x",
    "is_active__exact=%00",
    "is_active__gte=x",
    "is_staff__exact=7&is_staff__exact=x",
    "read_only__exact=x",
    "watched__isnull=%00",
    "archived=%00",
    "archived=maybe",
    "closed=maybe",
    "archived__x=1",
    "groups__id__exact=x",
    "groups__id__exact=9223372036854775808",
    "params__a__b=1",
    "preferences__has_key=%00",
    "_changelist_filters=%00",
    "_changelist_filters=%26%26%3D",
]


WRONG_VALUES = ["\x00", "x", "1_0", "9223372036854775808", "0001-01-01T00:00+14:00", "[" * 9999]


def place(model: type[Model]) -> int:
    return MODELS.index(model)


WRONG_FORMS = [(model, value) for model in MODELS for value in sampled(WRONG_VALUES, place(model))]


@every_model
def test_invalid_query_causes_no_error(model: type[Model]) -> None:
    create_row(model, OrganizationFactory())
    client = superuser()
    queries = sampled(WRONG_QUERIES, place(model))
    answers = {query: client.get(url(model, "changelist") + "?" + query).status_code for query in queries}
    assert {query: code for query, code in answers.items() if code not in (200, 302, 400)} == {}


@pytest.mark.parametrize("secret", ["digest__startswith", "prefix__startswith"])
def test_query_of_list_can_not_filter_by_secret_columns(secret: str) -> None:
    token = factories.ApiTokenFactory()
    probed = staff(token.organization).get(url(ApiToken, "changelist") + f"?{secret}=a")
    assert probed.status_code == 400


@pytest.mark.parametrize(("model", "value"), WRONG_FORMS)
def test_invalid_form_causes_no_error(model: type[Model], value: str) -> None:
    row, client = create_row(model, OrganizationFactory()), superuser()
    fields = [field.name for field in model._meta.get_fields()]
    names = [*fields, *(f"{name}_{part}" for name in fields for part in (0, 1))]
    assert client.get(url(model, "add"), dict.fromkeys(names, value)).status_code == 200
    for address in (url(model, "add"), url(model, "change", row.pk)):
        data = {**form_data(client, address), **dict.fromkeys(names, value)}
        data = {key: wrong for key, wrong in data.items() if not key.endswith("_FORMS")}
        assert client.post(address, data).status_code in (200, 302)
    for action in ("delete_selected", "archive", value):
        chosen = {"action": action, "index": 0, "_selected_action": value}
        assert client.post(url(model, "changelist"), chosen).status_code == 302


WRONG_TERMS = ["\x00", "a\x00b", "\ud800", "a " * 3000, "\\"]


@pytest.mark.parametrize(("field", "term"), sampled(product(RELATIONS, WRONG_TERMS)), ids=ascii)
def test_invalid_autocomplete_term_finds_nothing(field: Any, term: str) -> None:
    create_row(field.model, OrganizationFactory())
    query = term.encode("utf-8", "surrogatepass").decode("latin-1")
    found = autocomplete(superuser(), field, query)
    assert (found.status_code, found.json()["results"]) == (200, [])


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("app_label", "\x00"),
        ("model_name", ""),
        ("field_name", "id"),
        ("field_name", "services"),
        ("page", "x"),
    ],
)
def test_invalid_autocomplete_field_is_rejected(part: str, value: str) -> None:
    answer = autocomplete(superuser(), Deal._meta.get_field("project"), **{part: value})
    assert answer.status_code in (403, 404)


ODD = ["", "\x00", "x", "a" * 10_000, "id", "pk", "__", "organization__id", "-1", "9" * 30]


@pytest.mark.each_database
@pytest.mark.parametrize("model", apps.get_models(), ids=lambda model: model._meta.label)
def test_autocomplete_of_any_field_finds_own_records_only(model: type[Model]) -> None:
    own, foreign = OrganizationFactory(), OrganizationFactory()
    strangers = {each: str(create_row(each, foreign).pk) for each in FACTORIES}
    client = staff(own)
    for field in model._meta.get_fields():
        answer = autocomplete(client, SimpleNamespace(model=model, name=field.name))
        assert answer.status_code in (200, 403, 404), field
        if answer.status_code == 200:
            ids = {one["id"] for one in answer.json()["results"]}
            assert strangers.get(field.related_model, "") not in ids


@pytest.mark.any_database
@every_relation
def test_odd_autocomplete_parameters_cause_no_error(field: Any) -> None:
    foreign = create_row(field.model, OrganizationFactory())
    client = staff(OrganizationFactory())
    parameters = ("app_label", "model_name", "field_name", "term", "page", "_to_field", "_popup", "active")
    for name, value in sampled(product(parameters, ODD), RELATIONS.index(field), share=8):
        answer = autocomplete(client, field, **{name: value})
        assert answer.status_code in (200, 403, 404), (name, value)
        assert answer.status_code != 200 or str(foreign.pk) not in answer.json()["results"]
    query = {"app_label": ["x", field.model._meta.app_label], "term": ["\x00", "x"]}
    assert client.get(reverse("admin:autocomplete"), query).status_code == 403
    assert client.get(reverse("admin:autocomplete")).status_code == 403
    assert client.post(reverse("admin:autocomplete"), {"term": "x"}).status_code in (403, 405)


@pytest.mark.any_database
@every_model
def test_odd_popups_and_lookups_cause_no_error(model: type[Model]) -> None:
    own, foreign = OrganizationFactory(), create_row(model, OrganizationFactory())
    client = staff(own) if model in FACTORIES else superuser()
    pages = [url(model, "changelist"), url(model, "add"), url(model, "change", foreign.pk)]
    queries = [
        query
        for name in (*(field.name for field in model._meta.get_fields()), *ODD)
        for query in ({"_popup": "1", "_to_field": name}, {"_popup": name}, {name: "x", "_popup": "1"})
    ]
    for page, query in sampled(product(pages, queries), place(model), share=16):
        answer = client.get(page, query)
        assert answer.status_code in (200, 302, 400, 403, 404), (page, query)
        listed = getattr((answer.context or {}).get("cl"), "result_list", ())
        assert foreign not in listed or model not in FACTORIES


def declared_fields(model: type[Model]) -> list[str]:
    """Return the fields of the model's form."""
    model_admin = site.get_model_admin(model)
    return [*(model_admin.fields or flatten_fieldsets(model_admin.fieldsets or ()))]


JSON_FIELDS = [
    (model, field.name)
    for model in FACTORIES
    for field in model._meta.fields
    if isinstance(field, JSONField) and field.name in declared_fields(model)
]


@pytest.mark.parametrize(("model", "name"), JSON_FIELDS)
@pytest.mark.parametrize(
    "text",
    [
        '"\\ud800"',
        '{"\\udfff": 1}',
        '"\\u0000"',
        "NaN",
        "[-Infinity]",
        "1e400",
        "9" * 5000,
        "[" * 100_000,
        "[" * 900 + "]" * 900,
        "{",
    ],
    ids=lambda text: text[:12],
)
def test_json_that_a_database_can_not_store_is_rejected(model: type[Model], name: str, text: str) -> None:
    row, client = create_row(model, OrganizationFactory()), superuser()
    change = url(model, "change", row.pk)
    answer = client.post(change, {**form_data(client, change), name: text})
    assert answer.status_code == 200
    assert answer.context["adminform"].form.errors == {name: ["Enter a valid JSON."]}


@pytest.mark.parametrize(("model", "name"), JSON_FIELDS)
def test_valid_json_that_looks_similar_is_accepted(model: type[Model], name: str) -> None:
    row, client = create_row(model, OrganizationFactory()), superuser()
    change = url(model, "change", row.pk)
    text = r'{"a": ["\\u0000", "č", "😀", 9007199254740993, 1.5, null]}'
    assert client.post(change, {**form_data(client, change), name: text}).status_code == 302
    row.refresh_from_db()
    assert getattr(row, name) == {"a": [r"\u0000", "č", "😀", 9007199254740993, 1.5, None]}


@pytest.mark.parametrize(("error", "status"), [(OperationalError, 503), (IntegrityError, 409)])
def test_database_error_shows_page_with_message(error: type[Exception], status: int) -> None:
    """For example, if a row is locked for longer than the lock timeout."""
    row = factories.ServiceTypeFactory()

    def fail(*args: Any) -> None:
        raise error

    client = staff(row.organization)
    with connection.execute_wrapper(
        lambda execute, sql, *rest: fail() if sql.startswith("DELETE") else execute(sql, *rest)
    ):
        answer = client.get(url(ServiceType, "delete", row.pk))
    assert (answer.status_code, "Please try again" in answer.content.decode()) == (status, True)
    assert ServiceType.objects.filter(pk=row.pk).exists()
