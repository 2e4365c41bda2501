"""The models with a history, their change sets, and the pages that show and undo these."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.test import Client
from django.urls import reverse

from productive.accounts.models import ApiToken, User
from tests.support.admin import delete, form_data, save, url

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


def changes(client: Client, **query: str) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the change sets, newest first: the author, and what happened to which object."""
    response = client.get(reverse("admin:changes"), query)
    assert response.status_code == 200
    return [
        (found.author, [(entry.label, entry.verb) for entry in found.entries])
        for found in response.context["sets"]
    ]


def latest_set(model: type[Any], pk: int) -> str:
    return str(model.history.filter(id=pk).latest("history_id").change_set)


def undo(client: Client, pk: str) -> dict[str, list[tuple[str, ...]]]:
    """Preview and undo a change set; return the labels and notes of the preview by title."""
    address = reverse("admin:undo", args=[pk])
    page = client.get(address)
    assert page.status_code == 200
    preview = page.context["preview"]
    response = client.post(address, {"digest": preview.digest, "_number": preview.removed})
    assert response.status_code == (302 if preview.can_apply else 200)
    return {
        group.title: [(line.text, *line.notes) for line in group.lines]
        for group in preview.groups
        if group.lines
    }


def edit(client: Client, record: Any, **fields: Any) -> None:
    address = url(type(record), "change", record.pk)
    assert save(client, address, {**form_data(client, address), **fields}).status_code == 302


def remove(client: Client, record: Any) -> None:
    assert delete(client, record).status_code == 302
