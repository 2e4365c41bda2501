from catalog.filters import DealFilterSet, ProjectFilterSet, ServiceFilterSet, ServiceTypeFilterSet
from catalog.serializers import DealSerializer, ProjectSerializer, ServiceSerializer, ServiceTypeSerializer
from productive.jsonapi.views import ModelViewSet, verb


class ServiceTypeViewSet(ModelViewSet):
    serializer_class = ServiceTypeSerializer
    filterset_class = ServiceTypeFilterSet
    archive = verb("archive")
    restore = verb("restore")


class ProjectViewSet(ModelViewSet):
    serializer_class = ProjectSerializer
    filterset_class = ProjectFilterSet
    sorts = {"name": ("name",), "created_at": ("created_at",)}
    archive = verb("archive")
    restore = verb("restore")


class DealViewSet(ModelViewSet):
    serializer_class = DealSerializer
    filterset_class = DealFilterSet
    close = verb("close")
    open = verb("open")


class ServiceViewSet(ModelViewSet):
    serializer_class = ServiceSerializer
    filterset_class = ServiceFilterSet
    sorts = {"name": ("name",)}
