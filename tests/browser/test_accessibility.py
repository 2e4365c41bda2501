"""Check pages of each kind for accessibility violations, in light and dark colors."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from assignments.models import ServiceAssignment
from productive.accounts.models import Organization
from tests.browser.axe import barriers
from tests.browser.steps import choose, lines_under, open_palette, run_action
from tests.support.factories import PersonFactory, ServiceAssignmentFactory


@pytest.fixture
def assignment(organization: Organization) -> ServiceAssignment:
    """Ana's assignment to the service Design, in a budget that is restricted by person."""
    return ServiceAssignmentFactory(
        organization=organization,
        person__first_name="Ana",
        person__last_name="Kovač",
        service__name="Design",
        service__deal__name="Spring",
        service__deal__project__name="Relaunch",
        service__deal__person_restricted_tracking=True,
    )


def test_sign_in_has_no_barriers(visitor: Page) -> None:
    visitor.goto("/admin/")
    assert barriers(visitor) == []
    visitor.get_by_label("Username").fill("nobody")
    visitor.get_by_label("Password").fill("wrong")
    visitor.get_by_role("button", name="Log in").click()
    expect(visitor.get_by_text("Please enter the correct username and password")).to_be_visible()
    assert barriers(visitor) == []


def test_pages_have_no_barriers(page: Page, assignment: ServiceAssignment) -> None:
    service, person = assignment.service, assignment.person
    pages = [
        "/admin/",
        "/admin/accounts/person/",
        "/admin/catalog/service/?q=nothing+like+it",
        f"/admin/accounts/person/{person.pk}/change/",
        f"/admin/catalog/deal/{service.deal_id}/change/",
        f"/admin/catalog/project/{service.deal.project_id}/change/",
        f"/admin/catalog/service/{service.pk}/change/",
        "/admin/catalog/servicetype/add/",
        f"/admin/catalog/service/{service.pk}/delete/",
        f"/admin/catalog/service/{service.pk}/history/",
        "/admin/changes/",
        f"/admin/changes/{service.history.get().change_set}/",
        f"/admin/changes/{service.history.get().change_set}/undo/",
        "/admin/accounts/person/import/",
        "/admin/accounts/person/export/",
        f"/admin/access-check/?person={person.pk}&service={service.pk}&kind=time",
    ]
    found = {}
    for address in pages:
        page.goto(address)
        found[address] = barriers(page)
    assert found == {address: [] for address in pages}


def test_bulk_action_has_no_barriers(
    page: Page, organization: Organization, assignment: ServiceAssignment
) -> None:
    PersonFactory(organization=organization, first_name="Iva")
    page.goto("/admin/accounts/person/")
    run_action(page, "Assign to services…", "Ana", "Iva")
    choose(
        page,
        page.get_by_role("combobox", name="Services").get_by_role("searchbox"),
        "des",
        "Design · Spring · Relaunch",
    )
    assert barriers(page) == []
    page.get_by_role("button", name="Preview").click()
    assert len(lines_under(page, "Will be created")) == 1
    assert barriers(page) == []


def test_icons_are_not_read_aloud(page: Page) -> None:
    page.goto("/admin/catalog/servicetype/")
    expect(page.get_by_role("navigation").get_by_role("link").first).to_have_accessible_name("Productive")
    for role, name in (("link", "Service types"), ("button", "Filters"), ("button", "Search")):
        expect(page.get_by_role(role, name=name, exact=True).first).to_be_visible()


def test_palette_and_menus_have_no_barriers(page: Page, assignment: ServiceAssignment) -> None:
    page.goto("/admin/accounts/person/")
    palette = open_palette(page)
    page.keyboard.type("ana")
    expect(palette.get_by_role("link")).to_have_count(1)
    assert barriers(page) == []
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Filters", exact=True).click()
    expect(page.get_by_role("button", name="Apply Filters")).to_be_visible()
    assert barriers(page) == []
