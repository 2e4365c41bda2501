"""Leave forms and return to them: Back, warnings, sessions that end, and two users at once."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from playwright.sync_api import Dialog, Page, expect

from catalog.models import ServiceType
from productive.accounts.models import Organization, User
from tests.browser.axe import barriers
from tests.browser.conftest import Watch
from tests.browser.steps import lines_under, run_action, save
from tests.support.factories import PersonFactory, ServiceTypeFactory, UserFactory

PASSWORD = "correct horse battery staple"


@pytest.fixture
def kind(organization: Organization) -> ServiceType:
    return ServiceTypeFactory(organization=organization, name="Design", description="One")


def sign_in(page: Page, user: User) -> None:
    user.set_password(PASSWORD)
    user.save()
    page.get_by_label("Username").fill(user.username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()


def test_two_users_edit_one_record(page: Page, kind: ServiceType) -> None:
    address = f"/admin/catalog/servicetype/{kind.pk}/change/"
    page.goto(address)
    kind.name, kind.description = "Product design", "Two"
    kind.save()
    page.get_by_label("Name").fill("UX")
    save(page)
    question = page.get_by_role("group", name="Name")
    expect(question.get_by_role("radio").first).to_be_focused()
    assert barriers(page) == []
    # Enter presses Save, and the browser asks for the choice.
    page.keyboard.press("Enter")
    expect(question).to_be_visible()
    page.keyboard.press("Space")
    expect(question.get_by_label("Your value")).to_be_checked()
    page.keyboard.press("Enter")
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    kind.refresh_from_db()
    assert (kind.name, kind.description) == ("UX", "Two")

    # Back restores what was typed, together with what the form showed then.
    kind.name = "Design"
    kind.save()
    page.goto(address)
    page.get_by_label("Name").fill("Typed")
    save(page)
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    kind.name = "Later"
    kind.save()
    page.go_back()
    expect(page.get_by_label("Name")).to_have_value("Typed")
    save(page)
    expect(question).to_contain_text("Saved by")
    kind.refresh_from_db()
    assert kind.name == "Later"


def test_leaving_a_changed_form_warns(page: Page, kind: ServiceType) -> None:
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", stay)
    page.goto(f"/admin/catalog/servicetype/{kind.pk}/change/")
    menu = page.get_by_role("link", name="Service types").first
    page.get_by_label("Name").fill("UX")
    page.get_by_label("Name").fill("Design")
    menu.click()
    expect(page.get_by_role("row", name="Design")).to_be_visible()
    assert asked == []

    page.get_by_role("row", name="Design").get_by_role("link", name="Design").click()
    page.get_by_label("Name").fill("UX")
    menu.click()
    expect(page.get_by_label("Name")).to_have_value("UX")
    assert asked == ["beforeunload"]
    save(page)
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    assert asked == ["beforeunload"]


def test_back_shows_the_preview_again(page: Page, organization: Organization) -> None:
    for name in ("Ana", "Bo"):
        PersonFactory(organization=organization, first_name=name, last_name="Z", email=None)
    page.goto("/admin/accounts/person/")
    run_action(page, "Archive…", "Ana Z")
    assert lines_under(page, "Will be archived") == ["Ana Z"]
    page.reload()
    assert lines_under(page, "Will be archived") == ["Ana Z"]
    page.get_by_role("button", name="Archive: 1 person").dblclick()
    expect(page.get_by_role("link", name="View or undo")).to_be_visible()
    page.go_back()
    expect(page.get_by_text("There is nothing to do.")).to_be_visible()
    page.get_by_role("link", name="Back to the list").click()
    expect(page.get_by_role("row", name="Bo Z")).to_be_visible()


def test_form_survives_a_session_that_ended(
    page: Page, kind: ServiceType, operator: User, watch: Watch
) -> None:
    page.goto(f"/admin/catalog/servicetype/{kind.pk}/change/")
    page.get_by_label("Name").fill("UX")
    Session.objects.all().delete()
    save(page)
    sign_in(page, operator)
    expect(page.get_by_label("Name")).to_have_value("UX")
    kind.refresh_from_db()
    assert kind.name == "Design"

    # The same user has signed in in another window, so that the form's CSRF token is invalid.
    page.context.clear_cookies(name=settings.CSRF_COOKIE_NAME)
    page.get_by_label("Name").fill("UI")
    save(page)
    page.get_by_role("link", name="Open the form again").click()
    expect(page.get_by_label("Name")).to_have_value("UI")
    assert all("403" in fault for fault in watch.faults)
    watch.faults.clear()

    # The form is dropped if another user signs in.
    Session.objects.all().delete()
    page.get_by_label("Name").fill("Secret")
    save(page)
    other = UserFactory(is_staff=True, organization=kind.organization)
    other.groups.set(operator.groups.all())
    sign_in(page, other)
    expect(page.get_by_label("Name")).to_have_value("Design")
    assert "Secret" not in page.evaluate("JSON.stringify(sessionStorage)")


def test_list_is_used_by_keyboard(page: Page, organization: Organization) -> None:
    for name in ("Ana", "Bo", "Cy"):
        PersonFactory(organization=organization, first_name=name, last_name="Z", email=None)
    page.goto("/admin/accounts/person/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#content")).to_be_focused()
    page.keyboard.press("?")
    keys = page.get_by_role("dialog", name="Keys")
    expect(keys).to_be_visible()
    assert barriers(page) == []
    page.keyboard.press("Escape")
    expect(keys).to_be_hidden()
    for key in ("j", "x", "ArrowDown", "Space", "j", "k"):
        page.keyboard.press(key)
    for name, is_chosen in (("Ana", True), ("Bo", True), ("Cy", False)):
        row = page.get_by_role("row", name=name).get_by_role("checkbox")
        expect(row).to_be_checked(checked=is_chosen)
    expect(page.get_by_role("row", name="Bo").get_by_role("checkbox")).to_be_focused()
    page.keyboard.press("a")
    expect(page.get_by_role("combobox", name="Action")).to_be_focused()
    assert barriers(page) == []
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    expect(page.get_by_label("First name")).to_be_visible()
