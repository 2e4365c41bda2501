"""Pages of the admin site other than Django's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.template.response import TemplateResponse


def render_page(request: HttpRequest, template: str, context: Mapping[str, Any]) -> TemplateResponse:
    """Return a page of the site, with the variables of its menu and header."""
    return TemplateResponse(request, template, {**admin.site.each_context(request), **context})
