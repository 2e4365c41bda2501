"""Test that bulk actions apply what their preview shows, and record it."""

from __future__ import annotations

import re

import pytest

from assignments.models import ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from productive.accounts.models import Person
from tests.support.admin import press, staff, superuser
from tests.support.bulk import Agency, apply, consequences, preview, shown, start
from tests.support.factories import (
    ApiTokenFactory,
    PersonFactory,
    ProjectFactory,
    ServiceTypeAssignmentFactory,
)

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


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
