"""The API's page, as somebody reads it who has neither signed in nor scripts."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import violations


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_the_page_is_read_at_any_width(visitor: Page, width: int, scheme: str) -> None:
    visitor.set_viewport_size({"width": width, "height": 800})
    visitor.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    visitor.goto("/api/v2/docs")
    expect(visitor.get_by_role("heading", name="Service assignments")).to_be_visible()
    visitor.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert visitor.evaluate("document.documentElement.scrollWidth") <= width
    assert violations(visitor) == []
