"""The assignments' resources, and people and projects with the filters that lean on assignments."""

from assignments.filters import (
    FilterFilterSet,
    PersonFilterSet,
    ProjectAssignmentFilterSet,
    ProjectFilterSet,
    ServiceAssignmentFilterSet,
    ServiceTypeAssignmentFilterSet,
)
from assignments.serializers import (
    FilterSerializer,
    ProjectAssignmentSerializer,
    ServiceAssignmentSerializer,
    ServiceTypeAssignmentSerializer,
)
from catalog.views import ProjectViewSet as CatalogProjectViewSet
from productive.accounts.views import PersonViewSet as AccountsPersonViewSet
from productive.jsonapi.views import ModelViewSet


class PersonViewSet(AccountsPersonViewSet):
    filterset_class = PersonFilterSet


class ProjectViewSet(CatalogProjectViewSet):
    filterset_class = ProjectFilterSet


class ServiceAssignmentViewSet(ModelViewSet):
    serializer_class = ServiceAssignmentSerializer
    filterset_class = ServiceAssignmentFilterSet


class ProjectAssignmentViewSet(ModelViewSet):
    serializer_class = ProjectAssignmentSerializer
    filterset_class = ProjectAssignmentFilterSet


class ServiceTypeAssignmentViewSet(ModelViewSet):
    serializer_class = ServiceTypeAssignmentSerializer
    filterset_class = ServiceTypeAssignmentFilterSet


class FilterViewSet(ModelViewSet):
    serializer_class = FilterSerializer
    filterset_class = FilterFilterSet
