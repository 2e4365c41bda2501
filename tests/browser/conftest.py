"""Provide a real browser with a real server on the tests' database."""

from __future__ import annotations

import os
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.contrib.auth.models import Group
from django.test import Client
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Response,
    WebError,
    expect,
    sync_playwright,
)

from productive.accounts.models import Organization, User
from tests.browser import chromium
from tests.support.factories import UserFactory
from tests.support.servers import Server

# Milliseconds. Generous, because a machine that runs other tests is slow.
PATIENCE = 60_000
# Log violations to the console, where Watch finds them.
LOG_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (violation) =>
  console.error(`${violation.violatedDirective} refused ${violation.blockedURI}`));
"""


class Watch:
    """Record errors of all pages: of the console, scripts, responses, and requests to other hosts."""

    def __init__(self, context: BrowserContext, host: str) -> None:
        self.context, self.host = context, host
        self.faults: list[str] = []
        context.add_init_script(LOG_VIOLATIONS)
        context.on("console", self.hear)
        context.on("weberror", self.see_error)
        context.on("request", self.see_request)
        context.on("response", self.see_response)
        context.on("requestfailed", self.see_failure)

    def hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(f"console: {message.text} ({address(message.page)})")

    def see_error(self, error: WebError) -> None:
        self.faults.append(f"script: {error.error} ({address(error.page)})")

    def see_request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob") and parts.netloc != self.host:
            self.faults.append(f"another host: {request.url}")

    def see_response(self, response: Response) -> None:
        if response.status >= 400:
            self.faults.append(f"{response.status}: {response.url}")

    def see_failure(self, request: Request) -> None:
        # Leaving a page aborts its pending requests.
        if request.failure != "net::ERR_ABORTED":
            self.faults.append(f"{request.failure}: {request.url}")


def address(page: Page | None) -> str:
    return page.url if page else "no page"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    executable = chromium.find()
    if executable is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(chromium.MISSING)
    with pytest.MonkeyPatch.context() as environment, sync_playwright() as playwright:
        # Playwright runs an event loop in this thread, so Django would reject the tests' queries.
        environment.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        expect.set_options(timeout=PATIENCE)
        browser = playwright.chromium.launch(executable_path=executable)
        yield browser
        browser.close()


@pytest.fixture
def watch(browser: Browser, transactional_db: None, server: Server) -> Iterator[Watch]:
    """Watch a new browser context. Recorded errors fail the test at its end."""
    context = browser.new_context(
        base_url=f"http://{server.netloc}",
        viewport={"width": 1280, "height": 800},
        reduced_motion="reduce",
        # That of the tests' organizations; with another one, date fields show a warning.
        timezone_id="Europe/Zagreb",
    )
    context.set_default_timeout(PATIENCE)
    watch = Watch(context, server.netloc)
    yield watch
    context.close()
    assert watch.faults == []


@pytest.fixture
def visitor(watch: Watch) -> Page:
    """A page without a signed-in user."""
    return watch.context.new_page()


@pytest.fixture
def operator(transactional_db: None) -> User:
    """A user of an organization's operations staff."""
    user = UserFactory(is_staff=True)
    user.groups.add(Group.objects.get(name="Operations"))
    return user


@pytest.fixture
def organization(operator: User) -> Organization:
    """The organization that `operator` works in."""
    return Organization.objects.of(operator).get()


@pytest.fixture
def page(visitor: Page, operator: User, server: Server) -> Page:
    """A page with `operator` signed in, without using the sign-in form."""
    client = Client()
    client.force_login(operator)
    session = client.cookies[settings.SESSION_COOKIE_NAME]
    visitor.context.add_cookies(
        [{"name": session.key, "value": session.value, "url": f"http://{server.netloc}"}]
    )
    return visitor
