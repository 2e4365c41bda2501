"""The models with a history, and their change sets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.test import Client

from productive.accounts.models import ApiToken, User

Records = Callable[[], list[tuple[Any, ...]]]
APPS = ("accounts", "catalog", "assignments")
HISTORIES: list[Any] = [
    model for app in APPS for model in apps.get_app_config(app).get_models() if hasattr(model, "change_set")
]
RECORDED: list[Any] = [history.instance_type for history in HISTORIES]
# Fields without history: secrets, and fields that change with every use.
LEFT_OUT = {
    User: {"password", "last_login", "signed_out_at", "import_headings"},
    ApiToken: {"digest", "last_used_at"},
}

every_recorded_model = pytest.mark.parametrize("model", RECORDED, ids=lambda model: model.__name__)


def change_sets() -> list[Any]:
    """Return the change sets of all records, the latest last."""
    rows = [row for history in HISTORIES for row in history.objects.values_list("history_date", "change_set")]
    return [change for _, change in sorted(rows)]


def user_of(client: Client) -> int:
    return int(client.session["_auth_user_id"])
