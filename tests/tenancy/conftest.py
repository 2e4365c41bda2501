"""Fixtures of the tests of the tenancy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.databases import contents
from tests.support.tenancy import MARK, OURS, THEIRS, World


@pytest.fixture
def ours() -> World:
    return World.make(OURS, "Ours")


@pytest.fixture
def theirs(ours: World) -> World:
    return World.make(THEIRS, MARK)


@pytest.fixture
def unchanged(ours: World, theirs: World) -> Iterator[None]:
    """Check that the test changes no record."""
    before = contents()
    yield
    assert contents() == before
