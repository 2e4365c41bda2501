"""Compile a serializer into a plan: what to fetch, and how to write it.

`compile_plan` does this once for each serializer, include tree and set of sparse fields. The plan has the
columns to fetch, and the to-many relationships, which need another query each. Included to-one relationships
are joined.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, cast

from django.db import models

from productive.jsonapi.records import resource_type
from productive.jsonapi.serializers import ModelSerializer

# ((name, subtree), …), sorted and hashable for the cache of `compile_plan`.
IncludeTree = tuple[tuple[str, "IncludeTree"], ...]
SparseFields = tuple[tuple[str, frozenset[str]], ...]


@dataclass(frozen=True, eq=False, slots=True)
class ToOne:
    """An included to-one relationship.

    If the column `sentinel` is null, it has the record of `inherited` or, without that, none.
    """

    name: str
    node: Node
    sentinel: int
    inherited: ToOne | None = None


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
    # Included relationships without records, and their linkage.
    constant: dict[str, Any] = field(default_factory=dict)

    @property
    def has_included(self) -> bool:
        return bool(self.to_one or self.to_many or self.constant)


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


@lru_cache(maxsize=512)
def compile_plan(
    serializer_class: type[ModelSerializer], include: IncludeTree = (), fields: SparseFields = ()
) -> Plan:
    """Return the plan. The names must exist; `parameters` checks them."""
    compiler = Compiler(dict(fields))
    compiler.add_node(serializer_class, include, "")
    return Plan(tuple(compiler.columns), tuple(compiler.nodes))


@dataclass(slots=True)
class Compiler:
    """Collects the columns and the nodes of one plan."""

    fields: Mapping[str, frozenset[str]]
    columns: list[str] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)

    def add_node(self, serializer_class: type[ModelSerializer], include: IncludeTree, prefix: str) -> Node:
        """Add the resource that the prefix leads to, and those that it includes in turn."""
        model = serializer_class.Meta.model
        node = Node(resource_type(model), len(self.columns))
        self.nodes.append(node)
        self.columns.append(f"{prefix}pk")
        shown = self.fields.get(node.type)
        for name in serializer_class.Meta.fields:
            if shown is not None and name not in shown:
                continue
            if model._meta.get_field(name).is_relation:
                node.relationships.append(name)
            else:
                node.attributes.append(name)
                self.columns.append(f"{prefix}{name}")
                if isinstance(model._meta.get_field(name), models.DateTimeField):
                    node.moments.append(name)
        without_records = serializer_class.without_records
        node.relationships += [name for name in without_records if shown is None or name in shown]
        for name, subtree in include:
            if name in without_records:
                node.constant[name] = without_records[name]
            elif model._meta.get_field(name).many_to_many:
                node.to_many.append(self.to_many(model, name, subtree))
            else:
                node.to_one.append(self.to_one(serializer_class, name, subtree, prefix))
        return node

    def to_one(
        self, serializer_class: type[ModelSerializer], name: str, include: IncludeTree, prefix: str
    ) -> ToOne:
        """Add the included record, and the one that replaces it while it is null."""
        relation: Any = serializer_class.Meta.model._meta.get_field(name)
        target = ModelSerializer.by_model[relation.related_model]
        inherited = getattr(serializer_class.Meta, "inherited", {}).get(name)
        joined: ToOne | None = None
        for path in (inherited, name) if inherited else (name,):
            node = self.add_node(target, include, f"{prefix}{path}__")
            joined = ToOne(name, node, len(self.columns), joined)
            self.columns.append(f"{prefix}{path}__{never_null(relation)}")
        return cast(ToOne, joined)

    def to_many(self, model: type[models.Model], name: str, include: IncludeTree) -> ToMany:
        """Return the relationship with a plan of its own, which has this side's id last."""
        relation: Any = model._meta.get_field(name)
        through, source, other = through_model(relation)
        compiler = Compiler(self.fields)
        compiler.add_node(ModelSerializer.by_model[relation.related_model], include, f"{other}__")
        plan = Plan((*compiler.columns, f"{source}_id"), tuple(compiler.nodes))
        return ToMany(name, model, include, through, source, plan)


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


def related_columns(plan: Plan, prefix: str, queryset: models.QuerySet[Any]) -> dict[Any, dict[str, Any]]:
    """Return the plan's columns of an included relationship by id, for a resource that is computed."""
    columns = [column for column in plan.columns if column.startswith(prefix)]
    if not columns:
        return {}
    names = [column.removeprefix(prefix) for column in columns]
    rows = queryset.select_related(None).values_list("pk", *names)
    return {pk: dict(zip(columns, values, strict=True)) for pk, *values in rows}


def covers(include: IncludeTree, other: IncludeTree) -> bool:
    """Return whether the tree has every path of the other one."""
    branches = dict(include)
    return all(name in branches and covers(branches[name], subtree) for name, subtree in other)
