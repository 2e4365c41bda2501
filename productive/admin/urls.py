"""URLs of the admin's pages."""

from __future__ import annotations

from typing import Any

from django.db.models import Model
from django.urls import reverse


def admin_url(model: type[Model], page: str, *args: Any) -> str:
    """Return the URL of an admin page, such as "changelist" or "change"."""
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)
