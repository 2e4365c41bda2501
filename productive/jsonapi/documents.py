"""Write documents from rows by a plan, without serializers and instances."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from django.db import models

from productive.jsonapi.plans import IncludeTree, Node, Plan, ToMany, ToOne, covers

Row = Sequence[Any]
Resource = dict[str, Any]
# A model, and the name of one of its to-many relationships.
Relationship = tuple[type[models.Model], str]

# SQLite limits the number of parameters.
IDS_PER_QUERY = 10_000
NOT_INCLUDED = {"meta": {"included": False}}


class IncludeTooLargeError(Exception):
    """The request includes more resources than one response may have."""


@dataclass(slots=True)
class DocumentWriter:
    """Write the resource objects of a response, in a time zone.

    Each included resource is written once, and the to-many relationship of a record is fetched once, unless
    a later path includes more of it. `budget` is the number of included resources and linkages of to-many
    relationships that may still be added: a few chained paths could otherwise reach every record.
    """

    organization_id: int
    zone: ZoneInfo
    budget: int
    included: dict[tuple[str, Any], Resource] = field(default_factory=dict)
    primary: set[tuple[str, Any]] = field(default_factory=set)
    # To-many relationship of a model → id on this side → ids on the other side.
    linked: dict[Relationship, dict[Any, list[Any]]] = field(default_factory=lambda: defaultdict(dict))
    # To-many relationship of a model → what was included of it, and for which ids.
    expanded: dict[Relationship, list[tuple[IncludeTree, set[Any]]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    written: set[tuple[Node, Any]] = field(default_factory=set)

    def primary_data(self, plan: Plan, rows: Sequence[Row]) -> list[Resource]:
        root = plan.root
        if root.has_included:
            self.primary = {(root.type, row[root.pk]) for row in rows}
        return self.resources(plan, rows)

    def resources(self, plan: Plan, rows: Sequence[Row]) -> list[Resource]:
        for node in plan.nodes:
            for relation in node.to_many:
                self.fetch(relation, {row[node.pk] for row in rows} - {None})
        write = self.writer(plan.root)
        return [write(row) for row in rows]

    def fetch(self, relation: ToMany, ids: set[Any]) -> None:
        """Fetch the related records of these ids, and store the linkage."""
        root, key = relation.plan.root, (relation.model, relation.name)
        for include, expanded_ids in self.expanded[key]:
            if covers(include, relation.include):
                ids = ids - expanded_ids
        self.expanded[key].append((relation.include, ids))
        sorted_ids = sorted(ids)
        for start in range(0, len(sorted_ids), IDS_PER_QUERY):
            chunk = sorted_ids[start : start + IDS_PER_QUERY]
            rows = list(
                relation.through._default_manager.filter(**{f"{relation.source}__in": chunk})
                .order_by(relation.source, "pk")
                .values_list(*relation.plan.columns)[: self.budget + 1]
            )
            self.spend(len(rows))
            self.linked[key].update((pk, []) for pk in chunk)
            for row in rows:
                self.linked[key][row[-1]].append(row[root.pk])
            unique_rows = list({row[root.pk]: row for row in rows}.values())
            for row, resource in zip(unique_rows, self.resources(relation.plan, unique_rows), strict=True):
                self.include(root, row[root.pk], resource)

    def spend(self, number: int) -> None:
        """Take resources and linkages from the budget, or raise IncludeTooLargeError."""
        self.budget -= number
        if self.budget < 0:
            raise IncludeTooLargeError

    def include(self, node: Node, pk: Any, resource: Resource) -> None:
        """Add a resource once. It has the linkage of all its include paths."""
        key = (node.type, pk)
        if key in self.primary:
            return
        known = self.included.setdefault(key, resource)
        if known is resource:
            self.spend(1)
        elif node.has_included:
            more: dict[str, Any] = resource.get("relationships", {})
            shown: Any = known.get("relationships", more)
            if isinstance(shown, orjson.Fragment):
                shown = more
            known["relationships"] = {**shown, **{n: r for n, r in more.items() if r is not NOT_INCLUDED}}

    def writer(self, node: Node) -> Callable[[Row], Resource]:
        """Return a function that writes the resource object of a row."""
        type_name, pk, first = node.type, node.pk, node.pk + 1
        names, moments, last = node.attributes, node.moments, node.pk + 1 + len(node.attributes)
        relationships = self.relationships(node)
        zone = self.zone

        def write(row: Row) -> Resource:
            resource: Resource = {"id": str(row[pk]), "type": type_name}
            if names:
                attributes = dict(zip(names, row[first:last], strict=True))
                for name in moments:
                    if (moment := attributes[name]) is not None:
                        attributes[name] = moment.astimezone(zone).isoformat(timespec="milliseconds")
                resource["attributes"] = attributes
            if relationships is not None and (shown := relationships(row)):
                resource["relationships"] = shown
            return resource

        return write

    def relationships(self, node: Node) -> Callable[[Row], Any] | None:
        """Return a function that writes a row's relationships."""
        constant: dict[str, Any] = dict.fromkeys(node.relationships, NOT_INCLUDED)
        if "organization" in constant:
            constant["organization"] = {"data": {"type": "organizations", "id": str(self.organization_id)}}
        constant.update((name, {"data": data}) for name, data in node.constant.items() if name in constant)
        if not node.has_included:
            written = orjson.Fragment(orjson.dumps(constant)) if constant else None
            return (lambda row: written) if constant else None
        to_one = [(relation.name, self.linkage(relation)) for relation in node.to_one]

        def write(row: Row) -> Any:
            shown = dict(constant)
            for name, linkage in to_one:
                data = linkage(row)
                if name in shown:
                    shown[name] = {"data": data}
            for many in node.to_many:
                type_name = many.plan.root.type
                if many.name in shown:
                    ids = self.linked[many.model, many.name].get(row[node.pk], ())
                    shown[many.name] = {"data": [{"type": type_name, "id": str(pk)} for pk in ids]}
            return shown

        return write

    def linkage(self, relation: ToOne) -> Callable[[Row], dict[str, str] | None]:
        """Return a function that includes the record of a to-one relationship and returns its linkage."""
        node, sentinel = relation.node, relation.sentinel
        write_related = self.writer(node)
        inherited = self.linkage(relation.inherited) if relation.inherited else None

        def write(row: Row) -> dict[str, str] | None:
            if row[sentinel] is None:
                return inherited(row) if inherited else None
            pk = row[node.pk]
            if (node, pk) not in self.written:
                self.written.add((node, pk))
                self.include(node, pk, write_related(row))
            return {"type": node.type, "id": str(pk)}

        return write
