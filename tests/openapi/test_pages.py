"""Where the API's document is read: by programs and by people."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.test import Client

from productive.jsonapi.schema.pages import document, made
from tests.support.api import Api
from tests.support.resources import SERVED

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


def test_programs_read_it_without_a_token() -> None:
    answer = Api().get("openapi.json")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/vnd.oai.openapi+json")
    assert answer.json == document()


def test_threads_that_ask_at_once_read_the_same() -> None:
    expected = document()
    made.cache_clear()
    together = Barrier(4)

    def ask() -> Any:
        together.wait()
        return document()

    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(ask) for _ in range(4)]
    assert [each.result() == expected for each in asked] == [True] * 4


@pytest.mark.parametrize("path", ["openapi.json", "docs"])
def test_what_somebody_has_is_not_sent_again(path: str) -> None:
    whole = Api().get(path)
    again = Api().get(path, headers={"If-None-Match": whole.headers["ETag"]})
    assert (again.status, again.body, again.headers["ETag"]) == (304, b"", whole.headers["ETag"])
    zipped = Api().get(path, headers={"Accept-Encoding": "gzip"})
    assert zipped.headers["Content-Encoding"] == "gzip"
    headers = {"Accept-Encoding": "gzip", "If-None-Match": zipped.headers["ETag"]}
    assert Api().get(path, headers=headers).status == 304
    assert Api().get(path, headers={"If-Match": '"another"'}) == whole


def test_over_plain_http_readers_are_led_to_https(settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT = True
    for path, status in (("openapi.json", 301), ("docs", 301), ("docs/x", 404), ("people", 403)):
        assert Client().get(f"/api/v2/{path}").status_code == status


def test_it_is_read_only() -> None:
    for path in ("openapi.json", "docs"):
        answer = Api().post(path, {})
        assert (answer.status, answer.error["code"]) == (405, "method_not_allowed")


@pytest.fixture
def page() -> str:
    answer = Client().get("/api/v2/docs")
    assert answer.status_code == 200
    return answer.content.decode()


def test_people_read_of_every_resource_and_operation(page: str) -> None:
    ids = re.findall(r'id="([^"]+)"', page)
    operations = [each["operationId"] for path in document()["paths"].values() for each in path.values()]
    assert {*SERVED, *operations} <= set(ids)
    assert len(ids) == len(set(ids))


def test_links_within_the_page_lead_somewhere(page: str) -> None:
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(re.findall(r'id="([^"]+)"', page))


def test_the_page_needs_no_script_and_no_other_host(page: str) -> None:
    assert "<script" not in page
    assert "<style" not in page
    assert not re.search(r'\bstyle="|\son\w+="', page)
    assert not re.search(r'src="(https?:)?//', page)
    policy = Client().get("/api/v2/docs").headers["Content-Security-Policy"]
    assert policy == (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'none'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )
