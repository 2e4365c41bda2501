from __future__ import annotations

from playwright.sync_api import Page, expect

from productive.accounts.models import Organization
from tests.browser.steps import save
from tests.support.factories import PersonFactory, ServiceTypeFactory


def test_service_type_is_created_and_found(page: Page, organization: Organization) -> None:
    ServiceTypeFactory(organization=organization, name="Consulting")
    page.goto("/admin/")
    page.get_by_role("navigation").get_by_role("link", name="Service types").click()
    page.locator("#header-inner").get_by_role("link", name="add").click()
    page.get_by_label("Name").fill("Illustration")
    save(page)
    expect(page.get_by_text("was added successfully")).to_be_visible()

    page.get_by_placeholder("Type to search").fill("illustr")
    page.keyboard.press("Enter")
    expect(page.get_by_role("rowheader")).to_have_text(["Illustration"])
    page.get_by_role("link", name="Illustration").click()
    expect(page.get_by_label("Name")).to_have_value("Illustration")


def test_duplicate_email_shows_error_at_its_field(page: Page, organization: Organization) -> None:
    PersonFactory(organization=organization, email="ana@agency.example")
    page.goto("/admin/accounts/person/add/")
    page.get_by_label("First name").fill("Ana")
    page.get_by_label("Last name").fill("Marić")
    page.get_by_label("Email").fill("Ana@agency.example")
    save(page)
    expect(page.locator(".field-email")).to_contain_text("has already been taken")
    expect(page.get_by_label("Last name")).to_have_value("Marić")
