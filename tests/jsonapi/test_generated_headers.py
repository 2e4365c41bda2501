"""Test headers with generated input."""

from __future__ import annotations

import gzip
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from productive.accounts.models import Organization
from tests.support.api import Api
from tests.support.factories import ProjectFactory
from tests.support.generated import latin_1
from tests.support.samples import fuzz_settings

# Other tests cover each kind of input.
pytestmark = pytest.mark.no_cover


@pytest.mark.django_db
def test_any_other_token_is_rejected(api: Api, token: Any) -> None:
    @fuzz_settings(20)
    @given(latin_1 | latin_1.map(lambda noise: f"{token.name}{noise}"))
    def check(secret: str) -> None:
        response = Api(secret).get("projects")
        assert response.status == (200 if secret == token.name else 401)

    check()


@pytest.mark.django_db
def test_any_other_organization_is_rejected(api: Api, organization: Organization) -> None:
    own = str(organization.pk)

    @fuzz_settings(20)
    @given(
        latin_1 | st.integers().map(str) | st.sampled_from([own, f" {own}", f"{own} ", f"0{own}", f"{own}\n"])
    )
    def check(organization_id: str) -> None:
        response = api.get("projects", headers={"X-Organization-Id": organization_id})
        assert response.status == (200 if organization_id == own else 403)

    check()


@pytest.mark.django_db
def test_other_headers_only_change_the_representation(api: Api, organization: Organization) -> None:
    ProjectFactory.create_batch(12, organization=organization)
    plain = api.get("projects")
    tags = st.sampled_from([plain.headers["ETag"], f"W/{plain.headers['ETag']}", "*", '"x"', ""])
    codings = st.sampled_from(["gzip", "x-gzip;q=0.1", "gzip;q=0", "identity", "*"])

    @fuzz_settings(50)
    @given(
        st.fixed_dictionaries(
            {},
            optional={
                "Accept": latin_1,
                "Accept-Encoding": latin_1 | st.lists(codings | latin_1, max_size=3).map(", ".join),
                "If-None-Match": latin_1 | st.lists(tags | latin_1, max_size=3).map(", ".join),
                "Accept-Language": latin_1,
                "Cookie": latin_1,
                "Content-Type": latin_1,
            },
        )
    )
    def check(headers: dict[str, str]) -> None:
        response = api.get("projects", headers=headers)
        if response.status == 304:
            assert (response.body, "If-None-Match" in headers) == (b"", True)
            return
        assert response.status == 200
        body = gzip.decompress(response.body) if "Content-Encoding" in response.headers else response.body
        assert body == plain.body

    check()
