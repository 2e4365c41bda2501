"""Compiled queries for one record and for lists in the default order."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any, TypeVar, cast

from django.db import models, router
from django.db.models import Count
from rest_framework_json_api.utils import get_resource_type_from_model

from productive.database.owned_rows import owned_rows, scan_by_id
from productive.database.query_cache import CompiledQuery
from productive.database.row_counts import FAR, count_rows, read_slice, row_count_of, total_expression

M = TypeVar("M", bound=models.Model)


@cache
def resource_type(model: Any) -> str:
    """Return the model's resource type, cached because inflecting is slow."""
    return get_resource_type_from_model(model)


@lru_cache(maxsize=1024)
def owned(model: Any, owner: Any, organization: int) -> models.QuerySet[Any, Any]:
    """Return the organization's records as a queryset to clone."""
    return model.objects.owned_by(owner(pk=organization))


@lru_cache(maxsize=1024)
def by_id(model: Any, owner: Any, columns: tuple[str, ...], *, lock: bool = False) -> CompiledQuery:
    """Return the query for one record by organization and id."""

    def build(organization: int, pk: int) -> models.QuerySet[Any, Any]:
        records = model.objects.owned_by(owner(pk=organization)).filter(pk=pk).order_by()
        if lock:
            records = records.select_for_update(of=("self",))
        return records.values_list(*columns)

    return CompiledQuery(model, build, 1, 1)


@lru_cache(maxsize=1024)
def in_order(model: Any, owner: Any, columns: tuple[str, ...]) -> CompiledQuery:
    """Return the query for an organization's records in the default order.

    If their number is stored, it is one more column at the end.
    """

    def build(organization: int) -> models.QuerySet[Any, Any]:
        records = model.objects.owned_by(owner(pk=organization))
        if records.owned_rows.direction:
            records = scan_by_id(records, records.owned_rows.direction)
        total = total_expression(model, organization)
        return records.values_list(*columns, *([] if total is None else [total]))

    return CompiledQuery(model, build, 1)


def read_rows(
    queryset: models.QuerySet[Any, Any], columns: tuple[str, ...], start: int, stop: int
) -> tuple[Sequence[Any], int | None]:
    """Return a slice of the rows, and the total if it comes with them.

    A row may have one more column at the end.
    """
    model: Any = queryset.model
    rows = owned_rows(queryset)
    is_default = rows and rows.ordering == tuple(model._meta.ordering)
    organizations = rows.organizations if rows and is_default else None
    if organizations is None or len(organizations) != 1 or start > FAR:
        return read_slice(queryset, columns, start, stop), None
    owner: Any = model._meta.get_field("organization").related_model
    found = in_order(model, owner, columns).rows(*organizations, part=slice(start, stop))
    return found, found[0][-1] if found and row_count_of(model) else None


@lru_cache(maxsize=256)
def count_query(model: Any, owner: Any) -> CompiledQuery:
    """Return the query for the number of an organization's records; no row means none."""

    def build(organization: int) -> models.QuerySet[Any, Any]:
        records = model.objects.owned_by(owner(pk=organization)).order_by()
        return records.values("organization").annotate(number=Count("pk")).values_list("number")

    return CompiledQuery(model, build, 1)


def count_records(queryset: models.QuerySet[Any, Any]) -> int:
    """Return `count_rows(queryset)`, compiled if these are all records of an organization."""
    rows, model = owned_rows(queryset), cast(Any, queryset.model)
    if rows is None or rows.organizations is None or len(rows.organizations) != 1 or row_count_of(model):
        return count_rows(queryset)
    owner = model._meta.get_field("organization").related_model
    found = count_query(model, owner).rows(*rows.organizations)
    return found[0][0] if found else 0


@lru_cache(maxsize=256)
def column_names(model: type[models.Model]) -> tuple[str, ...]:
    return tuple(field.attname for field in model._meta.concrete_fields)


def find_record(model: type[M], organization: models.Model, pk: int, *, lock: bool = False) -> M | None:
    """Return the organization's record or None, locked if `lock` is true."""
    columns = column_names(model)
    for row in by_id(model, type(organization), columns, lock=lock).rows(organization.pk, pk):
        record = model.from_db(router.db_for_write(model), columns, row)
        if "organization_id" in columns:
            record.organization = organization  # type: ignore[attr-defined]
        return record
    return None
