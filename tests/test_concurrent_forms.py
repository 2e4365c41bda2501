"""Test forms that somebody else's changes have made out of date."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from assignments.models import ProjectAssignment, ServiceAssignment
from catalog.models import Deal, Project, Service
from productive.accounts.models import ApiToken, Person, User
from productive.admin.form_merge import CHOICE, MINE, SHOWN, THEIRS
from productive.database.history import change_set
from tests.support.admin import (
    form_data,
    form_errors,
    hidden_fields,
    is_preview,
    press,
    staff,
    superuser,
    url,
)
from tests.support.bulk import messages_of, shown
from tests.support.factories import (
    ApiTokenFactory,
    DealFactory,
    OrganizationFactory,
    PersonFactory,
    ProjectAssignmentFactory,
    ProjectFactory,
    ServiceAssignmentFactory,
    ServiceFactory,
    ServiceTypeAssignmentFactory,
    UserFactory,
)

# On both databases: a record that is added again gets another id in each attempt on PostgreSQL.
pytestmark = pytest.mark.django_db


@pytest.fixture
def person() -> Person:
    """Return Ana, whose title the other user changes in `forms`."""
    return PersonFactory(first_name="Ana", last_name="Horvat", title="Designer")


@pytest.fixture
def client(person: Person) -> Client:
    return staff(person.organization)


def update(record: Any, **values: Any) -> None:
    """Change the record in a change set of its own."""
    with change_set():
        for name, value in values.items():
            setattr(record, name, value)
        record.save()


def questions(response: Any) -> list[tuple[str, list[tuple[Any, ...]]]]:
    """Return the title of each question, and the text or the differences of its answers."""
    assert response.status_code == 200
    return [
        (
            each.title,
            [
                (answer.text, *((one.field, one.before, one.after) for one in answer.differences))
                for answer in each.answers
            ],
        )
        for each in response.context["questions"]
    ]


def answer(client: Client, page: Any, choice: str, **data: Any) -> Any:
    """Choose the same for all questions, and save."""
    names = re.findall(rf'type="radio" name="({CHOICE}[^"]*)" value="mine"', page.content.decode())
    assert names == [each.name for each in page.context["questions"]]
    address = page.wsgi_request.get_full_path()
    return client.post(address, {**hidden_fields(page), **dict.fromkeys(names, choice), **data})


# --- Fields ---------------------------------------------------------------------------------------


def test_changes_of_different_fields_are_merged(person: Person, client: Client) -> None:
    address = url(Person, "change", person.pk)
    sent = form_data(client, address)
    update(person, title="Art director")
    response = client.post(address, {**sent, "last_name": "Kos"})
    assert (response.status_code, messages_of(response)[-1]) == (
        302,
        "Somebody else has changed this record, too. Both changes are saved.",
    )
    person.refresh_from_db()
    assert (person.title, person.last_name) == ("Art director", "Kos")
    assert person.history.first().diff_against(person.history.all()[1]).changed_fields == ["last_name"]
    # The form is even older now, and changes nothing.
    assert client.post(address, sent).status_code == 302
    assert person.history.count() == 3


@pytest.mark.parametrize(("choice", "title"), [(MINE, "Lead"), (THEIRS, "Art director")])
def test_conflict_is_asked(choice: str, title: str, person: Person, client: Client) -> None:
    other, address = staff(person.organization), url(Person, "change", person.pk)
    sent = form_data(client, address)
    other.post(address, form_data(other, address) | {"title": "Art director", "email": "ana@x.example"})
    page = client.post(address, {**sent, "title": "Lead", "last_name": "Kos", "_continue": "1"})
    assert questions(page) == [("Title", [("Lead",), ("Art director",)])]
    author = User.objects.get(pk=other.session["_auth_user_id"]).username
    assert f"Changed by {author} (admin), " in page.content.decode()
    person.refresh_from_db()
    assert (person.last_name, person.title) == ("Horvat", "Art director")

    assert questions(answer(client, page, "")) == questions(page)
    back = press(client, page, "choose")
    typed = {name: back.context["adminform"].form[name].value() for name in ("title", "last_name", "email")}
    assert typed == {"title": "Lead", "last_name": "Kos", "email": "ana@x.example"}
    assert questions(client.post(address, {**hidden_fields(back), **typed, "first_name": "Ana"})) != []

    saved = answer(client, page, choice)
    assert (saved.status_code, saved.url) == (302, address)
    person.refresh_from_db()
    assert (person.title, person.last_name, person.email) == (title, "Kos", "ana@x.example")


def test_conflict_is_asked_again_after_another_change(person: Person, client: Client) -> None:
    address = url(Person, "change", person.pk)
    sent = form_data(client, address)
    update(person, title="Art director")
    page = client.post(address, {**sent, "title": "Lead"})
    update(person, title="Boss")
    page = answer(client, page, MINE)
    assert questions(page) == [("Title", [("Lead",), ("Boss",)])]
    assert answer(client, page, MINE).status_code == 302
    person.refresh_from_db()
    assert person.title == "Lead"


def test_same_change_and_line_breaks_are_no_conflict(client: Client, person: Person) -> None:
    service_type = ServiceFactory(organization=person.organization).service_type
    update(service_type, description="One\nTwo")
    address = url(type(service_type), "change", service_type.pk)
    sent = form_data(client, address) | {"description": "One\r\nTwo", "name": "New"}
    update(service_type, description="One\nTwo\nThree", name="New")
    assert client.post(address, sent).status_code == 302
    service_type.refresh_from_db()
    assert (service_type.name, service_type.description) == ("New", "One\nTwo\nThree")


def test_form_with_an_error_is_merged(person: Person, client: Client) -> None:
    address = url(Person, "change", person.pk)
    sent = form_data(client, address)
    update(person, title="Art director")
    page = client.post(address, {**sent, "last_name": ""})
    assert form_errors(page) == {"last_name": ["This field is required."]}
    assert page.context["adminform"].form["title"].value() == "Art director"
    update(person, title="Boss")
    again = {**sent, "last_name": "Kos", "title": "Art director", SHOWN: hidden_fields(page)[SHOWN]}
    assert client.post(address, again).status_code == 302
    person.refresh_from_db()
    assert (person.title, person.last_name) == ("Boss", "Kos")


def test_relations_dates_and_switches_are_merged_and_previewed() -> None:
    deal = DealFactory(name="Spring", date="2026-01-01")
    own = {"organization": deal.organization}
    service, member = ServiceFactory(**own, deal=deal), PersonFactory(**own)
    ServiceTypeAssignmentFactory(**own, person=member, service_type=service.service_type)
    ServiceAssignmentFactory(**own, service=service, person=PersonFactory(**own))
    client, address = staff(deal.organization), url(Deal, "change", deal.pk)
    sent = form_data(client, address)
    autumn, shop = ProjectFactory(**own, name="Autumn"), ProjectFactory(**own, name="Shop")
    ProjectAssignmentFactory(**own, project=shop, person=member)
    update(deal, name="Summer", date="2026-02-01", service_type_restricted_tracking=True, project=shop)
    page = client.post(address, {**sent, "person_restricted_tracking": "on", "project": autumn.pk})
    assert questions(page) == [("Project", [("Autumn",), ("Shop",)])]
    preview = answer(client, page, THEIRS)
    assert is_preview(preview)
    assert "Both changes are saved." in str(messages_of(press(client, preview, "apply")))
    deal.refresh_from_db()
    assert (deal.name, str(deal.date), deal.project) == ("Summer", "2026-02-01", shop)
    assert (deal.person_restricted_tracking, deal.service_type_restricted_tracking) == (True, True)


def test_change_between_preview_and_apply_is_merged(person: Person, client: Client) -> None:
    own = {"organization": person.organization}
    service = ServiceFactory(**own, name="Design")
    ProjectAssignmentFactory(**own, project=service.deal.project, person=person)
    ServiceAssignmentFactory(**own, service=service, person=PersonFactory(**own))
    address = url(Deal, "change", service.deal_id)
    sent = form_data(client, address)
    preview = client.post(address, {**sent, "person_restricted_tracking": "on", "name": "Mine"})
    assert is_preview(preview)
    update(service.deal, name="Theirs")
    page = press(client, preview, "apply")
    assert questions(page) == [("Name", [("Mine",), ("Theirs",)])]
    preview = answer(client, page, MINE)
    assert is_preview(preview)
    assert press(client, preview, "apply").status_code == 302
    service.deal.refresh_from_db()
    assert (service.deal.name, service.deal.person_restricted_tracking) == ("Mine", True)


def test_groups_of_a_user_are_merged() -> None:
    client, user = superuser(), UserFactory(is_staff=True)
    first, second, third = (Group.objects.create(name=name) for name in ("First", "Second", "Third"))
    user.groups.set([first])
    address = url(User, "change", user.pk)
    sent = form_data(client, address)
    user.groups.set([first, second])
    assert client.post(address, {**sent, "groups": [third.pk]}).status_code == 302
    assert {*user.groups.all()} == {second, third}


def test_time_of_a_token_is_merged() -> None:
    token = ApiTokenFactory()
    client, address = superuser(), url(ApiToken, "change", token.pk)
    sent = form_data(client, address)
    token.expires_at = "2030-01-01T10:00:00Z"
    token.save()
    day_and_time = {"expires_at_0": "2031-05-01", "expires_at_1": "12:00:00"}
    assert [title for title, _ in questions(client.post(address, {**sent, **day_and_time}))] == ["Expires at"]
    assert client.post(address, {**sent, "name": "New"}).status_code == 302
    token.refresh_from_db()
    assert (token.name, token.expires_at.isoformat()) == ("New", "2030-01-01T10:00:00+00:00")


def test_field_of_a_new_permission_is_not_emptied(person: Person) -> None:
    client, address = staff(person.organization), url(Person, "change", person.pk)
    sent = form_data(client, address)
    user = User.objects.get(pk=client.session["_auth_user_id"])
    login = UserFactory()
    update(person, user=login)
    user.is_superuser = True
    user.save()
    assert client.post(address, sent).status_code == 302
    person.refresh_from_db()
    assert person.user == login


@pytest.mark.parametrize("text", ["", "\x00", "x:y:z", "9" * 3000])
def test_invalid_values_are_ignored(text: str, person: Person, client: Client) -> None:
    address = url(Person, "change", person.pk)
    data = {**form_data(client, address), SHOWN: text, "_seen": text, "title": "Lead"}
    assert client.post(address, data).status_code == 302
    # Those of another page.
    other = form_data(client, url(Project, "change", ProjectFactory(organization=person.organization).pk))
    assert client.post(address, {**data, SHOWN: other[SHOWN]}).status_code == 302


def test_restored_preview_writes_nothing(person: Person, client: Client) -> None:
    """A browser restores a preview after Back, also if the change has no consequences anymore."""
    address = url(Person, "change", person.pk)
    sent = form_data(client, address)
    page = client.post(address, {**sent, "title": "Lead", "step": "preview"})
    assert shown(page) == {"Will be changed": [f"{person} · {person.email}"]}
    assert client.post(address, {**sent, "first_name": "", "step": "preview"}).context["errors"]
    assert not client.post(address, {**sent, "step": "preview"}).context["preview"].can_apply
    person.refresh_from_db()
    assert person.title == "Designer"
    assert press(client, page, "apply").status_code == 302
    person.refresh_from_db()
    assert person.title == "Lead"


# --- Rows -----------------------------------------------------------------------------------------


def test_rows_of_both_users_are_merged() -> None:
    project = ProjectFactory()
    own, client = {"organization": project.organization}, staff(project.organization)
    people = [PersonFactory(**own, first_name=name) for name in ("Ana", "Bo", "Cy", "Dan", "Eva", "Fay")]
    ana, bo, cy, dan, eva, fay = people
    of_ana, _, of_cy = (
        ProjectAssignmentFactory(**own, project=project, person=each) for each in (ana, bo, cy)
    )
    address = url(Project, "change", project.pk)
    sent = form_data(client, address)
    prefix = "project_assignments"
    # Both remove Cy and add Dan; the other user also removes Ana and adds Fay.
    of_ana.delete()
    of_cy.delete()
    ProjectAssignmentFactory(**own, project=project, person=dan)
    ProjectAssignmentFactory(**own, project=project, person=fay)
    sent |= {f"{prefix}-1-DELETE": "on", f"{prefix}-2-DELETE": "on", f"{prefix}-TOTAL_FORMS": 5}
    sent |= {f"{prefix}-3-person": dan.pk, f"{prefix}-4-person": eva.pk}
    assert client.post(address, sent).status_code == 302
    assert {each.person for each in ProjectAssignment.objects.filter(project=project)} == {dan, fay, eva}


@pytest.fixture
def service() -> Service:
    """Return Design, a service of the budget Spring."""
    return ServiceFactory(name="Design", deal__name="Spring", deal__project__name="Shop")


@pytest.mark.parametrize("choice", [MINE, THEIRS])
def test_row_deleted_by_one_and_changed_by_the_other_is_asked(choice: str, service: Service) -> None:
    ana = PersonFactory(organization=service.organization)
    other = ServiceFactory(organization=service.organization, deal=service.deal, name="Other")
    client, address = staff(service.organization), url(Deal, "change", service.deal_id)
    sent = form_data(client, address)
    author = staff(service.organization)
    page = author.get(url(Service, "delete", service.pk))
    press(author, page, "apply")
    assert not Service.objects.filter(pk=service.pk).exists()
    # Without changes of the row, it stays deleted.
    unchanged = client.post(address, {**sent, "services-1-name": "New"})
    assert unchanged.status_code == 302
    page = client.post(address, {**sent, "services-0-name": "UX", "services-0-assignees": [ana.pk]})
    [(title, [mine, theirs])] = questions(page)
    assert title.startswith("Design")
    assert mine == ("", ("Name", "Design", "UX"), ("Assignees", "empty", f"{ana} · {ana.email}"))
    assert theirs == ("",)
    name = User.objects.get(pk=author.session["_auth_user_id"]).username
    assert f"Deleted by {name}" in page.content.decode()
    saved = answer(client, page, choice)
    assert not is_preview(saved) or press(client, saved, "apply").status_code == 302
    assert [*Service.objects.order_by("name").values_list("name", flat=True)] == (
        ["New", "UX"] if choice == MINE else ["New"]
    )
    assert ServiceAssignment.objects.count() == (choice == MINE)
    other.refresh_from_db()
    assert other.name == "New"


@pytest.mark.parametrize("choice", [MINE, THEIRS])
def test_changed_row_is_deleted_only_after_a_question(choice: str, service: Service) -> None:
    own = {"organization": service.organization}
    assignment = ServiceAssignmentFactory(
        **own, service=service, person=PersonFactory(**own, first_name="Ana")
    )
    client, address = staff(service.organization), url(Service, "change", service.pk)
    sent = form_data(client, address) | {"service_assignments-0-DELETE": "on"}
    bo = PersonFactory(**own, first_name="Bo", last_name="Z", email=None)
    update(assignment, person=bo)
    page = client.post(address, sent)
    [(title, [mine, theirs])] = questions(page)
    assert (title.startswith("Bo Z on Design"), mine, theirs[1][0], theirs[1][2]) == (
        True,
        ("",),
        "Person",
        "Bo Z",
    )
    saved = answer(client, page, choice)
    assert not is_preview(saved) or press(client, saved, "apply").status_code == 302
    assert ServiceAssignment.objects.filter(pk=assignment.pk).exists() == (choice == THEIRS)


def test_row_of_another_organization_is_neither_shown_nor_written(service: Service) -> None:
    client, address = staff(service.organization), url(Deal, "change", service.deal_id)
    foreign = ServiceFactory(organization=OrganizationFactory(), name="Secret")
    sent = form_data(client, address)
    service.delete()
    data = {**sent, "services-0-id": foreign.pk, "services-0-name": "UX"}
    assert client.post(address, data).status_code == 302
    foreign.refresh_from_db()
    assert (foreign.name, Service.objects.count()) == ("Secret", 1)


def test_form_of_a_deleted_record_keeps_what_was_typed(person: Person, client: Client) -> None:
    pk, address = person.pk, url(Person, "change", person.pk)
    sent = form_data(client, address) | {"last_name": "Kos-Horvat"}
    person.delete()
    page = client.post(address, sent)
    html = page.content.decode()
    assert "Nothing that you typed has been saved." in html
    assert ("Last name", "Kos-Horvat") in page.context["typed"]

    # As a new record, with the lines left out.
    fields = dict(page.context["new_fields"]) | {"step": "choose"}
    form = client.post(page.context["add_url"], fields).context["adminform"].form
    assert (form["last_name"].value(), form["first_name"].value()) == ("Kos-Horvat", "Ana")
    assert Person.objects.filter(first_name="Ana").count() == 0

    # Restored in another tab, and saved again.
    restore = page.context["entry"].restore_url
    press(client, client.get(restore), "apply")
    assert client.post(address, hidden_fields(page)).status_code == 302
    assert Person.objects.get(pk=pk).last_name == "Kos-Horvat"


def test_deleted_record_of_another_organization_is_not_shown(person: Person) -> None:
    stranger = staff(OrganizationFactory())
    address = url(Person, "change", person.pk)
    person.delete()
    assert stranger.post(address, {"last_name": "Kos"}).status_code == 302
