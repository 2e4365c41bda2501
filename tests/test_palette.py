"""Test the results, order, permissions and query counts of the command palette."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from catalog.models import Deal
from productive.accounts.models import Organization
from tests.support.factories import (
    DealFactory,
    OrganizationFactory,
    PersonFactory,
    ProjectFactory,
    ServiceFactory,
    ServiceTypeFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db

PALETTE = "/admin/search/"
QUOTES = ("'", '"')


@pytest.fixture
def organization() -> Organization:
    return OrganizationFactory()


def staff(organization: Organization, *codenames: str) -> Client:
    """Return a client of staff whose person no search below finds."""
    user = UserFactory(organization=None, is_staff=True)
    PersonFactory(organization=organization, user=user, first_name="Q", last_name="Q", email=None)
    permissions = Permission.objects.all()
    user.user_permissions.set(permissions.filter(codename__in=codenames) if codenames else permissions)
    client = Client()
    client.force_login(user)
    return client


def found(client: Client, term: str) -> list[tuple[str, str, str]]:
    response = client.get(PALETTE, {"s": term, "extended": "1"})
    assert response.status_code == 200
    return [(one.title, one.hint, one.status) for one in response.context["results"]]


def test_palette_finds_every_model_and_distinguishes_equal_names(organization: Organization) -> None:
    PersonFactory(
        organization=organization, first_name="Umbra", last_name="Horvat", email="umbra@example.com"
    )
    project = ProjectFactory(organization=organization, name="Umbra site", project_number="P-7")
    deal = DealFactory(organization=organization, project=project, name="Umbra 2026")
    kind = ServiceTypeFactory(organization=organization, name="Umbra work")
    service = ServiceFactory(organization=organization, deal=deal, service_type=kind, name="Umbra design")
    client = staff(organization)
    assert found(client, "umbra") == [
        ("Umbra Horvat · umbra@example.com", "person", ""),
        ("Umbra design · Umbra 2026 · Umbra site · P-7", "service", ""),
        ("Umbra 2026 · Umbra site · P-7", "budget", ""),
        ("Umbra site · P-7", "project", ""),
        ("Umbra work", "service type", ""),
    ]
    page = client.get(PALETTE, {"s": "umbra"}).content.decode()
    assert f'href="/admin/catalog/service/{service.pk}/change/"' in page
    assert "5 results" in page


def test_superuser_sees_the_organization(organization: Organization) -> None:
    PersonFactory(organization=organization, first_name="Umbra", last_name="Horvat", email=None)
    client = Client()
    client.force_login(UserFactory(organization=None, is_staff=True, is_superuser=True))
    assert found(client, "umbra") == [("Umbra Horvat", f"person · {organization}", "")]


def test_prefix_matches_come_first_and_archived_records_last(organization: Organization) -> None:
    for name in ("Old Cedar", "Cedar", "My Cedar"):
        ProjectFactory(organization=organization, name=name)
    ProjectFactory(organization=organization, name="Cedar before").archive()
    closed = DealFactory(
        organization=organization,
        name="Cedar 2024",
        project=ProjectFactory(organization=organization, name="Portal"),
    )
    Deal.objects.get(pk=closed.pk).close()
    ServiceFactory(organization=organization, deal=closed, name="Design")
    PersonFactory(organization=organization, first_name="Ana", last_name="Cedar", email=None).archive()
    names = [(title, status) for title, _, status in found(staff(organization), "cedar")]
    assert names == [
        ("Cedar", ""),
        ("My Cedar", ""),
        ("Old Cedar", ""),
        ("Cedar 2024 · Portal", "closed"),
        ("Cedar before", "archived"),
        ("Ana Cedar", "archived"),
        ("Design · Cedar 2024 · Portal", "budget closed"),
    ]


def test_palette_shows_best_matches_if_there_are_too_many(organization: Organization) -> None:
    for number in range(20):
        ProjectFactory(organization=organization, name=f"A{number:02} Cedar").archive()
    ProjectFactory(organization=organization, name="Zeta cedar")
    ProjectFactory(organization=organization, name="Cedar zeta")
    titles = [title for title, _, _ in found(staff(organization), "cedar")]
    assert titles == ["Cedar zeta", "Zeta cedar", *(f"A{number:02} Cedar" for number in range(6))]


def test_pages_are_found_by_prefix_of_word(organization: Organization) -> None:
    client = staff(organization)
    assert found(client, "service assig") == [("Service assignments", "Assignments", "")]
    assert ("Access check", "Assignments", "") in found(client, "check")
    assert found(client, "hecks") == []


def test_palette_finds_nothing_of_other_organizations(organization: Organization) -> None:
    """Not even the same search by a user with more permissions before is reused."""
    secret = OrganizationFactory()
    ServiceFactory(
        organization=secret,
        name="Umbra",
        deal=DealFactory(
            organization=secret, name="Umbra", project=ProjectFactory(organization=secret, name="Umbra")
        ),
        service_type=ServiceTypeFactory(organization=secret, name="Umbra"),
    )
    PersonFactory(organization=secret, first_name="Umbra")
    assert len(found(staff(secret), "umbra")) == 5
    assert found(staff(organization), "umbra") == []
    assert found(staff(secret, "view_person"), "umbra") == [
        one for one in found(staff(secret), "umbra") if one[1].startswith("person")
    ]
    anonymous = Client()
    assert anonymous.get(PALETTE, {"s": "umbra"}).status_code == 302


def test_names_and_terms_are_escaped(organization: Organization) -> None:
    name = "<script>alert(1)</script>"
    PersonFactory(organization=organization, first_name=name, last_name='"><img src=x>', email=None)
    client = staff(organization)
    for term in (name, "<script>", '"><img'):
        page = client.get(PALETTE, {"s": term}).content.decode()
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
        assert "<script" not in page
        assert "<img" not in page
    assert "No results for “&lt;b&gt;none" in client.get(PALETTE, {"s": "<b>none"}).content.decode()


@pytest.mark.parametrize(
    "term",
    [
        "",
        " ",
        "\x00",
        "a\x00b",
        "x" * 10_000,
        "x " * 5_000,
        "\ud800",
        "%",
        "_",
        "\\",
        *QUOTES,
        "é" * 300,
        "\u202e",
        "0",
    ],
    ids=lambda term: ascii(term)[:12],
)
def test_invalid_term_causes_no_error(organization: Organization, term: str) -> None:
    PersonFactory(organization=organization, first_name="Ana", last_name="Horvat", email=None)
    client = staff(organization)
    # Django's test client can't send a lone surrogate.
    query = "s=%ED%A0%80" if term == "\ud800" else urlencode({"s": term})
    response = client.get(f"{PALETTE}?{query}")
    assert response.status_code == 200
    assert "Ana Horvat" not in [one.title for one in response.context["results"]]


def test_query_count_does_not_depend_on_number_of_records(
    organization: Organization, django_assert_num_queries: Any
) -> None:
    """Session, user, two for permissions, organizations, one per model."""
    client = staff(organization)

    def add(number: int) -> None:
        for _ in range(number):
            project = ProjectFactory(organization=organization, name="Cedar")
            deal = DealFactory(organization=organization, name="Cedar", project=project)
            ServiceFactory(organization=organization, name="Cedar", deal=deal)
            PersonFactory(organization=organization, first_name="Cedar")

    add(1)
    with django_assert_num_queries(11):
        assert len(found(client, "cedar")) == 4
    add(29)
    with django_assert_num_queries(11):
        assert len(found(client, "cedar")) == 4 * 8
