"""The bulk actions of the admin, with their consequences for access."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from assignments import consequences
from assignments.models import ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from assignments.related_bulk import AssigneesToProjects, RelatedPairing, RelatedStamp, SwitchOn
from catalog.models import Deal, Project, ServiceType
from productive.accounts.owned_admin import ARCHIVE, RESTORE
from productive.admin.bulk.pairs import Pairing, Unpairing
from productive.admin.bulk.rows import DELETE, Stamp
from productive.admin.forms import label_of

watch_new_service_assignments = consequences.watch_access(
    consequences.services_of_service_assignments, assigns=True
)
watch_service_assignments = consequences.watch_access(consequences.services_of_service_assignments)
watch_project_assignments = consequences.watch_access(consequences.services_of_project_assignments)
watch_service_type_assignments = consequences.watch_access(consequences.services_of_service_type_assignments)

# --- on people ------------------------------------------------------------------------------------

ASSIGN_TO_SERVICES = Pairing(
    name="assign_to_services",
    title="Assign to services",
    model=ServiceAssignment,
    selected="person",
    other="service",
    message="Assigned {selected} to {other}",
    watch=watch_new_service_assignments,
)
ADD_TO_PROJECTS = Pairing(
    name="add_to_projects",
    title="Add to projects",
    model=ProjectAssignment,
    selected="person",
    other="project",
    message="Added {selected} to {other}",
    watch=watch_project_assignments,
)
GIVE_SERVICE_TYPES = Pairing(
    name="give_service_types",
    title="Give service types",
    model=ServiceTypeAssignment,
    selected="person",
    other="service_type",
    message="Gave {selected} {other}",
    watch=watch_service_type_assignments,
)

# --- on services ----------------------------------------------------------------------------------

ASSIGN_PEOPLE = Pairing(
    name="assign_people",
    title="Assign people",
    model=ServiceAssignment,
    selected="service",
    other="person",
    message="Assigned {other} to {selected}",
    watch=watch_new_service_assignments,
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
    watch=watch_new_service_assignments,
)
UNASSIGN_PEOPLE = Unpairing(
    name="unassign_people",
    title="Unassign people",
    model=ServiceAssignment,
    selected="service",
    other="person",
    message="Unassigned {other} from {selected}",
    watch=watch_service_assignments,
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
    watch=watch_project_assignments,
)
ADD_ASSIGNEES_TO_PROJECTS = AssigneesToProjects(
    name="add_assignees_to_projects",
    title="Add the assignees to the projects",
    model=ProjectAssignment,
    selected="project",
    other="person",
    message="Added {other} to {selected}",
    watch=watch_project_assignments,
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
    watch=watch_service_type_assignments,
)

# --- on projects ----------------------------------------------------------------------------------

ADD_PEOPLE = Pairing(
    name="add_people",
    title="Add people",
    model=ProjectAssignment,
    selected="project",
    other="person",
    message="Added {other} to {selected}",
    watch=watch_project_assignments,
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
    watch=watch_project_assignments,
)
REMOVE_PEOPLE = Unpairing(
    name="remove_people",
    title="Remove people",
    model=ProjectAssignment,
    selected="project",
    other="person",
    message="Removed {other} from {selected}",
    watch=watch_project_assignments,
)

# --- on service types -----------------------------------------------------------------------------

GIVE_TO_PEOPLE = Pairing(
    name="give_to_people",
    title="Give to people",
    model=ServiceTypeAssignment,
    selected="service_type",
    other="person",
    message="Gave {other} {selected}",
    watch=watch_service_type_assignments,
)
REMOVE_FROM_PEOPLE = Unpairing(
    name="remove_from_people",
    title="Remove from people",
    model=ServiceTypeAssignment,
    selected="service_type",
    other="person",
    message="Removed {selected} from {other}",
    watch=watch_service_type_assignments,
)

# --- archive, close, delete -----------------------------------------------------------------------

watch_people = consequences.watch_access(consequences.services_of_people)
watch_projects = consequences.watch_access(consequences.services_of_projects)
watch_deals = consequences.watch_access(consequences.services_of_deals)

ARCHIVE_PEOPLE = replace(ARCHIVE, watch=watch_people)
RESTORE_PEOPLE = replace(RESTORE, watch=watch_people)
ARCHIVE_PROJECTS = replace(ARCHIVE, watch=watch_projects)
RESTORE_PROJECTS = replace(RESTORE, watch=watch_projects)
CLOSE_DEALS = Stamp(name="close", title="Close", moment=Deal.moment, watch=watch_deals)
OPEN_DEALS = Stamp(
    name="open", method="reopen", title="Reopen", moment=Deal.moment, clears=True, watch=watch_deals
)
CLOSE_DEALS_OF_SERVICES = RelatedStamp(
    name="close_budgets",
    method="close",
    title="Close the budgets",
    path="deal",
    target=Deal,
    moment=Deal.moment,
    watch=watch_deals,
)
SWITCH_ON_TIME = SwitchOn(
    name="switch_on_time",
    title="Switch on time tracking",
    field_name="time_tracking_enabled",
    watch=consequences.watch_access(consequences.services_themselves),
)
SWITCH_ON_EXPENSES = SwitchOn(
    name="switch_on_expenses",
    title="Switch on expense tracking",
    field_name="expense_tracking_enabled",
    watch=consequences.watch_access(consequences.services_themselves),
)
ARCHIVE_SERVICE_TYPES = replace(
    ARCHIVE,
    note="Services of these types keep them, and access doesn't change. No other service can use them.",
)
DELETE_PEOPLE = replace(DELETE, watch=watch_people)

REMOVE_SERVICE_ASSIGNMENTS = replace(
    DELETE,
    title="Remove",
    line=lambda row: f"{label_of(row.person)} → {label_of(row.service)}",
    watch=watch_service_assignments,
)
REMOVE_PROJECT_ASSIGNMENTS = replace(
    DELETE,
    title="Remove",
    line=lambda row: f"{label_of(row.person)} → {label_of(row.project)}",
    watch=watch_project_assignments,
)
REMOVE_SERVICE_TYPE_ASSIGNMENTS = replace(
    DELETE,
    title="Remove",
    line=lambda row: f"{label_of(row.person)} → {label_of(row.service_type)}",
    watch=watch_service_type_assignments,
)

# --- the actions of each list ---------------------------------------------------------------------

ON_PEOPLE: list[Any] = [
    ASSIGN_TO_SERVICES,
    ADD_TO_PROJECTS,
    GIVE_SERVICE_TYPES,
    ARCHIVE_PEOPLE,
    RESTORE_PEOPLE,
    DELETE_PEOPLE,
]
ON_PROJECTS: list[Any] = [ADD_PEOPLE, COPY_MEMBERS, REMOVE_PEOPLE, ARCHIVE_PROJECTS, RESTORE_PROJECTS]
ON_DEALS: list[Any] = [CLOSE_DEALS, OPEN_DEALS]
ON_SERVICES: list[Any] = [
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
ON_SERVICE_TYPES: list[Any] = [GIVE_TO_PEOPLE, REMOVE_FROM_PEOPLE, ARCHIVE_SERVICE_TYPES, RESTORE]
