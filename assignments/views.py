from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, ClassVar

from django.db import models
from django.db.models import Count, QuerySet, Subquery

from assignments.activities import (
    BY_CODE,
    CODES,
    ITEMS,
    ActivityKey,
    Position,
    count_entries,
    entries,
    newest_keys,
)
from assignments.activity_rows import (
    RelatedRecords,
    activity_columns,
    position,
    previous_entries,
    read_entries,
)
from assignments.api_consequences import (
    LOST,
    NO_EFFECT,
    OPENED,
    WITHOUT_EFFECT_SCHEMA,
    AccessViewSet,
    describe_headers,
)
from assignments.filters import (
    ActivityFilterSet,
    FilterFilterSet,
    ProjectAssignmentFilterSet,
    ServiceAssignmentFilterSet,
    ServiceTypeAssignmentFilterSet,
    TrackingDecisionFilterSet,
)
from assignments.serializers import (
    ActivitySerializer,
    FilterSerializer,
    ProjectAssignmentSerializer,
    ServiceAssignmentSerializer,
    ServiceTypeAssignmentSerializer,
    TrackingDecisionSerializer,
)
from assignments.tracking import Decision, Kind, decide_all, with_budget
from assignments.tracking_filters import day_and_kind
from catalog.models import Service
from productive.accounts.models import Organization, Person
from productive.jsonapi.cursors import Term
from productive.jsonapi.documents import Row
from productive.jsonapi.errors import ParameterError
from productive.jsonapi.filter_backends import FilterBackend
from productive.jsonapi.pagination import Contents, CursorPage, Page, Pagination
from productive.jsonapi.parsers import MAX_ID, parse_day, parse_id
from productive.jsonapi.plans import Plan, related_columns
from productive.jsonapi.views import ReadOnlyViewSet

DECISION_ID = re.compile(r"(\d+)-(\d+)-(time|expense)-(\S+)", re.ASCII)


class ServiceAssignmentViewSet(AccessViewSet):
    serializer_class = ServiceAssignmentSerializer
    filterset_class = ServiceAssignmentFilterSet
    response_headers: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "create": describe_headers(LOST, NO_EFFECT),
        "partial_update": describe_headers(LOST, OPENED, NO_EFFECT),
        "destroy": describe_headers(LOST, OPENED),
    }
    dry_run_meta: ClassVar[Mapping[str, Any]] = {
        **AccessViewSet.dry_run_meta,
        "without_effect": WITHOUT_EFFECT_SCHEMA,
    }


class ProjectAssignmentViewSet(AccessViewSet):
    serializer_class = ProjectAssignmentSerializer
    filterset_class = ProjectAssignmentFilterSet
    response_headers: ClassVar[Mapping[str, Mapping[str, Any]]] = dict.fromkeys(
        ("partial_update", "destroy"), describe_headers(LOST)
    )


class ServiceTypeAssignmentViewSet(AccessViewSet):
    serializer_class = ServiceTypeAssignmentSerializer
    filterset_class = ServiceTypeAssignmentFilterSet
    response_headers: ClassVar[Mapping[str, Mapping[str, Any]]] = dict.fromkeys(
        ("partial_update", "destroy"), describe_headers(LOST)
    )


class FilterViewSet(AccessViewSet):
    serializer_class = FilterSerializer
    filterset_class = FilterFilterSet


class DecisionPagination(Pagination):
    """Allow pages with all decisions of a board."""

    max_page_size = 20_000


class TrackingDecisionViewSet(ReadOnlyViewSet):
    """Apply the tracking rule to all pairs of filtered people and services.

    It takes one query each for the token, the people and the services, and one per thousand pairs.
    """

    serializer_class = TrackingDecisionSerializer
    filterset_class = TrackingDecisionFilterSet
    pagination_class = DecisionPagination
    sorts = None

    def people(self) -> QuerySet[Person]:
        return self.owned(Person).order_by("pk")

    def services(self) -> QuerySet[Service]:
        return with_budget(self.owned(Service)).order_by("pk")

    def read_page(self, plan: Plan, page: Page | CursorPage) -> Contents:
        params = self.request.query_params
        if "sort" in params:
            raise ParameterError("unsupported_sort", params["sort"], "sort")
        filterset = FilterBackend().get_filterset(self.request, self.people(), self)
        used = {} if filterset is None else filterset.filters
        people, services = self.people(), self.services()
        if "person_id" in used:
            people = filterset.filter_by("person_id", people)
        if "service_id" in used:
            services = filterset.filter_by("service_id", services)
            contents = pairs_on(page, people, services)
            pairs = contents.rows
        elif "person_id" in used:
            contents = pairs_on(page, services, people)
            pairs = [(person, service) for service, person in contents.rows]
        else:
            raise ParameterError("missing_filter", "person_id, service_id", "filter")
        on, kind = day_and_kind(filterset)
        return contents._replace(rows=self.rows(plan, pairs, on, kind))

    def read_one(self, plan: Plan, pk: str) -> Sequence[Row]:
        match = DECISION_ID.fullmatch(pk)
        if match is None:
            return []
        person, service, on = parse_id(match[1]), parse_id(match[2]), parse_day(match[4])
        if person is None or service is None or on is None:
            return []
        pairs = [(p, s) for p in self.people().filter(pk=person) for s in self.services().filter(pk=service)]
        return self.rows(plan, pairs, on, Kind(match[3]))

    def rows(
        self, plan: Plan, pairs: Sequence[tuple[Person, Service]], on: date, kind: Kind
    ) -> Sequence[Row]:
        """Return the plan's columns of the decisions and their included records."""
        people = related_columns(
            plan, "person__", self.people().filter(pk__in={person.pk for person, _ in pairs})
        )
        services = related_columns(
            plan, "service__", self.services().filter(pk__in={service.pk for _, service in pairs})
        )
        rows = []
        for decision in decide_all(pairs, on, kind):
            values = decision_columns(decision)
            if people:
                values |= people.get(decision.person.pk, {})
            if services:
                values |= services.get(decision.service.pk, {})
            # A record that has been deleted since is null.
            rows.append([values.get(column) for column in plan.columns])
        return rows

    def pk(self) -> str:
        return str(self.kwargs["pk"])


class ActivityViewSet(ReadOnlyViewSet):
    """List the history of all records, newest first.

    A page takes a query for the token, one to find its entries, one to count them, and a few for each kind of
    record on it.
    """

    serializer_class = ActivitySerializer
    filterset_class = ActivityFilterSet
    sorts = None

    def read_page(self, plan: Plan, page: Page | CursorPage) -> Contents:
        params = self.request.query_params
        if "sort" in params:
            raise ParameterError("unsupported_sort", params["sort"], "sort")
        querysets = [self.filter_queryset(entries(item, self.organization)) for item in ITEMS]
        if isinstance(page, CursorPage):
            terms = [
                Term.of(ITEMS[0].history, name, descending=True) for name in ("history_date", "history_id")
            ]
            terms.append(Term("code", models.SmallIntegerField(), descending=True, nullable=False))
            values = page.values(terms)
            after = Position(*values) if values else None
            keys = newest_keys(querysets, page.size + 1, after=after)
            contents = page.contents(read_entries(keys, self.organization), terms, position)
        else:
            past_end = page.offset > MAX_ID - page.size
            keys = [] if past_end else newest_keys(querysets, page.offset + page.size, page.offset)
            is_last = len(keys) < page.size and (keys or page.number == 1)
            total = page.offset + len(keys) if is_last else count_entries(querysets)
            contents = page.contents(read_entries(keys, self.organization), total)
        return contents._replace(rows=self.rows(plan, contents.rows))

    def read_one(self, plan: Plan, pk: Any) -> Sequence[Row]:
        history_id, code = divmod(pk, CODES)
        key = ActivityKey(history_id, code)
        return self.rows(plan, read_entries([key], self.organization)) if code in BY_CODE else []

    def rows(self, plan: Plan, found: Sequence[Any]) -> Sequence[Row]:
        """Return the plan's columns of the activities and their included records."""
        previous = previous_entries(entry for entry in found if entry.history_type == "~")
        related = RelatedRecords(found, self.organization)
        users = {entry.history_user_id for entry in found} - {None}
        people = self.owned(Person).filter(user__in=users)
        creators = dict(people.values_list("user", "pk")) if users else {}
        columns = related_columns(plan, "creator__", people)
        organization = related_columns(plan, "organization__", self.owned(Organization))
        rows = []
        for entry in found:
            before = previous.get((type(entry), entry.previous))
            values = activity_columns(entry, before, related, self.organization.zone)
            values |= columns.get(creators.get(entry.history_user_id), {})
            for each in organization.values():
                values |= each
            rows.append([values.get(column) for column in plan.columns])
        return rows


def pairs_on(page: Page | CursorPage, outer: QuerySet[Any], inner: QuerySet[Any]) -> Contents:
    """Return a page of all pairs of an outer and an inner record.

    The client listed the inner records, so all of them are read. Only the outer records of the page are.
    """
    if isinstance(page, CursorPage):
        return pairs_after(page, outer, inner)
    inners = list(inner)
    if not inners or page.offset > MAX_ID:
        return page.contents([], len(inners) and len(inners) * outer.count())
    first, last = page.offset // len(inners), (page.offset + page.size - 1) // len(inners)
    count = outer.order_by().values("organization").annotate(number=Count("pk")).values("number")
    outers = list(outer.annotate(number=Subquery(count))[first : last + 1])
    number = outers[0].number if outers else outer.count()
    total = len(inners) * number
    # A page past the end stays empty, even if records have been added since.
    positions = range(page.offset, min(page.offset + page.size, total)) if outers else ()
    pairs = [(outers[i // len(inners) - first], inners[i % len(inners)]) for i in positions]
    return page.contents(pairs, total)


def pairs_after(page: CursorPage, outer: QuerySet[Any], inner: QuerySet[Any]) -> Contents:
    """Return the pairs after a cursor, which has the ids of the last pair.

    The outer record of that pair may have more pairs.
    """
    terms = [Term(side.model._meta.label_lower, side.model._meta.pk, False, False) for side in (outer, inner)]
    last = tuple(page.values(terms) or (0, 0))
    inners = list(inner)
    outers = outer.filter(pk__gte=last[0])[: page.size // len(inners) + 2] if inners else outer.none()
    pairs = [(o, i) for o in outers for i in inners if (o.pk, i.pk) > last]
    return page.contents(pairs, terms, lambda pair: [record.pk for record in pair])


def decision_columns(decision: Decision) -> dict[str, Any]:
    on, kind = decision.on_date, decision.kind
    return {
        "pk": f"{decision.person.pk}-{decision.service.pk}-{kind}-{on}",
        "allowed": decision.allowed,
        "kind": kind,
        "on": on,
        "reasons": [{"code": reason.code, "message": reason.message} for reason in decision.reasons],
    }
