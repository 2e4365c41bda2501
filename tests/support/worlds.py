"""Generate the records of an organization for tests of the tracking rule."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import product
from typing import Any

from django.utils import timezone
from hypothesis import strategies as st

from assignments.models import ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from catalog.models import Deal, Project, Service, ServiceType
from productive.accounts.models import Organization, Person

TODAY = date(2026, 11, 23)

few = st.integers(0, 9)
rarely, often = few.map(lambda n: n == 0), few.map(lambda n: n > 1)
near = st.sampled_from([None, None, -2, -1, 0, 1, 2])


def build(draw: Any, organization: Organization, today: date = TODAY) -> tuple[list[Person], list[Service]]:
    """Create random records for all fields and assignments of the rule, with different names."""
    now = timezone.now()

    def create(model: Any, rows: list[Any]) -> list[Any]:
        for row in rows:
            row.organization = organization
        return list(model.objects.bulk_create(rows))

    def day(offset: int | None) -> date | None:
        return None if offset is None else today + timedelta(days=offset)

    people = create(
        Person,
        [
            Person(
                first_name="P",
                last_name=str(n),
                email=f"p{n}@x.example",
                archived_at=now if draw(rarely) else None,
            )
            for n in range(3)
        ],
    )
    types = create(
        ServiceType, [ServiceType(name=f"T{n}", archived_at=now if draw(rarely) else None) for n in range(2)]
    )
    projects = create(
        Project, [Project(name=f"J{n}", archived_at=now if draw(rarely) else None) for n in range(2)]
    )
    deals = []
    for project in projects:
        for _ in range(2):
            start, end = draw(near), draw(near)
            if start is not None and end is not None and end < start:
                start, end = end, start
            deals.append(
                Deal(
                    project=project,
                    name=f"D{len(deals)}",
                    date=day(start),
                    end_date=day(end),
                    closed_at=now if draw(rarely) else None,
                    person_restricted_tracking=draw(st.booleans()),
                    service_type_restricted_tracking=draw(st.booleans()),
                )
            )
    create(Deal, deals)
    services = create(
        Service,
        [
            Service(
                deal=deal,
                service_type=draw(st.sampled_from(types)),
                name=f"S{n}",
                time_tracking_enabled=draw(often),
                expense_tracking_enabled=draw(often),
            )
            for deal in deals
            for n in range(2)
        ],
    )
    member, holder, assigned = draw(st.tuples(*[st.sampled_from([often, st.booleans(), rarely])] * 3))
    create(
        ProjectAssignment,
        [
            ProjectAssignment(person=p, project=x)
            for p, x in product(people, projects)
            if draw(often if member is rarely else member)
        ],
    )
    create(
        ServiceTypeAssignment,
        [ServiceTypeAssignment(person=p, service_type=x) for p, x in product(people, types) if draw(holder)],
    )
    create(
        ServiceAssignment,
        [ServiceAssignment(person=p, service=x) for p, x in product(people, services) if draw(assigned)],
    )
    return people, services
