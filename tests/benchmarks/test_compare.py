"""Check that `make bench` runs and that the contenders agree, whatever the figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.page import write_section
from tests.benchmarks.report import at_least, at_most, ratio
from tests.benchmarks.smoke import works_measured_by
from tests.benchmarks.timing import alternated

pytestmark = pytest.mark.no_cover

WORKS = [
    "nothing but the token",
    "30 service assignments",
    "200 service assignments",
    "200 service assignments with person and service",
    "service assignments of one person",
    "30 project assignments",
    "200 project assignments",
    "200 project assignments with person and project",
    "project assignments of one person",
    "one project assignment",
    "200 tracking decisions",
    "create a project assignment",
    "change its preferences",
    "delete it",
    "200 service assignments",
    "200 service assignments with person and service",
    "200 project assignments",
    "200 project assignments with person and project",
]


@pytest.mark.any_database
def test_command_measures_every_work_on_this_database() -> None:
    assert works_measured_by("tests.benchmarks.compare") == WORKS


def test_contenders_run_in_turn_and_the_first_round_is_not_counted() -> None:
    ran: list[str] = []

    def contender(name: str) -> dict[str, float]:
        ran.append(name)
        return {"work": float(len(ran))}

    contenders = {name: (lambda name=name: contender(name)) for name in ("ours", "hand", "stock")}
    medians = alternated(contenders, seconds=0, fewest=1, slow=["stock"])
    forth = ["ours", "hand"] * 5 + ["stock"]
    assert ran == [*forth, *reversed(forth)]
    assert medians == {"ours": {"work": 18.0}, "hand": {"work": 17.0}, "stock": {"work": 12.0}}


def test_ratios_are_compared_with_targets() -> None:
    ms = {"ours": 3.0, "hand": 2.0, "stock": 60.0}
    assert at_most(ratio(ms, "ours", "hand"), 1.5) == "1.50 (≤ 1.5 ✓)"
    assert at_most(ratio(ms, "ours", "hand"), 1.4) == "1.50 (≤ 1.4 ✗)"
    assert at_least(ratio(ms, "stock", "ours"), 20) == "20.00 (≥ 20 ✓)"
    assert at_least(ratio(ms, "stock", "ours"), 21) == "20.00 (≥ 21 ✗)"
    assert at_least(ratio(ms, "stock", "ours"), None) == "20.00"
    assert at_most(ratio({"hand": 1.0}, "ours", "hand"), None) == ""


def test_write_section_replaces_only_that_section(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Title\n")
    write_section("one", "first", page)
    write_section("two", "second", page)
    write_section("one", "first again\n", page)
    assert page.read_text() == (
        "# Title\n"
        "\n<!-- one: begin -->\nfirst again\n<!-- one: end -->\n"
        "\n<!-- two: begin -->\nsecond\n<!-- two: end -->\n"
    )


def test_section_without_an_end_is_rejected(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- one: begin -->\nall that follows would be lost\n")
    with pytest.raises(ValueError, match="has no end"):
        write_section("one", "new", page)
