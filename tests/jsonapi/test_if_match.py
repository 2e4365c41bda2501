"""Test that If-Match rejects changes of a record that has changed."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from catalog.models import ServiceType
from productive.accounts.models import Organization, Person
from tests.support.api import Answer, Api
from tests.support.concurrency import at_once
from tests.support.factories import (
    ApiTokenFactory,
    DealFactory,
    OrganizationFactory,
    PersonFactory,
    ServiceTypeFactory,
)
from tests.support.resources import (
    ACTIONS,
    WRITABLE,
    action_document,
    create_rows,
    document_for,
    model_of,
    relationships_of,
)

pytestmark = [pytest.mark.django_db, pytest.mark.no_cover]

FAILED = {
    "status": "412",
    "code": "precondition_failed",
    "title": "Precondition Failed",
    "detail": "The record is not, or no longer, in the state that If-Match names",
    "source": {"header": "If-Match"},
}
STALE = '"0123456789abcdef0123456789abcd"'


def matching(tag: str) -> dict[str, str]:
    return {"If-Match": tag}


def tag_of(api: Api, path: str) -> str:
    return api.get(path).headers["ETag"]


def is_rejected(response: Answer) -> bool:
    return (response.status, response.json) == (412, {"errors": [FAILED]}) and "ETag" not in response.headers


@pytest.mark.parametrize("resource", WRITABLE)
def test_change_and_deletion_require_the_current_etag(
    resource: str, api: Api, organization: Organization
) -> None:
    (row,) = create_rows(resource, organization)
    path, body = f"{resource}/{row.pk}", document_for(resource)
    before = model_of(resource)._base_manager.values().get(pk=row.pk)
    assert is_rejected(api.patch(path, json=body, headers=matching(STALE)))
    assert is_rejected(api.delete(path, headers=matching(STALE)))
    assert model_of(resource)._base_manager.values().get(pk=row.pk) == before
    tag = tag_of(api, path)
    changed = api.patch(path, json=body, headers=matching(tag))
    assert (changed.status, changed.headers["ETag"]) == (200, tag)
    assert api.delete(path, headers=matching(tag)).status == 204


@pytest.mark.parametrize(("resource", "action"), ACTIONS)
def test_action_requires_the_current_etag(
    resource: str, action: str, api: Api, organization: Organization
) -> None:
    (row,) = create_rows(resource, organization)
    path, document = f"{resource}/{row.pk}", action_document(resource, action, organization)
    before = api.get(path).body
    assert is_rejected(api.patch(f"{path}/{action}", json=document, headers=matching(STALE)))
    assert is_rejected(api.request("PUT", f"{path}/{action}", json=document, headers=matching(STALE)))
    assert api.get(path).body == before
    done = api.patch(f"{path}/{action}", json=document, headers=matching(tag_of(api, path)))
    assert (done.status, done.headers["ETag"]) == (200, tag_of(api, path))


@pytest.mark.parametrize("resource", WRITABLE)
def test_response_to_a_change_has_the_current_etag(
    resource: str, api: Api, organization: Organization
) -> None:
    """A client can send the next change without fetching the record."""
    (row,) = create_rows(resource, organization)
    for query in ("", f"?include={','.join(relationships_of(resource))}"):
        path = f"{resource}/{row.pk}{query}"
        changed = api.patch(path, json=document_for(resource))
        assert (changed.headers["ETag"], changed.body) == (tag_of(api, path), api.get(path).body)


def test_response_to_a_creation_has_the_current_etag(api: Api) -> None:
    for query in ("", "?include=service_types&fields[people]=archived_at,service_types"):
        created = api.post(f"people{query}", json=document_for("people", first_name="Ana", last_name="Perak"))
        path = f"people/{created.data['id']}"
        assert created.headers["ETag"] == tag_of(api, f"{path}{query}")
        assert api.patch(f"{path}/archive{query}", headers=matching(created.headers["ETag"])).status == 200
        assert is_rejected(api.patch(f"{path}/restore{query}", headers=matching(created.headers["ETag"])))


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ("{tag}", 200),
        ("*", 200),
        (" * ", 200),
        ('"another", {tag}', 200),
        ('{tag},"another"', 200),
        ("{gzip}", 200),
        ("W/{tag}", 412),
        ('W/{tag}, "another"', 412),
        ("{bare}", 412),
        ("{upper}", 412),
        ('"{bare}-br"', 412),
        ('"*"', 412),
        ("*, *", 412),
        ("nonsense", 412),
        ('"', 412),
        ("", 412),
        (",", 412),
        ("\xff", 412),
        ("x" * 4000, 412),
    ],
)
def test_etags_are_compared_strongly(sent: str, status: int, api: Api, organization: Organization) -> None:
    path = f"people/{PersonFactory(organization=organization).pk}"
    tag = tag_of(api, path)
    forms = {"tag": tag, "gzip": f'{tag[:-1]}-gzip"', "bare": tag.strip('"'), "upper": tag.upper()}
    response = api.patch(path, json=document_for("people"), headers=matching(sent.format(**forms)))
    assert response.status == status


def test_etag_of_a_compressed_response_matches(api: Api, organization: Organization) -> None:
    long = ServiceTypeFactory(organization=organization, description="x" * 2000)
    path = f"service_types/{long.pk}"
    compressed = api.get(path, headers={"Accept-Encoding": "gzip"})
    assert compressed.headers["ETag"].endswith('-gzip"')
    assert api.delete(path, headers=matching(compressed.headers["ETag"])).status == 204


def test_etag_depends_on_the_query_string(api: Api, organization: Organization) -> None:
    """The included records are part of the representation."""
    deal = DealFactory(organization=organization)
    path, body = f"deals/{deal.pk}", document_for("deals")
    plain, wide = tag_of(api, path), tag_of(api, f"{path}?include=project")
    assert is_rejected(api.patch(path, json=body, headers=matching(wide)))
    assert is_rejected(api.patch(f"{path}?include=project", json=body, headers=matching(plain)))
    deal.project.name = "Renamed meanwhile"
    deal.project.save()
    assert is_rejected(api.delete(f"{path}?include=project", headers=matching(wide)))
    assert api.patch(path, json=body, headers=matching(plain)).status == 200


def test_etag_only_depends_on_the_fields_in_the_response(api: Api, organization: Organization) -> None:
    path = f"people/{PersonFactory(organization=organization).pk}"
    email, complete = (tag_of(api, f"{path}{query}") for query in ("?fields[people]=email", ""))
    assert api.patch(path, json=document_for("people", title="Theirs")).status == 200
    assert api.patch(f"{path}/archive?fields[people]=email", headers=matching(email)).status == 200
    assert is_rejected(api.patch(f"{path}/archive", headers=matching(complete)))


def test_concurrent_change_is_not_overwritten(api: Api, organization: Organization) -> None:
    person = PersonFactory(organization=organization, title="Before")
    path = f"people/{person.pk}"
    seen = tag_of(api, path)
    assert api.patch(path, json=document_for("people", title="Theirs")).status == 200
    mine = document_for("people", title="Mine")
    assert is_rejected(api.patch(path, json=mine, headers=matching(seen)))
    assert Person.objects.get(pk=person.pk).title == "Theirs"
    assert api.patch(path, json=mine, headers=matching(tag_of(api, path))).status == 200


def test_order_of_errors(api: Api, organization: Organization) -> None:
    """The state of a record is only compared if the client can access it."""
    person = PersonFactory(organization=organization)
    path, invalid = f"people/{person.pk}", document_for("people", first_name="")
    reader = Api(ApiTokenFactory(organization=organization, read_only=True).name)
    foreign = PersonFactory(organization=OrganizationFactory())
    for tag in (STALE, "*"):
        assert Api("unknown").delete(path, headers=matching(tag)).status == 401
        assert reader.delete(path, headers=matching(tag)).status == 403
        missing, theirs = (api.delete(f"people/{pk}", headers=matching(tag)) for pk in (10**9, foreign.pk))
        assert (missing.status, theirs) == (404, missing)
    assert api.patch(path, json={"data": []}, headers=matching(STALE)).status == 400
    assert is_rejected(api.patch(path, json=invalid, headers=matching(STALE)))
    assert api.patch(path, json=invalid, headers=matching(tag_of(api, path))).status == 422
    assert api.delete(f"{path}?include=nothing", headers=matching("*")).status == 400


def test_etag_of_another_organization_never_matches(api: Api, organization: Organization) -> None:
    ours = PersonFactory(organization=organization)
    theirs: Any = ApiTokenFactory(organization=OrganizationFactory())
    tag = tag_of(Api(theirs.name), f"people/{PersonFactory(organization=theirs.organization).pk}")
    assert is_rejected(api.delete(f"people/{ours.pk}", headers=matching(tag)))


def test_if_match_costs_two_queries(
    api: Api, organization: Organization, django_assert_num_queries: Any
) -> None:
    row = ServiceTypeFactory(organization=organization)
    path, body = f"service_types/{row.pk}", document_for("service_types")
    tag = tag_of(api, path)
    # The token, the record, the response; the savepoint.
    with django_assert_num_queries(3 + 2):
        assert api.patch(path, json=body).status == 200
    # Two more for the current document: before the record is locked, and after.
    with django_assert_num_queries(5 + 2):
        assert api.patch(path, json=body, headers=matching(tag)).status == 200


@pytest.mark.django_db(transaction=True)
def test_only_one_of_concurrent_writers_wins() -> None:
    """SQLite locks the database, PostgreSQL the record."""
    token: Any = ApiTokenFactory()
    api, writers = Api(token.name), 8
    for n in range(5):
        row = ServiceTypeFactory(organization=token.organization)
        path = f"service_types/{row.pk}"
        tag = tag_of(api, path)
        bodies = [document_for("service_types", name=f"Name {n} of {i}") for i in range(writers)]
        responses = at_once(
            *(lambda b=body, p=path, t=tag: api.patch(p, json=b, headers=matching(t)) for body in bodies)
        )
        assert Counter(response.status for response in responses) == {200: 1, 412: writers - 1}
        (winner,) = (response.data["attributes"]["name"] for response in responses if response.status == 200)
        assert ServiceType.objects.get(pk=row.pk).name == winner
