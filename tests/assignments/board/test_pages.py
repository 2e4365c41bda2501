"""Test the pages of the staffing boards: rows, links, export, permissions."""

from __future__ import annotations

import csv
import io
import json

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from assignments.board import rows as board_rows
from assignments.board.boards import BUDGET, PROJECT, PROJECTS, SERVICE_TYPES
from assignments.models import ProjectAssignment, ServiceTypeAssignment
from catalog.models import Deal
from productive.accounts.models import Organization, Person
from tests.support.admin import press, staff, superuser, url
from tests.support.boards import assign, assigned, board, called, change, groups, person, review, service
from tests.support.bulk import messages_of, shown
from tests.support.factories import (
    DealFactory,
    OrganizationFactory,
    PersonFactory,
    ProjectFactory,
    ServiceFactory,
    ServiceTypeAssignmentFactory,
    ServiceTypeFactory,
)

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


def test_boards_show_marks_of_all_pairs(deal: Deal, client: Client) -> None:
    organization = deal.organization
    person(deal, "Ivo", "Kovač")
    person(deal, "Eva", "Babić", member=True)
    person(deal, "Zoe", "Former", member=True).archive()
    assign("Ivo", "Design")
    assign("Eva", "Design")
    assert board(client, BUDGET.url(deal)) == {"Ana Horvat": "on", "Eva Babić": "oy", "Ivo Kovač": "nv"}
    other = DealFactory(organization=organization, project=deal.project, name="Autumn")
    ServiceFactory(organization=organization, deal=other, name="Care")
    closed = DealFactory(organization=organization, project=deal.project)
    ServiceFactory(organization=organization, deal=closed)
    closed.close()
    page = client.get(PROJECT.url(deal.project))
    assert page.context["headings"] == [("Autumn", 1), ("Spring", 2)]
    assert [column["state"].title for column in page.context["columns"]] == [
        "Everybody",
        "Everybody",
        "1 person",
    ]
    ProjectFactory(organization=organization, name="Empty")
    ServiceTypeAssignmentFactory(
        organization=organization, person=called("Ivo"), service_type=service("Design").service_type
    )
    member = {"Ana Horvat": "ny", "Eva Babić": "ny", "Ivo Kovač": "nn"}
    assert {
        name: marks for name, marks in board(client, PROJECTS.url(organization)).items() if name in member
    } == member
    types = board(client, SERVICE_TYPES.url(organization))
    assert (types["Ivo Kovač"], types["Eva Babić"]) == ("vnnn", "ooon")


def test_rows_are_filtered_and_grouped(deal: Deal, client: Client) -> None:
    person(deal, "Ivo", "Kovač", title="Designer")
    eva = person(deal, "Eva", "Babić", member=True, title="Designer")
    ServiceTypeAssignmentFactory(
        organization=deal.organization,
        person=eva,
        service_type=ServiceTypeFactory(organization=deal.organization, name="Research"),
    )
    user = Person.objects.get(user__isnull=False)
    address = BUDGET.url(deal)
    for query, names in {
        "": ["Ana Horvat", "Eva Babić"],
        "?show=members": ["Ana Horvat", "Eva Babić"],
        "?show=outside": [str(user), "Ivo Kovač"],
        "?show=outside&q=design": ["Ivo Kovač"],
        "?show=all&q=designer": ["Eva Babić", "Ivo Kovač"],
        "?show=all&q=research": ["Eva Babić"],
        "?show=nowhere&q=kov": ["Ivo Kovač"],
        "?show=nonsense&group=nonsense&page=99&rows=0": ["Ana Horvat", "Eva Babić"],
        "?q=%00": ["Ana Horvat", "Eva Babić"],
        "?q=xyz": [],
        "?rows=1": ["Ana Horvat"],
        "?rows=1&page=2": ["Eva Babić"],
        f"?add={called('Ivo').pk},x&group=title": [
            "[Added]",
            "Ivo Kovač",
            "[Designer]",
            "Eva Babić",
            "[None]",
            "Ana Horvat",
        ],
        f"?add={called('Ivo').pk}": ["[Added]", "Ivo Kovač", "[Others]", "Ana Horvat", "Eva Babić"],
        "?group=type": ["[Research]", "Eva Babić", "[None]", "Ana Horvat"],
        "?group=membership&show=all&q=babi": ["[On the project]", "Eva Babić"],
    }.items():
        assert groups(client, address + query) == names, query


def test_large_board_has_pages_and_no_checkboxes(
    deal: Deal, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for first in ("Eva", "Ivo"):
        person(deal, first, "Babić", member=True)
    monkeypatch.setattr(board_rows, "MAX_CELLS", 4)
    page = client.get(f"{BUDGET.url(deal)}?q=")
    text = page.content.decode()
    assert "People 1 to 2 of 3." in text
    assert [link for _, link in page.context["pages"]] == [f"{BUDGET.url(deal)}?q=&page=2"]
    assert text.count('name="cell"') == 4
    monkeypatch.setattr("assignments.board.pages.MAX_CHECKBOXES", 5)
    monkeypatch.setattr(board_rows, "MAX_CHECKBOXES", 5)
    text = client.get(BUDGET.url(deal)).content.decode()
    assert (text.count('name="cell"'), "rows=1" in text) == (0, True)


@pytest.mark.parametrize("name", ["budget", "project", "projects", "service_types"])
def test_page_takes_six_queries(name: str, deal: Deal, client: Client) -> None:
    """For the owner, columns, people, pairs, facts (or what is tracked) and states (or counts).

    Before these, five find the user, the organization and the permissions. The organization of a board is
    known from the sign-in.
    """
    owner = {"budget": deal, "project": deal.project}.get(name, deal.organization)
    address = next(each for each in (BUDGET, PROJECT, PROJECTS, SERVICE_TYPES) if each.name == name).url(
        owner
    )

    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.get(address).status_code == 200
        return len(queries)

    count()
    first = count()
    for number in range(3):
        person(deal, f"P{number}", "Q", member=True)
        ServiceFactory(organization=deal.organization, deal=deal)
        ProjectFactory(organization=deal.organization)
    assert count() == first == (10 if owner == deal.organization else 11)


def test_export_has_the_rows_of_the_page(deal: Deal, client: Client) -> None:
    person(deal, "=cmd", "Babić", member=True)
    assign("Ana", "Design")
    response = client.get(f"{BUDGET.url(deal)}?format=csv")
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    header, *lines = csv.reader(io.StringIO(text))
    assert header == ["Person", "E-mail", "Audit", "Design"]
    assert [[line[0], *line[2:]] for line in lines] == [["'=cmd Babić", "", ""], ["Ana Horvat", "", "x"]]
    assert "Staffing_board_Spring_Shop-" in response["Content-Disposition"]
    response = client.get(f"{BUDGET.url(deal)}?format=xlsx")
    assert b"".join(response.streaming_content).startswith(b"PK")


def test_boards_are_linked(deal: Deal, client: Client) -> None:
    for model, row, address in (
        (Deal, deal, BUDGET.url(deal)),
        (type(deal.project), deal.project, PROJECT.url(deal.project)),
    ):
        assert f'href="{address}"' in client.get(url(model, "change", row.pk)).content.decode()
        assert f'href="{address}"' in client.get(url(model, "changelist")).content.decode()
    page = client.get(url(Organization, "change", deal.organization_id)).content.decode()
    assert f'href="{PROJECTS.url(deal.organization)}"' in page
    assert 'href="/admin/boards/projects/"' in client.get("/admin/").content.decode()
    results = client.get("/admin/search/", {"s": "board spri"}).context["results"]
    assert [(one.title, one.url) for one in results] == [("Staffing board: Spring · Shop", BUDGET.url(deal))]


def test_permissions_limit_what_is_shown_and_staged(deal: Deal) -> None:
    viewed = [f"view_{name}" for name in ("person", "service", "deal", "serviceassignment")]
    old = assign("Ana", "Design")
    reader = staff(deal.organization, *viewed)
    text = reader.get(BUDGET.url(deal)).content.decode()
    assert ("data-may-add" in text, "preview" in text, 'name="pasted"' in text) == (False, False, False)
    changes = [change("Ana", "Audit", 1), change("Ana", "Design", 0, old.pk)]
    page = review(reader, deal, *changes)
    assert [*shown(page)] == ["Can't be done"]
    assert press(reader, page, "apply").status_code == 200
    assert assigned() == {("Ana", "Design")}
    adder = staff(deal.organization, *viewed, "add_serviceassignment")
    assert [*shown(review(adder, deal, *changes))] == ["Can't be done", "Will be added"]
    assert reader.get(PROJECT.url(deal.project)).status_code == 403
    for missing in viewed:
        few = staff(deal.organization, *(name for name in viewed if name != missing))
        assert few.get(BUDGET.url(deal)).status_code == 403
    assert 'href="/admin/boards' not in few.get(url(Deal, "changelist")).content.decode()


def test_records_of_other_organizations_do_not_exist(deal: Deal, client: Client) -> None:
    foreign = ServiceFactory()
    for address in (
        BUDGET.url(foreign.deal),
        PROJECT.url(foreign.deal.project),
        PROJECTS.url(foreign.organization),
    ):
        assert client.get(address).status_code == 404
    stranger = PersonFactory(organization=foreign.organization)
    for each in (client, superuser()):
        page = review(
            each,
            deal,
            [called("Ana").pk, foreign.pk, 1, 0],
            [stranger.pk, service("Design").pk, 1, 0],
            [stranger.pk, foreign.pk, 1, 0],
        )
        assert shown(page) == {"Can't be done": ["3 of people or services that no longer exist"]}
        assert not page.context["preview"].can_apply
    added = client.get(f"{BUDGET.url(deal)}?add={stranger.pk}").content.decode()
    assert str(stranger) not in added


def test_superuser_and_members_of_several_organizations_choose_one(deal: Deal) -> None:
    other: Organization = OrganizationFactory(name="Another one")
    page = superuser().get(PROJECTS.url(deal.organization))
    assert page.context["others"] == [("Another one", PROJECTS.url(other))]
    assert superuser().get("/admin/boards/projects/").status_code == 200
    assert superuser().get("/admin/boards/projects/?organization=x").status_code == 404


def test_pairs_of_organization_boards_are_written(deal: Deal, client: Client) -> None:
    holder = person(deal, "Eva", "Babić")
    service_type = service("Design").service_type
    changes = json.dumps([[holder.pk, service_type.pk, 1, 0]])
    page = client.post(SERVICE_TYPES.url(deal.organization), {"changes": changes, "step": "preview"})
    assert messages_of(press(client, page, "apply")) == ["1 service type assignment added."]
    assert ServiceTypeAssignment.objects.get().person == holder
    member = ProjectAssignment.objects.get()
    changes = json.dumps([[member.person_id, member.project_id, 0, member.pk]])
    page = client.post(PROJECTS.url(deal.organization), {"changes": changes, "step": "preview"})
    assert messages_of(press(client, page, "apply")) == ["1 project assignment removed."]
    assert not ProjectAssignment.objects.exists()
