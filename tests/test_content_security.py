"""What a page may load and run: nothing that stands in the page itself, nothing from elsewhere."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from assignments.models import ServiceAssignment
from catalog.models import Deal, ServiceType
from productive.accounts.models import Person, User
from tests.support.admin import superuser, url
from tests.support.api import Api
from tests.support.factories import DealFactory, OrganizationFactory, PersonFactory

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

POLICY = "Content-Security-Policy"
NOTHING = "default-src 'none'; frame-ancestors 'none'"
# Scripts that stand in the page, and handlers that stand in its tags.
INLINE = re.compile(
    r"<script(?![^>]*\bsrc=)(?![^>]*application/json)|<[a-z][^>]*\son[a-z]+=|javascript:", re.IGNORECASE
)
ELSEWHERE = re.compile(r'(?:src|href)="(?:https?:)?//')


def test_admin_runs_its_own_files_only() -> None:
    answers = [Client().get(reverse("admin:login")), superuser().get(reverse("admin:index"))]
    policies = [dict(part.split(" ", 1) for part in answer.headers[POLICY].split("; ")) for answer in answers]
    assert (
        policies
        == [
            {
                "default-src": "'none'",
                "script-src": "'self' 'unsafe-eval'",
                "style-src": "'self' 'unsafe-inline'",
                "img-src": "'self' data:",
                "font-src": "'self'",
                "connect-src": "'self'",
                "form-action": "'self'",
                "base-uri": "'none'",
                "frame-ancestors": "'none'",
            }
        ]
        * 2
    )


def test_everything_else_may_load_nothing(api: Api) -> None:
    answers = [api.get(path) for path in ("/api/v2/people", "/api/v2/people/1", "/api/v2/nothing", "/api")]
    assert [answer.headers[POLICY] for answer in answers] == [NOTHING] * 4
    pages = [Client().get(path) for path in ("/", "/healthz", "/nothing")]
    assert [page.headers[POLICY] for page in pages] == [NOTHING] * 3


@pytest.mark.parametrize(
    "address",
    [
        reverse("admin:login"),
        reverse("admin:index"),
        reverse("admin:changes"),
        reverse("access_check"),
        *(
            url(model, page)
            for model in (Person, ServiceType, ServiceAssignment, User)
            for page in ("changelist", "add")
        ),
        url(Person, "import"),
        url(Person, "export"),
    ],
)
def test_no_page_needs_what_the_policy_forbids(address: str) -> None:
    organization = OrganizationFactory()
    PersonFactory(organization=organization)
    page = superuser().get(address, follow=True)
    text = page.content.decode()
    assert (page.status_code, INLINE.findall(text), ELSEWHERE.findall(text)) == (200, [], [])


def test_page_with_lines_needs_nothing_that_the_policy_forbids() -> None:
    text = superuser().get(url(Deal, "change", DealFactory().pk)).content.decode()
    assert (INLINE.findall(text), ELSEWHERE.findall(text)) == ([], [])
