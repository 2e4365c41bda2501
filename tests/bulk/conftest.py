"""Fixtures of the tests of bulk actions."""

from __future__ import annotations

import pytest

from tests.support.bulk import Agency


@pytest.fixture
def agency() -> Agency:
    return Agency()
