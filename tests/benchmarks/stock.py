"""The same list as the JSON:API package serves it out of the box: what `documents` is measured against."""

from __future__ import annotations

from typing import Any

from django.urls import path
from rest_framework_json_api import pagination, renderers, serializers, views
from rest_framework_json_api.relations import ResourceRelatedField

from assignments.models import ProjectAssignment
from catalog.models import Project
from productive.accounts.models import Organization, Person
from productive.urls import urlpatterns as our_urlpatterns


class OrganizationSerializer(serializers.ModelSerializer):
    class Meta:
        model = Organization
        fields = ["name"]


class PersonSerializer(serializers.ModelSerializer):
    class Meta:
        model = Person
        fields = ["first_name", "last_name"]


class ProjectSerializer(serializers.ModelSerializer):
    class Meta:
        model = Project
        fields = ["name"]


FAVORITES = [f"{kind}favorite_filter" for kind in ("", "budgets_", "deals_", "invoices_", "docs_")]


class StockSerializer(serializers.ModelSerializer):
    favorite_filter = ResourceRelatedField(read_only=True)
    budgets_favorite_filter = ResourceRelatedField(read_only=True)
    deals_favorite_filter = ResourceRelatedField(read_only=True)
    invoices_favorite_filter = ResourceRelatedField(read_only=True)
    docs_favorite_filter = ResourceRelatedField(read_only=True)
    included_serializers = {"person": PersonSerializer, "project": ProjectSerializer}

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


class StockPagination(pagination.JsonApiPageNumberPagination):
    max_page_size = 200


class StockViewSet(views.ModelViewSet):
    serializer_class = StockSerializer
    pagination_class = StockPagination
    renderer_classes = [renderers.JSONRenderer]
    filter_backends: list[Any] = []
    queryset = ProjectAssignment.objects.select_related("organization", "person", "project", *FAVORITES)
    resource_name = "project_assignments"

    def get_queryset(self) -> Any:
        return super().get_queryset().filter(organization=self.request.auth.organization)


urlpatterns = [path("api/stock/project_assignments", StockViewSet.as_view({"get": "list"})), *our_urlpatterns]
