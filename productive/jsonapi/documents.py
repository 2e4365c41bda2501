"""Write documents from rows, without serializers and model instances.

`compile_plan` compiles a serializer, the include paths and the sparse fields into a `Plan`, once. The plan
has the columns to fetch, and the to-many relationships, which need another query each. Included to-one
relationships are joined.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from django.db import models

from productive.jsonapi.records import resource_type
from productive.jsonapi.serializers import ModelSerializer

Row = Sequence[Any]
Resource = dict[str, Any]
# ((name, subtree), …), sorted and hashable for the cache of `compile_plan`.
IncludeTree = tuple[tuple[str, "IncludeTree"], ...]
SparseFields = tuple[tuple[str, frozenset[str]], ...]
# A model, and the name of one of its to-many relationships.
Relationship = tuple[type[models.Model], str]

# SQLite limits the number of parameters.
IDS_PER_QUERY = 10_000
NOT_INCLUDED = {"meta": {"included": False}}


class IncludeTooLargeError(Exception):
    """The request includes more resources than one response may have."""


@dataclass(frozen=True, eq=False, slots=True)
class ToOne:
    """An included to-one relationship: null if the column `sentinel` is."""

    name: str
    node: Node
    sentinel: int


@dataclass(frozen=True, eq=False, slots=True)
class ToMany:
    """An included to-many relationship.

    `source` is the foreign key of the through model to this side; `plan` is for the other side, and
    `include` what the plan includes in turn.
    """

    name: str
    model: type[models.Model]
    include: IncludeTree
    through: type[models.Model]
    source: str
    plan: Plan


@dataclass(eq=False, slots=True)
class Node:
    """One resource in a row: the position of its columns, and its members."""

    type: str
    pk: int
    attributes: list[str] = field(default_factory=list)
    moments: list[str] = field(default_factory=list)
    relationships: list[str] = field(default_factory=list)
    to_one: list[ToOne] = field(default_factory=list)
    to_many: list[ToMany] = field(default_factory=list)


@dataclass(frozen=True, eq=False, slots=True)
class Plan:
    """The columns to fetch for a page, and the resources in each row.

    `columns` are arguments of `values_list`. The first of `nodes` is the primary resource.
    """

    columns: tuple[str, ...]
    nodes: tuple[Node, ...]

    @property
    def root(self) -> Node:
        return self.nodes[0]


# --- Compiling ------------------------------------------------------------------------------------


@lru_cache(maxsize=512)
def compile_plan(
    serializer_class: type[ModelSerializer], include: IncludeTree = (), fields: SparseFields = ()
) -> Plan:
    """Return the plan. The names must exist; `parameters` checks them."""
    columns: list[str] = []
    nodes: list[Node] = []
    compile_node(serializer_class, include, dict(fields), "", columns, nodes)
    return Plan(tuple(columns), tuple(nodes))


def compile_node(
    serializer_class: type[ModelSerializer],
    include: IncludeTree,
    fields: Mapping[str, frozenset[str]],
    prefix: str,
    columns: list[str],
    nodes: list[Node],
) -> Node:
    model = serializer_class.Meta.model
    node = Node(resource_type(model), len(columns))
    nodes.append(node)
    columns.append(f"{prefix}pk")
    shown = fields.get(node.type)
    for name in serializer_class.Meta.fields:
        if shown is not None and name not in shown:
            continue
        if model._meta.get_field(name).is_relation:
            node.relationships.append(name)
        else:
            node.attributes.append(name)
            columns.append(f"{prefix}{name}")
            if isinstance(model._meta.get_field(name), models.DateTimeField):
                node.moments.append(name)
    for name, subtree in include:
        relation: Any = model._meta.get_field(name)
        target = ModelSerializer.by_model[relation.related_model]
        if relation.many_to_many:
            through, source, other = through_model(relation)
            inner = compile_related(target, subtree, fields, f"{other}__", source)
            node.to_many.append(ToMany(name, model, subtree, through, source, inner))
        else:
            joined = compile_node(target, subtree, fields, f"{prefix}{name}__", columns, nodes)
            node.to_one.append(ToOne(name, joined, len(columns)))
            columns.append(f"{prefix}{name}__{never_null(relation)}")
    return node


def compile_related(
    target: type[ModelSerializer],
    include: IncludeTree,
    fields: Mapping[str, frozenset[str]],
    prefix: str,
    source: str,
) -> Plan:
    """Return the plan of a to-many relationship, with this side's id last."""
    columns: list[str] = []
    nodes: list[Node] = []
    compile_node(target, include, fields, prefix, columns, nodes)
    return Plan((*columns, f"{source}_id"), tuple(nodes))


def through_model(relation: Any) -> tuple[type[models.Model], str, str]:
    """Return the through model and its foreign keys, this side's first."""
    forward: Any = relation if isinstance(relation, models.ManyToManyField) else relation.field
    near, far = forward.m2m_field_name(), forward.m2m_reverse_field_name()
    through = forward.remote_field.through
    return (through, near, far) if forward is relation else (through, far, near)


def never_null(relation: Any) -> str:
    """Return a related column that is null only if no row was joined.

    Not the id: Django reads it from the foreign key, without a join, even if no row has this id.
    """
    referred = {"id", *getattr(relation, "to_fields", ())}
    return next(
        f.attname
        for f in relation.related_model._meta.concrete_fields
        if not f.null and f.name not in referred
    )


def covers(include: IncludeTree, other: IncludeTree) -> bool:
    """Return whether the tree has every path of the other one."""
    branches = dict(include)
    return all(name in branches and covers(branches[name], subtree) for name, subtree in other)


# --- Writing --------------------------------------------------------------------------------------


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
        if root.to_one or root.to_many:
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
        elif node.to_one or node.to_many:
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
        if not node.to_one and not node.to_many:
            written = orjson.Fragment(orjson.dumps(constant)) if constant else None
            return (lambda row: written) if constant else None
        to_one = [(relation, self.writer(relation.node)) for relation in node.to_one]

        def write(row: Row) -> Any:
            shown = dict(constant)
            for relation, write_related in to_one:
                linkage = self.joined(relation, row, write_related)
                if relation.name in shown:
                    shown[relation.name] = {"data": linkage}
            for many in node.to_many:
                type_name = many.plan.root.type
                if many.name in shown:
                    ids = self.linked[many.model, many.name].get(row[node.pk], ())
                    shown[many.name] = {"data": [{"type": type_name, "id": str(pk)} for pk in ids]}
            return shown

        return write

    def joined(
        self, relation: ToOne, row: Row, write_related: Callable[[Row], Resource]
    ) -> dict[str, str] | None:
        """Return the linkage of a to-one relationship; include its record."""
        if row[relation.sentinel] is None:
            return None
        node, pk = relation.node, row[relation.node.pk]
        if (node, pk) not in self.written:
            self.written.add((node, pk))
            self.include(node, pk, write_related(row))
        return {"type": node.type, "id": str(pk)}
