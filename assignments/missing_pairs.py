"""Project memberships and service types without which new service assignments have no effect.

The preview of a change offers to add them to the same change.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from assignments.attention import in_use
from assignments.models import ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from catalog.models import Project, Service, ServiceType
from productive.accounts.models import Person
from productive.admin.bulk.actions import quantity
from productive.admin.bulk.pairs import validation_errors
from productive.admin.forms import label_of
from productive.admin.permissions import can_view, visible_rows
from productive.admin.preview import Line, RelatedChange
from productive.database.history import record
from productive.database.written_rows import WrittenRows

# The model of the pairs, the relation beside the person, its model, and the text of the offer.
KINDS: list[tuple[Any, str, Any, str]] = [
    (ProjectAssignment, "project", Project, "Also add {people} to {others}"),
    (ServiceTypeAssignment, "service_type", ServiceType, "Also give {people} {others}"),
]

# The ids of a person and of a project or service type.
Pairs = set[tuple[int, int]]


def add_missing_pairs(
    request: HttpRequest, written: Sequence[WrittenRows], included: Iterable[str]
) -> list[RelatedChange]:
    """Describe the pairs that the written service assignments need, and write those of `included` kinds."""
    missing = missing_pairs(written)
    changes = []
    for model, relation, other, text in KINDS:
        pairs = missing.get(model)
        if not pairs or not may_add(request, model, other):
            continue
        rows = rows_of(request, model, relation, other, pairs)
        if not rows:
            continue
        name = model._meta.label_lower
        if name in included:
            model.objects.bulk_create(rows)
            record(model, rows, "+")
        label = text.format(people=name_or_count(rows, "person"), others=name_or_count(rows, relation))
        lines = [Line(f"{label_of(row.person)} → {label_of(getattr(row, relation))}") for row in rows]
        changes.append(RelatedChange(name, label, lines, name in included))
    return changes


def name_or_count(rows: Sequence[Any], relation: str) -> str:
    """Return the name of the record at the end of the relation, or how many there are."""
    records = {getattr(row, relation) for row in rows}
    one = next(iter(records))
    return label_of(one) if len(records) == 1 else quantity(type(one), len(records))


def may_add(request: HttpRequest, model: Any, other: Any) -> bool:
    return admin.site.get_model_admin(model).has_add_permission(request) and can_view(request, Person, other)


def missing_pairs(written: Iterable[WrittenRows]) -> dict[Any, Pairs]:
    """Return the pairs by their model, for active people and services in use."""
    new = [each.rows for each in written if each.model is ServiceAssignment and each.history_type != "-"]
    assigned = {(row.person_id, row.service_id) for rows in new for row in rows}
    if not assigned:
        return {}
    people = {person for person, _ in assigned}
    active = set(Person.objects.filter(pk__in=people, archived_at=None).values_list("pk", flat=True))
    services = in_use(Service.objects.filter(pk__in={service for _, service in assigned}))
    columns = ("deal__project", "service_type", "deal__service_type_restricted_tracking")
    targets = {pk: values for pk, *values in services.values_list("pk", *columns)}
    needed: dict[Any, Pairs] = {ProjectAssignment: set(), ServiceTypeAssignment: set()}
    for person, service in assigned:
        if person in active and service in targets:
            project, service_type, is_restricted = targets[service]
            needed[ProjectAssignment].add((person, project))
            if is_restricted:
                needed[ServiceTypeAssignment].add((person, service_type))
    return {
        model: needed[model] - existing_pairs(model, relation, needed[model]) for model, relation, *_ in KINDS
    }


def existing_pairs(model: Any, relation: str, pairs: Pairs) -> Pairs:
    others = {other for _, other in pairs}
    found = model.objects.filter(**{"person__in": {person for person, _ in pairs}, f"{relation}__in": others})
    return set(found.values_list("person", relation))


def rows_of(request: HttpRequest, model: Any, relation: str, other: Any, pairs: Pairs) -> list[Any]:
    """Return the unsaved rows of records that the user may see, as far as the model allows them."""
    people = visible_rows(request, Person).in_bulk({person for person, _ in pairs})
    others = visible_rows(request, other).in_bulk({pk for _, pk in pairs})
    rows = [
        model(organization_id=people[person].organization_id, person=people[person], **{relation: others[pk]})
        for person, pk in sorted(pairs)
        if person in people and pk in others
    ]
    return [row for row in rows if not validation_errors(row)]
