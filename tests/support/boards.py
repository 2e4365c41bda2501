"""Build a budget with a staffing board, and read and review the board."""

from __future__ import annotations

import json
import re
from typing import Any

from django.test import Client

from assignments.board.boards import BUDGET
from assignments.models import ServiceAssignment
from catalog.models import Deal, Service
from productive.accounts.models import Person
from tests.support.factories import PersonFactory, ProjectAssignmentFactory, ServiceAssignmentFactory

ROW = re.compile(r'<tr data-person="(\d+)">(.*?)</tr>')
CELL = re.compile(r'<td class="(\w)"')
NAME = re.compile(r'class="board-name">(.*?)<')
GROUP = re.compile(r'<tr class="board-group [\w-]*">.*?<span>(.*?)</span>|class="board-name">(.*?)<')
FIELD = re.compile(r'<input type="(hidden|checkbox)" name="(row|cell|columns)" value="([^"]*)"([^>]*)>')


def person(deal: Deal, first: str, last: str, *, member: bool = False, **fields: Any) -> Person:
    row: Person = PersonFactory(organization=deal.organization, first_name=first, last_name=last, **fields)
    if member:
        ProjectAssignmentFactory(organization=deal.organization, project=deal.project, person=row)
    return row


def called(first: str) -> Person:
    return Person.objects.get(first_name=first)


def service(name: str) -> Service:
    return Service.objects.get(name=name)


def assign(first: str, name: str) -> ServiceAssignment:
    row: ServiceAssignment = ServiceAssignmentFactory(
        organization=service(name).organization, person=called(first), service=service(name)
    )
    return row


def assigned() -> set[tuple[str, str]]:
    return set(ServiceAssignment.objects.values_list("person__first_name", "service__name"))


def board(client: Client, address: str) -> dict[str, str]:
    """Return the marks of each row."""
    page = client.get(address)
    assert page.status_code == 200
    return {
        NAME.search(row)[1]: "".join(CELL.findall(row))  # type: ignore[index]
        for _, row in ROW.findall(page.content.decode())
    }


def groups(client: Client, address: str) -> list[str]:
    """Return the names, with the headings in brackets."""
    found = GROUP.findall(client.get(address).content.decode())
    return [f"[{heading}]" if heading else name for heading, name in found]


def change(first: str, name: str, to: int, seen: int = 0) -> list[int]:
    return [called(first).pk, service(name).pk, to, seen]


def review(client: Client, deal: Deal, *changes: list[int], **data: Any) -> Any:
    return client.post(BUDGET.url(deal), {"changes": json.dumps(changes), "step": "preview", **data})


def form_of(page: Any) -> dict[str, Any]:
    """Return what a browser without JavaScript sends."""
    fields: dict[str, Any] = {"cell": [], "row": []}
    for kind, name, value, rest in FIELD.findall(page.content.decode()):
        if kind == "hidden" or "checked" in rest:
            fields.setdefault(name, []).append(value)
    return fields
