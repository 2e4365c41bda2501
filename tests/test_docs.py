"""Test that the documentation agrees with the code."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import get_commands

from assignments.access import Access
from assignments.tracking import ALLOWANCES, REFUSALS
from productive.accounts.authentication import TokenScheme
from productive.accounts.idempotency import LIFETIME
from productive.jsonapi.errors import INVALID_HEADER, PARAMETERS, STATUSES
from productive.jsonapi.filter_operations import MAX_VALUES
from productive.jsonapi.pagination import MAX_PAGE_SIZE, PAGE_SIZE
from productive.jsonapi.schema.parameters import OPERATIONS
from productive.jsonapi.schema.responses import ERROR_DESCRIPTIONS
from tests.support.servers import ROOT

pytestmark = pytest.mark.any_database

TRACKING = (ROOT / "docs/tracking.md").read_text()
APP_FOLDERS = ("productive/accounts", "catalog", "assignments")
API = (ROOT / "docs/api.md").read_text()


def rows(heading: str, text: str = TRACKING) -> dict[str, str]:
    """Return a table by the code in its first column."""
    table = text.partition(heading)[2].partition("\n\n")[0]
    return dict(re.findall(r"^\| `([\w-]+)` \| (.+) \|$", table, re.MULTILINE))


def test_tables_of_tracking_rule_agree_with_code() -> None:
    assert list(rows("| code | refused because |").items()) == list(REFUSALS.items())
    assert list(rows("| code | allowed because |").items()) == list(ALLOWANCES.items())


def test_table_of_access_names_every_state() -> None:
    assert list(rows("| `access` | means |")) == list(Access)


def test_tables_of_api_guide_agree_with_code() -> None:
    assert rows("| operation | the value of the record |", API) == OPERATIONS
    errors = re.findall(r"^\| (\d{3}) \| `(\w+)` \| (.+) \|$", API, re.MULTILINE)
    assert errors == [
        (str(status), code, ERROR_DESCRIPTIONS.get(status, detail))
        for status, (code, _, detail) in STATUSES.items()
    ]
    codes = {code: detail.format("…") for code, (_, detail) in PARAMETERS.items()}
    assert rows("| code | detail |", API) == {**codes, INVALID_HEADER["code"]: "A header is malformed"}
    assert list(rows("| header | meaning |", API)) == list(TokenScheme.name)


def test_numbers_in_api_guide_agree_with_code() -> None:
    for sentence in (
        f"A page has {PAGE_SIZE} records, or the number in `page[size]`, up to {MAX_PAGE_SIZE}.",
        f"up to {MAX_VALUES} values",
        f"again within {LIFETIME // timedelta(hours=1)} hours",
    ):
        assert sentence in " ".join(API.split())


def test_security_page_names_tests_that_exist() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)`", (ROOT / "SECURITY.md").read_text())
    assert len(named) > 10
    assert [path for path in named if not (ROOT / path).is_file()] == []


@pytest.mark.parametrize("page", ["docs/architecture.md", ".github/CONTRIBUTING.md"])
def test_modules_that_pages_name_exist(page: str) -> None:
    """A path is relative to the project, to `productive` or an app, or to the API's package."""
    folders = [ROOT, *(ROOT / name for name in ("productive", "productive/jsonapi", *APP_FOLDERS))]
    named = re.findall(r"`([\w/]+\.py|[\w/]+/)`", (ROOT / page).read_text())
    assert len(named) > 10
    assert [path for path in named if not any((folder / path).exists() for folder in folders)] == []


def test_links_between_pages_work() -> None:
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob(".github/*.md")]
    links = [(page, link) for page in pages for link in re.findall(r"\]\(([^):#]+)\)", page.read_text())]
    assert [(page.name, link) for page, link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", sorted(ROOT.glob("docs/*.md")), ids=lambda page: page.name)
def test_documented_commands_exist(page: Path) -> None:
    assert {*re.findall(r"manage\.py (\w+)", page.read_text())} <= {*get_commands()}
