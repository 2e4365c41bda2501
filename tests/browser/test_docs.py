"""The API's page: Swagger UI, which shows the operations and sends requests."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from productive.accounts.models import ApiToken, Organization
from productive.jsonapi.schema.views import document
from tests.browser.axe import violations
from tests.browser.conftest import Watch
from tests.support.factories import ApiTokenFactory, PersonFactory

# Swagger UI logs this for a list of integers, and then shows a text field, as it should.
KNOWN_WARNING = "Could not find component: JsonSchema_integer_int64"

# Of Swagger UI itself: its light colors, and operations with a link inside a button.
KNOWN_VIOLATIONS = {"color-contrast", "nested-interactive"}


@pytest.fixture
def docs(visitor: Page, watch: Watch) -> Iterator[Page]:
    visitor.goto("/api/v2/docs")
    expect(visitor.get_by_role("heading", name="Productive: services and assignments")).to_be_visible()
    yield visitor
    watch.faults = [fault for fault in watch.faults if KNOWN_WARNING not in fault]


@pytest.fixture
def token(organization: Organization) -> ApiToken:
    return ApiTokenFactory(organization=organization)


def open_operation(page: Page, operation_id: str) -> Locator:
    operation = page.locator(f"[id$='-{operation_id}']")
    operation.get_by_role("button").first.click()
    return operation


def authorize(page: Page, header: str, value: str) -> None:
    page.get_by_role("button", name="Authorize", exact=True).first.click()
    form = page.locator(".auth-container").filter(has_text=header)
    form.get_by_role("textbox").fill(value)
    form.get_by_role("button", name="Apply credentials").click()
    form.get_by_role("button", name="Close").click()


def send(operation: Locator) -> tuple[str, str]:
    """Send the request; return the status and the body of the response."""
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    response = operation.locator(".live-responses-table .response")
    body = response.locator(".highlight-code code").first.inner_text()
    return response.locator(".response-col_status").inner_text().split()[0], body


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_page_shows_every_operation(docs: Page, width: int, scheme: str) -> None:
    docs.set_viewport_size({"width": width, "height": 800})
    docs.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    expect(docs.locator("html.dark-mode")).to_have_count(1 if scheme == "dark" else 0)
    expected = {(method.upper(), path) for path, methods in document()["paths"].items() for method in methods}
    # Zero-width spaces let long paths wrap.
    found = {
        tuple(summary.replace("\u200b", "").split("\n")[:2])
        for summary in docs.locator(".opblock-summary-control").all_inner_texts()
    }
    assert found == expected
    assert docs.evaluate("document.documentElement.scrollWidth") <= width
    assert {rule for rule, _, _ in violations(docs)} <= KNOWN_VIOLATIONS


def test_request_with_token_succeeds(docs: Page, token: ApiToken) -> None:
    person = PersonFactory(organization=token.organization, first_name="Ana")
    authorize(docs, "X-Auth-Token", token.name)
    authorize(docs, "X-Organization-Id", str(token.organization_id))
    operation = open_operation(docs, "people_list")
    status, body = send(operation)
    assert status == "200"
    assert str(person.pk) in [resource["id"] for resource in json.loads(body)["data"]]
    command = operation.locator(".curl-command").inner_text()
    assert f"X-Auth-Token: {token.name}" in command
    assert f"X-Organization-Id: {token.organization_id}" in command
    assert docs.evaluate("localStorage.length + sessionStorage.length") == 0


def test_example_of_a_new_record_is_created(docs: Page, token: ApiToken) -> None:
    authorize(docs, "X-Auth-Token", token.name)
    status, body = send(open_operation(docs, "service_types_create"))
    assert status == "201"
    assert json.loads(body)["data"]["attributes"]["name"] == "Design"


def test_request_without_token_shows_the_error(docs: Page, watch: Watch) -> None:
    status, body = send(open_operation(docs, "people_list"))
    assert status == "401"
    assert json.loads(body)["errors"][0]["code"] == "unauthenticated"
    watch.faults = [fault for fault in watch.faults if "401" not in fault]
