"""Use the admin through a socket."""

from __future__ import annotations

import html
from http.cookiejar import CookieJar
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, build_opener

from tests.support.admin import HIDDEN


class Visitor:
    """A client that keeps cookies and follows redirects. Raise HTTPError for a status other than 200."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.cookies = CookieJar()
        self.opener = build_opener(HTTPCookieProcessor(self.cookies))

    def get(self, path: str) -> str:
        return self.open(path)

    def post(self, path: str, **data: str) -> str:
        """Send the form of the page with its hidden fields."""
        hidden = {name: html.unescape(value) for name, value in HIDDEN.findall(self.open(path))}
        return self.open(path, urlencode({**hidden, **data}).encode())

    def sign_in(self, username: str, password: str) -> None:
        page = self.post("/admin/login/", username=username, password=password, next="/admin/")
        assert "/admin/logout/" in page

    def open(self, path: str, body: bytes | None = None) -> str:
        with self.opener.open(f"http://{self.address}{path}", body, timeout=30) as response:
            text: str = response.read().decode()
            return text
