from productive.accounts.filters import PersonFilterSet
from productive.accounts.serializers import OrganizationSerializer, PersonSerializer
from productive.jsonapi.views import ModelViewSet, ReadOnlyViewSet, verb


class OrganizationViewSet(ReadOnlyViewSet):
    serializer_class = OrganizationSerializer


class PersonViewSet(ModelViewSet):
    serializer_class = PersonSerializer
    filterset_class = PersonFilterSet
    sorts = {
        "name": ("first_name", "last_name"),
        "email": ("email",),
        "created_at": ("created_at",),
    }
    archive = verb("archive")
    restore = verb("restore")
