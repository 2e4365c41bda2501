"""Use a staffing board as a sheet: keys, blocks, the clipboard, staged changes, two browsers."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Dialog, Page, expect

from assignments.board.boards import BUDGET
from assignments.models import ProjectAssignment, ServiceAssignment
from catalog.models import Deal
from productive.accounts.models import Organization, Person
from tests.browser.axe import barriers
from tests.support.factories import (
    DealFactory,
    PersonFactory,
    ProjectAssignmentFactory,
    ServiceAssignmentFactory,
    ServiceFactory,
)
from tests.support.servers import Server

PASTE = """text => {
  const clipboardData = new DataTransfer();
  clipboardData.setData("text", text);
  document.activeElement.dispatchEvent(
    new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
}"""
COPY = """() => {
  const clipboardData = new DataTransfer();
  const options = { clipboardData, bubbles: true, cancelable: true };
  document.activeElement.dispatchEvent(new ClipboardEvent("copy", options));
  return clipboardData.getData("text");
}"""
NAMES = ["Ana", "Eva", "Iva"]
SERVICES = ["Audit", "Care", "Design"]


@pytest.fixture
def deal(organization: Organization) -> Deal:
    """A budget with three services and three members; Eva is assigned to Care."""
    deal: Deal = DealFactory(organization=organization, name="Spring", person_restricted_tracking=True)
    for name in SERVICES:
        ServiceFactory(organization=organization, deal=deal, name=name)
    for name in NAMES:
        ProjectAssignmentFactory(
            organization=organization, project=deal.project, person=person(organization, name)
        )
    ServiceAssignmentFactory(
        organization=organization, person=called("Eva"), service=deal.services.get(name="Care")
    )
    return deal


def person(organization: Organization, name: str) -> Person:
    row: Person = PersonFactory(
        organization=organization, first_name=name, last_name="Horvat", email=f"{name.lower()}@x.example"
    )
    return row


def called(name: str) -> Person:
    return Person.objects.get(first_name=name, last_name="Horvat")


def open_board(page: Page, deal: Deal, query: str = "") -> None:
    page.goto(BUDGET.url(deal) + query)
    expect(page.get_by_role("grid")).to_be_visible()


def marks(page: Page) -> list[str]:
    """Return a letter for each cell: its mark, or + and - if it is staged."""
    rows = page.locator("tr[data-person]").evaluate_all(
        """rows => {
          const staged = ({ classList }) => classList.contains("p") ? "+" : classList.contains("m") && "-";
          const letter = (cell) => staged(cell) || cell.className[0];
          return rows.map(row => [...row.querySelectorAll("td")].map(letter).join(""));
        }"""
    )
    return [*rows]


def focus(page: Page, row: int = 0, column: int = 0) -> None:
    """Focus a cell, as Tab does, without a click, which would toggle it."""
    page.locator("tr[data-person]").nth(row).locator("td").nth(column).evaluate(
        "cell => { cell.tabIndex = 0; cell.focus(); }"
    )


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def leave(page: Page) -> list[str]:
    """Accept the question whether to leave staged changes; the list will have the types of the dialogs."""
    asked: list[str] = []

    def accept(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.accept()

    page.on("dialog", accept)
    return asked


def apply(page: Page) -> None:
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_text("View or undo")).to_be_visible()


def assigned() -> set[Any]:
    return set(ServiceAssignment.objects.values_list("person__first_name", "service__name"))


def test_board_is_edited_like_a_sheet(page: Page, deal: Deal) -> None:
    asked = leave(page)
    open_board(page, deal)
    counts = page.get_by_role("status", name="Staged changes")
    assert marks(page) == ["ono", "oyo", "ono"]
    focus(page)
    press(page, "Space", "ArrowDown", "ArrowRight", "Delete", "End", "x")
    assert marks(page) == ["+no", "o-+", "ono"]
    expect(counts).to_have_text("+2 \N{MINUS SIGN}1")
    press(page, "Control+Home", "Shift+ArrowRight", "Shift+ArrowDown")
    assert page.evaluate(COPY) == "x\t\n\t"
    press(page, "Space")
    assert marks(page) == ["++o", "+y+", "ono"]
    press(page, "Control+z", "Control+z")
    assert marks(page) == ["+no", "o-o", "ono"]
    press(page, "Control+y")
    assert marks(page) == ["+no", "o-+", "ono"]
    # A block from a spreadsheet, with one cell outside of the board; then one mark for a block.
    press(page, "Control+End")
    page.evaluate(PASTE, "TRUE\t✓\r\n")
    press(page, "ArrowLeft", "Shift+Home")
    page.evaluate(PASTE, "1")
    assert marks(page) == ["+no", "o-+", "+++"]
    expect(page.locator("#board-messages")).to_have_text("2 cells changed.")
    # A block is dragged with the mouse.
    cells = page.locator("tr[data-person] td")
    cells.nth(7).hover()
    page.mouse.down()
    cells.nth(8).hover()
    page.mouse.up()
    press(page, "Delete")
    assert marks(page) == ["+no", "o-+", "+no"]
    press(page, "Control+z")
    # Titles and names toggle columns and rows.
    page.locator("thead th", has_text="Design").click()
    page.get_by_role("rowheader", name="Ana").click()
    assert marks(page) == ["+++", "o-+", "+++"]
    page.reload()
    assert asked == ["beforeunload"]
    assert marks(page) == ["+++", "o-+", "+++"]
    expect(counts).to_have_text("+7 \N{MINUS SIGN}1")
    page.locator("tr[data-person] td").nth(0).hover()
    expect(page.locator("#board-note")).to_contain_text(
        "Ana Horvat · Audit: will be added; now not assigned, but can track"
    )
    expect(page.locator("#board-note").get_by_role("link")).to_have_attribute(
        "href", f"/admin/access-check/?person={called('Ana').pk}&service={deal.services.get(name='Audit').pk}"
    )
    assert barriers(page) == []
    page.get_by_role("button", name="Discard all").click()
    assert marks(page) == ["ono", "oyo", "ono"]
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_contain_text("Copy and paste blocks")


def test_people_of_an_e_mail_are_staffed(page: Page, deal: Deal, organization: Organization) -> None:
    for name in ("Mia", "Noa"):
        person(organization, name)
    open_board(page, deal)
    page.evaluate(PASTE, "Hi,\nplease add Mia Horvat and noa@x.example\nHorvat, Eva\nNobody Known")
    messages = page.locator("#board-messages")
    expect(messages).to_contain_text("3 people added and selected")
    expect(messages).to_contain_text("Nobody Known")
    assert page.locator("tr[data-person] .board-name").all_inner_texts()[:3] == [
        "Eva Horvat",
        "Mia Horvat",
        "Noa Horvat",
    ]
    press(page, "Space", "Control+Enter")
    page.get_by_role("button", name="Also add 2 people to").click()
    expect(page.get_by_role("button", name="Leave this out")).to_be_visible()
    apply(page)
    assert assigned() == {(name, service) for name in ("Eva", "Mia", "Noa") for service in SERVICES}
    assert ProjectAssignment.objects.filter(project=deal.project).count() == 5
    expect(page.get_by_role("status", name="Staged changes")).to_have_text("")
    assert "applied" not in page.url


def test_export_is_imported_by_paste(page: Page, deal: Deal, organization: Organization) -> None:
    person(organization, "Mia")
    open_board(page, deal)
    focus(page)
    lines = [
        "Person\tE-mail\tDesign\tAudit\tOther",
        "Ana Horvat\t\tx\t\tx",
        "Eva Horvat\teva@x.example\t\tTRUE\t",
        "Mia Horvat\tmia@x.example\tx\tx\t",
    ]
    page.evaluate(PASTE, "\n".join(lines))
    expect(page.locator("#board-messages")).to_contain_text("4 cells changed.")
    assert marks(page) == ["+n+", "on+", "+yo", "ono"]
    leave(page)


def test_two_browsers_lose_nothing(page: Page, server: Server, deal: Deal) -> None:
    """Both change the board: each cell of one is applied, and a cell of both is shown to the second."""
    browser = page.context.browser
    assert browser is not None
    context = browser.new_context(
        base_url=f"http://{server.netloc}", storage_state=page.context.storage_state()
    )
    other = context.new_page()
    open_board(page, deal)
    focus(page)
    press(page, "Space", "ArrowDown", "ArrowRight", "Space")
    open_board(other, deal)
    focus(other, 2, 2)
    press(other, "Space", "Control+Enter")
    apply(other)
    context.close()
    care = deal.services.get(name="Care")
    ServiceAssignment.objects.get(person=called("Eva"), service=care).delete()
    again = ServiceAssignmentFactory(organization=deal.organization, person=called("Eva"), service=care)

    press(page, "Control+Enter")
    conflict = page.locator("section", has_text="Somebody else has changed these in the meantime")
    expect(conflict).to_contain_text("you remove it")
    apply(page)
    assert ServiceAssignment.objects.filter(pk=again.pk).exists()
    assert assigned() == {("Ana", "Audit"), ("Eva", "Care"), ("Iva", "Design")}
    assert marks(page) == ["ynn", "nyn", "nny"]


def test_board_is_a_form_without_scripts(page: Page, server: Server, deal: Deal) -> None:
    browser = page.context.browser
    assert browser is not None
    context = browser.new_context(
        base_url=f"http://{server.netloc}",
        storage_state=page.context.storage_state(),
        java_script_enabled=False,
    )
    plain = context.new_page()
    plain.goto(BUDGET.url(deal))
    plain.get_by_role("checkbox", name="Eva Horvat, Care").uncheck()
    plain.get_by_role("checkbox", name="Ana Horvat, Audit").check()
    plain.get_by_role("button", name="Review").click()
    expect(plain.get_by_role("heading", name="Effects on access")).to_be_visible()
    apply(plain)
    expect(plain.get_by_role("checkbox", name="Ana Horvat, Audit")).to_be_checked()
    context.close()
    assert assigned() == {("Ana", "Audit")}
