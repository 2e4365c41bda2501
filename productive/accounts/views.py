from django.db.models import QuerySet

from assignments.models import ServiceAssignment
from assignments.opened_services import OpenedServicesViewSet
from productive.accounts.filters import PersonFilterSet
from productive.accounts.serializers import OrganizationSerializer, PersonSerializer
from productive.jsonapi.views import ReadOnlyViewSet, model_action


class OrganizationViewSet(ReadOnlyViewSet):
    serializer_class = OrganizationSerializer


class PersonViewSet(OpenedServicesViewSet):
    serializer_class = PersonSerializer
    filterset_class = PersonFilterSet
    sorts = {
        "name": ("first_name", "last_name"),
        "email": ("email",),
        "created_at": ("created_at",),
    }
    archive = model_action("archive")
    restore = model_action("restore")

    def affected_assignments(self) -> QuerySet[ServiceAssignment]:
        return self.owned(ServiceAssignment).filter(person=self.pk())
