"""URLs of the admin's pages."""

from __future__ import annotations

from typing import Any

from django.db.models import Model
from django.urls import reverse
from django.utils.http import urlencode

from productive.database.moments import moment_of


def admin_url(model: type[Model], page: str, *args: Any) -> str:
    """Return the URL of an admin page, such as "changelist" or "change"."""
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def unhidden_list_url(model: type[Model], **query: Any) -> str:
    """Return the URL of a list with the archived or closed records, which it hides by default."""
    if (moment := moment_of(model)) is not None:
        query[moment.done] = "all"
    return f"{admin_url(model, 'changelist')}?{urlencode(query)}"
