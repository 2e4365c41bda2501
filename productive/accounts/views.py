from collections.abc import Sequence
from typing import Any, cast

from assignments.api_consequences import LOST, OPENED, AccessViewSet, describe_headers
from catalog.models import Company
from productive.accounts.filters import OrganizationMembershipFilterSet, PersonFilterSet
from productive.accounts.models import Organization, Person, User
from productive.accounts.serializers import (
    OrganizationMembershipSerializer,
    OrganizationSerializer,
    PersonSerializer,
)
from productive.database.functions import RelatedValue
from productive.jsonapi.cursors import Term
from productive.jsonapi.documents import Row
from productive.jsonapi.errors import ParameterError
from productive.jsonapi.filter_backends import FilterBackend
from productive.jsonapi.merges import MergeMixin
from productive.jsonapi.pagination import Contents, CursorPage, Page
from productive.jsonapi.plans import Plan, related_columns
from productive.jsonapi.views import ReadOnlyViewSet
from productive.jsonapi.write_views import model_action


class OrganizationViewSet(ReadOnlyViewSet):
    serializer_class = OrganizationSerializer


class OrganizationMembershipViewSet(ReadOnlyViewSet):
    """Return the one membership that the token stands for.

    A service account is a member too. It has no person.
    """

    serializer_class = OrganizationMembershipSerializer
    filterset_class = OrganizationMembershipFilterSet
    sorts = None

    @property
    def user_id(self) -> int:
        return cast(User, self.request.user).pk

    def read_page(self, plan: Plan, page: Page | CursorPage) -> Contents:
        params = self.request.query_params
        if "sort" in params:
            raise ParameterError("unsupported_sort", params["sort"], "sort")
        FilterBackend().get_filterset(self.request, self.owned(Person), self)
        if isinstance(page, CursorPage):
            terms = [Term.of(User, "id")]
            (last,) = page.values(terms) or (0,)
            rows = self.rows(plan) if self.user_id > last else []
            return page.contents(rows, terms, lambda row: [self.user_id])
        return page.contents(self.rows(plan)[page.offset :], 1)

    def read_one(self, plan: Plan, pk: Any) -> Sequence[Row]:
        return self.rows(plan) if pk == self.user_id else []

    def rows(self, plan: Plan) -> Sequence[Row]:
        """Return the plan's columns of the membership and its included records."""
        values: dict[str, Any] = {"pk": self.user_id}
        people = self.owned(Person).filter(user=self.user_id)
        for prefix, queryset in (("person__", people), ("organization__", self.owned(Organization))):
            for columns in related_columns(plan, prefix, queryset).values():  # One at most.
                values |= columns
        return [[values.get(column) for column in plan.columns]]


class PersonViewSet(MergeMixin, AccessViewSet):
    serializer_class = PersonSerializer
    filterset_class = PersonFilterSet
    sorts = {
        "name": ("name_key",),
        "email": ("email",),
        "title": ("title",),
        "created_at": ("created_at",),
        # A person joins when they are added here.
        "joined_at": ("created_at",),
        "company_name": ("company_name",),
        "manager": ("manager_key",),
    }
    sort_expressions = {
        "company_name": RelatedValue(Company, "company", "name_key"),
        "manager_key": RelatedValue(Person, "manager", "name_key"),
    }
    archive = model_action("archive")
    restore = model_action("restore")
    deactivate = model_action("deactivate")
    activate = model_action("activate")
    response_headers = {
        "destroy": describe_headers(LOST, OPENED),
        "archive": describe_headers(LOST),
        "deactivate": describe_headers(LOST),
        "merge": describe_headers(LOST),
    }
