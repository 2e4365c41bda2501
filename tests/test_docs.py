"""The documentation's tables are the code's."""

from __future__ import annotations

import re

from assignments.access import Access
from assignments.tracking import ALLOWANCES, REFUSALS
from tests.conftest import ROOT

TRACKING = (ROOT / "docs/tracking.md").read_text()


def rows(heading: str) -> dict[str, str]:
    table = TRACKING[TRACKING.index(heading) + len(heading) :].split("\n\n")[0]
    return dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", table, re.MULTILINE))


def test_table_of_the_tracking_rule_is_the_codes_own() -> None:
    assert list(rows("| code | refused because |").items()) == list(REFUSALS.items())
    assert list(rows("| code | allowed because |").items()) == list(ALLOWANCES.items())


def test_table_of_access_names_every_state() -> None:
    assert list(rows("| `access` | means |")) == list(Access)
