"""Test what previews of bulk actions say about access."""

from __future__ import annotations

import pytest

from assignments.tracking import Kind, decide
from catalog.models import Deal, Service
from productive.accounts.models import Person
from tests.support.bulk import Agency, apply, consequences, preview

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


NO_CHANGE = ["Nobody gains or loses access today."]


def test_first_assignment_restricts_a_service_that_was_open_to_all(agency: Agency) -> None:
    agency.join(agency.ana, agency.bo)
    page = preview(agency.staff(), "assign_to_services", [agency.ana], [agency.qa])
    assert consequences(page) == (
        ["1 person loses access to 1 service."],
        [
            "Lose access: Bo Z: QA · Budget · Portal",
            "Services that are no longer open to everybody: QA · Budget · Portal",
        ],
    )


def test_archiving_last_assignee_restricts_service_to_nobody(agency: Agency) -> None:
    agency.join(agency.ana, agency.bo)
    agency.assign(agency.qa, agency.ana)
    client = agency.staff()
    page = preview(client, "archive", [agency.ana])
    assert consequences(page) == (
        ["1 person loses access to 2 services."],
        [
            "Lose access: Ana Z: Design, QA · Budget · Portal",
            "Services that nobody can track on anymore: QA · Budget · Portal",
        ],
    )
    assert apply(client, page) == ["1 person archived."]
    assert consequences(preview(client, "restore", [agency.ana])) == (
        ["1 person gains access to 2 services."],
        [
            "Gain access: Ana Z: Design, QA · Budget · Portal",
            "Services that somebody can track on again: QA · Budget · Portal",
        ],
    )


@pytest.mark.parametrize(("action", "row"), [("archive", "project"), ("close", "deal")])
def test_archiving_project_or_closing_budget_shows_who_loses_access(
    agency: Agency, action: str, row: str
) -> None:
    agency.join(agency.ana, *agency.people(12))
    page = preview(agency.staff(), action, [getattr(agency, row)])
    names = ["Ana Z", *(f"P{n:05} Z" for n in range(12))]
    assert consequences(page) == (
        ["13 people lose access to 2 services."],
        [
            *(f"Lose access: {name}: Design, QA · Budget · Portal" for name in names),
            "Services that nobody can track on anymore: Design · Budget · Portal",
            "Services that nobody can track on anymore: QA · Budget · Portal",
        ],
    )


def test_assigning_type_opens_services_restricted_by_type(agency: Agency) -> None:
    Deal.objects.update(person_restricted_tracking=False, service_type_restricted_tracking=True)
    agency.join(agency.ana)
    page = preview(agency.staff(), "give_to_people", [agency.testing], [agency.ana, agency.bo])
    assert consequences(page) == (
        ["1 person gains access to 1 service."],
        [
            "Gain access: Ana Z: QA · Budget · Portal",
            "Services that somebody can track on again: QA · Budget · Portal",
        ],
    )


def test_change_without_effect_on_access_says_so(agency: Agency) -> None:
    page = preview(agency.staff(), "assign_to_services", [agency.cy], [agency.qa])
    sentences, lines = consequences(page)
    assert sentences == [*NO_CHANGE, "1 new assignment has no effect today."]
    assert lines == [
        "Services that nobody can track on anymore: QA · Budget · Portal",
        "New assignments without effect today: Cy Z → QA · Budget · Portal: Cy Z is archived; Cy Z is not on"
        " the project Portal.",
    ]
    assert consequences(preview(agency.staff(), "add_to_projects", [agency.cy], [agency.project])) == (
        NO_CHANGE,
        [],
    )


def test_consequences_agree_with_the_rule_for_every_pair(agency: Agency) -> None:
    """The people who lose or gain access in the preview are those of `decide`."""
    agency.join(agency.ana, agency.bo, agency.cy)
    agency.assign(agency.qa, agency.ana)
    client, today = agency.staff(), agency.organization.today()

    def allowed() -> set[tuple[str, str]]:
        return {
            (service.name, person.first_name)
            for service in Service.objects.all()
            for person in Person.objects.filter(last_name="Z")
            if any(decide(person, service, today, kind).allowed for kind in Kind)
        }

    before = allowed()
    page = preview(client, "assign_to_services", [agency.bo, agency.cy], [agency.qa, agency.design])
    assert consequences(page)[0] == [
        "1 person loses access to 1 service.",
        "1 person gains access to 1 service.",
        "2 new assignments have no effect today.",
    ]
    apply(client, page)
    assert before - allowed() == {("Design", "Ana")}
    assert allowed() - before == {("QA", "Bo")}


def test_consequences_are_not_computed_for_too_many_services(
    agency: Agency, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assignments.consequences.affected_services.MAX_SERVICES", 1)
    page = preview(agency.staff(), "close", [agency.deal])
    [sentence] = consequences(page)[0]
    assert sentence.endswith("too many to show who gains or loses access.")


def test_consequences_require_permissions_for_people_and_services(agency: Agency) -> None:
    agency.join(agency.ana)
    page = preview(agency.staff("change_project", "view_service"), "archive", [agency.project])
    assert consequences(page) == (
        ["Only users who may view people and services see who gains or loses access."],
        [],
    )
    assert str(agency.ana) not in page.content.decode()
