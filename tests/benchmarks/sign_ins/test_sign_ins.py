"""Check that hostile sign-ins don't slow the API, and that an office can sign in at once."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

from productive.accounts.models import Organization
from tests.benchmarks.sign_ins.run import OFFICE, measure
from tests.support.servers import database_url_of_tests

# Twice, and some more for the noise of a short run.
MOST_TIMES = 3


@pytest.mark.fuzz
@pytest.mark.django_db(transaction=True)
def test_hostile_sign_ins_leave_the_api_fast(tmp_path: Path) -> None:
    names = "Large", "Small"
    for name in names:
        call_command("seed", organization_name=name, people=20, projects=12, stdout=StringIO())
    result = measure(
        database_url_of_tests(),
        [Organization.objects.get(name=name) for name in names],
        tmp_path,
        quiet=8,
        hostile=12,
        connections=4,
        attackers=24,
        pause=0.1,
    )
    print("\n" + "\n".join(result.lines()))  # noqa: T201
    assert result.errors == []
    assert len(result.office) == OFFICE
    assert result.ratio < MOST_TIMES
