"""Test the admin of the catalog."""

from __future__ import annotations

from typing import Any

import pytest
from django.db.models import Model
from django.utils import timezone

from assignments.models import ServiceTypeAssignment
from catalog.models import Deal, Project, Service, ServiceType
from productive.accounts.models import Person
from productive.admin.columns import CountColumn
from tests.support.admin import FACTORIES, delete, form_data, listed, rows_of_user, staff, superuser, url
from tests.support.bulk import apply, preview, shown
from tests.support.factories import (
    DealFactory,
    OrganizationFactory,
    PersonFactory,
    ServiceFactory,
    ServiceTypeAssignmentFactory,
    ServiceTypeFactory,
)

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


@pytest.mark.no_cover
@pytest.mark.parametrize(
    ("model", "column", "verb", "inverse", "done", "undone"),
    [
        (
            ServiceType,
            "archived_at",
            "archive",
            "restore",
            "2 service types archived.",
            "3 service types restored.",
        ),
        (Project, "archived_at", "archive", "restore", "2 projects archived.", "3 projects restored."),
        (Person, "archived_at", "archive", "restore", "2 people archived.", "3 people restored."),
        (Deal, "closed_at", "close", "open", "2 budgets closed.", "3 budgets opened."),
    ],
)
def test_rows_are_archived_and_restored(
    model: type[Model], column: str, verb: str, inverse: str, done: str, undone: str
) -> None:
    organization = OrganizationFactory()
    rows = [FACTORIES[model](organization=organization) for _ in range(3)]
    long_ago = timezone.datetime(2020, 1, 1, tzinfo=timezone.get_current_timezone())
    model._default_manager.filter(pk=rows[0].pk).update(**{column: long_ago})
    client = staff(organization)

    def act(action: str) -> tuple[list[str], list[Any]]:
        messages = apply(client, preview(client, action, rows))
        moments = [getattr(model._default_manager.get(pk=row.pk), column) for row in rows]
        return messages, moments

    messages, moments = act(verb)
    assert messages == [done]
    assert [moment is None for moment in moments] == [False] * 3
    assert moments[0] == long_ago
    assert act(inverse) == ([undone], [None] * 3)
    manager: Any = model
    records = manager.history.filter(history_type="~").order_by("history_id").values_list("id", column)
    ids = [row.pk for row in rows]
    assert [pk for pk, _ in records] == [*ids[1:], *ids]
    assert [moment is None for _, moment in records] == [False] * 2 + [True] * 3


@pytest.mark.no_cover
@pytest.mark.parametrize("model", [ServiceType, Project, Person])
def test_list_is_filtered_by_archived(model: type[Any]) -> None:
    organization = OrganizationFactory()
    active, archived = (FACTORIES[model](organization=organization) for _ in range(2))
    archived.archive()
    client = staff(organization)
    themselves = rows_of_user(client, model)
    assert listed(client, model) == {active.pk} | themselves
    assert listed(client, model, "?archived=all") == {active.pk, archived.pk} | themselves
    assert listed(client, model, "?archived=no") == {active.pk} | themselves
    assert listed(client, model, "?archived=yes") == {archived.pk}


def test_budgets_are_filtered_by_closed() -> None:
    open_one = DealFactory()
    closed = DealFactory(organization=open_one.organization)
    closed.close()
    client = staff(open_one.organization)
    assert listed(client, Deal, "?closed=no") == {open_one.pk}
    assert listed(client, Deal, "?closed=yes") == {closed.pk}


def test_actions_need_permission_to_change() -> None:
    service_type = ServiceTypeFactory()
    viewer = staff(service_type.organization, "view_servicetype")
    data = {"action": "archive", "index": 0, "_selected_action": [service_type.pk]}
    viewer.post(url(ServiceType, "changelist"), data)
    service_type.refresh_from_db()
    assert service_type.archived_at is None


def test_service_type_in_use_is_not_deleted() -> None:
    service = ServiceFactory()
    service_type, client = service.service_type, staff(service.organization)
    alone = delete(client, service_type)
    assert (alone.status_code, alone.context["preview"].blocked) == (
        200,
        "Service types in use can't be deleted. You can archive them instead.",
    )
    among_others = preview(client, "delete_selected", [service_type])
    assert shown(among_others) == {
        "Nothing can be deleted, because these records need the selected ones": [
            f"Service {service} · {service.deal} · {service.deal.project}",
        ]
    }
    assert ServiceType.objects.filter(pk=service_type.pk).exists()


def test_archived_service_type_is_rejected_for_a_new_service() -> None:
    deal = DealFactory()
    service_type = ServiceTypeFactory(organization=deal.organization)
    service_type.archive()
    response = staff(deal.organization).post(
        url(Service, "add"), {"name": "Design", "deal": deal.pk, "service_type": service_type.pk}
    )
    assert response.context["adminform"].form.errors == {"service_type": ["is archived"]}


def test_budget_that_ends_before_it_starts_is_rejected() -> None:
    deal = DealFactory()
    client, change = staff(deal.organization), url(Deal, "change", deal.pk)
    dates = {"date": "2026-02-02", "end_date": "2026-02-01"}
    response = client.post(change, {**form_data(client, change), **dates, "budget": ""})
    assert response.context["adminform"].form.errors == {"end_date": ["must not be before the start date"]}


# --- Assignees ------------------------------------------------------------------------------------


DUPLICATE = "only one assignment per service type, per person is allowed"


def with_assignees(client: Any, address: str, *people: Person, **data: Any) -> Any:
    """Submit the service type's form with an additional line for each person."""
    sent = form_data(client, address) | data
    lines = int(sent["service_type_assignments-INITIAL_FORMS"])
    for index, person in enumerate(people, start=lines):
        sent |= {f"service_type_assignments-{index}-person": person.pk}
    sent["service_type_assignments-TOTAL_FORMS"] = lines + len(people)
    return client.post(address, sent)


@pytest.mark.parametrize("by_superuser", [True, False])
def test_new_service_type_is_created_with_assignees(by_superuser: bool) -> None:
    person = PersonFactory()
    client = superuser() if by_superuser else staff(person.organization)
    data = {"name": "Design", "organization": person.organization_id}
    assert with_assignees(client, url(ServiceType, "add"), person, **data).status_code == 302
    [assignment] = ServiceTypeAssignment.objects.all()
    assert (assignment.organization, assignment.person) == (person.organization, person)


def test_assignee_is_removed_on_the_page_of_the_service_type() -> None:
    assignment = ServiceTypeAssignmentFactory()
    client = staff(assignment.organization)
    change = url(ServiceType, "change", assignment.service_type_id)
    removed = {"service_type_assignments-0-DELETE": "on"}
    assert with_assignees(client, change, **removed).status_code == 302
    assert ServiceTypeAssignment.objects.count() == 0


def line_errors(response: Any) -> list[Any]:
    [inline] = response.context["inline_admin_formsets"]
    return [dict(form.errors) for form in inline.formset.forms if form.errors]


def test_duplicate_assignee_is_rejected() -> None:
    assignment = ServiceTypeAssignmentFactory()
    client = staff(assignment.organization)
    change = url(ServiceType, "change", assignment.service_type_id)
    again = with_assignees(client, change, assignment.person)
    assert line_errors(again) == [{"person": [DUPLICATE]}]
    assert DUPLICATE in again.content.decode()

    newcomer = PersonFactory(organization=assignment.organization)
    twice = with_assignees(client, change, newcomer, newcomer)
    assert line_errors(twice) == [{"person": [DUPLICATE]}]
    assert ServiceTypeAssignment.objects.count() == 1


def test_assignee_added_concurrently_is_rejected_on_the_line() -> None:
    assignment = ServiceTypeAssignmentFactory()
    opened_before = {"name": "Design", "service_type_assignments-INITIAL_FORMS": 0}
    opened_before |= {"service_type_assignments-TOTAL_FORMS": 1}
    response = staff(assignment.organization).post(
        url(ServiceType, "change", assignment.service_type_id),
        {**opened_before, "service_type_assignments-0-person": assignment.person_id},
    )
    assert line_errors(response) == [{"person": [DUPLICATE]}]


@pytest.mark.no_cover
def test_assignee_of_another_organization_is_rejected() -> None:
    service_type, stranger = ServiceTypeFactory(), PersonFactory()
    change = url(ServiceType, "change", service_type.pk)
    rejected = with_assignees(staff(service_type.organization), change, stranger)
    missing = with_assignees(staff(service_type.organization), change, Person(pk=987_654_321))
    assert line_errors(rejected) == line_errors(missing) != []
    across = with_assignees(superuser(), change, stranger)
    assert line_errors(across) == [{"person": ["belongs to another organization"]}]
    assert ServiceTypeAssignment.objects.count() == 0


def test_page_takes_the_same_queries_with_one_and_thirty_assignees(
    django_assert_num_queries: Any,
) -> None:
    first = ServiceTypeAssignmentFactory()
    client = superuser()
    change = url(ServiceType, "change", first.service_type_id)
    client.get(change)
    for people in (0, 29):
        for _ in range(people):
            ServiceTypeAssignmentFactory(organization=first.organization, service_type=first.service_type)
        # Session, user, time zone, the type, its organization, the number of assignees, the assignees.
        with django_assert_num_queries(7):
            assert client.get(change).status_code == 200


def test_too_many_assignees_are_replaced_by_a_link_to_the_list() -> None:
    service_type = ServiceTypeFactory()
    organization = service_type.organization
    people = Person.objects.bulk_create(
        Person(organization=organization, first_name=str(n)) for n in range(300)
    )
    ServiceTypeAssignment.objects.bulk_create(
        ServiceTypeAssignment(organization=organization, service_type=service_type, person=person)
        for person in people
    )
    client, change = staff(organization), url(ServiceType, "change", service_type.pk)
    [inline] = client.get(change).context["inline_admin_formsets"]
    assert inline.formset.forms == []
    assert inline.opts.list_link == (
        300,
        f"{url(ServiceTypeAssignment, 'changelist')}?service_type={service_type.pk}",
    )
    assert client.post(change, form_data(client, change) | {"name": "Renamed"}).status_code == 302
    assert service_type.assignees.count() == 300


def test_page_shows_the_number_of_services_of_a_type_in_use() -> None:
    service = ServiceFactory()
    ServiceFactory(organization=service.organization, service_type=service.service_type)
    page = superuser().get(f"/admin/catalog/servicetype/{service.service_type_id}/delete/").content.decode()
    assert "because these records need the selected ones: 2" in page
    assert "You can archive them instead" in page


def test_counts_are_not_built_for_each_row(monkeypatch: pytest.MonkeyPatch) -> None:
    organization, built, build = OrganizationFactory(), [], CountColumn.count
    FACTORIES[Project](organization=organization)
    client = staff(organization)
    client.get(url(Project, "changelist"))
    monkeypatch.setattr(CountColumn, "count", lambda column: built.append(column) or build(column))
    FACTORIES[Project](organization=organization)
    client.get(url(Project, "changelist"))
    assert len(built) == len({*built}) > 0
