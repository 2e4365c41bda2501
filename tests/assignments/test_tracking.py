"""Test the tracking rule, and that its function and its querysets agree."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assignments.access import MAX_COMPILED_IDS, Access, access_of, access_query, in_state
from assignments.models import ProjectAssignment, ServiceAssignment
from assignments.tracking import (
    Decision,
    Kind,
    decide,
    decide_all,
    facts_query,
    trackable_by,
    trackable_membership,
    who_may_track,
    with_budget,
)
from catalog.models import Deal, Service
from productive.accounts.models import Organization, Person
from tests.support.databases import rolled_back
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
from tests.support.samples import fuzz_settings
from tests.support.worlds import TODAY, build


def codes(decision: Decision) -> list[str]:
    return [reason.code for reason in decision.reasons]


@pytest.fixture
def ana(organization: Organization) -> Person:
    return PersonFactory(organization=organization, first_name="Ana", last_name="Horvat")


@pytest.fixture
def service(organization: Organization, ana: Person) -> Service:
    """Return an unrestricted service of a project with Ana as a member."""
    project = ProjectFactory(organization=organization, name="Acme Website")
    deal = DealFactory(organization=organization, project=project, name="Acme Website 2026")
    ProjectAssignmentFactory(organization=organization, project=project, person=ana)
    return ServiceFactory(
        organization=organization,
        deal=deal,
        name="Wireframes",
        service_type=ServiceTypeFactory(organization=organization, name="Design"),
    )


def result(
    person: Person, service: Service, on_date: date = TODAY, kind: Kind = Kind.TIME
) -> tuple[bool, list[Any]]:
    decision = decide(person, Service.objects.get(pk=service.pk), on_date, kind)
    return decision.allowed, [(reason.code, reason.message, reason.record) for reason in decision.reasons]


def test_unrestricted_budget_is_open_to_the_projects_members(ana: Person, service: Service) -> None:
    message = "Acme Website 2026 is not restricted: everybody on Acme Website may track on it"
    assert result(ana, service) == (True, [("open", message, service.deal)])


def test_refusals_are_all_reported_in_order(
    organization: Organization, ana: Person, service: Service
) -> None:
    deal, project = service.deal, service.deal.project
    ProjectAssignment.objects.all().delete()
    others = PersonFactory.create_batch(4, organization=organization)
    for person in others:
        ServiceAssignmentFactory(organization=organization, person=person, service=service)
    ana.archive()
    project.archive()
    deal.close()
    Deal.objects.update(
        date=date(2026, 12, 1), person_restricted_tracking=True, service_type_restricted_tracking=True
    )
    Service.objects.update(time_tracking_enabled=False, expense_tracking_enabled=False)
    refusals = [
        ("person_archived", "Ana Horvat is archived", ana),
        ("project_archived", "The project Acme Website is archived", project),
        ("budget_closed", "The budget Acme Website 2026 is closed", deal),
        (
            "outside_budget_dates",
            "23 November 2026 is before Acme Website 2026 starts, on 1 December 2026",
            deal,
        ),
        (
            "time_tracking_disabled",
            "Time tracking is switched off for Wireframes on Acme Website 2026",
            service,
        ),
        ("not_project_member", "Ana Horvat is not on the project Acme Website", project),
        (
            "not_assigned",
            "Ana Horvat is not among the 4 people assigned to Wireframes on Acme Website 2026",
            service,
        ),
        (
            "service_type_not_assigned",
            "Ana Horvat does not hold the service type Design, which Acme Website 2026 is restricted to",
            service.service_type,
        ),
    ]
    assert result(ana, service) == (False, refusals)
    refusals[4] = (
        "expense_tracking_disabled",
        "Expense tracking is switched off for Wireframes on Acme Website 2026",
        service,
    )
    assert result(ana, service, kind=Kind.EXPENSE) == (False, refusals)

    Deal.objects.update(date=None, end_date=date(2026, 11, 22))
    ServiceAssignment.objects.exclude(person=others[0]).delete()
    _, refusals = result(ana, service)
    assert refusals[3][1] == "23 November 2026 is after Acme Website 2026 ended, on 22 November 2026"
    assert refusals[6][1] == "Ana Horvat is not the one person assigned to Wireframes on Acme Website 2026"


def test_restriction_by_person_is_ignored_without_assignees(
    organization: Organization, ana: Person, service: Service
) -> None:
    Deal.objects.update(person_restricted_tracking=True)
    ignored = (
        "nobody_assigned",
        "Nobody is assigned to Wireframes on Acme Website 2026: its restriction is ignored until somebody is",
        service,
    )
    assert result(ana, service) == (True, [ignored])
    assignment = ServiceAssignmentFactory(organization=organization, service=service)
    assert [code for code, _, _ in result(ana, service)[1]] == ["not_assigned"]
    assignment.person.archive()
    assert [code for code, _, _ in result(ana, service)[1]] == ["not_assigned"]
    ServiceAssignmentFactory(organization=organization, service=service, person=ana)
    message = "Ana Horvat is assigned to Wireframes on Acme Website 2026"
    assert result(ana, service) == (True, [("assigned", message, service)])


def test_both_restrictions_apply(organization: Organization, ana: Person, service: Service) -> None:
    Deal.objects.update(person_restricted_tracking=True, service_type_restricted_tracking=True)

    def reason_codes() -> list[str]:
        return [code for code, _, _ in result(ana, service)[1]]

    assert reason_codes() == ["service_type_not_assigned"]
    ServiceAssignmentFactory(organization=organization, service=service, person=ana)
    assert reason_codes() == ["service_type_not_assigned"]
    ServiceTypeAssignmentFactory(organization=organization, service_type=service.service_type, person=ana)
    assert reason_codes() == ["assigned", "service_type_assigned"]
    ServiceAssignment.objects.update(person=PersonFactory(organization=organization))
    assert reason_codes() == ["not_assigned"]
    service.service_type.archive()
    ServiceAssignment.objects.all().delete()
    assert reason_codes() == ["nobody_assigned", "service_type_assigned"]


@pytest.mark.parametrize(
    ("start", "end", "allowed"),
    [
        (None, None, True),
        (0, 0, True),
        (1, None, False),
        (None, -1, False),
        (0, None, True),
        (None, 0, True),
        (-1, 1, True),
    ],
)
def test_budget_dates_are_inclusive(
    start: int | None, end: int | None, allowed: bool, ana: Person, service: Service
) -> None:
    def day(offset: int | None) -> date | None:
        return None if offset is None else TODAY + timedelta(days=offset)

    Deal.objects.update(date=day(start), end_date=day(end))
    assert result(ana, service)[0] is allowed


def test_records_of_two_organizations_are_rejected(ana: Person) -> None:
    with pytest.raises(ValueError, match="different organizations"):
        decide(ana, ServiceFactory(), TODAY, Kind.TIME)


def test_thousand_pairs_take_one_query(
    organization: Organization, ana: Person, service: Service, django_assert_num_queries: Any
) -> None:
    bare = Service.objects.get(pk=service.pk)
    with django_assert_num_queries(2):
        decide(ana, bare, TODAY, Kind.TIME)
    loaded = with_budget(Service.objects.filter(pk=service.pk)).get()
    with django_assert_num_queries(1):
        decide(ana, loaded, TODAY, Kind.TIME)
    with django_assert_num_queries(2):
        assert {d.allowed for d in decide_all([(ana, loaded)] * 1001, TODAY, Kind.TIME)} == {True}


# --- agreement ------------------------------------------------------------------------------------

# Each example has more than 20 pairs of a person and a service.
EXAMPLES = 20


@pytest.mark.no_cover
@pytest.mark.django_db
def test_function_and_querysets_agree_on_every_pair() -> None:
    """Compare them for all pairs of generated records, for both kinds."""
    organization = OrganizationFactory()
    allowed: list[bool] = []

    @fuzz_settings(EXAMPLES)
    @given(st.data())
    def agree(data: Any) -> None:
        with rolled_back():
            people, services = build(data.draw, organization, TODAY)
            loaded = list(with_budget(Service.objects.filter(pk__in=[s.pk for s in services])))
            somewhere: set[int] = set()
            for kind in Kind:
                pairs = list(product(people, loaded))
                decided = {
                    (person.pk, service.pk)
                    for (person, service), decision in zip(pairs, decide_all(pairs, TODAY, kind), strict=True)
                    if decision.allowed
                }
                one = decide(people[0], services[0], TODAY, kind)
                assert one.allowed is ((people[0].pk, services[0].pk) in decided)
                by_person = {
                    (person.pk, service.pk)
                    for person in people
                    for service in trackable_by(Service.objects.all(), person.pk, TODAY, kind)
                }
                by_service = {
                    (person.pk, service.pk)
                    for service in loaded
                    for person in who_may_track(Person.objects.all(), [service.pk], TODAY, kind)
                }
                assert by_person == decided
                assert by_service == decided
                somewhere |= {person for person, _ in decided}
                allowed.extend((person.pk, service.pk) in decided for person, service in pairs)
            states = {pk: found["access"] for pk, found in access_of([s.pk for s in loaded]).items()}
            for service, state in states.items():
                assert access_of([service])[service]["access"] == state
            by_state = {
                service.pk: state for state in Access for service in in_state(Service.objects.all(), [state])
            }
            assert by_state == states
            placed = Person.objects.active().annotate(place=trackable_membership(TODAY)).exclude(place=None)
            assert {person.pk for person in placed} == somewhere

    agree()
    print(f"\n{len(allowed) // 2:,} pairs, each for both kinds; {sum(allowed):,} may track")  # noqa: T201
    assert len(allowed) >= 2 * 20 * EXAMPLES
    assert 0.03 < sum(allowed) / len(allowed) < 0.9


@pytest.mark.django_db
def test_decisions_on_any_number_of_pairs_compile_few_queries() -> None:
    deal = DealFactory(person_restricted_tracking=True)
    ours = deal.organization
    people = PersonFactory.create_batch(3, organization=ours)
    ids = [service.pk for service in ServiceFactory.create_batch(100, deal=deal, organization=ours)]
    services = list(with_budget(Service.objects.filter(pk__in=ids)))
    ProjectAssignmentFactory(organization=ours, person=people[0], project=deal.project)
    facts_query.cache_clear()
    for count, compiled in ((1, 1), (65, 2), (80, 2), (100, 2)):
        pairs = [*product(people, services[:count])]
        decisions = [*decide_all(pairs, TODAY, Kind.TIME)]
        assert [(each.person, each.service) for each in decisions] == pairs
        assert [each.allowed for each in decisions] == [True] * count + [False] * 2 * count
        assert facts_query.cache_info().currsize == compiled


@pytest.mark.django_db
def test_access_of_any_number_of_services_compiles_few_queries() -> None:
    deal = DealFactory(person_restricted_tracking=True)
    services = ServiceFactory.create_batch(5, deal=deal, organization=deal.organization)
    ServiceAssignmentFactory(service=services[0], organization=deal.organization)
    ids = [services[0].pk, *range(10**9, 10**9 + MAX_COMPILED_IDS - 4), *(each.pk for each in services[1:])]
    access_query.cache_clear()
    for count, compiled in ((1, 1), (2, 2), (3, 3), (4, 3), (MAX_COMPILED_IDS, 4), (MAX_COMPILED_IDS + 1, 4)):
        found = access_of(ids[-count:] if count < 5 else ids[:count])
        assert access_query.cache_info().currsize == compiled
        assert len(found) == min(count, 4 if count <= MAX_COMPILED_IDS else 5)
        expected = {"access": Access.OPEN_NOBODY_ASSIGNED, "assignee_count": 0}
        if count >= 5:
            assert found.pop(services[0].pk) == {"access": Access.RESTRICTED, "assignee_count": 1}
        assert [*found.values()] == [expected] * len(found)
