"""The bulk actions of the admin."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from assignments.models import ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from assignments.related_bulk import (
    AssigneesToProjects,
    ChangeRelation,
    RelatedPairing,
    RelatedStamp,
    SwitchOn,
)
from catalog.models import Deal, Project, Service, ServiceType
from productive.accounts.owned_admin import ARCHIVE, RESTORE
from productive.admin.bulk.pairs import Pairing, Unpairing
from productive.admin.bulk.rows import DELETE, Stamp
from productive.admin.forms import label_of
from productive.admin.record_merges.views import merge_records

# --- on people ------------------------------------------------------------------------------------

ASSIGN_TO_SERVICES = Pairing(
    name="assign_to_services",
    title="Assign to services",
    model=ServiceAssignment,
    selected="person",
    other="service",
    message="Assigned {selected} to {other}",
)
ADD_TO_PROJECTS = Pairing(
    name="add_to_projects",
    title="Add to projects",
    model=ProjectAssignment,
    selected="person",
    other="project",
    message="Added {selected} to {other}",
)
GIVE_SERVICE_TYPES = Pairing(
    name="give_service_types",
    title="Give service types",
    model=ServiceTypeAssignment,
    selected="person",
    other="service_type",
    message="Gave {selected} {other}",
)

# --- on services ----------------------------------------------------------------------------------

ASSIGN_PEOPLE = Pairing(
    name="assign_people",
    title="Assign people",
    model=ServiceAssignment,
    selected="service",
    other="person",
    message="Assigned {other} to {selected}",
)
COPY_ASSIGNMENTS = Pairing(
    name="copy_assignments",
    title="Copy the assignments of another service",
    help="People assigned to these are assigned to the selected services too, except archived people.",
    model=ServiceAssignment,
    selected="service",
    other="person",
    copies=True,
    message="Assigned {other} to {selected}",
)
UNASSIGN_PEOPLE = Unpairing(
    name="unassign_people",
    title="Unassign people",
    model=ServiceAssignment,
    selected="service",
    other="person",
    message="Unassigned {other} from {selected}",
)

ADD_PEOPLE_TO_PROJECTS = RelatedPairing(
    name="add_people_to_projects",
    title="Add people to the projects",
    path="deal__project",
    target=Project,
    model=ProjectAssignment,
    selected="project",
    other="person",
    message="Added {other} to {selected}",
)
ADD_ASSIGNEES_TO_PROJECTS = AssigneesToProjects(
    name="add_assignees_to_projects",
    title="Add the assignees to the projects",
    model=ProjectAssignment,
    selected="project",
    other="person",
    message="Added {other} to {selected}",
)
GIVE_TYPES_TO_PEOPLE = RelatedPairing(
    name="give_types_to_people",
    title="Give the service types to people",
    path="service_type",
    target=ServiceType,
    model=ServiceTypeAssignment,
    selected="service_type",
    other="person",
    message="Gave {other} {selected}",
)

# --- on projects ----------------------------------------------------------------------------------

ADD_PEOPLE = Pairing(
    name="add_people",
    title="Add people",
    model=ProjectAssignment,
    selected="project",
    other="person",
    message="Added {other} to {selected}",
)
COPY_MEMBERS = Pairing(
    name="copy_members",
    title="Copy the members of another project",
    help="Members of these are added to the selected projects too, except archived people.",
    model=ProjectAssignment,
    selected="project",
    other="person",
    copies=True,
    message="Added {other} to {selected}",
)
REMOVE_PEOPLE = Unpairing(
    name="remove_people",
    title="Remove people",
    model=ProjectAssignment,
    selected="project",
    other="person",
    message="Removed {other} from {selected}",
)

# --- on service types -----------------------------------------------------------------------------

GIVE_TO_PEOPLE = Pairing(
    name="give_to_people",
    title="Give to people",
    model=ServiceTypeAssignment,
    selected="service_type",
    other="person",
    message="Gave {other} {selected}",
)
REMOVE_FROM_PEOPLE = Unpairing(
    name="remove_from_people",
    title="Remove from people",
    model=ServiceTypeAssignment,
    selected="service_type",
    other="person",
    message="Removed {selected} from {other}",
)

# --- archive, close, delete -----------------------------------------------------------------------

CLOSE_DEALS = Stamp(name="close", title="Close", moment=Deal.moment)
OPEN_DEALS = Stamp(name="open", method="reopen", title="Reopen", moment=Deal.moment, clears=True)
CLOSE_DEALS_OF_SERVICES = RelatedStamp(
    name="close_budgets",
    method="close",
    title="Close the budgets",
    path="deal",
    target=Deal,
    moment=Deal.moment,
)
SWITCH_ON_TIME = SwitchOn(
    name="switch_on_time", title="Switch on time tracking", field_name="time_tracking_enabled"
)
SWITCH_ON_EXPENSES = SwitchOn(
    name="switch_on_expenses", title="Switch on expense tracking", field_name="expense_tracking_enabled"
)
ARCHIVE_SERVICE_TYPES = replace(
    ARCHIVE,
    note="Services of these types keep them, and access doesn't change. No other service can use them.",
)

REMOVE_SERVICE_ASSIGNMENTS = replace(
    DELETE,
    title="Remove",
    line=lambda row: f"{label_of(row.person)} → {label_of(row.service)}",
)
REMOVE_PROJECT_ASSIGNMENTS = replace(
    DELETE,
    title="Remove",
    line=lambda row: f"{label_of(row.person)} → {label_of(row.project)}",
)
REMOVE_SERVICE_TYPE_ASSIGNMENTS = replace(
    DELETE,
    title="Remove",
    line=lambda row: f"{label_of(row.person)} → {label_of(row.service_type)}",
)

# --- the actions of each list ---------------------------------------------------------------------

CHANGE_TYPE = ChangeRelation(
    name="change_type",
    title="Change type",
    relation=Service.service_type,
    help="Access of these services depends on it if their budgets are restricted by service type.",
)

ON_PEOPLE: list[Any] = [
    merge_records,
    ASSIGN_TO_SERVICES,
    ADD_TO_PROJECTS,
    GIVE_SERVICE_TYPES,
    ARCHIVE,
    RESTORE,
]
ON_PROJECTS: list[Any] = [ADD_PEOPLE, COPY_MEMBERS, REMOVE_PEOPLE, ARCHIVE, RESTORE]
ON_DEALS: list[Any] = [CLOSE_DEALS, OPEN_DEALS]
ON_SERVICES: list[Any] = [
    CHANGE_TYPE,
    ASSIGN_PEOPLE,
    COPY_ASSIGNMENTS,
    UNASSIGN_PEOPLE,
    ADD_PEOPLE_TO_PROJECTS,
    ADD_ASSIGNEES_TO_PROJECTS,
    GIVE_TYPES_TO_PEOPLE,
    SWITCH_ON_TIME,
    SWITCH_ON_EXPENSES,
    CLOSE_DEALS_OF_SERVICES,
]
ON_SERVICE_TYPES: list[Any] = [
    merge_records,
    GIVE_TO_PEOPLE,
    REMOVE_FROM_PEOPLE,
    ARCHIVE_SERVICE_TYPES,
    RESTORE,
]
