"""Test what all pages share: the palette, the colors, and narrow screens."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from productive.accounts.models import Organization, User
from tests.browser.steps import open_palette, save
from tests.support.factories import (
    DealFactory,
    PersonFactory,
    ProjectFactory,
    ServiceFactory,
    ServiceTypeFactory,
)


def test_palette_finds_person_with_keyboard(page: Page, organization: Organization) -> None:
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


def test_palette_closes_with_escape(page: Page) -> None:
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


def test_dark_is_chosen_by_keyboard_before_signing_in(visitor: Page) -> None:
    visitor.goto("/admin/")
    visitor.get_by_role("button", name="Colors").press("Enter")
    visitor.get_by_role("button", name="Dark").press("Enter")
    expect(visitor.locator("html")).to_have_class("dark")
    visitor.keyboard.press("Escape")
    expect(visitor.get_by_role("group", name="Colors")).to_be_hidden()


def test_menu_is_folded_and_unfolded_by_keyboard(page: Page) -> None:
    page.goto("/admin/")
    toggle = page.get_by_role("button", name="Menu")
    entry = page.get_by_role("navigation").get_by_role("link", name="Service types")
    expect(entry).to_be_visible()
    tab_to(page, toggle)
    page.keyboard.press("Enter")
    expect(entry).to_be_hidden()
    expect(toggle).to_have_attribute("aria-expanded", "false")
    page.keyboard.press("Space")
    expect(entry).to_be_visible()
    expect(toggle).to_have_attribute("aria-expanded", "true")
    expect(toggle).to_be_focused()


def test_list_is_filtered_by_keyboard(page: Page, organization: Organization) -> None:
    ServiceTypeFactory(organization=organization, name="Consulting")
    page.goto("/admin/catalog/servicetype/")
    expect(page).to_have_title("Service types | Productive")
    filters, sheet = (
        page.get_by_role("button", name="Filters", exact=True),
        page.locator("#changelist-filter"),
    )
    tab_to(page, filters)
    page.keyboard.press("Enter")
    expect(sheet.locator(":focus")).to_be_visible()
    page.keyboard.press("Escape")
    expect(sheet).to_be_hidden()
    expect(filters).to_be_focused()
    page.keyboard.press("Enter")
    expect(sheet.locator(":focus")).to_be_visible()
    tab_to(page, page.get_by_role("button", name="Apply Filters"))
    page.keyboard.press("Enter")
    expect(sheet).to_be_hidden()


def test_record_beside_a_field_is_reached_by_keyboard(page: Page, organization: Organization) -> None:
    service = ServiceFactory(organization=organization)
    page.goto(f"/admin/catalog/service/{service.pk}/change/")
    more = page.get_by_role("button", name="More").first
    tab_to(page, more)
    page.keyboard.press("Enter")
    expect(page.get_by_role("navigation").locator(":focus")).to_be_visible()
    page.keyboard.press("Escape")
    expect(more).to_be_focused()
    expect(more).to_have_attribute("aria-expanded", "false")


def tab_to(page: Page, target: Locator) -> None:
    """Press Tab until the target has the focus."""
    for _ in range(100):
        page.keyboard.press("Tab")
        if target.evaluate("element => element === document.activeElement"):
            return
    raise AssertionError(f"{target} is not reached.")


def test_laptop_shows_14_rows_and_titles_of_what_is_cut(page: Page, organization: Organization) -> None:
    project = ProjectFactory(organization=organization, name="Rosemary Hotels Booking Platform")
    deal = DealFactory(organization=organization, project=project, name="Rosemary Hotels Maintenance 2026")
    ServiceFactory.create_batch(16, organization=organization, deal=deal)
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto("/admin/catalog/service/")
    rows = page.locator("#result_list .data-row")
    # The bar with the number of rows covers the end of the page.
    expect(rows.nth(13)).to_be_in_viewport(ratio=1)
    bottom = rows.nth(13).evaluate("row => row.getBoundingClientRect().bottom")
    assert bottom < 835
    cell = rows.first.locator(".field-deal")
    cell.hover()
    expect(cell).to_have_attribute("title", f"{deal.name} · {project.name}")


@pytest.fixture
def narrow_page(page: Page) -> Page:
    page.set_viewport_size({"width": 390, "height": 844})
    return page


def test_menu_opens_on_a_narrow_screen(narrow_page: Page) -> None:
    narrow_page.goto("/admin/")
    entry = narrow_page.get_by_role("navigation").get_by_role("link", name="Service types")
    expect(entry).not_to_be_in_viewport()
    narrow_page.get_by_role("button", name="Menu", expanded=False).click()
    entry.click()
    expect(narrow_page.get_by_role("heading", level=1)).to_contain_text("Service types")


def test_menu_opens_on_a_narrow_screen_by_keyboard(narrow_page: Page) -> None:
    narrow_page.goto("/admin/")
    toggle = narrow_page.get_by_role("button", name="Menu", expanded=False)
    menu = narrow_page.get_by_role("navigation").filter(has=narrow_page.get_by_role("button", name="Search"))
    for closing in ("Escape", "Enter"):
        tab_to(narrow_page, toggle)
        narrow_page.keyboard.press("Enter")
        expect(menu.locator(":focus")).to_be_visible()
        tab_to(narrow_page, menu.get_by_role("button", name="Menu"))
        narrow_page.keyboard.press(closing)
        expect(menu).to_be_hidden()
        expect(toggle).to_be_focused()


def test_list_and_form_fit_a_narrow_screen(narrow_page: Page, organization: Organization) -> None:
    ServiceTypeFactory(organization=organization, name="Consulting")
    narrow_page.goto("/admin/catalog/servicetype/")
    assert overflow(narrow_page) == 0
    narrow_page.get_by_role("link", name="Consulting").click()
    narrow_page.get_by_label("Name").fill("Advice")
    assert overflow(narrow_page) == 0
    delete = narrow_page.get_by_role("link", name="Delete service type…")
    expect(delete).to_be_hidden()
    menu = narrow_page.get_by_text("More", exact=True)
    menu.click()
    expect(delete).to_be_visible()
    top = narrow_page.get_by_role("button", name="Save", exact=True).bounding_box()
    below = delete.bounding_box()
    assert top is not None
    assert below is not None
    assert top["y"] < below["y"]
    save(narrow_page)
    expect(narrow_page.get_by_role("link", name="Advice").first).to_be_visible()


def overflow(page: Page) -> int:
    """Return by how many pixels the page is wider than the screen."""
    pixels: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return pixels
