from django.db.models import F, Q, Value
from django.db.models.functions import Concat

from productive.jsonapi.filters import ChoiceFilter, FilterSet, MemberFilter, QueryFilter, TextFilter

ACTIVE_OR_ARCHIVED = {"1": ("active", Q(archived_at=None)), "2": ("archived", ~Q(archived_at=None))}


class PersonFilterSet(FilterSet):
    email = TextFilter()
    query = QueryFilter(Concat(F("first_name"), Value(" "), F("last_name")), "email")
    status = ChoiceFilter(ACTIVE_OR_ARCHIVED)
    service_type_id = MemberFilter("service_types")
