from collections.abc import Iterable

from django.db.models import Q

from assignments.tracking_filters import AccessFilter, DayFilter, KindFilter, TrackableByFilter
from catalog.details import BILLING_TYPES, PROJECT_TYPES, UNITS
from catalog.models import Company, Deal, Project, ServiceType
from productive.database.lookups import ALL_ROWS, NO_ROWS
from productive.jsonapi.date_filters import DateFilter, OpenRangeFilter, TimeFilter
from productive.jsonapi.filters import (
    BooleanFilter,
    ChoiceFilter,
    EmptyFilter,
    FilterSet,
    IdFilter,
    MemberFilter,
    MomentFilter,
    QueryFilter,
    SoftReferenceFilter,
    TextFilter,
)

# Of a documented attribute that is false for all records here.
ALWAYS_FALSE = {"true": ("none", NO_ROWS), "false": ("all", ALL_ROWS)}


def by_choice(field_name: str, choices: Iterable[tuple[int, str]]) -> ChoiceFilter:
    """Return a filter by the choices of a field."""
    return ChoiceFilter({str(value): (meaning, Q((field_name, value))) for value, meaning in choices})


class CompanyFilter(IdFilter):
    """Filter by the company of a budget: its own or, without one, that of its project."""

    def condition(self, operation: str, values: list[int]) -> Q:
        return Q((f"{self.field_name}__in", Deal.objects.of_companies(values).values("pk")))


class ServiceTypeFilterSet(FilterSet):
    name = TextFilter()
    description = TextFilter()
    person_id = MemberFilter("assignees")
    merged_into_id = IdFilter()
    query = QueryFilter("name", "description")
    status = MomentFilter(ServiceType.moment)


class CompanyFilterSet(FilterSet):
    name = TextFilter()
    billing_name = TextFilter()
    company_code = TextFilter()
    vat = TextFilter()
    query = QueryFilter("name", "billing_name")
    status = MomentFilter(Company.moment)
    project_id = MemberFilter("projects")
    created_at = TimeFilter()
    archived_at = TimeFilter()


class ProjectFilterSet(FilterSet):
    name = TextFilter()
    query = QueryFilter("name", "project_number")
    status = MomentFilter(Project.moment)
    person_id = MemberFilter("project_assignments__person_id")
    company_id = IdFilter()
    project_manager_id = IdFilter()
    responsible_id = IdFilter("project_manager_id")
    project_type = by_choice("project_type_id", PROJECT_TYPES)
    project_number = TextFilter()
    number = TextFilter("project_number")
    budget_id = MemberFilter("deals")
    workflow_id = SoftReferenceFilter()
    template = ChoiceFilter(ALWAYS_FALSE)
    created_at = TimeFilter()


STAGES = {
    "1": ("open", Deal.moment.is_null),
    "2": ("won", NO_ROWS),
    "3": ("lost", NO_ROWS),
    "4": ("delivered", ~Deal.moment.is_null),
}


class DealFilterSet(FilterSet):
    project_id = IdFilter()
    name = TextFilter()
    query = QueryFilter("name")
    budget_status = MomentFilter(Deal.moment)
    # 1 is a deal, which never exists, and 2 is a budget.
    type = ChoiceFilter({"1": ("deal", Q(budget=False)), "2": ("budget", Q(budget=True))})
    company_id = CompanyFilter("pk")
    responsible_id = IdFilter()
    creator_id = IdFilter()
    status = MomentFilter(Deal.moment)
    # Only deals that are not budgets are won or lost.
    stage_status_id = ChoiceFilter(STAGES)
    sales_status_id = ChoiceFilter(STAGES)
    deal_type_id = by_choice("deal_type_id", PROJECT_TYPES)
    deal_status_id = SoftReferenceFilter()
    tracking_type_id = SoftReferenceFilter()
    pipeline_id = EmptyFilter()
    contact_id = EmptyFilter()
    lost_reason_id = EmptyFilter()
    subsidiary_id = EmptyFilter()
    currency = TextFilter()
    recurring = ChoiceFilter(ALWAYS_FALSE)
    template = ChoiceFilter(ALWAYS_FALSE)
    date = DateFilter()
    end_date = DateFilter()
    delivered_on = DateFilter()
    closed_at = TimeFilter()
    created_at = TimeFilter()


class ServiceFilterSet(FilterSet):
    deal_id = IdFilter()
    project_id = IdFilter("deal__project_id")
    service_type_id = IdFilter()
    name = TextFilter()
    query = QueryFilter("name")
    person_id = IdFilter()
    budget_id = IdFilter("deal_id")
    company_id = CompanyFilter("deal")
    responsible_id = IdFilter("deal__responsible_id")
    section_id = SoftReferenceFilter()
    budget_status = ChoiceFilter(
        {"1": ("open", Q(deal__closed_at=None)), "2": ("closed", Q(deal__closed_at__isnull=False))}
    )
    billing_type = by_choice("billing_type_id", BILLING_TYPES)
    unit = by_choice("unit_id", UNITS)
    time_tracking_enabled = BooleanFilter("time_tracking_enabled")
    expense_tracking_enabled = BooleanFilter("expense_tracking_enabled")
    booking_tracking_enabled = BooleanFilter("booking_tracking_enabled")
    limitation_type = TextFilter()
    after = OpenRangeFilter("deal__end_date", "gte")
    before = OpenRangeFilter("deal__date", "lte")
    trackable_by_person_id = TrackableByFilter()
    on = DayFilter()
    kind = KindFilter()
    access = AccessFilter()
