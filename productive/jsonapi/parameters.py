"""Parse the query parameters `include`, `fields` and `dry_run`."""

from __future__ import annotations

import re
from typing import Any

from django.http import QueryDict

from productive.jsonapi.errors import ParameterError
from productive.jsonapi.plans import IncludeTree, SparseFields
from productive.jsonapi.records import resource_type
from productive.jsonapi.serializers import ModelSerializer

# Each level costs a join, or a query for all records of the level above.
MAX_INCLUDE_DEPTH = 5
DRY_RUN = "dry_run"
FIELDS_PARAMETER = re.compile(r"fields\[([^\[\]]*)\]")


def only_value(params: QueryDict, name: str, code: str) -> str | None:
    """Return the value or None, or raise ParameterError for several values."""
    for other in params if "[" not in name else ():
        if other.startswith(f"{name}["):
            raise ParameterError(code, other, other)
    values = params.getlist(name)
    if len(values) > 1:
        raise ParameterError(code, ", ".join(values), name)
    return values[0] if values else None


def is_dry_run(params: QueryDict) -> bool:
    """Return the value of `dry_run`, or raise ParameterError."""
    value = only_value(params, DRY_RUN, "invalid_dry_run")
    if value not in (None, "true", "false"):
        raise ParameterError("invalid_dry_run", value, DRY_RUN)
    return value == "true"


def include_tree(params: QueryDict, serializer_class: type[ModelSerializer]) -> IncludeTree:
    """Return the paths of `include=a,b.c` as a tree, or raise ParameterError."""
    tree: dict[str, Any] = {}
    for path in (only_value(params, "include", "unsupported_include") or "").split(","):
        branch, serializer, names = tree, serializer_class, path.split(".")
        if path and len(names) > MAX_INCLUDE_DEPTH:
            raise ParameterError("unsupported_include", path, "include")
        if path in serializer_class.without_records:
            branch[path] = {}
            continue
        for name in names if path else ():
            if name not in serializer.Meta.fields:
                raise ParameterError("unsupported_include", path, "include")
            field = serializer.Meta.model._meta.get_field(name)
            if not field.is_relation:
                raise ParameterError("unsupported_include", path, "include")
            serializer = ModelSerializer.by_model[field.related_model]
            branch = branch.setdefault(name, {})
    return frozen(tree)


def frozen(tree: dict[str, Any]) -> IncludeTree:
    return tuple((name, frozen(branch)) for name, branch in sorted(tree.items()))


def sparse_fields(params: QueryDict) -> SparseFields:
    """Return the names of each `fields[type]=a,b`, or raise ParameterError."""
    shown: dict[str, frozenset[str]] = {}
    for parameter in params:
        if parameter != "fields" and not parameter.startswith("fields["):
            continue
        match = FIELDS_PARAMETER.fullmatch(parameter)
        serializer = serializer_of(match[1]) if match else None
        if serializer is None:
            raise ParameterError("unsupported_field", match[1] if match else parameter, parameter)
        names = only_value(params, parameter, "unsupported_field") or ""
        shown[match[1]] = frozenset(filter(None, names.split(",")))  # type: ignore[index]
        known = {*serializer.Meta.fields, *serializer.without_records}
        for name in sorted(shown[match[1]] - known):  # type: ignore[index]
            raise ParameterError("unsupported_field", name, parameter)
    return tuple(sorted(shown.items()))


def serializer_of(name: str) -> type[ModelSerializer] | None:
    serializers = ModelSerializer.by_model.items()
    return next((s for model, s in serializers if resource_type(model) == name), None)
