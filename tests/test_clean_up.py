"""The admin's Clean-up page."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from catalog.models import ServiceType
from productive.accounts.models import Organization
from tests.support.admin import staff, superuser, unrendered
from tests.support.factories import (
    PersonFactory,
    ServiceFactory,
    ServiceTypeAssignmentFactory,
    ServiceTypeFactory,
)

pytestmark = pytest.mark.django_db

ADDRESS = reverse("clean_up")


def groups(client: Any, show: str) -> list[list[str]]:
    found = unrendered(client, f"{ADDRESS}?show={show}").context_data["groups"]
    return [[record["label"] for record in group] for group in found]


def test_lists_have_the_records_of_the_organization(organization: Organization) -> None:
    qa, quality, design = (
        ServiceTypeFactory(organization=organization, name=name)
        for name in ("QA", "Quality assurance", "Design")
    )
    old = ServiceTypeFactory(organization=organization, name="q.a.")
    sold = ServiceFactory(organization=organization, service_type=quality)
    ServiceFactory(organization=organization, service_type=old)
    ServiceFactory(organization=organization, service_type=design, deal=sold.deal)
    ServiceTypeAssignmentFactory(organization=organization, service_type=qa)
    old.archive()
    ServiceTypeFactory(organization=organization, name="Quality Assurances").merge(quality)
    for first, last in (("Ana", "Šimić"), ("ana", "Simic"), ("Ivo", "Kos")):
        PersonFactory(organization=organization, first_name=first, last_name=last, email=None)
    # Alike, but of another organization.
    ServiceTypeFactory(name="design")
    PersonFactory(first_name="Ivo", last_name="Kos")
    client = staff(organization)
    assert groups(client, "types") == [["q.a. (archived)", "QA", "Quality assurance"]]
    assert groups(client, "unused") == [["QA"]]
    assert groups(client, "half-retired") == [["q.a. (archived)"]]
    assert groups(client, "people") == [["ana Simic", "Ana Šimić"]]
    assert groups(client, "nonsense") == groups(client, "types")
    assert len(groups(superuser(), "types")) == 1
    page = client.get(ADDRESS).content.decode()
    assert 'action="/admin/catalog/servicetype/merge/"' in page
    assert f'<input type="checkbox" name="id" value="{qa.pk}"' in page
    assert f"/admin/catalog/service/?service_type={quality.pk}" in page


def test_number_of_queries_is_independent_of_the_number_of_records(organization: Organization) -> None:
    client = staff(organization)
    for show in ("types", "unused", "people"):
        numbers = set()
        for _ in range(2):
            for name in ("QA", "Quality assurance"):
                ServiceTypeFactory(organization=organization, name=name)
            PersonFactory.create_batch(2, organization=organization, first_name="A", last_name="B")
            with CaptureQueriesContext(
                connection,
            ) as queries:
                groups(client, show)
            numbers.add(len(queries))
        assert len(numbers) == 1, show


def test_lists_have_pages(organization: Organization) -> None:
    for number in range(31):
        ServiceTypeFactory.create_batch(2, organization=organization, name=f"Type {number:02}")
    client = staff(organization)
    page = unrendered(client, ADDRESS).context_data
    assert (len(page["groups"]), page["page"].paginator.num_pages) == (30, 2)
    assert groups(client, "types&page=2") == [["Type 30", "Type 30"]]
    assert groups(client, "types&page=x") != []


def test_page_needs_view_permission_and_buttons_change_permission(organization: Organization) -> None:
    ServiceTypeFactory.create_batch(2, organization=organization, name="Design")
    assert staff(organization, "view_service").get(ADDRESS).status_code == 403
    client = staff(organization, "view_servicetype")
    page = client.get(ADDRESS)
    assert [view.name for view in page.context["views"]] == ["types", "unused", "half-retired"]
    assert b"Merge" not in page.content
    assert b'type="checkbox"' not in page.content
    assert ADDRESS.encode() in page.content
    # A user who may not view services sees no counts of them.
    assert page.context["columns"] == []
    assert ServiceType.objects.count() == 2
