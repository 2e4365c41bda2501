"""Test that concurrent runs of `migrate` wait for each other."""

from __future__ import annotations

from io import StringIO
from threading import Thread
from time import sleep

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection

from productive.management.commands.migrate import KEY
from tests.support.servers import database_url_of_tests

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]


def migrate(output: StringIO) -> None:
    call_command("migrate", "accounts", stdout=output)
    connection.close()


def test_second_run_waits_and_releases_lock() -> None:
    output, url = StringIO(), database_url_of_tests()
    with psycopg.connect(url, autocommit=True) as first:
        first.execute("SELECT pg_advisory_lock(%s)", [KEY])
        second = Thread(target=migrate, args=(output,))
        second.start()
        while "Waiting for another process" not in output.getvalue():
            sleep(0.02)
        assert "Operations to perform" not in output.getvalue()
        first.execute("SELECT pg_advisory_unlock(%s)", [KEY])
        second.join(30)
        assert "No migrations to apply" in output.getvalue()
        assert first.execute("SELECT pg_try_advisory_lock(%s)", [KEY]).fetchone() == (True,)
