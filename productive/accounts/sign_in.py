"""Sign in to the admin."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, QueryDict

from productive.accounts.models import User
from productive.admin.theme import AuthenticationForm
from productive.database.validators import validate_portable_json


class SignInForm(AuthenticationForm):
    def clean(self) -> Any:
        """Reject invalid user names, and text that a database can't store."""
        try:
            for params in (self.request.GET, self.request.POST):
                validate_portable_json(dict(params.lists()))
            User._meta.get_field("username").run_validators(self.cleaned_data.get("username", ""))
        except ValidationError:
            # The page can't show such text again.
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


def lockout_response(request: HttpRequest, response: HttpResponse, credentials: Any) -> HttpResponse:
    """Return the sign-in page, which shows the error, with status 429."""
    response.status_code = 429
    return response
