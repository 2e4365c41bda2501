"""Template tags for the admin pages of people and services.

The imports of `access_check` are inside the functions: it imports the theme, which renders a widget while it
is imported, and Django then imports all template tags.
"""

from __future__ import annotations

from typing import Any

from django import template
from django.urls import reverse
from django.utils.http import urlencode

from assignments.tracking import Kind

register = template.Library()


@register.inclusion_tag("admin/access_list.html", takes_context=True)
def access_list(context: Any, record: Any) -> dict[str, Any]:
    """List what a person can track on today, or who can track on a service."""
    from assignments.access_check import can_check_access, list_context

    request = context["request"]
    if not can_check_access(request):
        return {}
    return list_context(request, record, record.organization.today(), Kind.TIME)


@register.simple_tag(takes_context=True)
def access_url(context: Any, **params: int) -> str:
    """Return the URL of the Access check, or "" without permission."""
    from assignments.access_check import can_check_access

    return f"{reverse('access_check')}?{urlencode(params)}" if can_check_access(context["request"]) else ""


@register.simple_tag(takes_context=True)
def boards_of(context: Any, record: Any) -> list[tuple[str, str]]:
    """Return the titles and URLs of the record's boards that the user may view."""
    from assignments.board.boards import BOARDS

    boards = [board for board in BOARDS if board.owner is record._meta.model]
    return [(board.title, board.url(record)) for board in boards if board.may_view(context["request"])]
