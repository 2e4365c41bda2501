"""Find the API's resources from the router and the models."""

from __future__ import annotations

import re
from typing import Any

from django.apps import apps
from django.db import models
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from productive.accounts.models import Organization
from productive.accounts.owned import OrganizationOwned
from productive.jsonapi.views import ReadOnlyViewSet
from productive.jsonapi.write_views import ModelViewSet
from tests.support import factories


def patterns(found: list[Any], prefix: str = "") -> Any:
    for pattern in found:
        path = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from patterns(pattern.url_patterns, path)
        elif isinstance(pattern, URLPattern) and hasattr(pattern.callback, "cls"):
            yield path, pattern.callback


ROUTES = [
    (path.removeprefix("api/v2/"), callback)
    for path, callback in patterns(get_resolver().url_patterns)
    if issubclass(callback.cls, ReadOnlyViewSet)
]


SERVED: dict[str, type[ReadOnlyViewSet]] = {
    match[1]: callback.cls for path, callback in ROUTES if (match := re.match(r"\^(\w+)/\?\$", path))
}


# Computed resources have no table; tests/assignments/tracking_api tests them.
RESOURCES = {
    name: view for name, view in SERVED.items() if not view.serializer_class.Meta.model._meta.abstract
}


ACTIONS = [
    (match[1], match[2])
    for path, _ in ROUTES
    if (match := re.match(r"\^(\w+)/\(\?P<pk>[^)]+\)/(\w+)/\?\$", path))
]


WRITABLE = [name for name, view in RESOURCES.items() if issubclass(view, ModelViewSet)]


# Resources with a `meta` object: the number of queries for all of a page.
METAS = {"services": 1}


def model_of(resource: str) -> type[models.Model]:
    return RESOURCES[resource].serializer_class.Meta.model


def create_rows(resource: str, organization: Organization, count: int = 1) -> list[Any]:
    model = model_of(resource)
    if model is Organization:
        return [organization]
    factory: Any = getattr(factories, f"{model.__name__}Factory")
    return factory.create_batch(count, organization=organization)


def create_linked_rows(resource: str, organization: Organization, count: int) -> list[Any]:
    """Create rows without empty foreign keys: each is linked to rows of its own."""
    rows = create_rows(resource, organization, count)
    for row in rows:
        for name in foreign_keys(type(row)):
            if getattr(row, f"{name}_id") is None:
                related: Any = type(row)._meta.get_field(name).related_model
                factory: Any = getattr(factories, f"{related.__name__}Factory")
                setattr(row, name, factory(organization=organization))
                if name == "merged_into":
                    row.archived_at = timezone.now()
        row.save()
    return rows


def document_for(resource: str, **attributes: Any) -> dict[str, Any]:
    return {"data": {"type": resource, "attributes": attributes}}


def action_document(resource: str, action: str, organization: Organization) -> dict[str, Any] | None:
    """Return the document that the action needs, or None."""
    if action not in RESOURCES[resource].action_bodies:
        return None
    (other,) = create_rows(resource, organization)
    return document_for(resource, into_id=other.pk)


def foreign_keys(model: type[models.Model]) -> list[str]:
    """Return the names of the foreign keys between records of an organization."""
    return [
        field.name
        for field in model._meta.concrete_fields
        if field.many_to_one and issubclass(field.related_model, OrganizationOwned)
    ]


def relationships_of(resource: str) -> list[str]:
    names = RESOURCES[resource].serializer_class.Meta.fields
    return [name for name in names if model_of(resource)._meta.get_field(name).is_relation]


def new(resource: str, organization: Organization) -> dict[str, Any]:
    """Return the document of a valid new record: that of a row that is created and deleted."""
    model = model_of(resource)
    (row,) = create_rows(resource, organization)
    names = [f.name for f in model._meta.concrete_fields if f.name in ("name", "first_name", "last_name")]
    links = {f"{name}_id": getattr(row, f"{name}_id") for name in foreign_keys(model)}
    attributes = {name: getattr(row, name) for name in names}
    row.delete()
    return document_for(resource, **attributes, **links)


def change_for(resource: str, organization: Organization) -> dict[str, Any]:
    """Return the document that changes one thing: a name, or the first link of a record that has none."""
    columns = {field.name for field in model_of(resource)._meta.concrete_fields}
    for name in ("name", "first_name"):
        if name in columns:
            return document_for(resource, **{name: "Changed"})
    name = foreign_keys(model_of(resource))[0]
    (other,) = create_rows(resource, organization)
    return document_for(resource, **{f"{name}_id": getattr(other, f"{name}_id")})


# Every model whose records belong to an organization, in the API or not.
OWNED = [model for model in apps.get_models() if issubclass(model, OrganizationOwned)]
