"""Test operations that are previewed and confirmed by a digest."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, OperationalError
from django.test import RequestFactory

from productive.accounts.models import Organization
from productive.admin.operations import BusyError, Operation, Result, carry_out
from productive.admin.preview import (
    Consequences,
    Difference,
    Group,
    Line,
    Preview,
    RecordOutcome,
    group_lines,
    summary,
)

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


class Rename(Operation):
    """Rename all organizations; each attempt fails with the next of `errors` after its write."""

    def __init__(self, name: str, *errors: Exception) -> None:
        self.name, self.errors, self.attempts = name, [*errors], 0

    def attempt(self, *, apply: bool) -> Preview:
        self.attempts += 1
        names = list(Organization.objects.values_list("name", flat=True))
        Organization.objects.update(name=self.name)
        if self.errors:
            raise self.errors.pop(0)
        lines = [Line(name, differences=[Difference("Name", name, self.name)]) for name in names]
        return Preview([Group("Will be changed", RecordOutcome.CHANGED, lines)])


def outcome(operation: Operation, digest: str = "") -> Result:
    """Preview the operation, or apply it if the digest is right."""
    return carry_out(RequestFactory().post("/", {"digest": digest}), operation)


def names() -> set[str]:
    return {*Organization.objects.values_list("name", flat=True)}


@pytest.fixture
def organization() -> Organization:
    return Organization.objects.create(name="Old", time_zone="UTC")


def test_preview_writes_nothing_and_its_digest_applies_it(organization: Organization) -> None:
    operation = Rename("New")
    result = outcome(operation)
    assert (result.is_applied, result.is_stale, names()) == (False, False, {"Old"})
    result = outcome(operation, result.preview.digest)
    assert (result.is_applied, result.is_stale, names()) == (True, False, {"New"})


def test_digest_of_another_state_applies_nothing(organization: Organization) -> None:
    digest = outcome(Rename("New")).preview.digest
    Organization.objects.update(name="Other")
    result = outcome(Rename("New"), digest)
    assert (result.is_applied, result.is_stale, names()) == (False, True, {"Other"})


def test_lost_race_is_retried(organization: Organization) -> None:
    operation = Rename("New")
    digest = outcome(operation).preview.digest
    again = Rename("New", IntegrityError())
    # The one that fails, the trial and the one that is kept.
    assert (outcome(again, digest).is_applied, again.attempts) == (True, 3)


@pytest.mark.parametrize(
    "errors", [[IntegrityError(), IntegrityError()], [OperationalError()]], ids=["race", "lock"]
)
def test_operation_is_rejected_after_repeated_lost_races(
    organization: Organization, errors: list[Any]
) -> None:
    with pytest.raises(BusyError):
        outcome(Rename("New", *errors))
    assert names() == {"Old"}


def test_summary_starts_with_done_lines() -> None:
    outcomes = [RecordOutcome.UNCHANGED, RecordOutcome.CREATED, RecordOutcome.REJECTED, RecordOutcome.CREATED]
    groups = group_lines((outcome, Line("")) for outcome in outcomes)
    assert summary(groups) == "2 created, 1 unchanged, 1 rejected"


LINES = [Line("Ana", ["because"], "Row 1", [Difference("Name", "A", "B")])]
GROUP = Group("Will be changed", RecordOutcome.CHANGED, LINES)
OTHERS = [
    Preview([]),
    Preview([Group("Will be renamed", RecordOutcome.CHANGED, LINES)]),
    Preview([Group("Will be changed", RecordOutcome.CREATED, LINES)]),
    Preview([Group("Will be changed", RecordOutcome.CHANGED, [Line("Bo", ["because"])])]),
    Preview([Group("Will be changed", RecordOutcome.CHANGED, [Line("Ana", ["because"], "Row 1")])]),
    Preview([GROUP], consequences=Consequences(["1 person gains access."])),
    Preview([GROUP], consequences=Consequences(["1 person gains access."], [GROUP])),
    Preview([GROUP], consequences=Consequences([], warnings=["1 person gains access."])),
    Preview([GROUP], consequences=Consequences([], fingerprint="1")),
]


def test_digest_covers_exactly_what_is_shown() -> None:
    digests = [preview.digest for preview in (Preview([GROUP]), *OTHERS)]
    assert len({*digests}) == len(digests)
    assert Preview([GROUP], button="Change", message="Changed.").digest == digests[0]
    assert Preview([Group("\ud800", RecordOutcome.CHANGED)]).digest  # a lone surrogate


@pytest.mark.parametrize(
    ("outcomes", "blocked", "can_apply", "is_done"),
    [
        ([], "", False, True),
        ([RecordOutcome.UNCHANGED], "", False, True),
        ([RecordOutcome.REJECTED], "", False, False),
        ([RecordOutcome.CREATED, RecordOutcome.REJECTED], "", True, False),
        ([RecordOutcome.DELETED], "", True, False),
        ([RecordOutcome.CHANGED], "Too many.", False, False),
    ],
)
def test_preview_can_be_applied_without_blocking_lines(
    outcomes: list[RecordOutcome], blocked: str, can_apply: bool, is_done: bool
) -> None:
    preview = Preview([Group("", outcome, LINES) for outcome in outcomes], blocked=blocked)
    assert (preview.can_apply, preview.is_done) == (can_apply, is_done)
