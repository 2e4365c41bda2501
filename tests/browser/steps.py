"""Perform steps that several tests share."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect


def save(page: Page) -> None:
    page.get_by_role("button", name="Save", exact=True).click()


def choose(page: Page, box: Locator, term: str, name: str) -> None:
    """Choose an option of an autocomplete with the keyboard."""
    box.focus()
    page.keyboard.press("Enter")
    page.keyboard.type(term)
    expect(page.get_by_role("listbox").get_by_role("option")).to_have_text([name])
    page.keyboard.press("Enter")


def open_palette(page: Page) -> Locator:
    page.keyboard.press("Control+k")
    palette = page.get_by_role("dialog", name="Search")
    expect(palette.get_by_role("searchbox")).to_be_focused()
    return palette


def run_action(page: Page, title: str, *rows: str) -> None:
    """Run a bulk action on these rows of the current list."""
    for name in rows:
        page.get_by_role("row", name=name).get_by_role("checkbox", name="Select record").check()
    page.get_by_role("combobox", name="Action").select_option(label=title)
    page.get_by_role("button", name="Run").click()


def lines_under(page: Page, title: str) -> list[str]:
    """Return the lines of a preview under this title."""
    heading = page.get_by_role("heading", name=title)
    expect(heading).to_be_visible()
    return page.locator("section").filter(has=heading).get_by_role("listitem").all_inner_texts()
