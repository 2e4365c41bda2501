"""A migrated database for each test, which it may break."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from tests.databases import need_programs, new_database, within


@pytest.fixture(scope="session")
def migrated(
    django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    with (
        django_db_blocker.unblock(),
        new_database(tmp_path_factory.mktemp("migrated"), "migrated") as name,
    ):
        with within(name):
            call_command("migrate", verbosity=0)
        yield name


@pytest.fixture
def database(migrated: str, django_db_blocker: Any, tmp_path: Path) -> Iterator[str]:
    with django_db_blocker.unblock(), new_database(tmp_path, "scratch", migrated) as name, within(name):
        need_programs()
        yield name
