"""What axe-core finds serious or critical on a page, or wrong with its landmarks, light and dark."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

# Colours that are on their way to other colours have a contrast that nobody will see.
SETTLE = """() => Promise.allSettled(
  document.getAnimations().filter(one => one instanceof CSSTransition).map(one => one.finished))"""


LANDMARKS = ("landmark-one-main", "landmark-unique")


TURN_DARK = "dark => document.documentElement.classList.toggle('dark', dark)"


def barriers(page: Page) -> list[tuple[str, Any, str]]:
    """What keeps somebody from using the page: the rule that is broken, where, and why."""
    found = violations(page)
    page.evaluate(TURN_DARK, True)
    found += violations(page, runOnly=["color-contrast"])
    page.evaluate(TURN_DARK, False)
    return found


def violations(page: Page, **options: Any) -> list[tuple[str, Any, str]]:
    page.evaluate(SETTLE)
    # Without what axe preloads: it would read the style sheets again, from other addresses than the page did.
    options |= {"resultTypes": ["violations"], "preload": False}
    return [
        (violation["id"], node["target"], node["failureSummary"])
        for violation in Axe().run(page, options=options).response["violations"]
        if violation["impact"] in ("serious", "critical") or violation["id"] in LANDMARKS
        for node in violation["nodes"]
    ]
