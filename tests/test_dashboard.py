"""Test the dashboard: its numbers, links, permissions and query counts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from assignments.dashboard import ATTENTION, COUNTS
from catalog.models import Service
from productive.accounts.models import Organization, Person
from tests.support.admin import staff, superuser
from tests.support.factories import (
    ApiTokenFactory,
    DealFactory,
    OrganizationFactory,
    PersonFactory,
    ProjectAssignmentFactory,
    ProjectFactory,
    ServiceAssignmentFactory,
    ServiceFactory,
    ServiceTypeFactory,
    UserFactory,
)

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

INDEX = "/admin/"


@pytest.fixture
def organization() -> Organization:
    return OrganizationFactory()


def numbers(client: Client, card: str) -> dict[str, int]:
    return {one["title"]: one["number"] for one in client.get(INDEX).context[card]}


def concerns(organization: Organization) -> None:
    """Create records that need attention, and similar ones that don't."""
    restricted = DealFactory(organization=organization, person_restricted_tracking=True)
    kind = ServiceTypeFactory(organization=organization)

    def service(**fields: Any) -> Service:
        return ServiceFactory(
            **{"organization": organization, "deal": restricted, "service_type": kind, **fields}
        )

    # Open: 1. Not counted: one on a closed budget.
    service()
    member = ProjectAssignmentFactory(organization=organization, project=restricted.project).person
    closed = DealFactory(organization=organization, person_restricted_tracking=True, closed_at=timezone.now())
    service(deal=closed)
    # Services that nobody can track on: 2 with an archived assignee, and 1 on a budget that has ended, which
    # is counted, too. Not counted: one with an active assignee.
    for archived in (True, True, False):
        person = PersonFactory(organization=organization) if archived else member
        ServiceAssignmentFactory(organization=organization, service=service(), person=person)
        if archived:
            person.archive()
    yesterday = organization.today() - timedelta(days=1)
    dates = {"project": restricted.project, "end_date": yesterday}
    service(deal=DealFactory(organization=organization, **dates))
    DealFactory(organization=organization, **dates, closed_at=timezone.now())
    DealFactory(organization=organization, project=restricted.project, end_date=yesterday + timedelta(days=1))
    # Archived types in use: 3, on projects without members. Not counted: one that only the closed budget
    # uses, and an unused one.
    for number in range(4):
        used = ServiceTypeFactory(organization=organization)
        free = DealFactory(organization=organization, project=ProjectFactory(organization=organization))
        service(service_type=used, deal=free if number else closed)
        used.archive()
    ServiceTypeFactory(organization=organization).archive()
    # People who can't track anywhere: 2. Not counted: an archived person, and one who can track.
    empty = ProjectFactory(organization=organization)
    for _ in range(3):
        person = PersonFactory(organization=organization)
        ProjectAssignmentFactory(organization=organization, project=empty, person=person)
    person.archive()
    open_service = service(deal=DealFactory(organization=organization))
    ProjectAssignmentFactory(
        organization=organization,
        project=open_service.deal.project,
        person=PersonFactory(organization=organization),
    )
    # Tokens about to expire: 1. Not counted: one without expiry, an expired and a revoked one.
    soon = timezone.now() + timedelta(days=3)
    ApiTokenFactory(organization=organization, expires_at=soon)
    ApiTokenFactory(organization=organization)
    ApiTokenFactory(organization=organization, expires_at=timezone.now() - timedelta(days=1))
    ApiTokenFactory(organization=organization, expires_at=soon).revoke()


NEEDED = {
    "Services that nobody can track on today": 6,
    "Services open to their whole project": 1,
    "People who can't track anywhere today": 2,
    "Budgets that have ended but are still open": 1,
    "Archived service types still in use": 3,
    "API tokens about to expire": 1,
}
PEOPLE = "People who can't track anywhere today"


@pytest.mark.no_cover
def test_dashboard_counts_what_needs_attention(organization: Organization) -> None:
    """The user is a person on no project, too."""
    concerns(organization)
    concerns(OrganizationFactory())
    client = staff(organization)
    assert numbers(client, "attention") == {**NEEDED, PEOPLE: 2 + 1}
    twice = {title: 2 * number for title, number in NEEDED.items()}
    assert numbers(superuser(), "attention") == {**twice, PEOPLE: 2 * 2 + 1}
    reasons = {
        one["title"]: {reason["text"]: reason["number"] for reason in one["reasons"]}
        for one in client.get(INDEX).context["attention"]
        if one["reasons"]
    }
    assert reasons == {
        "Services that nobody can track on today": {
            "the budget has ended": 1,
            "nobody active is on the project": 3,
            "all assignees are archived": 2,
        },
        PEOPLE: {"on no project": 1, "nothing is open today on their projects": 2},
    }


@pytest.mark.no_cover
@pytest.mark.parametrize("card", ["attention", "counts"])
def test_every_number_links_to_list_with_as_many_rows(organization: Organization, card: str) -> None:
    concerns(organization)
    concerns(OrganizationFactory())
    for client in (staff(organization), superuser()):
        shown = client.get(INDEX).context[card]
        assert len(shown) == {"attention": 6, "counts": 5}[card]
        linked = [*shown, *(reason for one in shown for reason in one["reasons"])]
        lists = {one["url"]: client.get(one["url"]) for one in linked}
        assert {address: page.status_code for address, page in lists.items()} == dict.fromkeys(lists, 200)
        rows = {address: page.context["cl"].result_count for address, page in lists.items()}
        assert rows == {one["url"]: one["number"] for one in linked}


def test_lists_of_concerns_have_titles_and_reasons(organization: Organization) -> None:
    concerns(organization)
    client = staff(organization)
    titles = {
        one["title"]: client.get(one["url"]).context["cl"].title
        for one in client.get(INDEX).context["attention"]
    }
    nobody_assigned = "Services open to their whole project, because nobody is assigned"
    assert titles == {
        **{title: title for title in NEEDED},
        "Services open to their whole project": nobody_assigned,
        "Archived service types still in use": "Service types",
        "API tokens about to expire": "API tokens",
    }
    page = " ".join(client.get("/admin/catalog/service/?access=nobody").content.decode().split())
    assert ">Services that nobody can track on today</h2>" in page
    assert page.count("> Nobody <") == 6
    assert page.count("all assignees are archived</span>") == 2
    page = client.get("/admin/accounts/person/?trackable=nowhere").content.decode()
    assert [
        page.count(text) for text in ("On no project</td>", "Nothing is open today on their projects</td>")
    ]


def test_dashboard_without_concerns_says_so(organization: Organization) -> None:
    client = staff(organization)
    ProjectAssignmentFactory(
        organization=organization,
        person=Person.objects.get(organization=organization),
        project=ServiceFactory(organization=organization).deal.project,
    )
    assert numbers(client, "attention") == dict.fromkeys(NEEDED, 0)
    page = client.get(INDEX).content.decode()
    assert page.count(">none<") == len(NEEDED)
    assert not [each.why for each in ATTENTION if each.why in page]


def test_every_concern_has_explanation(organization: Organization) -> None:
    concerns(organization)
    page = " ".join(staff(organization).get(INDEX).content.decode().split())
    assert [each.why for each in ATTENTION if each.why not in page] == []


def test_staff_see_only_what_they_may_view(organization: Organization) -> None:
    concerns(organization)
    client = staff(organization, "view_person", "add_person")
    page = client.get(INDEX)
    assert numbers(client, "attention") == {PEOPLE: 2 + 1}
    assert list(numbers(client, "counts")) == ["Active people"]
    assert [action["title"] for action in page.context["quick"]] == ["Add a person"]
    assert {entry.kind for change in page.context["changes"] for entry in change.entries} == {"person"}
    assert "token" not in page.content.decode().lower().replace("csrfmiddlewaretoken", "")


@pytest.mark.no_cover
def test_quick_actions_require_permissions(organization: Organization) -> None:
    for client in (staff(organization), superuser()):
        actions = client.get(INDEX).context["quick"]
        assert len(actions) == 6
        assert {client.get(action["url"]).status_code for action in actions} == {200}


def test_staff_without_permissions_see_message(organization: Organization) -> None:
    user = UserFactory(organization=organization, is_staff=True)
    client = Client()
    client.force_login(user)
    page = client.get(INDEX)
    assert page.status_code == 200
    assert [page.context[card] for card in ("attention", "counts", "quick", "changes")] == [[], [], [], []]
    assert "You don't have permission to view anything yet" in page.content.decode()


@pytest.mark.no_cover
def test_recent_changes_show_author_and_link(organization: Organization) -> None:
    ServiceFactory(organization=OrganizationFactory(), name="Foreign")
    person = PersonFactory(organization=organization, first_name="Ana", last_name="Horvat", title=None)
    user = UserFactory(organization=organization, username="mira", is_staff=True)
    user.user_permissions.set(Permission.objects.all())
    client = Client()
    client.force_login(user)
    change = f"/admin/accounts/person/{person.pk}/change/"
    sent = {"first_name": "Ana", "last_name": "Horvat", "title": "<b>Boss</b>"}
    inlines = {
        f"{inline.formset.prefix}-{name}": 0
        for inline in client.get(change).context["inline_admin_formsets"]
        for name in ("TOTAL_FORMS", "INITIAL_FORMS")
    }
    assert client.post(change, sent | inlines).status_code == 302
    assert Person.objects.get(pk=person.pk).title == "<b>Boss</b>"
    page = client.get(INDEX)
    newest = page.context["changes"][0]
    [entry, *_] = newest.entries
    assert (entry.label, entry.verb, newest.author) == ("Ana Horvat", "changed", "mira")
    assert client.get(entry.url).status_code == 200
    assert "Ana Horvat</a> (person) changed by mira" in " ".join(page.content.decode().split())
    assert "Foreign" not in page.content.decode()
    assert len(page.context["changes"]) <= 10


@pytest.mark.no_cover
def test_query_count_does_not_depend_on_number_of_records(
    organization: Organization, django_assert_max_num_queries: Any
) -> None:
    client = staff(organization)
    concerns(organization)
    with django_assert_max_num_queries(60) as few:
        client.get(INDEX)
    for _ in range(29):
        concerns(organization)
    with django_assert_max_num_queries(60) as many:
        client.get(INDEX)
    assert len(many) == len(few)


@pytest.mark.no_cover
def test_numbers_take_few_queries(organization: Organization, django_assert_num_queries: Any) -> None:
    """One for each number of rows; for states of services and people, and ended budgets, one for the dates.

    The two numbers of states of services share theirs.
    """
    from assignments import dashboard

    concerns(organization)
    request = staff(organization).get(INDEX).wsgi_request
    request.state.organizations = [organization]
    request.user.get_all_permissions()
    with django_assert_num_queries(5 + 3):
        dashboard.linked_counts(request, ATTENTION)
    with django_assert_num_queries(len(COUNTS)):
        dashboard.linked_counts(request, COUNTS)
