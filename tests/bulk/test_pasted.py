"""Test the choice of records by pasted text in bulk actions."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from assignments.models import ServiceAssignment
from catalog.models import Service
from productive.accounts.models import Person
from productive.admin.bulk import pasted as pasting
from tests.support.admin import staff
from tests.support.bulk import press, shown, start
from tests.support.factories import PersonFactory, ServiceFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def service() -> Service:
    return ServiceFactory(name="QA", deal__name="Spring", deal__project__name="Portal")


@pytest.fixture
def client(service: Service) -> Client:
    return staff(service.organization)


def person(service: Service, first: str, last: str, email: str | None = None) -> Person:
    return PersonFactory(organization=service.organization, first_name=first, last_name=last, email=email)


def paste(client: Client, service: Service, text: str, step: str = "match", **data: Any) -> Any:
    page = start(client, "assign_people", [service])
    return press(client, page, step, pasted=text, **data)


def result(page: Any) -> tuple[list[str], str, list[str]]:
    """Return the chosen ids, the text that is kept, and its errors."""
    form = page.context["form"]
    return [str(pk) for pk in form["chosen"].value()], form["pasted"].value(), form.errors.get("pasted", [])


@pytest.mark.parametrize(
    "text",
    [
        "Ana Horvat\nIvo Kovač",
        "Ana Horvat, Ivo Kovač",
        "ana HORVAT; Ivo  Kovač;",
        "Horvat, Ana\nKovač, Ivo\n",
        "ana@agency.example\tIVO@agency.example",
        '"Horvat, Ana (QA)" <ana@agency.example>, Ivo Kovač <ivo@agency.example>',
        "\r\n  Ana Horvat  \r\n\r\nIvo Kovac\u030c",
        "Ana Horvat, Ana Horvat\nana@agency.example\nIvo Kovač",
    ],
)
def test_entries_name_people(service: Service, client: Client, text: str) -> None:
    ana = person(service, "Ana", "Horvat", "ana@agency.example")
    ivo = person(service, "Ivo", "Kovač", "ivo@agency.example")
    person(service, "Anamarija", "Horvatić")
    assert result(paste(client, service, text)) == ([str(ana.pk), str(ivo.pk)], "", [])


def test_pasted_names_are_previewed_at_once(service: Service, client: Client) -> None:
    ana, ivo = person(service, "Ana", "Horvat"), person(service, "Ivo", "Kovač")
    page = paste(client, service, "Ana Horvat", "preview", chosen=[ivo.pk])
    assert shown(page) == {
        "Will be created": ["Ana Horvat → QA · Spring · Portal", "Ivo Kovač → QA · Spring · Portal"]
    }
    assert press(client, page, "apply").status_code == 302
    assert {*ServiceAssignment.objects.values_list("person", flat=True)} == {ana.pk, ivo.pk}


def test_unknown_entries_are_kept_for_correction(service: Service, client: Client) -> None:
    ana, foreign = person(service, "Ana", "Horvat"), PersonFactory(first_name="Eva", last_name="Foreign")
    for step in ("match", "preview"):
        page = paste(client, service, f"Ana Horvat\n{foreign}, Ana Horva\n<b>", step)
        assert result(page) == (
            [str(ana.pk)],
            "Eva Foreign\nAna Horva\n<b>",
            ["Not found: Eva Foreign; Ana Horva; <b>"],
        )
        assert "<b>" not in page.content.decode()
    assert ServiceAssignment.objects.count() == 0


def test_ambiguous_entry_offers_the_records(service: Service, client: Client) -> None:
    one, two = person(service, "Ana", "Horvat"), person(service, "Ana", "Horvat")
    page = paste(client, service, "Ana Horvat")
    assert result(page) == ([], "Ana Horvat", ["Several have this name: Ana Horvat"])
    for each in (one, two):
        assert f'name="chosen" value="{each.pk}"' in page.content.decode()
    solved = press(client, page, "preview", pasted="Ana Horvat", chosen=[two.pk])
    assert len(solved.context["preview"].groups[0].lines) == 1


def test_active_record_takes_precedence(service: Service, client: Client) -> None:
    former, ana = person(service, "Ana", "Horvat"), person(service, "Ana", "Horvat")
    former.archive()
    assert result(paste(client, service, "Ana Horvat")) == ([str(ana.pk)], "", [])
    ana.delete()
    for text in ("Ana Horvat", "Ana Horvat (archived)"):
        assert result(paste(client, service, text))[0] == [str(former.pk)]


def test_labels_name_services(service: Service, client: Client) -> None:
    other = ServiceFactory(organization=service.organization, name="QA", deal__name="Autumn, late")
    ana = person(service, "Ana", "Horvat")
    page = press(
        client,
        start(client, "assign_to_services", [ana]),
        "match",
        pasted="QA · Spring\nQA · Autumn, late",
    )
    assert result(page) == ([str(service.pk), str(other.pk)], "", [])


def test_each_entry_takes_one_query(
    service: Service, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [person(service, f"P{number}", "Q") for number in range(6)]

    def count(entries: int) -> int:
        text = "\n".join(map(str, people[:entries]))
        with CaptureQueriesContext(connection) as queries:
            assert len(result(paste(client, service, text))[0]) == min(entries, pasting.MAX_ENTRIES)
        return len(queries)

    count(1)
    assert count(3) == count(1) + 2
    monkeypatch.setattr(pasting, "MAX_ENTRIES", 3)
    assert count(6) == count(5)


@pytest.mark.parametrize("text", ["Ana Horvat\n" * 5_000, "Ana \x00 Horvat"], ids=["long", "NUL"])
def test_unreadable_text_is_rejected(service: Service, client: Client, text: str) -> None:
    person(service, "Ana", "Horvat")
    chosen, kept, errors = result(paste(client, service, text))
    assert (chosen, kept, len(errors)) == ([], text, 1)


def test_page_has_the_field_and_its_button(service: Service, client: Client) -> None:
    page = start(client, "assign_people", [service]).content.decode()
    assert "Or paste names" in page
    assert 'value="match"' in page
