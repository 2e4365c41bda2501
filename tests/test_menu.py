"""Test the menu of the admin and the titles of its pages."""

from __future__ import annotations

import pytest
from django.contrib.admin import site as admin_site
from django.test import Client

from productive.accounts.models import Organization
from tests.support.admin import superuser
from tests.support.factories import OrganizationFactory, PersonFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

INDEX = "/admin/"


@pytest.fixture
def organization() -> Organization:
    return OrganizationFactory()


def test_menu_has_groups() -> None:
    groups = superuser().get(INDEX).context["sidebar_navigation"]
    titles = {group["title"]: [item["title"] for item in group["items"]] for group in groups}
    expected = {
        "": ["Overview"],
        "Catalog": ["Service types", "Projects", "Budgets", "Services"],
        "Assignments": [
            "Service assignments",
            "Project assignments",
            "Service type assignments",
            "Access check",
        ],
        "People": ["People", "Users"],
        "Administration": ["Organizations", "API tokens", "Groups", "Saved filters", "Changes"],
    }
    assert [*titles] == [*expected]
    known = {title for group in expected.values() for title in group}
    assert {
        group: [title for title in found if title in known] for group, found in titles.items()
    } == expected
    registered = {getattr(model_admin, "menu", "") for model_admin in admin_site._registry.values()} - {""}
    assert registered <= {*titles}


def test_pages_have_titles_and_an_icon(organization: Organization) -> None:
    client = superuser()
    person = PersonFactory(organization=organization, first_name="Ana", last_name="Horvat")
    titles = {
        "/admin/": "Overview | Productive",
        "/admin/access-check/": "Access check | Productive",
        f"/admin/accounts/person/{person.pk}/change/": (
            f"Ana Horvat · {person.email} | Change person | Productive"
        ),
    }
    for address, title in titles.items():
        page = " ".join(client.get(address).content.decode().split())
        assert f"<title> {title}</title>" in page
    assert '<link rel="icon" href="/static/productive/favicon.svg"' in page
    assert Client().get("/favicon.ico").headers["Location"] == "/static/productive/favicon.svg"


def test_sign_in_redirects_to_dashboard(organization: Organization) -> None:
    user = UserFactory(organization=organization, is_staff=True)
    user.set_password("correct horse battery")
    user.save()
    page = Client().post("/admin/login/", {"username": user.username, "password": "correct horse battery"})
    assert (page.status_code, page.headers["Location"]) == (302, INDEX)
