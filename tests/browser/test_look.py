"""What is the same on every page: the palette, the colours, and the narrow screen."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from productive.accounts.models import Organization, User
from tests.browser.steps import open_palette, save
from tests.factories import PersonFactory, ServiceTypeFactory


def test_palette_finds_a_person_by_keyboard_alone(page: Page, organization: Organization) -> None:
    PersonFactory(organization=organization, first_name="Ana", last_name="Horvat")
    ana = PersonFactory(organization=organization, first_name="Ana", last_name="Kovač")
    PersonFactory(first_name="Ana", last_name="Elsewhere")
    page.goto("/admin/")
    palette = open_palette(page)
    page.keyboard.type("ana")
    found = palette.get_by_role("link")
    expect(found).to_have_count(2)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/admin/accounts/person/{ana.pk}/change/")
    expect(page.get_by_label("Last name")).to_have_value("Kovač")


def test_palette_closes_where_it_was_opened(page: Page) -> None:
    page.goto("/admin/catalog/servicetype/add/")
    page.get_by_label("Name").focus()
    palette = open_palette(page)
    page.keyboard.press("Escape")
    expect(palette).to_be_hidden()


def test_dark_is_chosen_and_remembered(page: Page, operator: User) -> None:
    page.goto("/admin/")
    root = page.locator("html")
    expect(root).not_to_have_class("dark")
    page.get_by_role("button", name=operator.username).click()
    page.get_by_role("button", name="Dark").click()
    expect(root).to_have_class("dark")
    page.goto("/admin/catalog/servicetype/")
    expect(root).to_have_class("dark")
    page.get_by_role("button", name=operator.username).click()
    page.get_by_role("button", name="Light").click()
    expect(root).not_to_have_class("dark")


@pytest.fixture
def telephone(page: Page) -> Page:
    page.set_viewport_size({"width": 390, "height": 844})
    return page


def test_menu_opens_on_a_narrow_screen(telephone: Page) -> None:
    telephone.goto("/admin/")
    entry = telephone.get_by_role("navigation").get_by_role("link", name="Service types")
    expect(entry).not_to_be_in_viewport()
    telephone.get_by_text("dock_to_right").locator("visible=true").click()
    entry.click()
    expect(telephone.get_by_role("heading", level=1)).to_contain_text("Service types")


def test_list_and_form_fit_a_narrow_screen(telephone: Page, organization: Organization) -> None:
    ServiceTypeFactory(organization=organization, name="Consulting")
    telephone.goto("/admin/catalog/servicetype/")
    assert sideways(telephone) == 0
    telephone.get_by_role("link", name="Consulting").click()
    telephone.get_by_label("Name").fill("Advice")
    assert sideways(telephone) == 0
    save(telephone)
    expect(telephone.get_by_role("link", name="Advice").first).to_be_visible()


def sideways(page: Page) -> int:
    """By how many pixels the page is wider than the screen."""
    pixels: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return pixels
