from django.db.models import Q

from assignments.tracking_filters import DayFilter, KindFilter, MayTrackFilter
from productive.accounts.models import Person
from productive.jsonapi.date_filters import TimeFilter
from productive.jsonapi.filters import (
    BooleanFilter,
    ChoiceFilter,
    EmailFilter,
    EmptyFilter,
    FilterSet,
    IdFilter,
    MemberFilter,
    MomentFilter,
    QueryFilter,
    SoftReferenceFilter,
    TextFilter,
)

# 1 is a person of the organization, 2 is a contact at a client, 3 stands for somebody who isn't known yet.
PERSON_TYPES = {
    "1": ("user", Q(company=None, virtual=False)),
    "2": ("contact", Q(company__isnull=False)),
    "3": ("placeholder", Q(company=None, virtual=True)),
}


class OrganizationMembershipFilterSet(FilterSet):
    can_be_grouped = False
    id = None  # type: ignore[assignment]


class PersonFilterSet(FilterSet):
    email = EmailFilter()
    first_name = TextFilter()
    last_name = TextFilter()
    title = TextFilter()
    company_id = IdFilter()
    manager_id = IdFilter()
    merged_into_id = IdFilter()
    role_id = SoftReferenceFilter()
    custom_role_id = SoftReferenceFilter()
    subsidiary_id = SoftReferenceFilter()
    time_tracking_policy_id = SoftReferenceFilter()
    timesheet_submission_disabled = BooleanFilter("timesheet_submission_disabled")
    virtual = BooleanFilter("virtual")
    team = EmptyFilter()
    person_type = ChoiceFilter(PERSON_TYPES)
    created_at = TimeFilter()
    archived_at = TimeFilter()
    query = QueryFilter("name_key", "email")
    status = MomentFilter(Person.moment)
    service_type_id = MemberFilter("service_types")
    project_id = MemberFilter("project_assignments__project_id")
    service_id = MayTrackFilter()
    on = DayFilter()
    kind = KindFilter()
