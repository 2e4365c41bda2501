"""Show times and read days in the admin as the user's organization does."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from productive.accounts.models import Organization
from productive.accounts.owned_admin import organizations_of
from productive.admin.days import override_day_order


class LocalTimeMiddleware:
    """Activate the time zone of the user's organization in the admin, and how it writes a day.

    For users of several organizations, the zone is UTC, and days are read in the order that all of them have;
    superusers of several have none.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path.startswith("/admin/") or not request.user.is_authenticated:
            return self.get_response(request)
        organizations = (
            Organization.objects.all()[:2] if request.user.is_superuser else organizations_of(request)
        )
        is_single = len(organizations) == 1
        orders = {one.day_order for one in organizations}
        order = orders.pop() if len(orders) == 1 and (is_single or not request.user.is_superuser) else ""
        with timezone.override(organizations[0].zone if is_single else None), override_day_order(order):
            return self.get_response(request)
