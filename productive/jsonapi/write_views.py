"""The viewset that also writes, and its actions."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, ClassVar, TypeVar

import orjson
from django.conf import settings
from django.db import models
from rest_framework.decorators import action
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response

from productive.jsonapi.dry_runs import DRY_RUN_MAX_INCLUDED, DryRun
from productive.jsonapi.errors import ApiError, HeaderError, ParameterError
from productive.jsonapi.etags import is_matched, tags_of
from productive.jsonapi.idempotency import REPLAYED, Created, idempotency_key, idempotent
from productive.jsonapi.parameters import is_dry_run
from productive.jsonapi.parsers import ResourceObject
from productive.jsonapi.plans import Plan
from productive.jsonapi.records import find_record, resource_type
from productive.jsonapi.renderers import dump
from productive.jsonapi.serializers import unknown_members
from productive.jsonapi.transactions import in_transaction
from productive.jsonapi.views import ReadOnlyViewSet

T = TypeVar("T")

IF_MATCH = "If-Match"
HANDLING_STRICT = re.compile(r'\s*handling\s*=\s*"?strict"?\s*(;|$)')


class ModelViewSet(ReadOnlyViewSet):
    """Also create, update and delete, each in one transaction."""

    is_dry_run = False
    # For the OpenAPI document: member of the `meta` of a write, or only of a dry run → JSON Schema.
    write_meta: ClassVar[Mapping[str, Any]] = {}
    dry_run_meta: ClassVar[Mapping[str, Any]] = {}

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self.is_dry_run = request.method not in SAFE_METHODS and is_dry_run(request.query_params)

    def create(self, request: Request, **kwargs: Any) -> Response:
        plan, resource = self.plan(), self.resource_object()
        if resource.id is not None:
            raise ApiError(403, "The id of a new record can't be chosen by the client")
        if self.is_dry_run:
            idempotency_key(request)  # Neither used nor kept, but it must be valid.
            return self.dry_run(plan, lambda: self.save(None, resource), self.remarks(resource, None))

        def save() -> Created:
            pk = self.save(None, resource)
            location = request.build_absolute_uri(f"{request.path.rstrip('/')}/{pk}")
            return Created(location, self.record_document(pk))

        created = self.run(idempotent(request, save))
        headers = {"Location": created.location}
        if created.is_replayed:
            headers[REPLAYED] = "true"
        pk = created.location.rpartition("/")[2]
        remarks = self.remarks(resource, int(pk))
        return self.written(plan, int(pk), created.body, remarks, status=201, headers=headers)

    def partial_update(self, request: Request, **kwargs: Any) -> Response:
        plan, pk, resource = self.plan(), self.pk(), self.resource_object()
        self.check_id(resource)
        return self.change(plan, pk, lambda record: self.save(record, resource), resource)

    def destroy(self, request: Request, **kwargs: Any) -> Response:
        plan, pk = self.plan(), self.pk()
        state = self.matched_state(plan, pk)

        def delete() -> None:
            self.locked(pk, state).delete()

        if self.is_dry_run:
            return self.dry_run(plan, delete)
        self.run(delete)
        return Response(status=204)

    def change(
        self,
        plan: Plan,
        pk: int,
        change: Callable[[models.Model], Any],
        resource: ResourceObject | None = None,
    ) -> Response:
        """Call `change` with the locked record, and return the response."""
        state = self.matched_state(plan, pk)

        def write() -> int:
            change(self.locked(pk, state))
            return pk

        if self.is_dry_run:
            return self.dry_run(plan, write, self.remarks(resource, pk))
        document = self.run(lambda: self.record_document(write()))
        return self.written(plan, pk, document, self.remarks(resource, pk))

    def remarks(self, resource: ResourceObject | None, pk: int | None) -> dict[str, Any]:
        """Return what the `meta` of the response says about the sent members of the record."""
        ignored = [] if resource is None else unknown_members(self.serializer_class, resource)
        return {"ignored": ignored} if ignored else {}

    def run(self, write: Callable[[], T]) -> T:
        """Make the write of the request."""
        return in_transaction(write)

    def dry_run(
        self, plan: Plan, write: Callable[[], int | None], remarks: Mapping[str, Any] | None = None
    ) -> Response:
        """Roll the write back, and return what it would do. The response has no ETag: nothing has it."""
        attempted = DryRun(write, partial(self.document_or_record, plan))
        meta = {**(remarks or {}), **self.consequences(attempted)}
        return Response(dump({**attempted.document, "meta": {**attempted.document.get("meta", {}), **meta}}))

    def consequences(self, attempted: DryRun) -> dict[str, Any]:
        """Attempt a dry run, and return what `meta` says about it."""
        attempted.attempt(lambda written: None)
        return {}

    def max_included(self) -> int:
        return min(DRY_RUN_MAX_INCLUDED, settings.MAX_INCLUDED) if self.is_dry_run else super().max_included()

    def document_or_record(self, plan: Plan, pk: Any) -> dict[str, Any]:
        """Return the document, without included records if these are too many."""
        try:
            return self.document(plan, pk)
        except ParameterError:
            return self.document(self.plan_without_include(), pk)

    def record_document(self, pk: Any) -> bytes:
        """Return the document of the record alone: transactions must not wait for what is included."""
        return dump(self.document(self.plan_without_include(), pk))

    def resource_object(self) -> ResourceObject:
        resource = self.request.data
        if not isinstance(resource, ResourceObject):
            raise ApiError(400, "The document must have a member 'data'")
        expected = resource_type(self.serializer_class.Meta.model)
        if resource.type != expected:
            raise ApiError(409, f"The type of the resource must be '{expected}'")
        return resource

    def check_id(self, resource: ResourceObject) -> None:
        if resource.id not in (None, self.kwargs["pk"]):
            raise ApiError(409, "The id of the resource is not the one in the address")

    def written(
        self, plan: Plan, pk: Any, document: bytes, remarks: Mapping[str, Any], **kwargs: Any
    ) -> Response:
        """Return the response to a write, with the ETag that a GET would have.

        Add included records after the transaction. If there are too many, or the record has been deleted by
        then, leave them out: the change has been made. `remarks` are added to `meta`.
        """
        if plan is not self.plan_without_include():
            with suppress(ApiError):
                document = dump(self.document(plan, pk))
        etag = tags_of(document, self.organization.pk)[""]
        if remarks:
            parsed = orjson.loads(document)
            document = dump({**parsed, "meta": {**parsed["meta"], **remarks}})
        response = Response(document, **kwargs)
        response.headers["ETag"] = etag
        return response

    def matched_state(self, plan: Plan, pk: int) -> bytes | None:
        """Return the document of the record alone, or None without If-Match.

        Raise HeaderError 412 if the ETag in If-Match is not the one of the document with what it includes.
        """
        if_match = self.request.headers.get(IF_MATCH)
        if if_match is None:
            return None
        state = self.record_document(pk)
        document = state if plan is self.plan_without_include() else dump(self.document(plan, pk))
        if not is_matched(if_match, tags_of(document, self.organization.pk)):
            raise HeaderError(412, IF_MATCH)
        return state

    def locked(self, pk: int, state: bytes | None = None) -> models.Model:
        """Return the record, locked until the transaction ends.

        Raise ApiError 404 if it doesn't exist, and HeaderError 412 if it has changed since `matched_state`
        returned `state`.
        """
        record = find_record(self.serializer_class.Meta.model, self.organization, pk, lock=True)
        if record is None:
            raise ApiError(404)
        if state is not None and state != self.record_document(pk):
            raise HeaderError(412, IF_MATCH)
        return record

    def save(self, record: models.Model | None, resource: ResourceObject) -> int:
        serializer = self.serializer_class(
            record,
            data=resource,
            partial=record is not None,
            context={"organization": self.organization, "is_strict": is_strict(self.request)},
        )
        serializer.is_valid(raise_exception=True)
        return serializer.save().pk


def is_strict(request: Request) -> bool:
    """Return whether the client asks for errors where the server is lenient (RFC 7240, section 4.4)."""
    preferences = request.headers.get("Prefer", "").lower().split(",")
    return any(HANDLING_STRICT.match(preference) for preference in preferences)


def model_action(name: str) -> Any:
    """Return an action `PATCH …/<name>` that calls the model's method. Some clients send PUT instead."""

    def view_method(self: ModelViewSet, request: Request, **kwargs: Any) -> Response:
        plan, pk = self.plan(), self.pk()
        if isinstance(request.data, ResourceObject):
            self.check_id(self.resource_object())

        return self.change(plan, pk, lambda record: getattr(record, name)())

    view_method.__name__ = name
    return action(detail=True, methods=["patch", "put"])(view_method)
