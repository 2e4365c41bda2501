"""Test ETags, 304 and compressed responses."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from productive.accounts.models import Organization
from tests.support.api import Answer, Api, SocketApi
from tests.support.factories import ApiTokenFactory, OrganizationFactory, PersonFactory

pytestmark = [pytest.mark.django_db, pytest.mark.any_database, pytest.mark.no_cover]

GZIP = {"Accept-Encoding": "gzip"}


@pytest.fixture
def pages(organization: Organization) -> list[str]:
    """Return the paths of a list, a record, a page and an empty list."""
    people = PersonFactory.create_batch(30, organization=organization)
    return ["people", f"people/{people[0].pk}", "people?page[after]=&page[size]=2", "filters"]


def get_again(api: Api, path: str, tag: str, **headers: str) -> Answer:
    return api.get(path, headers={"If-None-Match": tag, **headers})


def test_unchanged_representation_is_304(api: Api, pages: list[str]) -> None:
    for path in pages:
        tag = api.get(path).headers["ETag"]
        assert tag.startswith('"')
        for if_none_match in (tag, f"W/{tag}", f'"another", {tag}', "*"):
            response = get_again(api, path, if_none_match)
            assert (response.status, response.body) == (304, b""), (path, if_none_match)
            assert response.headers["ETag"] == tag
            assert response.headers["Cache-Control"] == "no-store"
            assert response.headers["Vary"] == "Accept-Encoding"
        for if_none_match in ('"another"', tag.strip('"'), tag.upper(), "nonsense", '"', ""):
            assert get_again(api, path, if_none_match).status == 200, (path, if_none_match)


def test_changed_representation_is_200(api: Api, organization: Organization) -> None:
    person = PersonFactory(organization=organization)
    one, several = f"people/{person.pk}", "people?include=service_types"
    before = [api.get(path).headers["ETag"] for path in (one, several)]
    person.title = "Something else"
    person.save()
    after = [get_again(api, path, tag) for path, tag in zip((one, several), before, strict=True)]
    assert [response.status for response in after] == [200, 200]
    PersonFactory(organization=organization)
    assert get_again(api, one, after[0].headers["ETag"]).status == 304
    assert get_again(api, several, after[1].headers["ETag"]).status == 200


def test_other_query_is_another_representation(api: Api, organization: Organization) -> None:
    PersonFactory(organization=organization)
    tag = api.get("people").headers["ETag"]
    assert get_again(api, "people?fields[people]=email", tag).status == 200
    assert get_again(api, "people?page[size]=10", tag).status == 200  # Its links and meta differ.


def test_etag_of_another_organization_never_matches(api: Api) -> None:
    """The documents are equal, because both lists are empty."""
    stranger = Api(ApiTokenFactory(organization=OrganizationFactory()).name)
    mine, theirs = (each.get("filters") for each in (api, stranger))
    assert mine.body == theirs.body
    assert mine.headers["ETag"] != theirs.headers["ETag"]
    assert get_again(api, "filters", theirs.headers["ETag"]).status == 200


def test_head_has_the_etag(api: Api, pages: list[str]) -> None:
    for path in pages:
        response = api.request("HEAD", path)
        assert response.status == 200
        assert response.headers["ETag"] == api.get(path).headers["ETag"]


def test_errors_have_no_etag(api: Api, pages: list[str]) -> None:
    for path, status in (("people/999999999", 404), ("people?sort=x", 400)):
        response = get_again(api, path, "*", **GZIP)
        assert response.status == status
        assert "ETag" not in response.headers
        assert "Content-Encoding" not in response.headers
    assert Api("garbled").get("people", headers={"If-None-Match": "*"}).status == 401


def test_responses_to_writes_are_not_compressed(api: Api) -> None:
    body = {"data": {"type": "filters", "attributes": {"name": "x" * 200, "params": {"x": ["y" * 100] * 50}}}}
    response = api.post("filters", json=body, headers=GZIP)
    assert (response.status, len(response.body) > 5_000) == (201, True)
    assert not {"Vary", "Content-Encoding"} & set(response.headers)


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
def test_large_response_is_compressed_if_the_client_accepts_it(
    accepted: str, is_compressed: bool, api: Api, pages: list[str]
) -> None:
    plain = api.get("people")
    response = api.get("people", headers={"Accept-Encoding": accepted})
    assert ("Content-Encoding" in response.headers) is is_compressed
    assert response.headers["Vary"] == "Accept-Encoding"
    assert response.headers["Content-Length"] == str(len(response.body))
    if is_compressed:
        assert gzip.decompress(response.body) == plain.body
        assert len(response.body) < len(plain.body) / 5
        assert response.headers["ETag"] != plain.headers["ETag"]
    else:
        assert response.body == plain.body
        assert response.headers["ETag"] == plain.headers["ETag"]


def test_etags_of_both_codings_match(api: Api, pages: list[str]) -> None:
    plain, compressed = api.get("people"), api.get("people", headers=GZIP)
    for known in (plain, compressed):
        for headers in ({}, GZIP):
            response = get_again(api, "people", known.headers["ETag"], **headers)
            assert (response.status, response.body) == (304, b"")
            assert response.headers["ETag"] == known.headers["ETag"]


def test_small_response_is_not_compressed(api: Api, organization: Organization) -> None:
    person = PersonFactory(organization=organization)
    response = api.get(f"people/{person.pk}", headers=GZIP)
    assert "Content-Encoding" not in response.headers
    assert response.json["data"]["id"] == str(person.pk)


@pytest.mark.django_db(transaction=True)
def test_server_sends_compressed_responses_and_304(socket_api: SocketApi) -> None:
    token: Any = ApiTokenFactory()
    PersonFactory.create_batch(30, organization=token.organization)
    client = SocketApi(token.name, address=socket_api.address)
    compressed = client.get("people", headers=GZIP)
    assert compressed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(compressed.body) == client.get("people").body
    known = get_again(client, "people", compressed.headers["ETag"], **GZIP)
    assert (known.status, known.body) == (304, b"")
    assert "Content-Type" not in known.headers
