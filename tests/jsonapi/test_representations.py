"""What is sent once need not be sent again: ETags and 304; and what is large is sent compressed."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from productive.accounts.models import Organization
from tests.support.api import Answer, Api, SocketApi
from tests.support.factories import ApiTokenFactory, OrganizationFactory, PersonFactory

pytestmark = pytest.mark.django_db

GZIP = {"Accept-Encoding": "gzip"}


@pytest.fixture
def pages(organization: Organization) -> list[str]:
    """A list, one record, and a list that says what it is without records."""
    people = PersonFactory.create_batch(30, organization=organization)
    return ["people", f"people/{people[0].pk}", "people?page[after]=&page[size]=2", "filters"]


def again(api: Api, path: str, tag: str, **headers: str) -> Answer:
    return api.get(path, headers={"If-None-Match": tag, **headers})


def test_what_the_client_has_is_not_sent_again(api: Api, pages: list[str]) -> None:
    for path in pages:
        tag = api.get(path).headers["ETag"]
        assert tag.startswith('"')
        for asked in (tag, f"W/{tag}", f'"another", {tag}', "*"):
            answer = again(api, path, asked)
            assert (answer.status, answer.body) == (304, b""), (path, asked)
            assert answer.headers["ETag"] == tag
            assert answer.headers["Cache-Control"] == "no-store"
            assert answer.headers["Vary"] == "Accept-Encoding"
        for asked in ('"another"', tag.strip('"'), tag.upper(), "nonsense", '"', ""):
            assert again(api, path, asked).status == 200, (path, asked)


def test_any_difference_is_sent(api: Api, organization: Organization) -> None:
    person = PersonFactory(organization=organization)
    one, several = f"people/{person.pk}", "people?include=service_types"
    before = [api.get(path).headers["ETag"] for path in (one, several)]
    person.title = "Something else"
    person.save()
    after = [again(api, path, tag) for path, tag in zip((one, several), before, strict=True)]
    assert [answer.status for answer in after] == [200, 200]
    PersonFactory(organization=organization)
    assert again(api, one, after[0].headers["ETag"]).status == 304
    assert again(api, several, after[1].headers["ETag"]).status == 200


def test_other_query_is_another_representation(api: Api, organization: Organization) -> None:
    PersonFactory(organization=organization)
    tag = api.get("people").headers["ETag"]
    assert again(api, "people?fields[people]=email", tag).status == 200
    assert again(api, "people?page[size]=10", tag).status == 200  # its links and meta differ


def test_tag_of_another_organization_never_matches(api: Api) -> None:
    """Two empty lists are the same bytes."""
    stranger = Api(ApiTokenFactory(organization=OrganizationFactory()).name)
    mine, theirs = (each.get("filters") for each in (api, stranger))
    assert mine.body == theirs.body
    assert mine.headers["ETag"] != theirs.headers["ETag"]
    assert again(api, "filters", theirs.headers["ETag"]).status == 200


def test_head_has_the_tag(api: Api, pages: list[str]) -> None:
    for path in pages:
        answer = api.request("HEAD", path)
        assert answer.status == 200
        assert answer.headers["ETag"] == api.get(path).headers["ETag"]


def test_refusals_have_no_tag(api: Api, pages: list[str]) -> None:
    for path, status in (("people/999999999", 404), ("people?sort=x", 400)):
        answer = again(api, path, "*", **GZIP)
        assert answer.status == status
        assert "ETag" not in answer.headers
        assert "Content-Encoding" not in answer.headers
    assert Api("garbled").get("people", headers={"If-None-Match": "*"}).status == 401


def test_answers_to_writes_are_not_compressed(api: Api) -> None:
    body = {"data": {"type": "filters", "attributes": {"name": "x" * 200, "params": {"x": ["y" * 100] * 50}}}}
    answer = api.post("filters", json=body, headers=GZIP)
    assert (answer.status, len(answer.body) > 5_000) == (201, True)
    assert not {"Vary", "Content-Encoding"} & set(answer.headers)


@pytest.mark.parametrize(
    ("accepted", "is_compressed"),
    [
        ("gzip", True),
        ("gzip, deflate, br, zstd", True),
        ("deflate, GZIP;q=0.5", True),
        ("x-gzip", True),
        ("gzip;q=1.000", True),
        ("", False),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000, deflate", False),
        ("gzipped", False),
        ("br", False),
        ("gzip;q=" + "9" * 5000, True),
    ],
)
def test_large_answer_is_compressed_for_whoever_reads_that(
    accepted: str, is_compressed: bool, api: Api, pages: list[str]
) -> None:
    plain = api.get("people")
    answer = api.get("people", headers={"Accept-Encoding": accepted})
    assert ("Content-Encoding" in answer.headers) is is_compressed
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert answer.headers["Content-Length"] == str(len(answer.body))
    if is_compressed:
        assert gzip.decompress(answer.body) == plain.body
        assert len(answer.body) < len(plain.body) / 5
        assert answer.headers["ETag"] != plain.headers["ETag"]
    else:
        assert answer.body == plain.body
        assert answer.headers["ETag"] == plain.headers["ETag"]


def test_either_form_counts_as_known(api: Api, pages: list[str]) -> None:
    plain, compressed = api.get("people"), api.get("people", headers=GZIP)
    for known in (plain, compressed):
        for headers in ({}, GZIP):
            answer = again(api, "people", known.headers["ETag"], **headers)
            assert (answer.status, answer.body) == (304, b"")
            assert answer.headers["ETag"] == known.headers["ETag"]


def test_small_answer_is_not_worth_it(api: Api, organization: Organization) -> None:
    person = PersonFactory(organization=organization)
    answer = api.get(f"people/{person.pk}", headers=GZIP)
    assert "Content-Encoding" not in answer.headers
    assert answer.json["data"]["id"] == str(person.pk)


@pytest.mark.django_db(transaction=True)
def test_server_sends_them_as_they_are(socket_api: SocketApi) -> None:
    token: Any = ApiTokenFactory()
    PersonFactory.create_batch(30, organization=token.organization)
    client = SocketApi(token.name, address=socket_api.address)
    compressed = client.get("people", headers=GZIP)
    assert compressed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(compressed.body) == client.get("people").body
    known = again(client, "people", compressed.headers["ETag"], **GZIP)
    assert (known.status, known.body) == (304, b"")
    assert "Content-Type" not in known.headers
