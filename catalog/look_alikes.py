"""Find service types and people that are probably the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from catalog.models import ServiceType
from productive.accounts.models import Organization
from productive.database.similar_names import K, PersonName, alike, group_alike, group_people

# A new name is compared with as many service types, the newest. It takes 10 ms of processor time.
MAX_COMPARED_NAMES = 5_000


class LookAlike(NamedTuple):
    """A service type with a similar name."""

    pk: int
    name: str
    archived_at: datetime | None


def types_like(organization: Organization, name: str, *, exclude: int | None = None) -> list[LookAlike]:
    """Return the service types of the organization whose names are like this one, active ones first."""
    types = ServiceType.objects.owned_by(organization).filter(merged_into=None)
    if exclude is not None:
        types = types.exclude(pk=exclude)
    newest = types.order_by("-pk").values_list(*LookAlike._fields)[:MAX_COMPARED_NAMES]
    rows = {row[0]: LookAlike(*row) for row in newest}
    found = [rows[pk] for pk in alike(name, [(row.pk, row.name) for row in rows.values()])]
    return sorted(found, key=lambda each: (each.archived_at is not None, each.name, each.pk))


def similar_types(types: Any) -> list[list[int]]:
    """Return groups of ids of service types with similar names, from a queryset."""
    rows = types.filter(merged_into=None).order_by("name_key", "pk")
    by_owner: dict[int, dict[int, str]] = defaultdict(dict)
    for pk, owner, name in rows.values_list("pk", "organization", "name"):
        by_owner[owner][pk] = name
    return joined(group_alike(names) for names in by_owner.values())


def similar_people(people: Any) -> list[list[int]]:
    """Return groups of ids of people with the same name or similar addresses, from a queryset."""
    rows = people.filter(merged_into=None).order_by("name_key", "pk")
    by_owner: dict[int, dict[int, PersonName]] = defaultdict(dict)
    for pk, owner, *name in rows.values_list("pk", "organization", *PersonName._fields):
        by_owner[owner][pk] = PersonName(*name)
    return joined(group_people(names) for names in by_owner.values())


def joined(groups: Iterable[list[list[K]]]) -> list[list[K]]:
    return [group for of_owner in groups for group in of_owner]
