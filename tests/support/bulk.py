"""Walks through a bulk action as a browser does: from the list to the preview, and back."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from typing import Any

from django.contrib.messages import get_messages
from django.db.models import Model
from django.test import Client

from tests.support.admin import url

HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')


def start(
    client: Client, action: str, rows: Iterable[Any], *, model: type[Model] | None = None, **data: Any
) -> Any:
    """Choose the action in the list of the rows."""
    rows = list(rows)
    ids = [getattr(row, "pk", row) for row in rows]
    address = url(model or type(rows[0]), "changelist")
    return client.post(address, {"action": action, "index": 0, "_selected_action": ids, **data})


def sent_by(page: Any) -> dict[str, list[str]]:
    """What the form on the page would send besides its button."""
    sent: dict[str, list[str]] = {}
    for name, value in HIDDEN.findall(page.content.decode()):
        sent.setdefault(name, []).append(html.unescape(value))
    return sent


def go_on(client: Client, page: Any, step: str, **data: Any) -> Any:
    """Press a button of the page."""
    request = page.wsgi_request
    return client.post(request.get_full_path(), {**sent_by(page), "step": step, **data})


def preview(client: Client, action: str, rows: Iterable[Any], chosen: Iterable[Any] = (), **data: Any) -> Any:
    page = start(client, action, rows, **data)
    if ids := [getattr(row, "pk", row) for row in chosen]:
        page = go_on(client, page, "preview", chosen=ids)
    assert page.status_code == 200, page
    return page


def told(page: Any) -> dict[str, list[str]]:
    """The groups of a preview that have lines, with these."""
    groups = page.context["plan"].groups
    return {
        group.title: [f"{line.text}: {line.note}" if line.note else line.text for line in group.lines]
        for group in groups
        if group.lines
    }


def meaning(page: Any) -> tuple[list[str], list[str]]:
    """What a preview says of access: its sentences, and its lines."""
    consequences = page.context["plan"].consequences
    lines = [f"{line.text}: {line.note}" for group in consequences.groups for line in group.lines]
    return list(consequences.sentences), lines


def apply(client: Client, page: Any) -> list[str]:
    """Do what the preview shows; what is said afterwards, but for the link to undo it."""
    answer = go_on(client, page, "apply")
    assert (answer.status_code, answer.headers.get("Location")) == (302, page.wsgi_request.get_full_path())
    said = [re.sub(" <a .*</a>", "", str(message)) for message in get_messages(answer.wsgi_request)]
    client.get(answer["Location"])
    return said
