"""Repair what keeps a person from tracking on a service, from the Access check page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from assignments import bulk
from assignments.tracking import Decision
from catalog.models import Deal, Project, Service
from productive.accounts.models import Person
from productive.accounts.owned_admin import RESTORE
from productive.admin.bulk.actions import BulkAction, Selection
from productive.admin.operations import Operation
from productive.admin.preview import Group, Line, Preview


@dataclass(frozen=True)
class Repair:
    """A bulk action on one record, which makes a check of the tracking rule pass.

    `record` and `chosen` are paths from the decision to the record, and to the one that is chosen for it.
    """

    text: str
    action: BulkAction
    model: type[Any]
    record: str
    chosen: str = ""

    def is_allowed(self, request: HttpRequest) -> bool:
        return self.action.is_allowed(admin.site.get_model_admin(self.model), request)

    def selection(self, request: HttpRequest, decision: Decision) -> Selection:
        ids = [attrgetter(path)(decision).pk for path in (self.record, self.chosen) if path]
        return Selection(admin.site.get_model_admin(self.model), request, ids[:1], ids[1:])


# The code of a failed check → its repair. Which dates of a budget are right is for the user to say.
REPAIRS = {
    "person_archived": Repair("Restore {person}", RESTORE, Person, "person"),
    "project_archived": Repair("Restore the project", RESTORE, Project, "service.deal.project"),
    "budget_closed": Repair("Reopen the budget", bulk.OPEN_DEALS, Deal, "service.deal"),
    "time_tracking_disabled": Repair("Switch on time tracking", bulk.SWITCH_ON_TIME, Service, "service"),
    "expense_tracking_disabled": Repair(
        "Switch on expense tracking", bulk.SWITCH_ON_EXPENSES, Service, "service"
    ),
    "not_project_member": Repair(
        "Add {person} to the project", bulk.ADD_TO_PROJECTS, Person, "person", "service.deal.project"
    ),
    "not_assigned": Repair(
        "Assign {person} to the service", bulk.ASSIGN_TO_SERVICES, Person, "person", "service"
    ),
    "service_type_not_assigned": Repair(
        "Give {person} the service type", bulk.GIVE_SERVICE_TYPES, Person, "person", "service.service_type"
    ),
}


def repairs_of(request: HttpRequest, decision: Decision) -> dict[str, str]:
    """Return the texts of the repairs that the user may make, by the code of the failed check."""
    return {
        reason.code: REPAIRS[reason.code].text.format(person=decision.person)
        for reason in decision.reasons
        if not decision.allowed and reason.code in REPAIRS and REPAIRS[reason.code].is_allowed(request)
    }


class AccessRepair(Operation):
    """Make several repairs in one change set."""

    def __init__(self, request: HttpRequest, decision: Decision, codes: Iterable[str]) -> None:
        self.parts = [(REPAIRS[code].action, REPAIRS[code].selection(request, decision)) for code in codes]

    def attempt(self, *, apply: bool) -> Preview:
        previews = []
        for action, selection in self.parts:
            rows, preview = action.plan(replace(selection, locks=apply))
            if rows:
                action.write(rows)
            previews.append(preview)
        message = " ".join(preview.message for preview in previews if preview.can_apply)
        groups = merge_groups(group for preview in previews for group in preview.groups)
        return Preview(groups, "Repair", message)


def merge_groups(groups: Iterable[Group]) -> Sequence[Group]:
    """Merge the groups with the same title and outcome."""
    lines: dict[tuple[str, Any], list[Line]] = {}
    for group in groups:
        lines.setdefault((group.title, group.outcome), []).extend(group.lines)
    return [Group(*key, found) for key, found in lines.items()]
