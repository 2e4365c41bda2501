"""Test that names are found, sorted and stored as people read them, through the API and the admin."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client

from catalog.models import Project, Service, ServiceType
from productive.accounts.models import ApiToken, Organization, Person
from tests.support.admin import staff, url
from tests.support.api import Api
from tests.support.bulk import press, start
from tests.support.factories import (
    ApiTokenFactory,
    PersonFactory,
    ProjectFactory,
    ServiceFactory,
    ServiceTypeFactory,
)
from tests.support.spreadsheets import csv_file, plan_of, preview, rows_of

pytestmark = [pytest.mark.django_db, pytest.mark.each_database]

# From a report of wrong order: capitals and accents don't matter, but letters with accents are letters.
SORTED = ["Adam", "Álvarez", "Cvitan", "Čolić", "de Vries", "đak", "Šimić", "Zorić", "Žitko"]
SHUFFLED = [SORTED[i] for i in (7, 3, 2, 4, 6, 0, 8, 5, 1)]

PEOPLE = [
    ("Šime", "Đurić", "sime@agency.example"),
    ("Ömer", "Aydın", None),
    ("Jürgen", "Müller", None),
    ("Đuro", "Perić", None),
    ("Ana", "Horvat", "a.horvat@agency.example"),
    ("Tim", "O'Neil", None),
    ("Meg", "O’Neil", None),
    ("D'Arcy", "O’Neil", None),
    ("Łukasz", "Strauß", None),
]
# Search → the first names of the people that it finds.
SEARCHES = {
    "šime": ["Šime"],
    "SIME": ["Šime"],
    "s\u030cime": ["Šime"],
    "omer": ["Ömer"],
    "aydin": ["Ömer"],
    "jurgen muller": ["Jürgen"],
    "JÜRGEN  MÜLLER": ["Jürgen"],
    "duro": ["Đuro"],
    "đuri": ["Šime"],
    "o'neil": ["D'Arcy", "Meg", "Tim"],
    "O’Neil": ["D'Arcy", "Meg", "Tim"],
    "D'Arcy O'Neil": ["D'Arcy"],
    "O’Neil, D’Arcy": ["D'Arcy"],
    "Horvat, Ana": ["Ana"],
    "Ana\u00a0Horvat": ["Ana"],
    '"ana horvat"': ["Ana"],
    '"horvat ana"': [],
    "strauss lukasz": ["Łukasz"],
    "A.HORVAT@": ["Ana"],
    "na hor": ["Ana"],
    "ivo": [],
    "%": [],
    "_": [],
}

PALETTE = "/admin/search/"


@pytest.fixture
def token() -> ApiToken:
    return ApiTokenFactory()


@pytest.fixture
def organization(token: ApiToken) -> Organization:
    return token.organization


@pytest.fixture
def api(token: ApiToken) -> Api:
    return Api(token.name)


@pytest.fixture
def client(organization: Organization) -> Client:
    return staff(organization)


def names_in(rows: Any) -> list[str]:
    return [row["attributes"]["name"] for row in rows]


def create_people(organization: Organization) -> dict[int, str]:
    rows = [
        PersonFactory(organization=organization, first_name=first, last_name=last, email=email)
        for first, last, email in PEOPLE
    ]
    return {row.pk: row.first_name for row in rows}


def test_lists_are_in_alphabetical_order(api: Api, client: Client, organization: Organization) -> None:
    for name in SHUFFLED:
        ServiceTypeFactory(organization=organization, name=name)
        ProjectFactory(organization=organization, name=name)
        PersonFactory(organization=organization, first_name=name, last_name="A", email=None)
    assert names_in(api.get("service_types").data) == SORTED
    assert names_in(api.get("projects?sort=name").data) == SORTED
    assert names_in(api.get("projects?sort=-name").data) == SORTED[::-1]
    people = [row["attributes"]["first_name"] for row in api.get("people?sort=name").data]
    assert [name for name in people if name in SORTED] == SORTED
    for path in ("service_types?", "projects?sort=name&", "projects?sort=-name&"):
        found, page = [], api.get(f"{path}page[size]=2&page[after]=").json
        while page["links"].get("next"):
            found += page["data"]
            page = api.get(page["links"]["next"].partition("/api/v2/")[2]).json
        assert names_in([*found, *page["data"]]) == (SORTED[::-1] if "-" in path else SORTED)
    for query, expected in (("", SORTED), ("?o=1", SORTED), ("?o=-1", SORTED[::-1])):
        page = client.get(url(Project, "changelist") + query)
        assert [row.name for row in page.context["cl"].result_list] == expected
    page = client.get(url(Person, "changelist") + "?o=1")
    people = [row.first_name for row in page.context["cl"].result_list]
    assert [name for name in people if name in SORTED] == SORTED


def test_first_name_decides_before_last_name(api: Api, organization: Organization) -> None:
    for first, last in (("Ana Marija", "Babić"), ("Ána", "Zorić"), ("ana", "Šarić"), ("Anamarija", "A")):
        PersonFactory(organization=organization, first_name=first, last_name=last)
    rows = [row["attributes"] for row in api.get("people?sort=name&filter[query]=ana").data]
    assert [row["last_name"] for row in rows] == ["Šarić", "Zorić", "Babić", "A"]


def test_people_are_found_by_what_is_typed(api: Api, client: Client, organization: Organization) -> None:
    first_names = create_people(organization)
    api_found, list_found, expected = {}, {}, {}
    for term, names in SEARCHES.items():
        ids = api.get(f"people?filter[query]={quote(term)}").ids
        api_found[term] = sorted(first_names[pk] for pk in ids)
        page = client.get(url(Person, "changelist"), {"q": term})
        list_found[term] = sorted(row.first_name for row in page.context["cl"].result_list)
        expected[term] = names
    assert api_found == expected
    assert list_found == expected
    for term, names in (("sime", ["Šime"]), ("Horvat, Ana", ["Ana"]), ("oneil", [])):
        results = client.get(PALETTE, {"s": term, "extended": "1"}).context["results"]
        assert [one.title.split()[0] for one in results] == names
        choices = client.get(
            "/admin/autocomplete/",
            {
                "app_label": "assignments",
                "model_name": "serviceassignment",
                "field_name": "person",
                "term": term,
            },
        ).json()["results"]
        assert [choice["text"].split()[0] for choice in choices] == names


def test_parts_of_texts_ignore_case_and_accents(api: Api, organization: Organization) -> None:
    create_people(organization)
    PersonFactory(organization=organization, first_name="Iva", last_name="B", title="Œuvre d’art – Zürich")
    ServiceTypeFactory(organization=organization, name="Dizajn", description="Prvi red\nčista  izrada")

    def count(query: str) -> int:
        return api.get(query).json["meta"]["total_count"]

    assert count("people?filter[first_name][contains]=sIm") == 1
    assert count("people?filter[first_name][not_contain]=s%C3%ADm") == len(PEOPLE)
    assert count("people?filter[last_name][contains]=o%E2%80%99ne") == 3
    assert count("people?filter[title][contains]=oeuvre%20d'art%20-%20ZURICH") == 1
    # A null contains nothing.
    assert count("people?filter[title][not_contain]=zurich") == len(PEOPLE)
    assert count("service_types?filter[description][contains]=red%20cista%20izrada") == 1
    assert count("service_types?filter[query]=izrada,%20DIZAJN") == 1
    # Equality is exact, but both spellings of an accent are one.
    assert count(f"people?filter[first_name]={quote('S' + chr(0x30C) + 'ime')}") == 1
    assert count("people?filter[first_name]=sime") == count("people?filter[first_name]=%C5%A1ime") == 0


def test_email_is_found_whatever_its_case(api: Api, organization: Organization) -> None:
    person = PersonFactory(organization=organization, email="Sime.Duric@Agency.Example")
    other = PersonFactory(organization=organization, email=None)
    assert api.get("people?filter[email]=sime.duric@agency.example").ids == [person.pk]
    assert api.get("people?filter[email]=%20SIME.DURIC@AGENCY.EXAMPLE").ids == [person.pk]
    assert api.get("people?filter[email]=sime.duric@agency.exampl").ids == []
    assert api.get("people?filter[email][not_eq]=sime.duric@agency.example").ids == [other.pk]
    answer = api.post(
        "people",
        {
            "data": {
                "type": "people",
                "attributes": {
                    "first_name": "Š",
                    "last_name": "D",
                    "email": "\u200bsime.duric@agency.example\ufeff",
                },
            }
        },
    )
    assert answer.invalid == [("email", "has already been taken")]


def test_label_is_found(client: Client, organization: Organization) -> None:
    service = ServiceFactory(
        organization=organization,
        name="Project management",
        deal__name="Jesen",
        deal__project__name="Čedar Bank Online Shop",
    )
    ServiceFactory(organization=organization, name="Project management")
    for label in ("Project management · Jesen", "jesen – project management", "cedar bank · management"):
        term = label.replace("–", "·")
        page = client.get(url(Service, "changelist"), {"q": term})
        assert [row.pk for row in page.context["cl"].result_list] == [service.pk], term
        results = client.get(PALETTE, {"s": term, "extended": "1"}).context["results"]
        assert service.pk in [int(one.url.split("/")[-3]) for one in results if "/service/" in one.url]


def test_pasted_names_are_matched_by_letters(client: Client, organization: Organization) -> None:
    first_names = create_people(organization)
    service = ServiceFactory(organization=organization)
    page = start(client, "assign_people", [service])
    text = "SIME DURIC\nmuller, jurgen\nD`Arcy O'Neil; Perić, Duro\nStrauss Łukasz\nOmer  Aydin"
    form = press(client, page, "match", pasted=text).context["form"]
    chosen = sorted(first_names[int(pk)] for pk in form["chosen"].value())
    assert (chosen, form["pasted"].value()) == (
        ["D'Arcy", "Jürgen", "Ömer", "Đuro", "Łukasz", "Šime"],
        "",
    )


def test_import_finds_names_by_letters(client: Client, organization: Organization) -> None:
    """The exact name first: another one that differs by an accent is another record."""
    muller = ServiceTypeFactory(organization=organization, name="Muller")
    mueller = ServiceTypeFactory(organization=organization, name="Müller")
    ServiceTypeFactory(organization=organization, name="Šivanje")
    file = csv_file(
        ["Name", "Description"],
        ["Mu\u0308ller", "first"],
        [" Muller\u200b", "second"],
        ["sivanje", "third"],
        ["MULLER", "fourth"],
    )
    response = preview(client, ServiceType, file)
    assert [(line, outcome) for line, outcome, _ in rows_of(response)[:3]] == [
        (2, "changed"),
        (3, "changed"),
        (4, "changed"),
    ]
    assert "2 service types have this name: use the ID" in response.content.decode()
    assert f"#{muller.pk} or #{mueller.pk}" in response.content.decode()

    # The same name in another spelling is no change.
    assert plan_of(client, ServiceType, csv_file(["Name"], ["Mu\u0308ller\u200b"])) == [(2, "unchanged", [])]


INVISIBLE = ["\u200b", "\u2060", "\u3164", "\u2800", "\u00ad", "\ufeff", "\u00a0", "\u2003", "\u202e\u0007"]


@pytest.mark.any_database
def test_invisible_name_is_blank(api: Api, client: Client, organization: Organization) -> None:
    def post(name: str) -> Any:
        return api.post("service_types", {"data": {"type": "service_types", "attributes": {"name": name}}})

    for name in INVISIBLE:
        assert post(name).invalid == [("name", "can't be blank")], ascii(name)
    page = client.post(url(ServiceType, "add"), {"name": "\u200b\u2060", "organization": organization.pk})
    assert page.context["adminform"].form.errors["name"] == ["This field cannot be blank."]
    errors = preview(client, ServiceType, csv_file(["Name", "Description"], ["\u3164", "x"])).content.decode()
    assert "This field cannot be blank." in errors
    assert ServiceType.objects.count() == 0

    answer = post(" \u202eS\u030civanje\tpo\nmjeri\u0007\u200b ")
    assert answer.data["attributes"]["name"] == "Šivanje po mjeri"
    row = ServiceType.objects.get()
    assert row.name == row.history.get().name == "Šivanje po mjeri"
    pk = answer.data["id"]
    patch = {"data": {"type": "service_types", "id": pk, "attributes": {"name": "\u2028"}}}
    assert api.patch(f"service_types/{pk}", patch).invalid == [("name", "can't be blank")]
