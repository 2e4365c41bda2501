"""Test that `Watch` records errors of a page."""

from __future__ import annotations

from playwright.sync_api import Page

from tests.browser.conftest import Watch

CAUSE_ERRORS = """async () => {
  console.error("loud");
  setTimeout(() => { throw new Error("broken"); });
  document.head.append(Object.assign(document.createElement("script"), {textContent: "void 0"}));
  await fetch("/nowhere");
}"""


def test_watch_records_errors(visitor: Page, watch: Watch) -> None:
    visitor.goto("/admin/")
    here = f"http://{watch.host}"
    visitor.evaluate(CAUSE_ERRORS)
    elsewhere = f"{here.replace('127.0.0.1', 'localhost')}/healthz"
    visitor.goto(elsewhere)
    recorded = set(watch.faults)
    watch.faults.clear()
    page = f"{here}/admin/login/?next=/admin/"
    assert recorded >= {
        f"console: loud ({page})",
        f"console: script-src-elem refused inline ({page})",
        f"404: {here}/nowhere",
        f"another host: {elsewhere}",
    }
    assert [fault for fault in recorded if fault.startswith("script: broken")] != []
