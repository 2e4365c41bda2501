"""Test that bulk actions apply exactly what their preview shows, or nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.db.models import Model
from django.test.utils import CaptureQueriesContext

from assignments.models import ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from assignments.tracking import Kind, decide
from catalog.models import Deal, Project, Service, ServiceType
from productive.accounts.models import ApiToken, Person
from tests.support.admin import press, staff, superuser, url
from tests.support.bulk import apply, consequences, preview, shown, start
from tests.support.factories import (
    ApiTokenFactory,
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
from tests.support.samples import sampled

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

NO_CHANGE = ["Nobody gains or loses access today."]


class Agency:
    """Ana, Bo, Cy (archived), and a project whose budget, restricted by person, has QA and Design."""

    def __init__(self) -> None:
        self.organization = OrganizationFactory()
        own = {"organization": self.organization}
        self.ana, self.bo, self.cy = (
            PersonFactory(first_name=first, last_name="Z", email=None, **own) for first in ("Ana", "Bo", "Cy")
        )
        self.cy.archive()
        self.project = ProjectFactory(name="Portal", **own)
        self.deal = DealFactory(name="Budget", project=self.project, person_restricted_tracking=True, **own)
        self.testing, self.drawing = (ServiceTypeFactory(name=name, **own) for name in ("Testing", "Drawing"))
        self.qa, self.design = (
            ServiceFactory(name=name, deal=self.deal, service_type=service_type, **own)
            for name, service_type in (("QA", self.testing), ("Design", self.drawing))
        )

    def join(self, *people: Person) -> None:
        for person in people:
            ProjectAssignmentFactory(person=person, project=self.project, organization=self.organization)

    def assign(self, service: Service, *people: Person) -> None:
        for person in people:
            ServiceAssignmentFactory(person=person, service=service, organization=self.organization)

    def people(self, number: int) -> list[Person]:
        return Person.objects.bulk_create(
            Person(organization=self.organization, first_name=f"P{n:05}", last_name="Z")
            for n in range(number)
        )

    def staff(self, *codenames: str) -> Any:
        return staff(self.organization, *codenames)


@pytest.fixture
def agency() -> Agency:
    return Agency()


# --- Actions ------------------------------------------------------------------------


def test_people_are_assigned_to_services(agency: Agency) -> None:
    agency.assign(agency.qa, agency.bo)
    client = agency.staff()
    people = [agency.ana, agency.bo, agency.cy]
    page = preview(client, "assign_to_services", people, [agency.qa, agency.design])
    assert shown(page) == {
        "Will be created": [
            "Ana Z → Design · Budget · Portal",
            "Ana Z → QA · Budget · Portal",
            "Bo Z → Design · Budget · Portal",
            "Cy Z (archived) → Design · Budget · Portal",
            "Cy Z (archived) → QA · Budget · Portal",
        ],
        "Already exist, skipped": ["Bo Z → QA · Budget · Portal"],
    }
    assert ServiceAssignment.objects.count() == 1
    assert apply(client, page) == [
        "Assigned 3 people to 2 services: 5 new service assignments, 1 already existed."
    ]
    pairs = set(ServiceAssignment.objects.values_list("person", "service", "organization"))
    assert pairs == {
        (person.pk, service.pk, agency.organization.pk)
        for person in people
        for service in (agency.qa, agency.design)
    }


@pytest.mark.no_cover
@pytest.mark.parametrize(
    ("action", "mine", "theirs", "lines", "done"),
    [
        (
            "add_to_projects",
            ["ana", "bo"],
            ["project"],
            ["Ana Z → Portal", "Bo Z → Portal"],
            "Added 2 people to 1 project: 2 new project assignments.",
        ),
        (
            "give_service_types",
            ["ana"],
            ["testing", "drawing"],
            ["Ana Z → Drawing", "Ana Z → Testing"],
            "Gave 1 person 2 service types: 2 new service type assignments.",
        ),
        (
            "assign_people",
            ["qa", "design"],
            ["ana"],
            ["Ana Z → Design · Budget · Portal", "Ana Z → QA · Budget · Portal"],
            "Assigned 1 person to 2 services: 2 new service assignments.",
        ),
        (
            "add_people",
            ["project"],
            ["bo"],
            ["Bo Z → Portal"],
            "Added 1 person to 1 project: 1 new project assignment.",
        ),
        (
            "give_to_people",
            ["testing"],
            ["ana", "bo"],
            ["Ana Z → Testing", "Bo Z → Testing"],
            "Gave 2 people 1 service type: 2 new service type assignments.",
        ),
    ],
)
def test_pairs_are_created_from_either_side(
    agency: Agency, action: str, mine: list[str], theirs: list[str], lines: list[str], done: str
) -> None:
    client = agency.staff()
    rows, chosen = ([getattr(agency, name) for name in names] for names in (mine, theirs))
    page = preview(client, action, rows, chosen)
    assert shown(page) == {"Will be created": lines}
    assert apply(client, page) == [done]
    again = preview(client, action, rows, chosen)
    assert shown(again) == {"Already exist, skipped": lines}
    assert b'value="apply"' not in again.content


def test_assignments_of_another_service_are_copied_except_archived_people(agency: Agency) -> None:
    agency.assign(agency.qa, agency.ana, agency.bo, agency.cy)
    agency.assign(agency.design, agency.bo)
    client = agency.staff()
    page = preview(client, "copy_assignments", [agency.design], [agency.qa])
    assert shown(page) == {
        "Will be created": ["Ana Z → Design · Budget · Portal"],
        "Already exist, skipped": ["Bo Z → Design · Budget · Portal"],
    }
    done = "Assigned 1 person to 1 service: 1 new service assignment, 1 already existed."
    assert apply(client, page) == [done]


def test_members_of_another_project_are_copied(agency: Agency) -> None:
    agency.join(agency.ana, agency.cy)
    other = ProjectFactory(name="Shop", organization=agency.organization)
    client = agency.staff()
    page = preview(client, "copy_members", [other], [agency.project])
    assert shown(page) == {"Will be created": ["Ana Z → Shop"]}
    assert apply(client, page) == ["Added 1 person to 1 project: 1 new project assignment."]


@pytest.mark.parametrize(
    ("action", "mine", "theirs", "removed", "skipped", "done"),
    [
        (
            "unassign_people",
            "qa",
            ["ana", "bo"],
            "Ana Z → QA · Budget · Portal",
            "Bo Z → QA · Budget · Portal",
            "Unassigned 1 person from 1 service: 1 service assignment removed.",
        ),
        (
            "remove_people",
            "project",
            ["ana", "bo"],
            "Ana Z → Portal",
            "Bo Z → Portal",
            "Removed 1 person from 1 project: 1 project assignment removed.",
        ),
        (
            "remove_from_people",
            "testing",
            ["ana", "bo"],
            "Ana Z → Testing",
            "Bo Z → Testing",
            "Removed 1 service type from 1 person: 1 service type assignment removed.",
        ),
    ],
)
def test_people_are_removed(
    agency: Agency, action: str, mine: str, theirs: list[str], removed: str, skipped: str, done: str
) -> None:
    agency.join(agency.ana)
    agency.assign(agency.qa, agency.ana)
    ServiceTypeAssignmentFactory(
        person=agency.ana, service_type=agency.testing, organization=agency.organization
    )
    client = agency.staff()
    page = preview(client, action, [getattr(agency, mine)], [getattr(agency, name) for name in theirs])
    assert shown(page) == {"Will be removed": [removed], "Don't exist, skipped": [skipped]}
    assert apply(client, page) == [done]
    left = [m.objects.count() for m in (ServiceAssignment, ProjectAssignment, ServiceTypeAssignment)]
    assert sum(left) == 2


def test_superuser_can_not_create_pair_across_organizations(agency: Agency) -> None:
    foreign_person = PersonFactory(first_name="Eve", last_name="Z", email=None)
    client = superuser()
    page = preview(client, "assign_to_services", [agency.ana, foreign_person], [agency.qa])
    assert shown(page) == {
        "Will be created": ["Ana Z → QA · Budget · Portal"],
        "Can't be done": ["Eve Z → QA · Budget · Portal: service belongs to another organization"],
    }
    done = "Assigned 1 person to 1 service: 1 new service assignment, 1 could not be created."
    assert apply(client, page) == [done]


def test_removal_of_assignments_shows_its_consequences(agency: Agency) -> None:
    agency.join(agency.ana, agency.bo)
    agency.assign(agency.qa, agency.ana)
    client = agency.staff()
    page = preview(client, "delete_selected", ServiceAssignment.objects.all())
    assert shown(page) == {"Will be deleted": ["Ana Z → QA · Budget · Portal"]}
    assert consequences(page) == (
        ["1 person gains access to 1 service."],
        [
            "Services that open to everybody on the project: QA · Budget · Portal",
            "Gain access: Bo Z: QA · Budget · Portal",
        ],
    )
    assert apply(client, page) == ["1 service assignment deleted."]
    assert ServiceAssignment.objects.count() == 0


def test_deletion_preview_shows_cascades(agency: Agency) -> None:
    agency.join(agency.ana)
    agency.assign(agency.qa, agency.ana, agency.bo)
    client = agency.staff()
    page = preview(client, "delete_selected", [agency.project])
    assert shown(page) == {
        "Will be deleted": ["Portal"],
        "Related records that will be deleted": [
            "1 budget",
            "2 services",
            "2 service assignments",
            "1 project assignment",
        ],
    }
    assert apply(client, page) == ["1 project deleted."]
    without = agency.staff("view_person", "delete_person")
    agency.join_again = ServiceTypeAssignmentFactory(  # type: ignore[attr-defined]
        person=agency.bo, service_type=agency.testing, organization=agency.organization
    )
    page = preview(without, "delete_selected", [agency.bo])
    assert shown(page) == {
        "Nothing can be deleted, because it would also delete these records": [
            "Service type assignments: you don't have permission to delete these"
        ]
    }
    assert press(without, page, "apply").status_code == 200
    assert Person.objects.filter(pk=agency.bo.pk).exists()


def test_revocation_preview_says_that_it_is_permanent() -> None:
    token = ApiTokenFactory()
    page = preview(staff(token.organization), "revoke", [token])
    assert list(page.context["preview"].consequences.sentences) == [
        "Requests with these tokens will be rejected. A revoked token can't be restored."
    ]


# --- Changes of access ---------------------------------------------------------------------


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


# --- Between preview and apply --------------------------------------------------------------------


def test_preview_changes_nothing_and_records_nothing(agency: Agency) -> None:
    client = agency.staff()
    preview(client, "assign_to_services", [agency.ana], [agency.qa])
    preview(client, "archive", [agency.ana])
    preview(client, "delete_selected", [agency.ana])
    agency.ana.refresh_from_db()
    assert (agency.ana.archived_at, ServiceAssignment.objects.count()) == (None, 0)
    assert ServiceAssignment.history.count() == 0  # type: ignore[attr-defined]


def test_outdated_preview_is_shown_again_and_not_applied(agency: Agency) -> None:
    client = agency.staff()
    page = preview(client, "assign_to_services", [agency.ana, agency.bo], [agency.qa])
    agency.assign(agency.qa, agency.bo)
    again = press(client, page, "apply")
    assert b"The records have changed since the preview, so nothing was done." in again.content
    assert shown(again) == {
        "Will be created": ["Ana Z → QA · Budget · Portal"],
        "Already exist, skipped": ["Bo Z → QA · Budget · Portal"],
    }
    assert ServiceAssignment.objects.count() == 1
    assert apply(client, again) == [
        "Assigned 1 person to 1 service: 1 new service assignment, 1 already existed."
    ]


def test_consequences_are_part_of_the_digest(agency: Agency) -> None:
    client = agency.staff()
    page = preview(client, "assign_to_services", [agency.ana], [agency.qa])
    agency.join(agency.bo)
    again = press(client, page, "apply")
    assert b"The records have changed since the preview" in again.content
    assert consequences(again)[0] == [
        "1 person loses access to 1 service.",
        "1 new assignment has no effect today.",
    ]
    assert ServiceAssignment.objects.count() == 0


def test_second_click_changes_nothing(agency: Agency) -> None:
    client = agency.staff()
    page = preview(client, "assign_to_services", [agency.ana], [agency.qa])
    apply(client, page)
    assert apply(client, page) == ["This has been done already."]
    assert ServiceAssignment.objects.count() == 1


@pytest.mark.no_cover
@pytest.mark.parametrize("digest", ["", "0" * 64, "\x00", "x" * 10_000])
def test_nothing_is_applied_without_digest_of_preview(agency: Agency, digest: str) -> None:
    data = {"step": "apply", "digest": digest, "chosen": [agency.qa.pk]}
    answer = start(agency.staff(), "assign_to_services", [agency.ana], **data)
    assert (answer.status_code, ServiceAssignment.objects.count()) == (200, 0)


@contextmanager
def before_statement(words: str, act: Callable[[], Any]) -> Iterator[list[Any]]:
    """Call `act` once in another connection, before a statement with these words."""
    happened: list[Any] = []

    def committed() -> None:
        try:
            happened.append(act())
        finally:
            connection.close()

    def watch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if words in sql and not happened:
            other = Thread(target=committed)
            other.start()
            other.join()
        return execute(sql, params, many, context)

    with connection.execute_wrapper(watch):
        yield happened


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("step", "words"),
    [("preview", 'INSERT INTO "assignments_serviceassignment"'), ("apply", "FOR UPDATE")],
)
def test_pair_created_concurrently_exists_already(agency: Agency, step: str, words: str) -> None:
    """During the preview, or before the rows are locked; later, no pair can be created."""
    client = agency.staff()
    page = preview(client, "assign_to_services", [agency.ana, agency.bo], [agency.qa])
    with before_statement(words, lambda: agency.assign(agency.qa, agency.bo)) as happened:
        again = press(client, page, step)
    assert happened == [None]
    assert shown(again) == {
        "Will be created": ["Ana Z → QA · Budget · Portal"],
        "Already exist, skipped": ["Bo Z → QA · Budget · Portal"],
    }
    assert ServiceAssignment.objects.count() == 1


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_rows_are_locked_before_the_first_is_changed(agency: Agency) -> None:
    client = agency.staff()

    def archive() -> str:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = 100")
            with pytest.raises(OperationalError, match="lock timeout"):
                Person.objects.get(pk=agency.bo.pk).archive()
            transaction.set_rollback(True)
        return "waited"

    page = preview(client, "archive", [agency.ana, agency.bo])
    with before_statement('UPDATE "accounts_person"', archive) as happened:
        assert apply(client, page) == ["2 people archived."]
    assert happened == ["waited"]


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_rows_locked_by_another_request_are_not_changed(agency: Agency, short_wait: None) -> None:
    client = agency.staff()
    page = preview(client, "archive", [agency.ana])

    answers: list[Any] = []
    with transaction.atomic():
        list(Person.objects.select_for_update().filter(pk=agency.ana.pk))
        other = Thread(target=lambda: (answers.append(press(client, page, "apply")), connection.close()))
        other.start()
        other.join()
    assert answers[0].status_code == 302
    agency.ana.refresh_from_db()
    assert agency.ana.archived_at is None


# --- Permissions and invalid input -----------------------------------------------------------------


def actions_of(client: Any, model: type[Model]) -> list[str]:
    form = client.get(url(model, "changelist")).context["action_form"]
    return [name for name, _ in form.fields["action"].choices if name] if form else []


@pytest.mark.parametrize(
    ("model", "actions"),
    [
        (
            Person,
            [
                "assign_to_services",
                "add_to_projects",
                "give_service_types",
                "merge_records",
                "archive",
                "restore",
                "delete_selected",
            ],
        ),
        (
            Service,
            [
                "add_assignees_to_projects",
                "add_people_to_projects",
                "assign_people",
                "change_type",
                "close_budgets",
                "copy_assignments",
                "delete_selected",
                "give_types_to_people",
                "switch_on_expenses",
                "switch_on_time",
                "unassign_people",
            ],
        ),
        (Project, ["add_people", "copy_members", "remove_people", "archive", "restore", "delete_selected"]),
        (
            ServiceType,
            [
                "merge_records",
                "give_to_people",
                "remove_from_people",
                "archive",
                "restore",
                "delete_selected",
            ],
        ),
        (Deal, ["close", "open", "delete_selected"]),
        (ApiToken, ["revoke", "delete_selected"]),
        (ServiceAssignment, ["delete_selected"]),
    ],
)
def test_list_has_actions(agency: Agency, model: type[Model], actions: list[str]) -> None:
    agency.assign(agency.qa, agency.ana)
    ApiTokenFactory(organization=agency.organization)
    assert sorted(actions_of(agency.staff(), model)) == sorted(actions)
    viewer = agency.staff("view_person", "view_service", "view_project", f"view_{model._meta.model_name}")
    assert actions_of(viewer, model) == []


def test_action_requires_permissions_for_pair_and_both_sides(agency: Agency) -> None:
    without = agency.staff("view_person", "add_serviceassignment")
    assert actions_of(without, Person) == []
    assert actions_of(agency.staff("view_person", "view_service", "add_serviceassignment"), Person) == [
        "assign_to_services"
    ]
    for step in ({}, {"step": "preview", "chosen": agency.qa.pk}):
        assert "cl" in start(without, "assign_to_services", [agency.ana], **step).context
    assert ServiceAssignment.objects.count() == 0


def test_record_of_other_organization_can_not_be_chosen(agency: Agency) -> None:
    mine = ServiceFactory(organization=agency.organization)
    foreign = ServiceFactory(name="Secret")
    client = agency.staff()
    answers = [
        start(client, "assign_to_services", [agency.ana], step="preview", chosen=[mine.pk, pk])
        for pk in (foreign.pk, 987_654_321)
    ]
    assert [dict(answer.context["form"].errors) for answer in answers] == [
        {"chosen": [f"Select a valid choice. {pk} is not one of the available choices."]}
        for pk in (foreign.pk, 987_654_321)
    ]
    assert b"Secret" not in answers[0].content
    copied = start(client, "copy_assignments", [mine], step="preview", chosen=[foreign.pk])
    assert list(copied.context["form"].errors) == ["chosen"]


INVALID_INPUT = [
    "\x00",
    "9" * 30,
    "-1",
    "1_0",
    "\u0661",
    "\ud800".encode(errors="surrogatepass"),
    "1" * 5000,
    "",
    "x",
]


@pytest.mark.parametrize("step", ["preview", "apply", "find", "choose", "", "\x00"])
def test_invalid_input_shows_the_form_again(agency: Agency, step: str) -> None:
    client = agency.staff()
    for value in INVALID_INPUT:
        data = {"step": step, "chosen": value, "digest": value, "find": value}
        answer = start(client, "assign_to_services", [agency.ana], **data)
        assert (answer.status_code, "form" in answer.context) == (200, True)
    assert ServiceAssignment.objects.count() == 0


@pytest.mark.no_cover
@pytest.mark.parametrize("value", INVALID_INPUT, ids=lambda value: ascii(value)[:12])
def test_invalid_selection_changes_nothing(agency: Agency, value: Any) -> None:
    client = agency.staff()
    selections = [
        (query, {"index": index, "select_across": across})
        for across in (0, 1, value)
        for query, index in (("", 0), ("?q=x", value))
    ]
    for number, action in enumerate(actions_of(client, Person), start=INVALID_INPUT.index(value)):
        data = {"action": action, "_selected_action": value, "chosen": agency.qa.pk, "step": "apply"}
        for query, selection in sampled(selections, number):
            client.post(url(Person, "changelist") + query, {**data, **selection})
    assert (ServiceAssignment.objects.count(), Person.objects.exclude(archived_at=None).count()) == (0, 1)


def test_choice_is_required(agency: Agency) -> None:
    page = start(agency.staff(), "assign_to_services", [agency.ana])
    again = press(agency.staff(), page, "preview")
    assert dict(again.context["form"].errors) == {"chosen": ["This field is required."]}


def test_more_rows_than_one_form_can_submit_are_rejected(agency: Agency) -> None:
    page = start(agency.staff(), "assign_to_services", [agency.ana])
    again = press(agency.staff(), page, "preview", chosen=range(1, 202))
    assert dict(again.context["form"].errors) == {"chosen": ["Choose at most 200."]}


def test_too_many_pairs_or_rows_show_message(agency: Agency, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("actions", "pairs"):
        monkeypatch.setattr(f"productive.admin.bulk.{module}.MAX_BULK_ROWS", 3)
    client, page = agency.staff(), start(agency.staff(), "assign_to_services", [agency.ana, agency.bo])
    again = press(client, page, "preview", chosen=[agency.qa.pk, agency.design.pk])
    assert again.context["form"].non_field_errors() == [
        "2 people and 2 services make 4 pairs. At most 3 can be changed at once: choose fewer."
    ]
    people = agency.people(4)
    answer = start(client, "archive", people)
    page = client.get(answer["Location"])
    assert [str(said) for said in page.context["messages"]] == [
        "At most 3 rows can be changed at once. Select fewer."
    ]


# --- Navigation -------------------------------------------------------------------------------


@pytest.mark.no_cover
def test_all_rows_of_filtered_list_are_selected_and_filter_is_preserved(agency: Agency) -> None:
    agency.people(500)
    client = agency.staff()
    address = url(Person, "changelist") + "?q=P00&archived=no"
    data = {"action": "assign_to_services", "index": 0, "select_across": 1, "_selected_action": agency.ana.pk}
    page = press(client, client.post(address, data), "preview", chosen=[agency.qa.pk])
    [group] = [group for group in page.context["preview"].groups if group.lines]
    assert (group.title, group.count, len(group.shown), group.hidden) == (
        "Will be created",
        "500",
        300,
        "200",
    )
    assert page.content.count(b"_selected_action") == 1
    assert apply(client, page) == ["Assigned 500 people to 1 service: 500 new service assignments."]


@pytest.mark.no_cover
def test_new_row_of_filtered_list_is_shown_before_apply(agency: Agency) -> None:
    client = agency.staff()
    address = url(Person, "changelist") + "?q=Newcomer"
    data = {"action": "archive", "index": 0, "select_across": 1, "_selected_action": agency.ana.pk}
    PersonFactory(first_name="Newcomer", last_name="A", email=None, organization=agency.organization)
    page = client.post(address, data)
    PersonFactory(first_name="Newcomer", last_name="B", email=None, organization=agency.organization)
    again = press(client, page, "apply")
    assert shown(again) == {"Will be archived": ["Newcomer A", "Newcomer B"]}
    assert apply(client, again) == ["2 people archived."]


def test_records_are_found_without_javascript_and_preserved_when_choosing_again(agency: Agency) -> None:
    client = agency.staff()
    foreign = ServiceFactory(name="QA of others")
    page = press(client, start(client, "assign_to_services", [agency.ana]), "find", find="QA")
    assert page.context["found"] == [(agency.qa.pk, "QA · Budget · Portal")]
    assert foreign.name not in page.content.decode()
    shown = press(client, page, "preview", chosen=[agency.qa.pk])
    back = press(client, shown, "choose")
    assert f'<option value="{agency.qa.pk}" selected>QA · Budget · Portal</option>' in back.content.decode()


def test_get_changes_nothing(agency: Agency) -> None:
    client = agency.staff()
    data = {"action": "archive", "index": 0, "_selected_action": agency.ana.pk, "step": "apply"}
    client.get(url(Person, "changelist"), data)
    agency.ana.refresh_from_db()
    assert agency.ana.archived_at is None


# --- Queries and history --------------------------------------------------------


@pytest.mark.no_cover
def test_every_change_is_recorded_with_the_user_in_one_change_set(agency: Agency) -> None:
    client = agency.staff()
    apply(client, preview(client, "assign_to_services", [agency.ana, agency.bo], [agency.qa, agency.design]))
    records = list(ServiceAssignment.history.all())  # type: ignore[attr-defined]
    assert len(records) == 4
    assert {(one.history_type, one.via, one.history_user_id) for one in records} == {
        ("+", "admin", int(client.session["_auth_user_id"]))
    }
    assert len({one.change_set for one in records}) == 1
    apply(client, preview(client, "unassign_people", [agency.qa], [agency.ana]))
    assert [one.history_type for one in ServiceAssignment.history.order_by("-pk")[:1]] == ["-"]  # type: ignore[attr-defined]


def statements(act: Callable[[], Any]) -> tuple[int, int]:
    """Return the numbers of statements and of INSERTs; SQLite inserts few rows with each."""
    with CaptureQueriesContext(connection) as queries:
        act()
    inserts = sum(query["sql"].startswith("INSERT") for query in queries)
    return len(queries) - inserts, inserts


@pytest.mark.no_cover
def test_1000_pairs_take_as_many_queries_as_10(agency: Agency) -> None:
    agency.join(agency.ana, agency.bo)
    services = [
        ServiceFactory(deal=agency.deal, service_type=agency.testing, organization=agency.organization)
        for _ in range(10)
    ]
    client = agency.staff()
    numbers = []
    for number in (1, 1, 100):
        people = agency.people(number)
        question = start(client, "assign_to_services", people)
        chosen = [service.pk for service in services]
        shown = statements(lambda q=question, c=chosen: press(client, q, "preview", chosen=c))
        page = press(client, question, "preview", chosen=chosen)
        done = statements(lambda p=page: press(client, p, "apply"))
        numbers.append((shown[0], done[0]))
    assert numbers[1] == numbers[2]
    assert ServiceAssignment.objects.count() == 1020
    if connection.vendor == "postgresql":
        # The pairs, written a second time to compare access, and their history.
        assert done[1] == 3


@pytest.mark.no_cover
def test_archiving_1000_rows_takes_as_many_queries_as_10(agency: Agency) -> None:
    client = agency.staff()
    numbers = []
    for number in (10, 1000):
        agency.people(number)
        data = {"action": "archive", "index": 0, "select_across": 1, "_selected_action": agency.ana.pk}
        page = client.post(url(Person, "changelist") + "?q=P0&archived=no", data)
        numbers.append(statements(lambda p=page: press(client, p, "apply"))[0])
    assert numbers[0] == numbers[1]


@pytest.mark.no_cover
def test_link_in_message_undoes_action(agency: Agency) -> None:
    client = agency.staff()
    page = press(
        client, start(client, "assign_to_services", [agency.ana, agency.bo]), "preview", chosen=[agency.qa.pk]
    )
    answer = press(client, page, "apply")
    page = client.get(answer["Location"]).content.decode()
    address = re.search('href="(/admin/changes/[^"]+)">View or undo', page)
    assert address is not None
    assert ServiceAssignment.objects.filter(service=agency.qa).count() == 2
    preview = client.get(address[1] + "undo/")
    client.post(address[1] + "undo/", {"digest": preview.context["preview"].digest})
    assert ServiceAssignment.objects.filter(service=agency.qa).count() == 0


def test_consequences_require_permissions_for_people_and_services(agency: Agency) -> None:
    agency.join(agency.ana)
    page = preview(agency.staff("change_project", "view_service"), "archive", [agency.project])
    assert consequences(page) == (
        ["Only users who may view people and services see who gains or loses access."],
        [],
    )
    assert str(agency.ana) not in page.content.decode()
