"""The documentation's tables are the code's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.core.management import get_commands

from assignments.access import Access
from assignments.tracking import ALLOWANCES, REFUSALS
from tests.support.servers import ROOT

pytestmark = pytest.mark.any_database

TRACKING = (ROOT / "docs/tracking.md").read_text()


def rows(heading: str) -> dict[str, str]:
    table = TRACKING[TRACKING.index(heading) + len(heading) :].split("\n\n")[0]
    return dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", table, re.MULTILINE))


def test_table_of_the_tracking_rule_is_the_codes_own() -> None:
    assert list(rows("| code | refused because |").items()) == list(REFUSALS.items())
    assert list(rows("| code | allowed because |").items()) == list(ALLOWANCES.items())


def test_table_of_access_names_every_state() -> None:
    assert list(rows("| `access` | means |")) == list(Access)


def test_security_page_names_tests_that_exist() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)`", (ROOT / "SECURITY.md").read_text())
    assert len(named) > 10
    assert [path for path in named if not (ROOT / path).is_file()] == []


def test_pages_link_to_what_is_there() -> None:
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob(".github/*.md")]
    links = [(page, link) for page in pages for link in re.findall(r"\]\(([^):#]+)\)", page.read_text())]
    assert [(page.name, link) for page, link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", sorted(ROOT.glob("docs/*.md")), ids=lambda page: page.name)
def test_commands_of_the_documentation_are_there(page: Path) -> None:
    assert {*re.findall(r"manage\.py (\w+)", page.read_text())} <= {*get_commands()}
