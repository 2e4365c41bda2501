"""What the pages of lower rooms show of the assignments: their templates ask, their code doesn't know."""

from __future__ import annotations

from typing import Any

from django import template

from assignments.access_check import list_for, may_check
from assignments.tracking import Kind

register = template.Library()


@register.inclusion_tag("admin/access_list.html", takes_context=True)
def access_list(context: Any, record: Any) -> dict[str, Any]:
    """What this person can track on today, or who can track on this service."""
    request = context["request"]
    if not may_check(request):
        return {}
    return list_for(request, record, record.organization.today(), Kind.TIME)


@register.simple_tag(takes_context=True)
def may_check_access(context: Any) -> bool:
    return may_check(context["request"])
