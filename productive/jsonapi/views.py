"""The viewset that reads, whose subclasses declare a serializer, filters and sorts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, cast

import django_filters
from django.conf import settings
from django.db import models
from django.db.models.expressions import Combinable
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSetMixin

from productive.database.reads import read_only
from productive.jsonapi.documents import DocumentWriter, IncludeTooLargeError, Row
from productive.jsonapi.errors import TOO_MUCH_INCLUDED, ApiError, ParameterError
from productive.jsonapi.filters import FilterSet
from productive.jsonapi.pagination import Contents, CursorPage, Page, Pagination
from productive.jsonapi.parameters import include_tree, sparse_fields
from productive.jsonapi.parsers import parse_id
from productive.jsonapi.plans import Plan, compile_plan
from productive.jsonapi.records import by_id, owned
from productive.jsonapi.renderers import represent
from productive.jsonapi.schema.operations import AutoSchema
from productive.jsonapi.serializers import ModelSerializer

Rows = Sequence[Row]


class ReadOnlyViewSet(ViewSetMixin, GenericAPIView):
    """List and retrieve records, without a serializer for each."""

    http_method_names = ["get", "post", "patch", "put", "delete", "head"]
    serializer_class: type[ModelSerializer]
    filterset_class: type[django_filters.FilterSet] = FilterSet
    pagination_class = Pagination
    # Name in `sort` → columns. `id` is always a sort. With None, the list can't be sorted.
    sorts: ClassVar[Mapping[str, tuple[str, ...]] | None] = {}
    # Columns in `sorts` that aren't the model's own → expressions. No index has their order: a page sorts
    # all records that the filters select.
    sort_expressions: ClassVar[Mapping[str, Combinable]] = {}
    schema = AutoSchema()
    # For the OpenAPI document. Action with a body → a function for the schema of its resource object.
    action_bodies: ClassVar[Mapping[str, Callable[[str], Any]]] = {}
    # Member of `resource_metas` → JSON Schema; action → header → description.
    resource_meta: ClassVar[Mapping[str, Any]] = {}
    # Likewise, but only some resources have these.
    optional_meta: ClassVar[Mapping[str, Any]] = {}
    response_headers: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        if settings.SECURE_SSL_REDIRECT and not request.is_secure():
            # Don't redirect: the client would keep sending its token unencrypted.
            raise ApiError(403, "This API is served over HTTPS only")
        super().initial(request, *args, **kwargs)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response.headers.setdefault("Cache-Control", "no-store")
        return super().finalize_response(request, response, *args, **kwargs)

    def get_queryset(self) -> models.QuerySet[Any, Any]:
        return self.owned(self.serializer_class.Meta.model)

    def owned(self, model: Any) -> models.QuerySet[Any, Any]:
        """Return the records of the organization of the request's token."""
        owner: Any = type(self.organization)
        return owned(model, owner, self.organization.pk).all()

    @property
    def organization(self) -> Any:
        """Return the organization of the request's token."""
        token: Any = self.request.auth
        return token.organization

    def plan(self) -> Plan:
        params = self.request.query_params
        serializer: Any = self.serializer_class
        return compile_plan(serializer, include_tree(params, serializer), sparse_fields(params))

    def plan_without_include(self) -> Plan:
        return compile_plan(cast(Any, self.serializer_class), (), sparse_fields(self.request.query_params))

    @read_only
    def list(self, request: Request, **kwargs: Any) -> Response:
        plan = self.plan()
        pagination: Any = self.paginator
        rows, pages, meta = self.read_page(plan, pagination.get_page(request))
        links = pagination.get_links(request, pages)
        document = {**self.data_and_included(plan, rows), "links": links, "meta": meta}
        return represent(request, document, self.organization.pk)

    @read_only
    def retrieve(self, request: Request, **kwargs: Any) -> Response:
        return represent(request, self.document(self.plan(), self.pk()), self.organization.pk)

    def document(self, plan: Plan, pk: Any) -> dict[str, Any]:
        """Return the document of one record, or raise ApiError 404."""
        rows = self.read_one(plan, pk)
        if not rows:
            raise ApiError(404)
        members = self.data_and_included(plan, rows)
        return {**members, "data": members["data"][0], "meta": self.document_meta(members["data"][0])}

    def document_meta(self, resource: Mapping[str, Any]) -> dict[str, Any]:
        """Return the meta of the document of one resource; by default, it is empty."""
        return {}

    def data_and_included(self, plan: Plan, rows: Rows) -> dict[str, Any]:
        writer = DocumentWriter(self.organization.pk, self.organization.zone, self.max_included())
        try:
            data = writer.primary_data(plan, rows)
        except IncludeTooLargeError:
            include = self.request.query_params["include"]
            detail = TOO_MUCH_INCLUDED.format(settings.MAX_INCLUDED)
            raise ParameterError("unsupported_include", include, "include", detail=detail) from None
        pk = plan.root.pk
        ids = [row[pk] for row in rows if self.may_have_meta(plan, row)]
        if ids and (metas := self.resource_metas(ids)):
            for resource, row in zip(data, rows, strict=True):
                if row[pk] in metas:  # It may have been deleted in the meantime.
                    resource["meta"] = metas[row[pk]]
        if plan.root.has_included:
            return {"data": data, "included": list(writer.included.values())}
        return {"data": data}

    def max_included(self) -> int:
        return settings.MAX_INCLUDED

    def read_page(self, plan: Plan, page: Page | CursorPage) -> Contents:
        """Return the page's rows in the plan's columns, its links and its meta."""
        return page.read(self.filter_queryset(self.get_queryset()), plan.columns)

    def read_one(self, plan: Plan, pk: Any) -> Rows:
        model: Any = self.serializer_class.Meta.model
        owner: Any = type(self.organization)
        return by_id(model, owner, plan.columns).rows(self.organization.pk, pk)

    def may_have_meta(self, plan: Plan, row: Row) -> bool:
        """Return whether `resource_metas` is needed for the resource of the row."""
        return True

    def resource_metas(self, ids: Sequence[Any]) -> Mapping[Any, dict[str, Any]]:
        """Return the meta objects of resources by id; by default, none."""
        return {}

    def pk(self) -> Any:
        pk = parse_id(self.kwargs["pk"])
        if pk is None:
            raise ApiError(404)
        return pk


class UnknownRoute(APIView):
    """Return 404 for every other path under /api/."""

    authentication_classes = ()
    permission_classes = ()
    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise ApiError(404)
