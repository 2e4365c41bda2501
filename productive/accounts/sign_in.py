"""Signing in to the admin, and what whoever failed too often is told."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, QueryDict

from productive.accounts.models import User
from productive.admin.theme import AuthenticationForm
from productive.database.validators import validate_portable_json


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
