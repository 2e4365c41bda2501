"""Create a service in each state of `tracking_today`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from assignments.tracking_today import ServiceState
from catalog.models import Service
from productive.accounts.models import Organization
from tests.support.factories import (
    DealFactory,
    PersonFactory,
    ProjectAssignmentFactory,
    ProjectFactory,
    ServiceAssignmentFactory,
    ServiceFactory,
)


def create_service_of_each_state(organization: Organization) -> dict[ServiceState, Service]:
    """Create a service in each state, on projects with two active members."""
    archived, member, other, outsider = PersonFactory.create_batch(4, organization=organization)
    today = organization.today()
    project = ProjectFactory(organization=organization)

    def service(members: Any = (member, other, archived), **fields: Any) -> Service:
        flags = {name: fields.pop(name) for name in [*fields] if name.endswith("_enabled")}
        on = fields.setdefault("project", project)
        for person in members if not on.project_assignments.exists() else ():
            ProjectAssignmentFactory(organization=organization, project=on, person=person)
        deal = DealFactory(organization=organization, **fields)
        return ServiceFactory(organization=organization, deal=deal, **flags)

    def assign(to: Service, *people: Any) -> Service:
        for person in people:
            ServiceAssignmentFactory(organization=organization, service=to, person=person)
        return to

    def another_project() -> Any:
        return ProjectFactory(organization=organization)

    by_person: dict[str, Any] = {"person_restricted_tracking": True}
    off = {"time_tracking_enabled": False, "expense_tracking_enabled": False}
    services = {
        ServiceState.OPEN: service(),
        ServiceState.OPEN_NOBODY_ASSIGNED: service(**by_person),
        ServiceState.RESTRICTED: assign(service(**by_person), member, outsider, archived),
        ServiceState.PROJECT_ARCHIVED: service(project=another_project()),
        ServiceState.BUDGET_CLOSED: service(),
        ServiceState.BUDGET_NOT_STARTED: service(date=today + timedelta(days=9)),
        ServiceState.BUDGET_ENDED: service(end_date=today - timedelta(days=9)),
        ServiceState.TRACKING_DISABLED: service(**off),
        ServiceState.NO_MEMBERS: service([archived], project=another_project()),
        ServiceState.ASSIGNEES_ARCHIVED: assign(service(**by_person), archived),
        ServiceState.ASSIGNEES_NOT_MEMBERS: assign(service(**by_person), outsider, archived),
        ServiceState.TYPE_NOT_HELD: service(service_type_restricted_tracking=True),
    }
    services[ServiceState.PROJECT_ARCHIVED].deal.project.archive()
    services[ServiceState.BUDGET_CLOSED].deal.close()
    type(archived).objects.filter(pk=archived.pk).update(archived_at=timezone.now())
    return services
