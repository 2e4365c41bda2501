"""What the user of a request may view in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest


def can_view(request: HttpRequest, *models: type[Model]) -> bool:
    """Return whether the user has the permission to view all of these models."""
    return all(admin.site.get_model_admin(model).has_view_permission(request) for model in models)


def visible_rows(request: HttpRequest, model: type[Model]) -> Any:
    """Return the rows that the user sees in the admin."""
    return admin.site.get_model_admin(model).get_queryset(request)
