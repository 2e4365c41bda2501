"""Test the changes of a staffing board, from the form to the review and undo."""

from __future__ import annotations

import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from assignments.board.boards import BUDGET
from assignments.models import ProjectAssignment, ServiceAssignment
from catalog.models import Deal
from tests.support.admin import click, press, staff
from tests.support.boards import assign, assigned, called, change, form_of, person, review, service
from tests.support.bulk import consequences, messages_of, shown
from tests.support.factories import ServiceFactory

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


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
