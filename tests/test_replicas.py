"""Test replicas without a second server; tests/clusters has tests with one."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from django.conf import settings
from django.db import OperationalError, connection, connections, transaction

from productive.accounts.authentication import TOKENS
from productive.accounts.models import Person
from productive.database import reads, replicas, signals
from productive.database.replicas import REPLICA, Replica, ReplicaRouter, save_positions_on_commit
from tests.support.api import Api

pytestmark = pytest.mark.each_database


@pytest.fixture
def unreachable(monkeypatch: pytest.MonkeyPatch, db: None) -> Iterator[Replica]:
    """A replica that can't be reached."""
    known = connections["default"].settings_dict
    nowhere = {**known, "NAME": "/nowhere/x", "HOST": "127.0.0.1", "PORT": "1", "OPTIONS": {}}
    monkeypatch.setitem(settings.DATABASES, REPLICA, nowhere)
    # An address that Django's test cases don't block.
    connections[REPLICA] = type(connections["default"])(nowhere, "nowhere")
    replica = Replica()
    replica.start = 0
    monkeypatch.setattr(replicas, "the_replica", replica)
    monkeypatch.setattr(reads, "hooks", reads.ReadHooks())
    # The query for tokens is compiled once; here it has another annotation.
    monkeypatch.setattr(TOKENS, "statements", {})
    replicas.connect()
    yield replica
    signals.changed.disconnect(dispatch_uid=replicas.__name__)
    connections[REPLICA].close()
    del connections[REPLICA]


def test_router_reads_from_replica_only_within_reading() -> None:
    router: Any = ReplicaRouter()
    here = [router.db_for_read(Person), router.db_for_write(Person)]
    token = replicas._reads_from.set(REPLICA)
    try:
        there = [router.db_for_read(Person), router.db_for_write(Person)]
    finally:
        replicas._reads_from.reset(token)
    assert (here, there) == (["default", "default"], ["replica", "default"])
    assert [router.allow_migrate(name, "accounts") for name in ("default", "replica")] == [True, False]
    assert router.allow_relation(Person(), Person()) is True


@pytest.mark.django_db
def test_router_reads_from_primary_within_transaction() -> None:
    token = replicas._reads_from.set(REPLICA)
    try:
        assert ReplicaRouter().db_for_read(Person) == "default"
    finally:
        replicas._reads_from.reset(token)


def test_failed_replica_is_tried_by_one_thread_once_the_circuit_closes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr(replicas, "monotonic", lambda: now)
    replica = Replica()
    assert [replica.is_available(), replica.is_available()] == [True, True]
    replica.open_circuit()
    assert replica.is_available() is False
    now += replicas.OPEN_SECONDS
    assert [replica.is_available(), replica.is_available()] == [True, False]


def test_unreachable_replica_fails_no_request(
    unreachable: Replica, api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "productive.database.replicas"):
        assert [api.get("service_types").status for _ in range(3)] == [200] * 3
    (record,) = (record for record in caplog.records if record.name == "productive.database.replicas")
    assert record.getMessage().startswith("The replica is not used for 5 seconds: ")


def test_client_error_does_not_open_circuit(unreachable: Replica, api: Api) -> None:
    unreachable.open_circuit()
    assert [api.get(path).status for path in ("people/0", "people?sort=no")] == [404, 400]


@pytest.mark.django_db(transaction=True)
def test_change_that_can_not_be_noted_raises_error() -> None:
    """But not the original error, which can look like a lost race."""
    with pytest.raises(OperationalError, match="Committed, but the position") as error:
        save_positions_on_commit([2**63])
    assert error.value.__cause__ is None


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_position_is_saved_once_for_each_commit(django_assert_num_queries: Any) -> None:
    def change() -> None:
        with transaction.atomic():
            for organizations in ([-1], [-1], [-1, -2], [-2]):
                save_positions_on_commit(organizations)

    try:
        for _ in range(2):
            # BEGIN, COMMIT, the position of -1, and that of -2
            with django_assert_num_queries(4):
                change()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM accounts_last_write WHERE organization_id < 0")


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_rolled_back_change_is_not_saved_with_the_next_one() -> None:
    def positions() -> list[int]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT organization_id FROM accounts_last_write WHERE organization_id < 0")
            return [pk for (pk,) in cursor.fetchall()]

    with suppress(ZeroDivisionError), transaction.atomic():
        save_positions_on_commit([-1])
        raise ZeroDivisionError
    with transaction.atomic():
        with suppress(ZeroDivisionError), transaction.atomic():
            save_positions_on_commit([-1])
            raise ZeroDivisionError
        save_positions_on_commit([-2])
        save_positions_on_commit([-3])
    try:
        assert sorted(positions()) == [-3, -2]
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM accounts_last_write WHERE organization_id < 0")
