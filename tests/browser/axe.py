"""Find accessibility violations with axe-core: serious or critical ones, and those of landmarks."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

# Wait for transitions: the contrast of colors during a transition doesn't matter.
SETTLE = """() => Promise.allSettled(
  document.getAnimations().filter(one => one instanceof CSSTransition).map(one => one.finished))"""


LANDMARKS = ("landmark-one-main", "landmark-unique")


TURN_DARK = "dark => document.documentElement.classList.toggle('dark', dark)"


def barriers(page: Page) -> list[tuple[str, Any, str]]:
    """Return the violations of the page in light and dark colors: the rule, the element, and the reason."""
    found = violations(page)
    page.evaluate(TURN_DARK, True)
    found += violations(page, runOnly=["color-contrast"])
    page.evaluate(TURN_DARK, False)
    return found


def violations(page: Page, **options: Any) -> list[tuple[str, Any, str]]:
    page.evaluate(SETTLE)
    # Without preloading: axe would load the style sheets again, from other URLs than the page.
    options |= {"resultTypes": ["violations"], "preload": False}
    # Loading axe takes as long as a run.
    if not page.evaluate("'axe' in window"):
        page.evaluate(Axe().axe_script)
    found = page.evaluate("options => axe.run(document, options)", options)
    return [
        (violation["id"], node["target"], node["failureSummary"])
        for violation in found["violations"]
        if violation["impact"] in ("serious", "critical") or violation["id"] in LANDMARKS
        for node in violation["nodes"]
    ]
