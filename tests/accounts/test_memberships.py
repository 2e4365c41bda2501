"""Test the resource `organization_memberships`."""

from __future__ import annotations

from typing import Any

import pytest

from productive.accounts.models import Organization
from tests.support.api import Api
from tests.support.factories import (
    ApiTokenFactory,
    CompanyFactory,
    OrganizationFactory,
    PersonFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db

PATH = "organization_memberships"


def identifier(kind: str, record: Any) -> dict[str, str]:
    return {"type": kind, "id": str(record.pk)}


def test_membership_is_that_of_the_tokens_user(
    organization: Organization, django_assert_num_queries: Any
) -> None:
    """A user can be a different person in another organization."""
    user, other = UserFactory(organization=None), OrganizationFactory()
    company = CompanyFactory(organization=organization)
    person = PersonFactory(organization=organization, user=user, company=company)
    PersonFactory(organization=organization, user=UserFactory(organization=None))
    theirs = PersonFactory(organization=other, user=user)
    ours = Api(ApiTokenFactory(organization=organization, user=user).name)
    assert ours.get(PATH).status == 200  # The first request stores when the token was used.
    with django_assert_num_queries(1):
        listed = ours.get(PATH)
    assert listed.data == [
        {
            "id": str(user.pk),
            "type": PATH,
            "relationships": {
                "organization": {"data": identifier("organizations", organization)},
                "person": {"meta": {"included": False}},
                "user": {"meta": {"included": False}},
                "time_tracking_policy": {"meta": {"included": False}},
            },
        }
    ]
    assert (listed.json["meta"]["total_count"], "included" in listed.json) == (1, False)
    with django_assert_num_queries(3):
        included = ours.get(f"{PATH}/{user.pk}?include=organization,person.company,user")
    assert included.data["relationships"]["person"] == {"data": identifier("people", person)}
    assert included.data["relationships"]["user"] == {"data": None}
    names = {(each["type"], each["id"]) for each in included.json["included"]}
    assert names == {
        ("people", str(person.pk)),
        ("organizations", str(organization.pk)),
        ("companies", str(company.pk)),
    }
    abroad = Api(ApiTokenFactory(organization=other, user=user).name).get(f"{PATH}?include=person")
    assert abroad.data[0]["relationships"]["person"] == {"data": identifier("people", theirs)}


def test_service_account_is_a_member_without_a_person(api: Api, token: Any) -> None:
    stranger = ApiTokenFactory()
    included = api.get(f"{PATH}?include=person,organization")
    assert [each["id"] for each in included.data] == [str(token.user_id)]
    assert included.data[0]["relationships"]["person"] == {"data": None}
    assert [each["type"] for each in included.json["included"]] == ["organizations"]
    assert api.get(f"{PATH}?page[number]=2").data == []
    assert api.get(f"{PATH}?page[after]=").ids == [token.user_id]
    assert api.get(f"{PATH}/{stranger.user_id}").status == 404
    codes = [
        api.get(f"{PATH}?{query}").error["code"] for query in ("sort=id", "filter[id]=1", "page[after]=x")
    ]
    assert codes == ["unsupported_sort", "unsupported_filter", "keyset_invalid_cursor"]
