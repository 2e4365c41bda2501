"""Test how the API tells clients whose access a write changes."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from assignments import api_consequences
from assignments.api_consequences import AccessViewSet
from assignments.consequences import affected_services, write_effects
from assignments.models import ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from catalog.models import Deal, Service
from productive.accounts.models import Organization, Person
from tests.support.api import Answer, Api
from tests.support.databases import rolled_back
from tests.support.factories import (
    DealFactory,
    PersonFactory,
    ProjectAssignmentFactory,
    ProjectFactory,
    ServiceAssignmentFactory,
    ServiceFactory,
    ServiceTypeAssignmentFactory,
)
from tests.support.resources import RESOURCES, WRITABLE, document_for

pytestmark = pytest.mark.django_db

LOST, OPENED, NO_EFFECT = "Warning-Access-Lost", "Warning-Opened-Service", "Warning-No-Effect"


class Office(NamedTuple):
    """Ana and Bo are on a project with three budgets. Cy is not.

    QA, to which Ana is assigned, and Tests, to which nobody is, are on a budget restricted by person, Audit
    on one restricted by type, which Ana holds, and Support on an unrestricted budget.
    """

    ana: Person
    bo: Person
    cy: Person
    qa: Service
    tests: Service
    audit: Service
    support: Service
    membership: ProjectAssignment
    assignment: ServiceAssignment
    held: ServiceTypeAssignment


def create_office(organization: Organization) -> Office:
    own = {"organization": organization}
    ana, bo, cy = PersonFactory.create_batch(3, **own)
    project = ProjectFactory(**own)
    membership, _ = (ProjectAssignmentFactory(person=person, project=project, **own) for person in (ana, bo))
    by_person = DealFactory(project=project, person_restricted_tracking=True, **own)
    by_type = DealFactory(project=project, service_type_restricted_tracking=True, **own)
    qa, tests = ServiceFactory.create_batch(2, deal=by_person, **own)
    audit = ServiceFactory(deal=by_type, **own)
    support = ServiceFactory(deal=DealFactory(project=project, **own), **own)
    assignment = ServiceAssignmentFactory(service=qa, person=ana, **own)
    held = ServiceTypeAssignmentFactory(service_type=audit.service_type, person=ana, **own)
    return Office(ana, bo, cy, qa, tests, audit, support, membership, assignment, held)


@pytest.fixture
def office(organization: Organization) -> Office:
    return create_office(organization)


def warnings(answer: Answer) -> dict[str, str]:
    assert answer.status < 400, answer
    return {name: value for name, value in answer.headers.items() if name.startswith("Warning-")}


def permit(person: Person, service: Service, kind: str) -> dict[str, Any]:
    return {"person_id": person.pk, "service_id": service.pk, "kind": kind}


def test_every_writable_resource_tells_whose_access_changes() -> None:
    assert [name for name in WRITABLE if not issubclass(RESOURCES[name], AccessViewSet)] == []


def test_headers_name_who_loses_access(api: Api, office: Office) -> None:
    ana, bo, cy, qa, tests, audit, support, *_ = office
    project, budget = qa.deal.project_id, qa.deal_id
    both = f"{ana.pk}, {bo.pk}"
    pair = {"person_id": bo.pk, "service_id": tests.pk}
    for method, path, attributes, expected in (
        ("PATCH", f"people/{ana.pk}/archive", None, {LOST: f"{ana.pk}"}),
        ("PATCH", f"people/{cy.pk}/archive", None, {}),
        ("DELETE", f"people/{ana.pk}", None, {LOST: f"{ana.pk}", OPENED: f"{qa.pk}"}),
        ("PATCH", f"projects/{project}/archive", None, {LOST: both}),
        ("DELETE", f"projects/{project}", None, {LOST: both}),
        ("PATCH", f"deals/{budget}/close", None, {LOST: both}),
        ("PATCH", f"deals/{budget}", {"end_date": "2020-01-01"}, {LOST: both}),
        ("PATCH", f"deals/{budget}", {"service_type_restricted_tracking": True}, {LOST: both}),
        ("PATCH", f"deals/{budget}", {"person_restricted_tracking": False}, {}),
        ("PATCH", f"deals/{support.deal_id}", {"person_restricted_tracking": True}, {}),
        ("DELETE", f"deals/{audit.deal_id}", None, {LOST: f"{ana.pk}"}),
        ("PATCH", f"services/{qa.pk}", {"expense_tracking_enabled": False}, {LOST: f"{ana.pk}"}),
        ("PATCH", f"services/{qa.pk}", {"deal_id": support.deal_id}, {}),
        ("PATCH", f"services/{support.pk}", {"deal_id": audit.deal_id}, {LOST: both}),
        ("DELETE", f"services/{tests.pk}", None, {LOST: both}),
        ("POST", "service_assignments", pair, {LOST: f"{ana.pk}"}),
        ("POST", "service_assignments", {**pair, "service_id": qa.pk}, {}),
        ("PATCH", f"service_assignments/{office.assignment.pk}", {"person_id": bo.pk}, {LOST: f"{ana.pk}"}),
        ("PATCH", f"service_assignments/{office.assignment.pk}", {"person_id": ana.pk}, {}),
        (
            "PATCH",
            f"service_assignments/{office.assignment.pk}",
            {"service_id": tests.pk},
            {LOST: f"{bo.pk}", OPENED: f"{qa.pk}"},
        ),
        ("DELETE", f"service_assignments/{office.assignment.pk}", None, {OPENED: f"{qa.pk}"}),
        ("DELETE", f"project_assignments/{office.membership.pk}", None, {LOST: f"{ana.pk}"}),
        ("PATCH", f"project_assignments/{office.membership.pk}", {"person_id": cy.pk}, {LOST: f"{ana.pk}"}),
        ("PATCH", f"project_assignments/{office.membership.pk}", {"person_id": ana.pk}, {}),
        ("DELETE", f"service_type_assignments/{office.held.pk}", None, {LOST: f"{ana.pk}"}),
        ("PATCH", f"service_type_assignments/{office.held.pk}", {"person_id": bo.pk}, {LOST: f"{ana.pk}"}),
    ):
        document = attributes and document_for(path.partition("/")[0], **attributes)
        with rolled_back():
            dry = api.request(method, f"{path}?dry_run=true", json=document)
            assert warnings(dry) == {}
            real = api.request(method, path, json=document)
            assert warnings(real) == expected, (method, path, attributes)
            losers = sorted({each["person_id"] for each in dry.json["meta"]["consequences"]["loses"]})
            assert ", ".join(map(str, losers)) == expected.get(LOST, ""), (method, path, attributes)


def test_writes_that_take_no_access_make_no_further_queries(
    api: Api, organization: Organization, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any) -> None:
        raise AssertionError(args)

    for name in ("permits_in", "services_left", "why_unused", "is_first_assignee"):
        monkeypatch.setattr(write_effects, name, fail)
    budget, service, project = office.qa.deal, office.qa, office.qa.deal.project
    office.ana.archive()
    budget.close()
    for method, path, attributes in (
        ("POST", "people", {"first_name": "Di", "last_name": "Doe"}),
        ("PATCH", f"people/{office.bo.pk}", {"title": "Boss", "email": "bo@example.com"}),
        ("PATCH", f"people/{office.ana.pk}/restore", None),
        ("PATCH", f"projects/{project.pk}", {"name": "Renamed"}),
        ("PATCH", f"projects/{project.pk}/restore", None),
        ("PATCH", f"deals/{budget.pk}", {"name": "Renamed"}),
        ("PATCH", f"deals/{budget.pk}/open", None),
        ("POST", "services", {"name": "X", "deal_id": budget.pk, "service_type_id": service.service_type_id}),
        ("PATCH", f"services/{service.pk}", {"name": "Renamed"}),
        ("PATCH", f"service_types/{service.service_type_id}/archive", None),
        ("POST", "project_assignments", {"person_id": office.cy.pk, "project_id": project.pk}),
        ("PATCH", f"project_assignments/{office.membership.pk}", {"watched": True}),
        (
            "POST",
            "service_type_assignments",
            {"person_id": office.cy.pk, "service_type_id": service.service_type_id},
        ),
        ("POST", "filters", {"name": "Mine"}),
    ):
        document = attributes and document_for(path.partition("/")[0], **attributes)
        assert warnings(api.request(method, path, json=document)) == {}, (method, path)


def test_losses_take_few_queries_whatever_their_number(api: Api, organization: Organization) -> None:
    """The queries of a deletion or action, and one to four for its effects."""
    for count in (1, 4):
        office = create_office(organization)
        project = office.qa.deal.project
        for service in ServiceFactory.create_batch(
            count, organization=organization, deal=office.support.deal
        ):
            ServiceAssignmentFactory(organization=organization, service=service, person=office.bo)
        for person in PersonFactory.create_batch(count, organization=organization):
            ProjectAssignmentFactory(organization=organization, person=person, project=project)
        for path, attributes, queries in (
            # The pairs, who may track; the same after the write.
            (f"deals/{office.support.deal_id}", {"end_date": "2020-01-01"}, 4),
            # Whether the person may track.
            (f"people/{office.bo.pk}/archive", None, 1),
            # The pairs, who may track.
            (f"deals/{office.support.deal_id}/close", None, 2),
            (f"projects/{project.pk}/archive", None, 2),
        ):
            document = attributes and document_for("deals", **attributes)
            taken = []
            for is_observed in (True, False):
                with rolled_back(), pytest.MonkeyPatch.context() as patch:
                    if not is_observed:
                        patch.setattr(write_effects, "scope_of", lambda written: None)
                    with CaptureQueriesContext(connection) as captured:
                        assert api.patch(path, json=document).status == 200
                    taken.append(len(captured))
            assert taken[0] - taken[1] == queries, (path, taken)


def test_long_headers_have_a_number(api: Api, office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    path = f"projects/{office.qa.deal.project_id}/archive"
    monkeypatch.setattr(api_consequences, "MAX_IN_META", 1)
    with rolled_back():
        assert warnings(api.patch(path)) == {LOST: "count=2"}
    # Ana and Bo, and four services.
    monkeypatch.setattr(write_effects, "MAX_PAIRS", 8)
    with rolled_back():
        assert warnings(api.patch(path)) == {LOST: "count=2"}
    monkeypatch.setattr(write_effects, "MAX_PAIRS", 7)
    with rolled_back():
        assert warnings(api.patch(path)) == {LOST: "unknown"}


def test_assignment_without_effect_says_why(api: Api, office: Office) -> None:
    document = document_for("service_assignments", person_id=office.cy.pk, service_id=office.audit.pk)
    reasons = [
        (
            "not_project_member",
            f"{office.cy} is not on the project {office.audit.deal.project}",
        ),
        (
            "service_type_not_assigned",
            f"{office.cy} does not hold the service type {office.audit.service_type},"
            f" which {office.audit.deal} is restricted to",
        ),
    ]
    dry = api.post("service_assignments?dry_run=true", json=document)
    assert dry.json["meta"]["without_effect"] == [{"code": c, "message": m} for c, m in reasons]
    created = api.post("service_assignments", json=document)
    assert (created.status, created.json["meta"]) == (201, {})
    assert warnings(created) == {NO_EFFECT: "not_project_member, service_type_not_assigned"}
    path = f"service_assignments/{created.data['id']}"
    moved = api.patch(path, json=document_for("service_assignments", person_id=office.bo.pk))
    assert warnings(moved) == {NO_EFFECT: "service_type_not_assigned"}
    moved = api.patch(path, json=document_for("service_assignments", person_id=office.ana.pk))
    assert warnings(moved) == {}


def test_meta_of_a_dry_run_has_all_consequences(
    api: Api, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"services/{office.support.pk}?dry_run=true"
    document = document_for("services", deal_id=office.audit.deal_id, expense_tracking_enabled=False)
    lost = [
        permit(who, office.support, kind) for who in (office.ana, office.bo) for kind in ("expense", "time")
    ]
    expected = {"loses": lost, "gains": [], "opens": [], "closes": [office.support.pk]}
    counts = {f"{name}_count": len(entries) for name, entries in expected.items()}
    assert api.patch(path, json=document).json["meta"] == {"consequences": {**expected, **counts}}

    monkeypatch.setattr(api_consequences, "MAX_IN_META", 1)
    shown = api.patch(path, json=document).json["meta"]["consequences"]
    assert (shown["loses"], shown["loses_count"]) == (lost[:1], 4)

    opened = api.delete(f"service_assignments/{office.assignment.pk}?dry_run=true").json["meta"][
        "consequences"
    ]
    assert (opened["opens"], opened["gains"], opened["gains_count"]) == (
        [office.qa.pk],
        [permit(office.bo, office.qa, "expense")],
        2,
    )


def test_dry_run_of_too_large_a_change_has_the_document_without_consequences(
    api: Api, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"deals/{office.qa.deal_id}/close?dry_run=true"
    # Two services, and two people.
    monkeypatch.setattr(api_consequences, "MAX_COMPARED_PAIRS", 4)
    assert api.patch(path).json["meta"]["consequences"]["closes_count"] == 2
    for module, name, limit in (
        (api_consequences, "MAX_COMPARED_PAIRS", 3),
        (affected_services, "MAX_SERVICES", 1),
    ):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, name, limit)
            dry = api.patch(path)
            assert dry.data["attributes"]["closed_at"] is not None
            assert dry.json["meta"] == {"consequences": None}
    assert Deal.objects.filter(closed_at=None).count() == 3


def test_foreign_people_and_services_are_never_named(api: Api, office: Office) -> None:
    theirs = create_office(PersonFactory().organization)
    dry = api.patch(f"projects/{office.qa.deal.project_id}/archive?dry_run=true")
    loses = dry.json["meta"]["consequences"]["loses"]
    assert {each["person_id"] for each in loses} == {office.ana.pk, office.bo.pk}
    own = {office.qa.pk, office.tests.pk, office.audit.pk, office.support.pk}
    assert {each["service_id"] for each in loses} == own
    for path in (f"projects/{theirs.qa.deal.project_id}/archive", f"people/{theirs.ana.pk}/archive"):
        for query in ("", "?dry_run=true"):
            answer = api.patch(path + query)
            assert (answer.status, "consequences" in str(answer.json)) == (404, False)
            assert not [name for name in answer.headers if name.startswith("Warning-")]
