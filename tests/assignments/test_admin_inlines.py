"""Test the inlines of assignments on the pages of people, projects, services and service types."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.db.models import Model
from django.test.utils import CaptureQueriesContext

from assignments.models import ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from catalog.models import Deal, Project, Service, ServiceType
from productive.accounts.models import Person
from tests.support.admin import autocomplete, create_row, form_data, is_preview, press, staff, superuser, url
from tests.support.concurrency import before_next_save
from tests.support.factories import (
    DealFactory,
    OrganizationFactory,
    PersonFactory,
    ProjectAssignmentFactory,
    ServiceAssignmentFactory,
    ServiceFactory,
    ServiceTypeAssignmentFactory,
)
from tests.support.inlines import line_errors, many_people, post_lines, prefix_of

# On both databases: PostgreSQL does not use the id of a new record again after a preview was rolled back.
pytestmark = pytest.mark.django_db

SERVICE_TWICE = "only one assignment per service, per person is allowed"
TYPE_TWICE = "only one assignment per service type, per person is allowed"
PROJECT_TWICE = "has already been assigned to that project"
# The model of the page, the model of its inline, the field of the other record, the error of a duplicate.
PAIRS: list[tuple[type[Any], type[Any], str, str]] = [
    (Person, ProjectAssignment, "project", PROJECT_TWICE),
    (Person, ServiceAssignment, "service", SERVICE_TWICE),
    (Person, ServiceTypeAssignment, "service_type", TYPE_TWICE),
    (Project, ProjectAssignment, "person", PROJECT_TWICE),
    (Service, ServiceAssignment, "person", SERVICE_TWICE),
    (ServiceType, ServiceTypeAssignment, "person", TYPE_TWICE),
]
every_pair = pytest.mark.parametrize(("page", "model", "side", "twice"), PAIRS)


def parent_field(page: type[Model], model: type[Any]) -> str:
    """Return the name of the foreign key to the page's record."""
    return next(field.name for field in model._meta.fields if field.related_model is page)


def pair_of(page: type[Model], model: type[Any]) -> Any:
    factories: dict[type[Any], Any] = {
        ServiceAssignment: ServiceAssignmentFactory,
        ProjectAssignment: ProjectAssignmentFactory,
        ServiceTypeAssignment: ServiceTypeAssignmentFactory,
    }
    pair = factories[model]()
    return pair, getattr(pair, parent_field(page, model))


@pytest.mark.no_cover
@every_pair
def test_pair_is_added_and_removed(page: type[Any], model: type[Any], side: str, twice: str) -> None:
    pair, record = pair_of(page, model)
    client, address = staff(pair.organization), url(page, "change", record.pk)
    newcomer = create_row(type(getattr(pair, side)), pair.organization)
    assert post_lines(client, address, model, {side: newcomer.pk}).status_code == 302
    mine = model.objects.filter(**{parent_field(page, model): record})
    assert [getattr(one, side) for one in mine.order_by("pk")] == [getattr(pair, side), newcomer]
    assert {one.organization for one in mine} == {pair.organization}

    sent = form_data(client, address)
    prefix = prefix_of(model)
    [index] = [index for index in range(2) if str(sent[f"{prefix}-{index}-id"]) == str(pair.pk)]
    assert client.post(address, {**sent, f"{prefix}-{index}-DELETE": "on"}).status_code == 302
    assert [getattr(one, side) for one in mine.all()] == [newcomer]


@pytest.mark.no_cover
@every_pair
def test_duplicate_pair_is_rejected_at_its_field(
    page: type[Any], model: type[Any], side: str, twice: str
) -> None:
    pair, record = pair_of(page, model)
    client, address = staff(pair.organization), url(page, "change", record.pk)
    again = post_lines(client, address, model, {side: getattr(pair, side).pk})
    assert line_errors(again) == [{side: [twice]}]
    assert twice in again.content.decode()

    newcomer = create_row(type(getattr(pair, side)), pair.organization)
    repeated = post_lines(client, address, model, {side: newcomer.pk}, {side: newcomer.pk})
    assert line_errors(repeated) == [{side: [twice]}]

    # Another user has added it since the page was opened.
    sent = {name: value for name, value in form_data(client, address).items() if "-0-" not in name}
    sent |= {f"{prefix_of(model)}-INITIAL_FORMS": 0, f"{prefix_of(model)}-TOTAL_FORMS": 1}
    sent[f"{prefix_of(model)}-0-{side}"] = getattr(pair, side).pk
    assert line_errors(client.post(address, sent)) == [{side: [twice]}]
    assert model.objects.count() == 1


@pytest.mark.no_cover
@every_pair
def test_record_of_another_organization_is_an_invalid_choice(
    page: type[Any], model: type[Any], side: str, twice: str
) -> None:
    pair, record = pair_of(page, model)
    foreign = create_row(type(getattr(pair, side)), OrganizationFactory())
    client, address = staff(pair.organization), url(page, "change", record.pk)
    wrong = [foreign.pk, 987_654_321, 2**63, "x", "\x00", "1_0"]
    responses = [line_errors(post_lines(client, address, model, {side: value})) for value in wrong]
    rejected = {side: ["Select a valid choice. That choice is not one of the available choices."]}
    assert responses == [[rejected]] * len(wrong)
    across = post_lines(superuser(), address, model, {side: foreign.pk})
    assert line_errors(across) == [{side: ["belongs to another organization"]}]
    assert model.objects.count() == 1


@every_pair
def test_inline_needs_permissions(page: type[Any], model: type[Any], side: str, twice: str) -> None:
    pair, record = pair_of(page, model)
    address, prefix = url(page, "change", record.pk), prefix_of(model)
    name = page._meta.model_name
    reader = staff(pair.organization, f"change_{name}", f"view_{model._meta.model_name}")
    newcomer = create_row(type(getattr(pair, side)), pair.organization)
    data = form_data(reader, address) | {f"{prefix}-0-DELETE": "on", f"{prefix}-1-{side}": newcomer.pk}
    assert reader.post(address, {**data, f"{prefix}-TOTAL_FORMS": 2}).status_code == 302
    assert list(model.objects.all()) == [pair]
    assert str(getattr(pair, side)) in reader.get(address).content.decode()

    blind = staff(pair.organization, f"change_{name}").get(address)
    assert blind.context["inline_admin_formsets"] == []
    assert str(getattr(pair, side)) not in blind.content.decode()


@pytest.mark.django_db(transaction=True)
@pytest.mark.postgresql
@every_pair
def test_concurrent_pair_waits_for_the_form(page: type[Any], model: type[Any], side: str, twice: str) -> None:
    """The record is locked before validation, so no pair is added in between."""
    pair, record = pair_of(page, model)
    newcomer = create_row(type(getattr(pair, side)), pair.organization)
    both = {"organization": pair.organization, side: newcomer, parent_field(page, model): record}
    waited = []

    def join() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = 100")
            with pytest.raises(OperationalError, match="lock timeout"):
                model.objects.create(**both)
            waited.append(record)
            transaction.set_rollback(True)

    client, address = staff(pair.organization), url(page, "change", record.pk)
    before_next_save(model, join)
    assert post_lines(client, address, model, {side: newcomer.pk}).status_code == 302
    assert (waited, model.objects.count()) == ([record], 2)


@pytest.mark.no_cover
@pytest.mark.parametrize("page", [Person, Project, Service, ServiceType, Deal])
def test_page_takes_the_same_queries_with_one_and_three_lines(page: type[Any]) -> None:
    organization = OrganizationFactory()
    client, record = staff(organization), create_row(page, organization)
    address, own = url(page, "change", record.pk), {"organization": organization}

    def add_lines() -> None:
        for kind, model, side, _ in PAIRS:
            if kind is page:
                other = create_row(model._meta.get_field(side).related_model, organization)
                model.objects.create(
                    organization=organization, **{parent_field(page, model): record, side: other}
                )
        if page is Project:
            DealFactory(**own, project=record)
        if page is Deal:
            service = ServiceFactory(**own, deal=record)
            ServiceAssignmentFactory.create_batch(2, **own, service=service)

    def count_queries() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.get(address).status_code == 200
        return len(queries)

    add_lines()
    count_queries()
    at_one = count_queries()
    for _ in range(2):
        add_lines()
    assert count_queries() == at_one


def test_too_many_lines_are_replaced_by_a_link_to_the_list() -> None:
    service = ServiceFactory()
    organization, own = service.organization, {"organization": service.organization}
    people = many_people(organization, 300)
    ServiceAssignment.objects.bulk_create(
        ServiceAssignment(**own, service=service, person=person) for person in people
    )
    client, address = staff(organization), url(Service, "change", service.pk)
    listed_at = f"{url(ServiceAssignment, 'changelist')}?service={service.pk}"
    page = client.get(address)
    assert f'href="{listed_at}"' in page.content.decode()
    assert "There are 300, too many to edit on this page." in page.content.decode()
    assert client.get(listed_at).context["cl"].result_count == 300
    assert client.post(address, form_data(client, address) | {"name": "Renamed"}).status_code == 302
    service.refresh_from_db()
    assert (service.name, service.service_assignments.count()) == ("Renamed", 300)

    # Others have added lines since the form was opened.
    ServiceAssignment.objects.filter(person__in=people[10:]).delete()
    sent = form_data(client, address) | {"service_assignments-0-DELETE": "on"}
    ServiceAssignment.objects.bulk_create(
        ServiceAssignment(**own, service=service, person=person) for person in people[10:]
    )
    assert client.post(address, sent).status_code == 302
    assert service.service_assignments.count() == 299


@pytest.mark.no_cover
def test_form_stays_below_the_limit_of_fields() -> None:
    """Delete as many assignments of a person as the page shows."""
    person = PersonFactory()
    own = {"organization": person.organization}
    for _ in range(75):
        for factory in (ProjectAssignmentFactory, ServiceAssignmentFactory, ServiceTypeAssignmentFactory):
            factory(**own, person=person)
    client, address = staff(person.organization), url(Person, "change", person.pk)
    sent = form_data(client, address)
    for prefix in ("project_assignments", "service_assignments", "service_type_assignments"):
        assert sent[f"{prefix}-INITIAL_FORMS"] == 75
        sent |= {f"{prefix}-{index}-DELETE": "on" for index in range(75)}
    assert client.post(address, sent).status_code == 302
    assert ServiceAssignment.objects.count() == 0


def test_archived_records_are_not_offered() -> None:
    person, archived = PersonFactory(), PersonFactory()
    Person.objects.filter(pk=archived.pk).update(organization=person.organization)
    archived.refresh_from_db()
    archived.archive()
    client = staff(person.organization)
    field = ServiceAssignment._meta.get_field("person")
    assert str(archived.pk) in {one["id"] for one in autocomplete(client, field).json()["results"]}
    offered = {one["id"] for one in autocomplete(client, field, active="yes").json()["results"]}
    assert str(person.pk) in offered
    assert str(archived.pk) not in offered
    add = client.get(url(Service, "change", ServiceFactory(organization=person.organization).pk))
    assert "autocomplete/?active=yes" in add.content.decode()


def test_new_person_with_an_unused_assignment_is_saved() -> None:
    service = ServiceFactory()
    client, line = staff(service.organization), {"service": service.pk}
    person = {"first_name": "Ana", "last_name": "Ban"}
    response = post_lines(client, url(Person, "add"), ServiceAssignment, line, **person)
    assert response.status_code == 302
    assert ServiceAssignment.objects.get(service=service).person.first_name == "Ana"


def test_new_person_who_takes_a_service_from_others_is_saved() -> None:
    service = ServiceFactory(deal__person_restricted_tracking=True)
    member = ProjectAssignmentFactory(organization=service.organization, project=service.deal.project).person
    client, address = staff(service.organization), url(Person, "add")
    person = {"first_name": "Ana", "last_name": "Ban"}
    sent = form_data(client, address) | person
    for prefix, name, value in (
        ("service_assignments", "service", service.pk),
        ("project_assignments", "project", service.deal.project_id),
    ):
        sent |= {f"{prefix}-0-{name}": value, f"{prefix}-TOTAL_FORMS": 1}
    response = client.post(address, sent)
    assert is_preview(response)
    (group, *_) = response.context["preview"].consequences.groups
    assert [line.text.split(" · ")[0] for line in group.lines] == [str(member)]
    assert press(client, response, "apply").status_code == 302
    assert ServiceAssignment.objects.get(service=service).person.first_name == "Ana"
