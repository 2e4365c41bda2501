from django.db.models import F, Value
from django.db.models.functions import Concat

from assignments.tracking_filters import DayFilter, KindFilter, MayTrackFilter
from productive.accounts.models import Person
from productive.jsonapi.filters import FilterSet, MemberFilter, MomentFilter, QueryFilter, TextFilter


class PersonFilterSet(FilterSet):
    email = TextFilter()
    query = QueryFilter(Concat(F("first_name"), Value(" "), F("last_name")), "email")
    status = MomentFilter(Person.moment)
    service_type_id = MemberFilter("service_types")
    project_id = MemberFilter("project_assignments__project_id")
    service_id = MayTrackFilter()
    on = DayFilter()
    kind = KindFilter()
