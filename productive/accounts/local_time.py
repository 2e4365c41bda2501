"""Show times in the admin in the time zone of the user's organization."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from productive.accounts.models import Organization
from productive.accounts.owned_admin import organizations_of


class LocalTimeMiddleware:
    """Activate the time zone of the user's organization in the admin.

    For users of several organizations, it is UTC.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path.startswith("/admin/") or not request.user.is_authenticated:
            return self.get_response(request)
        organizations = (
            Organization.objects.all()[:2] if request.user.is_superuser else organizations_of(request)
        )
        with timezone.override(organizations[0].zone if len(organizations) == 1 else None):
            return self.get_response(request)
