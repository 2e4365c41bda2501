"""Test the pages of the staffing boards: rows, staged changes, pasted names, export, permissions."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from assignments.board import rows as board_rows
from assignments.board.boards import BUDGET, PROJECT, PROJECTS, SERVICE_TYPES
from assignments.models import ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from catalog.models import Deal, Service
from productive.accounts.models import Organization, Person
from tests.support.admin import click, press, staff, superuser, url
from tests.support.bulk import consequences, messages_of, shown
from tests.support.factories import (
    DealFactory,
    OrganizationFactory,
    PersonFactory,
    ProjectAssignmentFactory,
    ProjectFactory,
    ServiceAssignmentFactory,
    ServiceFactory,
    ServiceTypeAssignmentFactory,
    ServiceTypeFactory,
)

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

ROW = re.compile(r'<tr data-person="(\d+)">(.*?)</tr>')
CELL = re.compile(r'<td class="(\w)"')
NAME = re.compile(r'class="board-name">(.*?)<')
GROUP = re.compile(r'<tr class="board-group [\w-]*">.*?<span>(.*?)</span>|class="board-name">(.*?)<')


@pytest.fixture
def deal() -> Deal:
    """A budget restricted by person, with the services Audit and Design, and Ana on its project."""
    deal: Deal = DealFactory(name="Spring", project__name="Shop", person_restricted_tracking=True)
    for name in ("Design", "Audit"):
        ServiceFactory(organization=deal.organization, deal=deal, name=name)
    person(deal, "Ana", "Horvat", member=True)
    return deal


@pytest.fixture
def client(deal: Deal) -> Client:
    return staff(deal.organization)


def person(deal: Deal, first: str, last: str, *, member: bool = False, **fields: Any) -> Person:
    row: Person = PersonFactory(organization=deal.organization, first_name=first, last_name=last, **fields)
    if member:
        ProjectAssignmentFactory(organization=deal.organization, project=deal.project, person=row)
    return row


def called(first: str) -> Person:
    return Person.objects.get(first_name=first)


def service(name: str) -> Service:
    return Service.objects.get(name=name)


def assign(first: str, name: str) -> ServiceAssignment:
    row: ServiceAssignment = ServiceAssignmentFactory(
        organization=service(name).organization, person=called(first), service=service(name)
    )
    return row


def assigned() -> set[tuple[str, str]]:
    return set(ServiceAssignment.objects.values_list("person__first_name", "service__name"))


def board(client: Client, address: str) -> dict[str, str]:
    """Return the marks of each row."""
    page = client.get(address)
    assert page.status_code == 200
    return {
        NAME.search(row)[1]: "".join(CELL.findall(row))  # type: ignore[index]
        for _, row in ROW.findall(page.content.decode())
    }


def groups(client: Client, address: str) -> list[str]:
    """Return the names, with the headings in brackets."""
    found = GROUP.findall(client.get(address).content.decode())
    return [f"[{heading}]" if heading else name for heading, name in found]


def change(first: str, name: str, to: int, seen: int = 0) -> list[int]:
    return [called(first).pk, service(name).pk, to, seen]


def review(client: Client, deal: Deal, *changes: list[int], **data: Any) -> Any:
    return client.post(BUDGET.url(deal), {"changes": json.dumps(changes), "step": "preview", **data})


# --- The table ------------------------------------------------------------------------------------


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


# --- Review and apply -----------------------------------------------------------------------------


def test_staged_changes_are_previewed_applied_and_undone_together(deal: Deal, client: Client) -> None:
    eva = person(deal, "Eva", "Babić")
    old = assign("Ana", "Design")
    page = review(client, deal, change("Eva", "Audit", 1), change("Ana", "Design", 0, old.pk), batch="b-1")
    assert shown(page) == {
        "Will be added": [f"Eva Babić · {eva.email} → Audit · Spring · Shop"],
        "Will be removed": ["Ana Horvat · {} → Design · Spring · Shop".format(called("Ana").email)],
    }
    assert consequences(page)[0] == [
        "1 person loses access to 1 service.",
        "1 new assignment has no effect today.",
    ]
    assert assigned() == {("Ana", "Design")}
    page = click(client, page, "_include", "assignments.projectassignment")
    response = press(client, page, "apply")
    assert messages_of(response) == ["1 service assignment added, 1 service assignment removed."]
    assert response["Location"] == f"{BUDGET.url(deal)}?applied=b-1"
    assert assigned() == {("Eva", "Audit")}
    assert ProjectAssignment.objects.filter(person=eva, project=deal.project).exists()
    changes = {
        row.change_set
        for model in (ServiceAssignment, ProjectAssignment)
        for row in model.history.filter(person_id=eva.pk)
    }
    assert changes == {ServiceAssignment.history.get(id=old.pk, history_type="-").change_set}


def test_review_takes_as_many_queries_for_more_cells(deal: Deal, client: Client) -> None:
    changes = [change("Ana", "Design", 1)]
    for number in range(4):
        row, other = (
            person(deal, f"P{number}", "Q"),
            ServiceFactory(organization=deal.organization, deal=deal),
        )
        changes += [[row.pk, other.pk, 1, 0], [row.pk, service("Audit").pk, 1, 0]]

    def count(number: int) -> int:
        with CaptureQueriesContext(connection) as queries:
            assert len(shown(review(client, deal, *changes[:number]))["Will be added"]) == number
        return len(queries)

    count(3)
    assert count(3) == count(9)


def test_changes_of_somebody_else_are_shown_and_kept(deal: Deal, client: Client) -> None:
    """Both removed an assignment, which the other has added again; and both added one."""
    old = assign("Ana", "Design")
    changes = [change("Ana", "Design", 0, old.pk), change("Ana", "Audit", 1)]
    other = staff(deal.organization)
    page = review(other, deal, *changes)
    press(other, page, "apply")
    page = review(client, deal, *changes)
    assert page.context["preview"].is_done
    again = assign("Ana", "Design")
    page = review(client, deal, *changes, change("Ana", "Design", 0, old.pk))
    groups = shown(page)
    title = "Somebody else has changed these in the meantime: they stay as they are"
    assert [*groups] == [title, "Already done, skipped"]
    assert re.fullmatch(r"Ana .* → Design .*: you remove it: .* added it on .*", groups[title][0])
    assert re.fullmatch(r"Ana .* → Audit .*: user\d+ added it on .*", groups["Already done, skipped"][0])
    assert ServiceAssignment.objects.filter(pk=again.pk).exists()


def test_preview_that_is_out_of_date_is_shown_again(deal: Deal, client: Client) -> None:
    page = review(client, deal, change("Ana", "Design", 1), change("Ana", "Audit", 1))
    assign("Ana", "Audit")
    page = press(client, page, "apply")
    assert (page.status_code, page.context["is_stale"]) == (200, True)
    assert assigned() == {("Ana", "Audit")}


def test_form_of_checkboxes_sends_what_was_changed(deal: Deal, client: Client) -> None:
    eva = person(deal, "Eva", "Babić", member=True)
    old, kept = assign("Ana", "Design"), assign("Eva", "Design")
    form = form_of(client.get(BUDGET.url(deal)))
    assert form["cell"] == [f"{called('Ana').pk}-{old.service_id}", f"{eva.pk}-{kept.service_id}"]
    form["cell"] = [form["cell"][1], f"{eva.pk}-{service('Audit').pk}"]
    # Meanwhile, somebody else has added one that this form doesn't show as checked.
    assign("Ana", "Audit")
    page = client.post(BUDGET.url(deal), {**form, "step": "preview"})
    assert [(title, len(lines)) for title, lines in shown(page).items()] == [
        ("Will be added", 1),
        ("Will be removed", 1),
    ]
    press(client, page, "apply")
    assert assigned() == {("Ana", "Audit"), ("Eva", "Design"), ("Eva", "Audit")}
    response = client.post(BUDGET.url(deal), {**form_of(client.get(BUDGET.url(deal))), "step": "preview"})
    assert messages_of(response) == ["Nothing was changed on the board."]


FIELD = re.compile(r'<input type="(hidden|checkbox)" name="(row|cell|columns)" value="([^"]*)"([^>]*)>')


def form_of(page: Any) -> dict[str, Any]:
    """Return what a browser without JavaScript sends."""
    fields: dict[str, Any] = {"cell": [], "row": []}
    for kind, name, value, rest in FIELD.findall(page.content.decode()):
        if kind == "hidden" or "checked" in rest:
            fields.setdefault(name, []).append(value)
    return fields


@pytest.mark.parametrize(
    "data",
    [
        {"changes": "["},
        {"changes": "{}"},
        {"changes": "[[1, 2, 3]]"},
        {"changes": '[["1", 2, 1, 0]]'},
        {"changes": "[[1, 2, 1, -1]]"},
        {"changes": f"[[{2**70}, 2, 1, 0]]"},
        {"changes": "[" * 100_000},
        {"row": "x:1=2", "columns": "1"},
        {"row": "1:1=x", "columns": "1", "cell": "1-1"},
        {"columns": "1,,x"},
    ],
)
def test_unreadable_changes_are_rejected(data: dict[str, str], deal: Deal, client: Client) -> None:
    response = client.post(BUDGET.url(deal), data)
    assert (response.status_code, response["Location"]) == (302, BUDGET.url(deal))
    [message] = messages_of(response)
    assert "can't be read" in message or "Nothing was changed on the board" in message


# --- Pasted names ---------------------------------------------------------------------------------


def test_pasted_names_add_rows(deal: Deal, client: Client) -> None:
    eva, ivo = person(deal, "Eva", "Babić"), person(deal, "Ivo", "Kovač")
    one, two = person(deal, "Iva", "Same"), person(deal, "Iva", "Same")
    person(deal, "Zoe", "Former").archive()
    PersonFactory(first_name="Foreign", last_name="Person")
    text = f"Hello,\nplease add Ivo Kovač and <{eva.email}>.\nIva Same; Zoe Former; Foreign Person"
    sent = {"step": "match", "pasted": text}
    found = client.post(BUDGET.url(deal), {**sent, "as": "json"}).json()
    assert (found["ids"], found["unknown"]) == (
        [ivo.pk, eva.pk],
        ["Hello", "Foreign Person"],
    )
    assert [pk for pk, _ in found["ambiguous"]["Iva Same"]] == [one.pk, two.pk]
    assert found["archived"][0].endswith("(archived)")
    assert [pk for pk, _ in ROW.findall(found["html"])] == [*map(str, found["ids"])]

    long = client.post(
        BUDGET.url(deal), {**sent, "pasted": f"Ivo Kovač\n{'x' * 30_000}", "as": "json"}
    ).json()
    assert (long["ids"], sum(map(len, long["unknown"]))) == ([ivo.pk], 30_000)

    form = form_of(client.get(BUDGET.url(deal)))
    form["cell"] = [f"{called('Ana').pk}-{service('Design').pk}"]
    page = client.post(BUDGET.url(deal), {**form, **sent, "chosen": two.pk})
    assert page.context["named"].ambiguous == {}
    after = form_of(page)
    assert after["cell"] == form["cell"]
    shown_people = {int(row.partition(":")[0]) for row in after["row"]}
    assert shown_people == {called("Ana").pk, ivo.pk, eva.pk, two.pk}
    assert f"add={two.pk}" in page.context["action"]


# --- Export, links, permissions -------------------------------------------------------------------


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
