"""What the pages of lower rooms show of the assignments: their templates ask, their code doesn't know.

The theme draws a widget while it is imported, and Django then imports all tags: they import the page only
when they are drawn, for it imports the theme.
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
    """What this person can track on today, or who can track on this service."""
    from assignments.access_check import list_for, may_check

    request = context["request"]
    if not may_check(request):
        return {}
    return list_for(request, record, record.organization.today(), Kind.TIME)


@register.simple_tag(takes_context=True)
def access_url(context: Any, **asked: int) -> str:
    """Where the Access check answers for this person or service; nowhere for those whom it doesn't."""
    from assignments.access_check import may_check

    return f"{reverse('access_check')}?{urlencode(asked)}" if may_check(context["request"]) else ""
