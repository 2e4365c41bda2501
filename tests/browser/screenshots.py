"""Take the pictures of docs/admin.md (`make screenshots`). pytest doesn't collect this module."""

from __future__ import annotations

from io import StringIO

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db.models import Count
from playwright.sync_api import Page, expect

from assignments.board.boards import PROJECT
from catalog.models import Deal, Project
from productive.accounts.models import Person, User
from productive.admin.forms import label_of
from tests.browser.steps import choose, lines_under, run_action
from tests.support.servers import ROOT

IMAGES = ROOT / "docs" / "images"


@pytest.fixture
def operator(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> User:
    """A project manager of the agency that `seed` creates."""
    # The history names this user as the command's; don't show one of this machine.
    monkeypatch.setenv("LOGNAME", "set-up")
    call_command("seed", stdout=StringIO())
    person = Person.objects.active().filter(title="Project Manager").earliest("pk")
    # By methods that write no history, because the pictures show recent changes.
    [user] = User.objects.bulk_create(
        [
            User(
                username=person.first_name.lower(),
                first_name=person.first_name,
                last_name=person.last_name,
                is_staff=True,
            )
        ]
    )
    user.groups.add(Group.objects.get(name="Operations"))
    Person.objects.filter(pk=person.pk).update(user=user)
    return user


def take(page: Page, name: str) -> None:
    page.screenshot(path=IMAGES / f"{name}.png")


def test_pictures_are_taken(page: Page) -> None:
    IMAGES.mkdir(exist_ok=True)
    deal = Deal.objects.open().filter(person_restricted_tracking=True).earliest("pk")
    page.goto("/admin/accounts/person/")
    expect(page.get_by_role("rowheader").first).to_be_visible()
    take(page, "list")

    page.goto("/admin/accounts/person/?q=Ana")
    names = page.get_by_role("rowheader").all_inner_texts()[:3]
    run_action(page, "Assign to services…", *names)
    box = page.get_by_role("combobox", name="Services").get_by_role("searchbox")
    for service in deal.services.order_by("name")[:2]:
        choose(page, box, f"{service.name} {deal.name}", label_of(service))
    page.get_by_role("button", name="Preview").click()
    lines_under(page, "Will be created")
    take(page, "bulk-preview")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_text("new service assignments")).to_be_visible()

    page.goto(f"/admin/catalog/deal/{deal.pk}/change/")
    page.get_by_role("group", name="Services").evaluate("lines => lines.scrollIntoView()")
    take(page, "budget")

    project = Project.objects.active().annotate(n=Count("deals__services")).order_by("-n", "pk")[0]
    page.goto(PROJECT.url(project))
    cells = page.locator("tr[data-person] td.n")
    for number in (0, 3, 4):
        cells.nth(number).click()
    page.locator("tr[data-person] td.y").last.click()
    page.locator("tr[data-person] td.v").first.hover()
    expect(page.get_by_role("status", name="Staged changes")).to_contain_text("+")
    page.locator(".board-scroll").evaluate("box => { box.scrollLeft = 0; }")
    take(page, "board")

    page.on("dialog", lambda dialog: dialog.accept())
    page.goto("/admin/")
    expect(page.get_by_role("heading", name="Needs attention")).to_be_visible()
    take(page, "dashboard")
    page.emulate_media(color_scheme="dark")
    page.reload()
    expect(page.locator("html")).to_have_class("dark")
    take(page, "dashboard-dark")
