"""Serve the same resources with the JSON:API package without changes.

It is set up as its documentation recommends, with its own viewset, serializers, parser, renderer,
pagination, filter backend and errors. `included_serializers` names every relationship, so that linkage needs
only the foreign key; included rows are joined (`select_for_includes`). If there are two ways, this is the
faster one.
"""

from __future__ import annotations

from typing import Any

import django_filters
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.routers import SimpleRouter
from rest_framework_json_api import exceptions, metadata, pagination, parsers, renderers, serializers, views
from rest_framework_json_api.django_filters import DjangoFilterBackend
from rest_framework_json_api.relations import ResourceRelatedField

from assignments.models import Filter, ProjectAssignment, ServiceAssignment
from catalog.details import ProjectDetails, ServiceDetails
from catalog.models import Deal, Project, Service, ServiceType
from productive.accounts.details import PersonDetails
from productive.accounts.models import Organization, Person
from productive.database.fields import field_names


class OrganizationSerializer(serializers.ModelSerializer):
    class Meta:
        model = Organization
        fields = ["name", "time_zone", "created_at"]


class OwnedSerializer(serializers.ModelSerializer):
    organization = ResourceRelatedField(read_only=True)


class PersonSerializer(OwnedSerializer):
    included_serializers = {"organization": OrganizationSerializer}

    class Meta:
        model = Person
        # Not service_types: linkage to many would be read for every person.
        fields = [
            "first_name",
            "last_name",
            "email",
            "title",
            "created_at",
            "archived_at",
            *field_names(PersonDetails),
            "organization",
        ]


class ProjectSerializer(OwnedSerializer):
    included_serializers = {"organization": OrganizationSerializer}

    class Meta:
        model = Project
        fields = [
            *("name", "project_number", "created_at", "archived_at"),
            *field_names(ProjectDetails),
            "organization",
        ]


class DealSerializer(OwnedSerializer):
    class Meta:
        model = Deal
        fields = ["name", "organization"]


class ServiceTypeSerializer(OwnedSerializer):
    class Meta:
        model = ServiceType
        fields = ["name", "organization"]


class ServiceSerializer(OwnedSerializer):
    included_serializers = {
        "organization": OrganizationSerializer,
        "deal": DealSerializer,
        "service_type": ServiceTypeSerializer,
    }

    class Meta:
        model = Service
        fields = [
            "name",
            "time_tracking_enabled",
            "expense_tracking_enabled",
            "created_at",
            *field_names(ServiceDetails),
            "organization",
            "deal",
            "service_type",
        ]


class FilterSerializer(OwnedSerializer):
    class Meta:
        model = Filter
        fields = ["name", "organization"]


class ServiceAssignmentSerializer(OwnedSerializer):
    included_serializers = {
        "organization": OrganizationSerializer,
        "person": PersonSerializer,
        "service": ServiceSerializer,
    }

    class Meta:
        model = ServiceAssignment
        fields = ["organization", "person", "service"]


FAVORITES = [f"{kind}favorite_filter" for kind in ("", "budgets_", "deals_", "invoices_", "docs_")]


class ProjectAssignmentSerializer(OwnedSerializer):
    favorite_filter = ResourceRelatedField(read_only=True)
    budgets_favorite_filter = ResourceRelatedField(read_only=True)
    deals_favorite_filter = ResourceRelatedField(read_only=True)
    invoices_favorite_filter = ResourceRelatedField(read_only=True)
    docs_favorite_filter = ResourceRelatedField(read_only=True)
    included_serializers = {
        "organization": OrganizationSerializer,
        "person": PersonSerializer,
        "project": ProjectSerializer,
        **dict.fromkeys(FAVORITES, FilterSerializer),
    }

    class Meta:
        model = ProjectAssignment
        fields = [
            "default_filter_id",
            "tasks_layout_id",
            "created_at",
            "preferences",
            "budgets_filter_id",
            "deals_filter_id",
            "invoices_filter_id",
            "docs_filter_id",
            "watched",
            "organization",
            "person",
            "project",
            *FAVORITES,
        ]


class Pagination(pagination.JsonApiPageNumberPagination):
    page_size = 30
    max_page_size = 200


class PersonFilterSet(django_filters.FilterSet):
    person_id = django_filters.NumberFilter()


class StockViewSet(views.ModelViewSet):
    """Use the package's settings instead of the product's."""

    parser_classes = [parsers.JSONParser]
    renderer_classes = [renderers.JSONRenderer]
    content_negotiation_class = DefaultContentNegotiation
    metadata_class = metadata.JSONAPIMetadata
    pagination_class = Pagination
    filter_backends = [DjangoFilterBackend]
    filterset_class = PersonFilterSet

    def get_exception_handler(self) -> Any:
        return exceptions.exception_handler

    def get_queryset(self) -> Any:
        return super().get_queryset().filter(organization=self.request.auth.organization)

    def perform_create(self, serializer: Any) -> None:
        serializer.save(organization=self.request.auth.organization)


class ServiceAssignmentViewSet(StockViewSet):
    serializer_class = ServiceAssignmentSerializer
    queryset = ServiceAssignment.objects.all()
    select_for_includes = {"person": ["person"], "service": ["service"]}


class ProjectAssignmentViewSet(StockViewSet):
    serializer_class = ProjectAssignmentSerializer
    queryset = ProjectAssignment.objects.all()
    # A saved filter is joined by two columns, so its linkage needs the row.
    select_for_includes = {"__all__": FAVORITES, "person": ["person"], "project": ["project"]}


router = SimpleRouter(trailing_slash=False)
router.register("service_assignments", ServiceAssignmentViewSet, "stock_service_assignment")
router.register("project_assignments", ProjectAssignmentViewSet, "stock_project_assignment")

urlpatterns = router.urls
