"""The days and office hours of the seeded agency, and what chance decides."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from random import Random
from typing import TypeVar

from productive.accounts.models import Organization

# Every age is in days before today, so a day to come has a negative one. Nothing is older than this.
OLDEST = 1850

OPENS_AT, SECONDS_OPEN = time(8), 9 * 60 * 60
SECONDS_A_DAY = 24 * 60 * 60

T = TypeVar("T")


class Dice(Random):
    """Draws without the standard ones' guard against a bias that only astronomical ranges would show."""

    def choice(self, seq: Sequence[T]) -> T:  # type: ignore[override]
        return seq[int(self.random() * len(seq))]

    def randint(self, a: int, b: int) -> int:
        return a + int(self.random() * (b - a + 1))


@cache
def write_clock() -> list[str]:
    """Every second of a day, as it stands behind the date."""
    digits = [f"{number:02}" for number in range(60)]
    return [f" {h}:{m}:{s}" for h in digits[:24] for m in digits for s in digits]


class Calendar:
    """The organization's days, and the one random generator for everything."""

    def __init__(self, organization: Organization, random_seed: int) -> None:
        self.today = organization.today()
        # Repeatable is the point, and nothing of it is a secret.
        self.random = Dice(random_seed)
        self.clock = write_clock()
        self.openings: list[int] = []
        self.dates: dict[int, str] = {}
        for age in range(OLDEST + 1):
            opening = datetime.combine(self.day(age), OPENS_AT, tzinfo=organization.zone)
            self.openings.append(int(opening.timestamp()))
            for seconds in (self.openings[age], self.openings[age] + SECONDS_OPEN):
                day = seconds // SECONDS_A_DAY
                self.dates[day] = datetime.fromtimestamp(seconds, UTC).date().isoformat()

    def day(self, age: int) -> date:
        return self.today - timedelta(days=age)

    def moment(self, age: int) -> str:
        """A second of that day's office hours, in UTC, as `loading` takes it."""
        seconds = self.openings[age] + int(self.random.random() * SECONDS_OPEN)
        day, second = divmod(seconds, SECONDS_A_DAY)
        return self.dates[day] + self.clock[second]
