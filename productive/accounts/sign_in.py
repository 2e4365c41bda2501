"""Signing in to the admin: where from, and what whoever failed too often is told."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, QueryDict

from productive.accounts.models import User
from productive.admin.theme import AuthenticationForm
from productive.constraints import validate_portable_json


class SignInForm(AuthenticationForm):
    def clean(self) -> Any:
        """Refuse what no user is called, or no database could look up or note down."""
        try:
            for sent in (self.request.GET, self.request.POST):
                validate_portable_json(dict(sent.lists()))
            User._meta.get_field("username").run_validators(self.cleaned_data.get("username", ""))
        except ValidationError:
            # Nor can a page show it again.
            self.data = QueryDict()
            raise self.get_invalid_login_error() from None
        return super().clean()

    def get_invalid_login_error(self) -> ValidationError:
        if getattr(self.request, "axes_locked_out", False):
            return ValidationError(
                "Too many failed sign-ins with this user name. Wait ten minutes, then try again.",
                code="locked",
            )
        return super().get_invalid_login_error()


def locked_out(request: HttpRequest, response: HttpResponse, credentials: Any) -> HttpResponse:
    """The sign-in page as it is, which says why; under the status of too many requests."""
    response.status_code = 429
    return response


def address_of(request: HttpRequest) -> str | None:
    """The client's, as our own proxy saw it; without a proxy, the other end of the connection."""
    seen = [request.META.get("REMOTE_ADDR", "")]
    if settings.TRUST_PROXY:
        # The client may send entries of its own; the proxy appends the true one.
        seen.insert(0, request.META.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2].strip())
    return next((address for address in map(plain_address, seen) if address), None)


def plain_address(text: str) -> str | None:
    """An address that a database can keep: without a zone, and None for what is no address."""
    try:
        return str(ip_address(text.partition("%")[0]))
    except ValueError:
        return None
