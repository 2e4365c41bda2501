"""Test that bulk actions apply exactly what their preview shows, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction

from assignments.models import ServiceAssignment
from productive.accounts.models import Person
from tests.support.admin import press
from tests.support.bulk import Agency, apply, consequences, preview, shown, start

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


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
