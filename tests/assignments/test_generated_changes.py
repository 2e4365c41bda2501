"""Test that every change by the admin has exactly the effects on access that its preview showed.

Generated organizations are changed in every way, on every page. Before and after each change, the tracking
rule decides for all people and services; the preview must have shown the difference.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from assignments.models import ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from assignments.tracking import Kind, decide_all, with_budget
from catalog.models import Deal, Project, Service, ServiceType
from productive.accounts.models import Organization, Person
from productive.admin.forms import label_of
from tests.support.admin import click, form_data, is_preview, press, staff, url
from tests.support.bulk import preview, start
from tests.support.databases import rolled_back
from tests.support.factories import OrganizationFactory
from tests.support.samples import fuzz_settings
from tests.support.worlds import build

pytestmark = [pytest.mark.django_db, pytest.mark.no_cover]

# The other record of each model of assignments, and its name in forms and bulk actions.
PAIRS: dict[Any, tuple[Any, str]] = {
    ServiceAssignment: (Service, "service"),
    ProjectAssignment: (Project, "project"),
    ServiceTypeAssignment: (ServiceType, "service_type"),
}
pairs = st.sampled_from([*PAIRS])

# The name of a person and the id of a service → the kinds that are allowed.
Allowed = dict[tuple[str, int], set[Kind]]
TITLES = {
    "Lose access": (-1, None),
    "Can no longer track time": (-1, Kind.TIME),
    "Can no longer log expenses": (-1, Kind.EXPENSE),
    "Gain access": (1, None),
    "Can now track time": (1, Kind.TIME),
    "Can now log expenses": (1, Kind.EXPENSE),
}


class World:
    """A generated organization, and a client of its staff."""

    def __init__(self, client: Client, organization: Organization, data: st.DataObject) -> None:
        self.client, self.organization, self.data = client, organization, data
        self.today = organization.today()
        # The labels of services, also of deleted ones.
        self.labels: dict[int, str] = {}
        build(data.draw, organization, self.today)

    def draw(self, strategy: Any) -> Any:
        return self.data.draw(strategy)

    def pick(self, model: Any) -> Any:
        """Return a record of the model, or None if there is none."""
        rows = model.objects.filter(organization=self.organization).order_by("pk")
        if model is Person:
            rows = rows.filter(user=None)
        found = list(rows)
        return self.draw(st.sampled_from(found)) if found else None

    def pick_some(self, model: Any) -> list[Any]:
        return list({row.pk: row for row in (self.pick(model), self.pick(model)) if row is not None}.values())

    def allowed(self) -> Allowed:
        services = list(with_budget(Service.objects.filter(organization=self.organization)))
        self.labels |= {service.pk: label_of(service) for service in services}
        people = list(Person.objects.filter(organization=self.organization))
        found: Allowed = {}
        for kind in Kind:
            decisions = decide_all([*product(people, services)], self.today, kind)
            for decision in decisions:
                if decision.allowed:
                    pair = label_of(decision.person), decision.service.pk
                    found.setdefault(pair, set()).add(kind)
        return found


# --- Changes: each returns the response, or None if it isn't possible ---------------------------------


def edit(world: World, record: Any, change: Callable[[dict[str, Any]], None]) -> Any:
    address = url(type(record), "change", record.pk)
    data = form_data(world.client, address)
    change(data)
    return world.client.post(address, data)


def switch(data: dict[str, Any], name: str) -> None:
    if not data.pop(name, None):
        data[name] = "on"


def add_line(data: dict[str, Any], prefix: str, name: str, pk: int) -> None:
    number = int(data[f"{prefix}-TOTAL_FORMS"])
    data |= {f"{prefix}-TOTAL_FORMS": number + 1, f"{prefix}-{number}-{name}": pk}


def delete_line(world: World, data: dict[str, Any], prefix: str) -> None:
    if number := int(data[f"{prefix}-INITIAL_FORMS"]):
        data[f"{prefix}-{world.draw(st.integers(0, number - 1))}-DELETE"] = "on"


def edit_budget(world: World) -> Any:
    """Restrictions, dates, the project, the services' types, switches and assignees."""

    def change(data: dict[str, Any]) -> None:
        what = world.draw(st.integers(0, 6))
        line = f"services-{world.draw(st.integers(0, 1))}"
        if what in (0, 1):
            switch(data, "person_restricted_tracking" if what else "service_type_restricted_tracking")
        elif what == 2:
            data |= {"date": "", "end_date": world.draw(st.sampled_from(["", "2020-01-01", "2099-01-01"]))}
        elif what == 3:
            data["project"] = world.pick(Project).pk
        elif f"{line}-id" not in data:
            pass
        elif what == 4:
            switch(data, f"{line}-time_tracking_enabled")
        elif what == 5:
            switch(data, "person_restricted_tracking")
            data[f"{line}-assignees"] = [person.pk for person in world.pick_some(Person)]
        else:
            data[f"{line}-assignees"] = [person.pk for person in world.pick_some(Person)]

    return edit(world, deal, change) if (deal := world.pick(Deal)) else None


def edit_service(world: World) -> Any:
    def change(data: dict[str, Any]) -> None:
        what = world.draw(st.integers(0, 5))
        if what in (0, 1):
            switch(data, "time_tracking_enabled" if what else "expense_tracking_enabled")
        elif what == 2:
            data["deal"] = world.pick(Deal).pk
        elif what == 3:
            data["service_type"] = world.pick(ServiceType).pk
        elif what == 4:
            add_line(data, "service_assignments", "person", world.pick(Person).pk)
        else:
            delete_line(world, data, "service_assignments")

    return edit(world, service, change) if (service := world.pick(Service)) else None


def edit_person(world: World) -> Any:
    """Add and delete assignments of each model in one form, too."""

    def change(data: dict[str, Any]) -> None:
        data["title"] = "Boss"
        for model, (other, name) in PAIRS.items():
            prefix = model.person.field.remote_field.related_name
            if world.draw(st.booleans()) and (record := world.pick(other)):
                add_line(data, prefix, name, record.pk)
            if world.draw(st.booleans()):
                delete_line(world, data, prefix)

    return edit(world, person, change) if (person := world.pick(Person)) else None


def edit_members(world: World) -> Any:
    def change(data: dict[str, Any]) -> None:
        prefix = "project_assignments" if type(record) is Project else "service_type_assignments"
        add_line(data, prefix, "person", world.pick(Person).pk)
        delete_line(world, data, prefix)

    record = world.pick(world.draw(st.sampled_from([Project, ServiceType])))
    return edit(world, record, change) if record and world.pick(Person) else None


def edit_assignment(world: World) -> Any:
    model = world.draw(pairs)
    other, name = PAIRS[model]
    moved = {"person": world.pick(Person), name: world.pick(other)}
    if (assignment := world.pick(model)) is None or None in moved.values():
        return None
    return edit(world, assignment, lambda data: data.update({key: row.pk for key, row in moved.items()}))


def add_record(world: World) -> Any:
    model = world.draw(st.sampled_from([*PAIRS, Service]))
    if model is Service:
        values: Any = {"deal": world.pick(Deal), "service_type": world.pick(ServiceType)}
        data: dict[str, Any] = {"name": f"New {Service.objects.count()}", "time_tracking_enabled": "on"}
        data |= {"service_assignments-TOTAL_FORMS": 0, "service_assignments-INITIAL_FORMS": 0}
    else:
        other, name = PAIRS[model]
        values, data = {"person": world.pick(Person), name: world.pick(other)}, {}
    if None in values.values():
        return None
    return world.client.post(url(model, "add"), {**data, **{key: row.pk for key, row in values.items()}})


def delete_on_page(world: World) -> Any:
    model = world.draw(st.sampled_from([*PAIRS, Person, Project, Deal, Service, ServiceType]))
    record = world.pick(model)
    return record and world.client.get(url(model, "delete", record.pk))


def run_action(world: World) -> Any:
    actions: dict[Any, list[tuple[str, Any]]] = {
        Person: [
            ("archive", None),
            ("restore", None),
            ("delete_selected", None),
            ("assign_to_services", Service),
            ("add_to_projects", Project),
            ("give_service_types", ServiceType),
        ],
        Project: [("archive", None), ("restore", None), ("add_people", Person), ("remove_people", Person)],
        Deal: [("close", None), ("open", None), ("delete_selected", None)],
        Service: [("assign_people", Person), ("unassign_people", Person), ("delete_selected", None)],
        ServiceType: [("give_to_people", Person), ("remove_from_people", Person)],
        ServiceAssignment: [("delete_selected", None)],
    }
    model = world.draw(st.sampled_from([*actions]))
    action, chosen = world.draw(st.sampled_from(actions[model]))
    rows, others = world.pick_some(model), world.pick_some(chosen) if chosen else []
    if not rows or (chosen and not others):
        return None
    return preview(world.client, action, rows, others) if chosen else start(world.client, action, rows)


def import_assignments(world: World) -> Any:
    """Create an assignment, and move another one."""
    model = world.draw(pairs)
    other, name = PAIRS[model]
    rows = []
    for assignment in (None, world.pick(model)):
        person, record = world.pick(Person), world.pick(other)
        if person is not None and record is not None:
            rows.append(f"{assignment.pk if assignment else ''},#{person.pk},#{record.pk}")
    heading = name.replace("_", " ").capitalize()
    text = "\n".join([f"ID,Person,{heading}", *rows])
    upload = SimpleUploadedFile("sheet.csv", text.encode())
    return world.client.post(url(model, "import"), {"file": upload})


def undo(world: World) -> Any:
    models = [Person, Project, Deal, Service, *PAIRS]
    history = world.draw(st.sampled_from(models)).history
    # The staff's own person was not created by the admin.
    record = history.filter(organization=world.organization, via="admin").order_by("-history_id").first()
    return record and world.client.get(reverse("admin:undo", args=[record.change_set]))


CHANGES = [
    edit_budget,
    edit_service,
    edit_person,
    edit_members,
    edit_assignment,
    add_record,
    delete_on_page,
    run_action,
    import_assignments,
    undo,
]


# --- Comparison ---------------------------------------------------------------------------------------


def shown_effects(page: Any) -> set[tuple[Any, ...]]:
    """Return the sign, the kind (None for all access), the person and the service of each effect."""
    consequences = page.context["preview"].consequences
    return {
        (*TITLES[group.title], line.text, service)
        for group in (consequences.groups if consequences else [])
        if group.title in TITLES
        for line in group.lines
        for note in line.notes
        for names, budget in (each.split(" · ", 1) for each in note.split("; "))
        for service in (f"{name} · {budget}" for name in names.split(", "))
    }


def effects(before: Allowed, after: Allowed, labels: dict[int, str]) -> set[tuple[Any, ...]]:
    """Return what the preview must show."""
    found = set()
    for sign, old, new in ((-1, before, after), (1, after, before)):
        for (person, service), kinds in old.items():
            left = new.get((person, service), set())
            for kind in kinds - left:
                found.add((sign, kind if left else None, person, labels[service]))
    return found


EXAMPLES, STEPS = 8, 4


def test_preview_shows_exactly_the_effects_of_every_change() -> None:
    organization = OrganizationFactory()
    client = staff(organization)
    counts: Counter[str] = Counter()

    @fuzz_settings(EXAMPLES)
    @given(st.data())
    def check(data: Any) -> None:
        with rolled_back():
            world = World(client, organization, data)
            before = world.allowed()
            for _ in range(STEPS):
                change = data.draw(st.sampled_from(CHANGES))
                page = change(world)
                if page is None:
                    continue
                shown: set[tuple[Any, ...]] = set()
                if is_preview(page):
                    assert world.allowed() == before
                    if not page.context["preview"].can_apply:
                        continue
                    for offer in page.context["preview"].related:
                        if data.draw(st.booleans()):
                            page = click(client, page, "_include", offer.name)
                            counts["included"] += 1
                    shown = shown_effects(page)
                    page = press(client, page, "apply")
                    assert page.status_code == 302
                counts[change.__name__] += page.status_code == 302
                after = world.allowed()
                if organization.today() != world.today:
                    return  # it was midnight
                assert effects(before, after, world.labels) == shown, change
                before = after
                counts["effects"] += len(shown)

    check()
    print(f"\n{dict(counts)}")  # noqa: T201
    assert counts["effects"] > EXAMPLES
