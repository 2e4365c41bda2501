"""Test settings of production: required secrets, cookies, databases and durability."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from productive.database.connections import PooledConnection
from tests.support.commands import GOOD_KEY, manage
from tests.support.servers import ROOT

pytestmark = [pytest.mark.any_database, pytest.mark.no_cover]


def test_short_pepper_is_rejected() -> None:
    process = manage("check", SECRET_KEY=GOOD_KEY, TOKEN_PEPPER="pepper")
    assert process.stderr == "Cannot start: TOKEN_PEPPER is shorter than 50 characters\n"


@pytest.mark.parametrize("key", ["", "short", "development-only-" + "not-a-secret-" * 4])
def test_missing_or_published_key_is_rejected(key: str) -> None:
    process = manage("check", SECRET_KEY=key, ALLOWED_HOSTS="example.com")
    assert process.returncode == 1
    assert process.stderr.startswith("Cannot start: SECRET_KEY is missing or shorter than 50 characters.")
    assert process.stderr.count("\n") == 1


def test_default_settings_pass_deployment_check() -> None:
    checked = manage(
        "check", "--deploy", "--fail-level", "WARNING", SECRET_KEY=GOOD_KEY, ALLOWED_HOSTS="example.com"
    )
    assert (checked.returncode, checked.stdout) == (0, "System check identified no issues (0 silenced).\n")


def test_defaults_disable_debug_hosts_and_proxy() -> None:
    names = ["DEBUG", "ALLOWED_HOSTS", "SECURE_SSL_REDIRECT", "TRUST_PROXY", "SECURE_PROXY_SSL_HEADER"]
    script = f"from django.conf import settings as s; print([getattr(s, n) for n in {names}])"
    shown = manage("shell", "--verbosity", "0", "--command", script, SECRET_KEY=GOOD_KEY)
    assert shown.stdout == "[False, [], True, False, None]\n"


def test_cookies_are_secure_and_host_only() -> None:
    names = ["SESSION_COOKIE_NAME", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_NAME", "CSRF_COOKIE_SECURE"]
    script = f"from django.conf import settings as s; print([getattr(s, n) for n in {names}])"
    shown = manage("shell", "--verbosity", "0", "--command", script, SECRET_KEY=GOOD_KEY)
    assert shown.stdout == "['__Host-sessionid', True, '__Host-csrftoken', True]\n"


def test_unknown_log_format_is_rejected() -> None:
    process = manage("check", SECRET_KEY=GOOD_KEY, LOG_FORMAT="xml")
    assert process.stderr == "Cannot start: LOG_FORMAT must be json or text\n"


def test_other_databases_are_rejected() -> None:
    process = manage("check", SECRET_KEY=GOOD_KEY, DATABASE_URL="mysql://localhost/x")
    assert process.stderr == "Cannot start: DATABASE_URL must begin with sqlite:// or postgres://\n"


PRIMARY, REPLICA = "postgres://web@primary/productive", "postgres://web@replica/productive"


@cache
def shown_by_process(**environment: str) -> str:
    what = "[s.DATABASES, s.DATABASE_ROUTERS]"
    script = f"import json; from django.conf import settings as s; print(json.dumps({what}, default=str))"
    shown = manage("shell", "--verbosity", "0", "--command", script, SECRET_KEY=GOOD_KEY, **environment)
    assert shown.returncode == 0, shown.stderr
    return shown.stdout


def databases(**environment: str) -> Any:
    """Return DATABASES and DATABASE_ROUTERS of a new process with the environment."""
    return json.loads(shown_by_process(**environment))


@pytest.mark.parametrize(
    ("database_url", "replica_url"), [("sqlite:////tmp/x", REPLICA), (PRIMARY, "sqlite:////tmp/x")]
)
def test_replica_of_or_on_sqlite_is_rejected(database_url: str, replica_url: str) -> None:
    process = manage("check", SECRET_KEY=GOOD_KEY, DATABASE_URL=database_url, REPLICA_URL=replica_url)
    assert process.stderr == (
        "Cannot start: REPLICA_URL needs PostgreSQL: it and DATABASE_URL must both begin with postgres://\n"
    )


def test_replica_has_shorter_timeouts_than_primary() -> None:
    (both, routers), (one, none) = (
        databases(DATABASE_URL=PRIMARY, REPLICA_URL=REPLICA),
        databases(DATABASE_URL=PRIMARY, REPLICA_URL=""),
    )
    assert (sorted(both), routers, sorted(one), none) == (
        ["default", "replica"],
        ["productive.database.replicas.ReplicaRouter"],
        ["default"],
        [],
    )
    primary, replica = both["default"], both["replica"]
    assert primary == one["default"]
    pool = {"min_size": 0, "max_size": 16, "connection_class": str(PooledConnection)}
    assert [primary["OPTIONS"]["pool"], replica["OPTIONS"].pop("pool")] == [
        {**pool, "timeout": 4, "reconnect_timeout": 4},
        {**pool, "timeout": 1, "reconnect_timeout": 1},
    ]
    del primary["OPTIONS"]["pool"]
    waits = [database["OPTIONS"].pop("tcp_user_timeout") for database in (primary, replica)]
    assert waits == [4_000, 3_000]
    assert [replica.pop("HOST"), replica.pop("TEST")["MIRROR"]] == ["replica", "default"]
    assert replica == {name: value for name, value in primary.items() if name not in ("HOST", "TEST")}


def test_pgbouncer_disables_start_up_options_and_server_side_cursors() -> None:
    (bounced, _), (direct, _) = (
        databases(DATABASE_URL=PRIMARY, REPLICA_URL=REPLICA, PGBOUNCER="true", DATABASE_POOL_SIZE="0"),
        databases(DATABASE_URL=PRIMARY, REPLICA_URL=REPLICA),
    )
    for alias in ("default", "replica"):
        assert direct[alias]["DISABLE_SERVER_SIDE_CURSORS"] is False
        assert bounced[alias].pop("DISABLE_SERVER_SIDE_CURSORS") is True
        del direct[alias]["DISABLE_SERVER_SIDE_CURSORS"]
        assert direct[alias]["OPTIONS"].pop("options").startswith("-c statement_timeout=")
        assert direct[alias]["OPTIONS"].pop("prepare_threshold") == 5
        del direct[alias]["OPTIONS"]["pool"]
    assert bounced == direct


def test_web_process_has_timeouts_on_postgresql() -> None:
    """Commands have none, so this doesn't use manage.py."""
    script = "from django.conf import settings; print(settings.DATABASES['default']['OPTIONS']['options'])"
    environment = {
        "PATH": os.environ["PATH"],
        "ENV_FILE": os.devnull,
        "DJANGO_SETTINGS_MODULE": "productive.settings",
        "SECRET_KEY": GOOD_KEY,
        "ALLOWED_HOSTS": "example.com",
        "DATABASE_URL": "postgres://nobody@127.0.0.1:5432/nothing",
    }
    shown = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert shown.stdout.startswith("-c statement_timeout=15000 -c lock_timeout=3000 ")


@pytest.mark.each_database
@pytest.mark.django_db
def test_sqlite_connection_is_durable() -> None:
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            pragmas = {}
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout"):
                cursor.execute(f"PRAGMA {name}")
                pragmas[name] = cursor.fetchone()[0]
        assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 20_000}
        assert connection.transaction_mode == "IMMEDIATE"
    else:
        with connection.cursor() as cursor:
            cursor.execute("SHOW synchronous_commit")
            assert cursor.fetchone() == ("on",)
            # As in tests/settings.py.
            cursor.execute("SHOW statement_timeout")
            assert cursor.fetchone() == ("2min",)


@pytest.mark.django_db
def test_root_redirects_to_admin(client: Client) -> None:
    assert client.get("/").headers["Location"] == "/admin/"
