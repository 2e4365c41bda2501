"""Test that bulk actions take the same queries for any number of rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from assignments.models import ServiceAssignment
from productive.accounts.models import Person
from tests.support.admin import press, url
from tests.support.bulk import Agency, start
from tests.support.factories import ServiceFactory

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


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
