"""Test the inlines of services and their assignees, and of budgets."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from assignments.models import ServiceAssignment
from catalog.models import Deal, Project, Service
from productive.accounts.models import Person
from tests.support.admin import form_data, save, staff, superuser, url
from tests.support.factories import (
    DealFactory,
    PersonFactory,
    ProjectFactory,
    ServiceAssignmentFactory,
    ServiceFactory,
    ServiceTypeFactory,
)
from tests.support.inlines import line_errors, many_people, post_lines

# On both databases: PostgreSQL doesn't use the id of a new service again after a preview was rolled back.
pytestmark = pytest.mark.django_db


@pytest.fixture
def service() -> Service:
    return ServiceFactory(name="Design")


@pytest.fixture
def client(service: Service) -> Client:
    return staff(service.organization)


@pytest.fixture
def address(service: Service) -> str:
    return url(Deal, "change", service.deal_id)


def assigned(service: Service) -> set[Person]:
    return {one.person for one in ServiceAssignment.objects.filter(service=service)}


def colleague(service: Service, **kwargs: Any) -> Person:
    return PersonFactory(organization=service.organization, **kwargs)


def test_assignees_are_added_and_removed_on_the_line_of_a_service(
    service: Service, client: Client, address: str
) -> None:
    ana, ivo, eva = (colleague(service) for _ in range(3))
    sent = form_data(client, address) | {"services-0-assignees": [ana.pk, ivo.pk]}
    assert save(client, address, sent).status_code == 302
    assert assigned(service) == {ana, ivo}
    [of_ana] = ServiceAssignment.objects.filter(person=ana)
    assert of_ana.organization == service.organization
    assert of_ana.history.get().history_type == "+"

    sent = form_data(client, address)
    assert {*sent["services-0-assignees"]} == {str(ana.pk), str(ivo.pk)}
    assert save(client, address, sent | {"services-0-assignees": [ivo.pk, eva.pk]}).status_code == 302
    assert assigned(service) == {ivo, eva}
    assert ServiceAssignment.history.filter(id=of_ana.pk).first().history_type == "-"
    assert service.history.count() <= 1


def test_new_service_is_created_with_assignees(service: Service, client: Client, address: str) -> None:
    ana = colleague(service)
    line = {"name": "QA", "service_type": service.service_type_id, "time_tracking_enabled": "on"}
    assert post_lines(client, address, Service, line | {"assignees": [ana.pk]}).status_code == 302
    new = Service.objects.get(name="QA")
    assert (new.deal, new.organization, assigned(new)) == (service.deal, service.organization, {ana})


def test_new_budget_is_created_with_services_and_assignees(service: Service, client: Client) -> None:
    ana, project = colleague(service), ProjectFactory(organization=service.organization)
    line = {"name": "QA", "service_type": service.service_type_id, "assignees": [ana.pk]}
    data = {"project": project.pk, "name": "2027"}
    assert post_lines(client, url(Deal, "add"), Service, line, **data).status_code == 302
    new = Service.objects.get(name="QA")
    assert (new.deal.name, assigned(new)) == ("2027", {ana})


def test_concurrent_assignees_are_kept(service: Service, client: Client, address: str) -> None:
    ana, ivo, eva, max_ = (colleague(service) for _ in range(4))
    own = {"organization": service.organization, "service": service}
    of_ana, _ = (ServiceAssignmentFactory(**own, person=person) for person in (ana, max_))
    sent = form_data(client, address)
    ServiceAssignmentFactory(**own, person=ivo)
    of_ana.delete()
    # The user removes Max, and adds Eva and Ivo, whom somebody else has added, too.
    chosen = [ana.pk, eva.pk, ivo.pk]
    assert save(client, address, sent | {"services-0-assignees": chosen}).status_code == 302
    assert assigned(service) == {ivo, eva}


@pytest.mark.no_cover
def test_invalid_values_on_a_line_of_a_budget_are_rejected(
    service: Service, client: Client, address: str
) -> None:
    foreign = PersonFactory()
    sent = form_data(client, address)
    wrong = [foreign.pk, 987_654_321, 2**63, "x", "\x00", "1_0"]
    responses = [client.post(address, sent | {"services-0-assignees": [value]}) for value in wrong]
    assert [list(line_errors(response)[0]) for response in responses] == [["assignees"]] * len(wrong)
    assert (
        line_errors(responses[0])[0]["assignees"][0].replace(str(foreign.pk), "987654321")
        == (line_errors(responses[1])[0]["assignees"][0])
    )
    across = superuser().post(
        address, form_data(superuser(), address) | {"services-0-assignees": [foreign.pk]}
    )
    assert line_errors(across) == [
        {"assignees": [f"{foreign} · {foreign.email}: belongs to another organization"]}
    ]
    assert assigned(service) == set()


def test_archived_type_is_kept_by_its_service(service: Service, client: Client, address: str) -> None:
    service.service_type.archive()
    assert client.post(address, form_data(client, address) | {"services-0-name": "UX"}).status_code == 302
    service.refresh_from_db()
    assert service.name == "UX"
    other = ServiceTypeFactory(organization=service.organization)
    other.archive()
    rejected = client.post(address, form_data(client, address) | {"services-0-service_type": other.pk})
    assert line_errors(rejected) == [{"service_type": ["is archived"]}]


def test_assignees_of_a_budget_need_permissions(service: Service, address: str) -> None:
    own = {"organization": service.organization}
    ana = ServiceAssignmentFactory(**own, service=service, person=colleague(service)).person
    rights = ["change_deal", "change_service", "add_service", "view_servicetype"]
    reader = staff(service.organization, *rights, "view_serviceassignment", "view_person")
    assert str(ana) in reader.get(address).content.decode()
    tampered = form_data(reader, address) | {"services-0-assignees": []}
    assert reader.post(address, tampered).status_code == 302
    assert assigned(service) == {ana}

    blind = staff(service.organization, *rights)
    assert str(ana) not in blind.get(address).content.decode()
    tampered = form_data(blind, address) | {"services-0-assignees": []}
    assert blind.post(address, tampered | {"services-0-name": "UX"}).status_code == 302
    assert assigned(service) == {ana}
    service.refresh_from_db()
    assert service.name == "UX"


def test_budget_with_too_many_assignees_links_to_its_services(
    service: Service, client: Client, address: str
) -> None:
    own = {"organization": service.organization}
    ServiceAssignment.objects.bulk_create(
        ServiceAssignment(**own, service=service, person=person)
        for person in many_people(service.organization, 700)
    )
    page = client.get(address).content.decode()
    assert f'href="{url(Service, "changelist")}?deal={service.deal_id}"' in page
    assert client.post(address, form_data(client, address) | {"name": "Renamed"}).status_code == 302
    assert len(assigned(service)) == 700


def test_page_of_a_project_links_to_its_budgets() -> None:
    deal = DealFactory()
    page = staff(deal.organization).get(url(Project, "change", deal.project_id)).content.decode()
    assert f'href="{url(Deal, "change", deal.pk)}">{deal}</a>' in page


@pytest.mark.parametrize("rights", [[], ["view_serviceassignment"]], ids=["blind", "reader"])
def test_budget_is_saved_without_permission_to_assign(
    service: Service, address: str, rights: list[str]
) -> None:
    """Also if another user has assigned a person since the page was opened."""
    ana, ben = colleague(service), colleague(service)
    ServiceAssignmentFactory(organization=service.organization, service=service, person=ana)
    client = staff(service.organization, "change_deal", "change_service", "view_servicetype", *rights)
    sent = form_data(client, address)
    ServiceAssignmentFactory(organization=service.organization, service=service, person=ben)
    assert client.post(address, sent | {"services-0-name": "UX"}).status_code == 302
    service.refresh_from_db()
    assert (service.name, assigned(service)) == ("UX", {ana, ben})


def test_budget_with_many_assignees_is_saved(service: Service, client: Client, address: str) -> None:
    people = many_people(service.organization, 300)
    ServiceAssignment.objects.bulk_create(
        ServiceAssignment(organization=service.organization, service=service, person=person)
        for person in people
    )
    assert client.post(address, form_data(client, address) | {"name": "Renamed"}).status_code == 302
    assert len(assigned(service)) == 300
