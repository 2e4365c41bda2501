"""Test that the states of services and people agree with the tracking rule."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any
from unittest.mock import patch

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from assignments.tracking import Decision, Kind, Outcome, decide_all, with_budget
from assignments.tracking_today import (
    TRACKABLE,
    PersonState,
    ServiceState,
    count_person_states,
    count_service_states,
    in_person_states,
    in_service_states,
    states_of_services,
)
from catalog.models import Service
from productive.accounts.models import Organization, Person
from tests.support.databases import rolled_back
from tests.support.factories import (
    DealFactory,
    OrganizationFactory,
    PersonFactory,
    ProjectAssignmentFactory,
    ServiceFactory,
)
from tests.support.samples import fuzz_settings
from tests.support.states import create_service_of_each_state
from tests.support.worlds import TODAY, build

pytestmark = pytest.mark.django_db


def failed(decision: Decision) -> set[str]:
    return {check.reason.code for check in decision.checks if check.outcome is Outcome.FAILED}


def expected_service_state(service: Service, decisions: list[Decision]) -> ServiceState:
    """Work out the state from what the rule says about each person, for time and for expenses."""
    allowed = [decision for decision in decisions if decision.allowed]
    if allowed:
        reasons = {reason.code for decision in allowed for reason in decision.reasons}
        by_reasons = {
            frozenset({"open"}): ServiceState.OPEN,
            frozenset({"nobody_assigned"}): ServiceState.OPEN_NOBODY_ASSIGNED,
        }
        return by_reasons.get(frozenset(reasons), ServiceState.RESTRICTED)
    for_all = set.intersection(*map(failed, decisions))
    starts = service.deal.date
    if "project_archived" in for_all:
        return ServiceState.PROJECT_ARCHIVED
    if "budget_closed" in for_all:
        return ServiceState.BUDGET_CLOSED
    if "outside_budget_dates" in for_all:
        is_early = starts is not None and starts > TODAY
        return ServiceState.BUDGET_NOT_STARTED if is_early else ServiceState.BUDGET_ENDED
    off = {code for decision in decisions for code in failed(decision) if code.endswith("_tracking_disabled")}
    if len(off) == 2:
        return ServiceState.TRACKING_DISABLED
    # What is left are the checks of the active people.
    active = [failed(decision) for decision in decisions if "person_archived" not in failed(decision)]
    members = [codes for codes in active if "not_project_member" not in codes]
    if not members:
        return ServiceState.NO_MEMBERS
    if all("not_assigned" in codes for codes in active):
        return ServiceState.ASSIGNEES_ARCHIVED
    if all("not_assigned" in codes for codes in members):
        return ServiceState.ASSIGNEES_NOT_MEMBERS
    return ServiceState.TYPE_NOT_HELD


def expected_person_state(decisions: list[Decision]) -> PersonState:
    """Work out the state from what the rule says about each service, for time and for expenses."""
    if any(decision.allowed for decision in decisions):
        return PersonState.CAN_TRACK
    on_projects = [codes for codes in map(failed, decisions) if "not_project_member" not in codes]
    if not on_projects:
        return PersonState.NO_PROJECT
    if all("project_archived" in codes for codes in on_projects):
        return PersonState.PROJECTS_ARCHIVED
    of_pair = {"not_assigned", "service_type_not_assigned"}
    if not any(codes <= of_pair for codes in on_projects):
        return PersonState.NOTHING_OPEN
    return PersonState.NOT_ALLOWED


# Each example has eight services and three people.
EXAMPLES = 25


@pytest.mark.no_cover
def test_states_agree_with_the_rule_for_each_person() -> None:
    """Compare states, numbers and filters with the decisions for all pairs of generated records."""
    organization = OrganizationFactory()
    seen: Counter[Any] = Counter()

    @fuzz_settings(EXAMPLES)
    @given(st.data())
    def agree(data: Any) -> None:
        with rolled_back():
            people, services = build(data.draw, organization)
            loaded = list(with_budget(Service.objects.filter(pk__in=[each.pk for each in services])))
            of_service: dict[int, list[Decision]] = defaultdict(list)
            of_person: dict[int, list[Decision]] = defaultdict(list)
            for kind in Kind:
                for decision in decide_all([*product(people, loaded)], TODAY, kind):
                    of_service[decision.service.pk].append(decision)
                    of_person[decision.person.pk].append(decision)
            states = {
                each.pk: (
                    expected_service_state(each, of_service[each.pk]),
                    len({one.person.pk for one in of_service[each.pk] if one.allowed}),
                )
                for each in loaded
            }
            assert states_of_services([each.pk for each in loaded]) == states
            by_state = {pk: state for pk, (state, _) in states.items()}
            chosen = data.draw(st.sets(st.sampled_from(ServiceState)))
            found = in_service_states(Service.objects.all(), chosen).values_list("pk", flat=True)
            assert {*found} == {pk for pk, state in by_state.items() if state in chosen}
            assert count_service_states(Service.objects.all()) == Counter(by_state.values())
            assert {state in TRACKABLE for state, number in states.values() if number} <= {True}

            of_people = {
                each.pk: expected_person_state(of_person[each.pk])
                for each in people
                if each.archived_at is None
            }
            wanted = data.draw(st.sets(st.sampled_from(PersonState)))
            rows = in_person_states(Person.objects.all(), wanted).values_list("pk", flat=True)
            assert {*rows} == {pk for pk, state in of_people.items() if state in wanted}
            assert count_person_states(Person.objects.all()) == Counter(of_people.values())
            seen.update(by_state.values())
            seen.update(of_people.values())

    with patch.object(Organization, "today", lambda self: TODAY):
        agree()
    assert {*ServiceState, *PersonState} - {*seen} <= {ServiceState.ASSIGNEES_ARCHIVED}


# --- each state -----------------------------------------------------------------------------------


def test_each_state_of_a_service(organization: Organization) -> None:
    services = create_service_of_each_state(organization)
    states = states_of_services([service.pk for service in services.values()])
    assert {state: states[service.pk] for state, service in services.items()} == {
        state: (state, {"open": 2, "open_nobody_assigned": 2, "restricted": 1}.get(state, 0))
        for state in ServiceState
    }


def test_budget_is_open_on_its_first_and_last_day(organization: Organization) -> None:
    member = ProjectAssignmentFactory(organization=organization)
    deal = DealFactory(
        organization=organization, project=member.project, date=TODAY, end_date=TODAY + timedelta(days=1)
    )
    service = ServiceFactory(organization=organization, deal=deal)
    found = {}
    for day in range(-1, 3):
        with patch.object(Organization, "today", lambda self, day=day: TODAY + timedelta(days=day)):
            found[day] = states_of_services([service.pk])[service.pk].state
    assert found == {
        -1: ServiceState.BUDGET_NOT_STARTED,
        0: ServiceState.OPEN,
        1: ServiceState.OPEN,
        2: ServiceState.BUDGET_ENDED,
    }


def test_today_is_the_day_of_each_organization() -> None:
    """At 23:30 UTC on 23 November, it is the 24th in Zagreb."""
    services, people = {}, {}
    for zone in ("UTC", "Europe/Zagreb", "Pacific/Kiritimati"):
        organization = OrganizationFactory(time_zone=zone)
        member = ProjectAssignmentFactory(organization=organization)
        deal = DealFactory(organization=organization, project=member.project, end_date=TODAY)
        services[zone] = ServiceFactory(organization=organization, deal=deal)
        people[zone] = member.person
    with patch.object(timezone, "now", lambda: datetime(2026, 11, 23, 23, 30, tzinfo=UTC)):
        states = states_of_services([service.pk for service in services.values()])
        placed = {*in_person_states(Person.objects.all(), {PersonState.CAN_TRACK})}
        none = states_of_services([])
    assert {zone: states[service.pk].state for zone, service in services.items()} == {
        "UTC": ServiceState.OPEN,
        "Europe/Zagreb": ServiceState.BUDGET_ENDED,
        "Pacific/Kiritimati": ServiceState.BUDGET_ENDED,
    }
    assert (placed, none) == ({people["UTC"]}, {})


@pytest.mark.parametrize("number", [1, 30])
def test_states_take_two_queries(
    number: int, organization: Organization, django_assert_num_queries: Any
) -> None:
    """One for the dates of the organizations, one for the states."""
    deal = DealFactory(organization=organization)
    ids = [each.pk for each in ServiceFactory.create_batch(number, organization=organization, deal=deal)]
    PersonFactory.create_batch(number, organization=organization)
    with django_assert_num_queries(2):
        assert len(states_of_services(ids)) == number
    with django_assert_num_queries(2):
        assert count_service_states(Service.objects.all()) == {ServiceState.NO_MEMBERS: number}
    with django_assert_num_queries(2):
        assert count_person_states(Person.objects.all()) == {PersonState.NO_PROJECT: number}
