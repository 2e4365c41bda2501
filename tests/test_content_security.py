"""Test that pages run no inline scripts and load nothing from other hosts."""

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

pytestmark = [pytest.mark.django_db, pytest.mark.any_database, pytest.mark.no_cover]

POLICY = "Content-Security-Policy"
DENY_ALL = "default-src 'none'; frame-ancestors 'none'"
# Inline scripts and event handlers.
INLINE = re.compile(
    r"<script(?![^>]*\bsrc=)(?![^>]*application/json)|<[a-z][^>]*\son[a-z]+=|javascript:", re.IGNORECASE
)
OTHER_HOST = re.compile(r'(?:src|href)="(?:https?:)?//')


def test_admin_loads_its_own_files_only() -> None:
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


def test_other_responses_load_nothing(api: Api) -> None:
    answers = [api.get(path) for path in ("/api/v2/people", "/api/v2/people/1", "/api/v2/nothing", "/api")]
    assert [answer.headers[POLICY] for answer in answers] == [DENY_ALL] * 4
    pages = [Client().get(path) for path in ("/", "/healthz", "/nothing")]
    assert [page.headers[POLICY] for page in pages] == [DENY_ALL] * 3


@pytest.mark.parametrize(
    "address",
    [
        reverse("admin:login"),
        reverse("admin:index"),
        reverse("admin:changes"),
        reverse("access_check"),
        reverse("clean_up"),
        *(
            url(model, page)
            for model in (Person, ServiceType, ServiceAssignment, User)
            for page in ("changelist", "add")
        ),
        url(Person, "import"),
        url(Person, "export"),
    ],
)
def test_page_complies_with_the_policy(address: str) -> None:
    organization = OrganizationFactory()
    PersonFactory(organization=organization)
    page = superuser().get(address, follow=True)
    text = page.content.decode()
    assert (page.status_code, INLINE.findall(text), OTHER_HOST.findall(text)) == (200, [], [])


def test_page_with_inlines_complies_with_the_policy() -> None:
    text = superuser().get(url(Deal, "change", DealFactory().pk)).content.decode()
    assert (INLINE.findall(text), OTHER_HOST.findall(text)) == ([], [])
