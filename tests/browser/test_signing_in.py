from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from productive.accounts.models import User

PASSWORD = "correct horse battery staple"


@pytest.fixture
def user_with_password(operator: User) -> User:
    """The operator, with a password to type."""
    operator.set_password(PASSWORD)
    operator.save()
    return operator


def fill_in(page: Page, user: User, password: str) -> None:
    page.get_by_label("Username").fill(user.username)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


def test_login_redirects_to_requested_page_and_logout_ends_session(
    visitor: Page, user_with_password: User
) -> None:
    visitor.goto("/admin/catalog/servicetype/")
    fill_in(visitor, user_with_password, PASSWORD)
    expect(visitor.get_by_role("heading", level=1)).to_contain_text("Service types")

    visitor.get_by_role("button", name=user_with_password.username).click()
    visitor.get_by_role("button", name="Log out").click()
    expect(visitor).to_have_title("Logged out | Productive")
    visitor.goto("/admin/catalog/servicetype/")
    expect(visitor.get_by_role("button", name="Log in")).to_be_visible()


def test_wrong_password_shows_error_and_keeps_username(visitor: Page, user_with_password: User) -> None:
    visitor.goto("/admin/")
    fill_in(visitor, user_with_password, "wrong")
    expect(visitor.get_by_text("Please enter the correct username and password")).to_be_visible()
    expect(visitor.get_by_label("Username")).to_have_value(user_with_password.username)
    expect(visitor.get_by_label("Password")).to_have_value("")
