"""Where the API's document is read: by programs and by people."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from productive.jsonapi.schema.pages import document
from tests.api import Api
from tests.test_census import SERVED

pytestmark = pytest.mark.django_db


def test_programs_read_it_without_a_token() -> None:
    answer = Api().get("openapi.json")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/vnd.oai.openapi+json")
    assert answer.json == document()


def test_what_a_program_has_it_is_not_sent_again() -> None:
    tag = Api().get("openapi.json").headers["ETag"]
    again = Api().get("openapi.json", headers={"If-None-Match": tag})
    assert (again.status, again.body, again.headers["ETag"]) == (304, b"", tag)


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
