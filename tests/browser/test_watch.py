"""The other tests fail where a page does what no page should: here one does all of it."""

from __future__ import annotations

from playwright.sync_api import Page

from tests.browser.conftest import Watch

MISDEEDS = """async () => {
  console.error("loud");
  setTimeout(() => { throw new Error("broken"); });
  document.head.append(Object.assign(document.createElement("script"), {textContent: "void 0"}));
  await fetch("/nowhere");
}"""


def test_what_a_page_does_wrong_is_noticed(visitor: Page, watch: Watch) -> None:
    visitor.goto("/admin/")
    here = f"http://{watch.host}"
    visitor.evaluate(MISDEEDS)
    elsewhere = f"{here.replace('127.0.0.1', 'localhost')}/healthz"
    visitor.goto(elsewhere)
    noticed = set(watch.faults)
    watch.faults.clear()
    page = f"{here}/admin/login/?next=/admin/"
    assert noticed >= {
        f"console: loud ({page})",
        f"console: script-src-elem refused inline ({page})",
        f"404: {here}/nowhere",
        f"another host: {elsewhere}",
    }
    assert [fault for fault in noticed if fault.startswith("script: broken")] != []
