"""Run bulk actions as a browser does, from the list to the preview and back."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from django.contrib.messages import get_messages
from django.db.models import Model
from django.test import Client

from tests.support.admin import press, url


def start(
    client: Client, action: str, rows: Iterable[Any], *, model: type[Model] | None = None, **data: Any
) -> Any:
    """Choose the action in the list of the rows."""
    rows = list(rows)
    ids = [getattr(row, "pk", row) for row in rows]
    address = url(model or type(rows[0]), "changelist")
    return client.post(address, {"action": action, "index": 0, "_selected_action": ids, **data})


def preview(client: Client, action: str, rows: Iterable[Any], chosen: Iterable[Any] = (), **data: Any) -> Any:
    page = start(client, action, rows, **data)
    if ids := [getattr(row, "pk", row) for row in chosen]:
        page = press(client, page, "preview", chosen=ids)
    assert page.status_code == 200, page
    return page


def shown(page: Any) -> dict[str, list[str]]:
    """Return the groups of a preview that have lines, with these."""
    return {
        group.title: [": ".join([line.text, *line.notes]) for line in group.lines]
        for group in page.context["preview"].groups
        if group.lines
    }


def consequences(page: Any) -> tuple[list[str], list[str]]:
    """Return the sentences and lines of a preview about access."""
    found = page.context["preview"].consequences
    lines = [
        f"{group.title}: " + ": ".join([line.text, *line.notes])
        for group in found.groups
        for line in group.lines
    ]
    return [*found.warnings, *found.sentences], lines


def messages_of(response: Any) -> list[str]:
    """Return the messages of a response, without the link to undo."""
    return [re.sub(" <a .*</a>", "", str(message)) for message in get_messages(response.wsgi_request)]


def apply(client: Client, page: Any) -> list[str]:
    """Apply the preview, and return the messages."""
    response = press(client, page, "apply")
    location = response.headers.get("Location")
    assert (response.status_code, location) == (302, page.wsgi_request.get_full_path())
    messages = messages_of(response)
    client.get(response["Location"])
    return messages
