"""Merge records in the admin, and undo it."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.urls import reverse

from assignments.models import ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from catalog.models import Service, ServiceType
from productive.accounts.models import Organization, Person, User
from productive.admin.changes.views import MAX_UNDONE
from productive.admin.record_merges.views import MAX_MERGED
from productive.database.record_merges import MAX_MOVED, foreign_keys_to, unique_columns
from tests.support.admin import is_preview, press, save, signed_in, staff, superuser, url
from tests.support.factories import (
    ApiTokenFactory,
    DealFactory,
    PersonFactory,
    ProjectAssignmentFactory,
    ProjectFactory,
    ServiceAssignmentFactory,
    ServiceFactory,
    ServiceTypeAssignmentFactory,
    ServiceTypeFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db

# What a change writes besides the records themselves.
LOGS = ("historical", "django_session", "django_admin_log", "axes")


def tables() -> dict[str, list[str]]:
    """Return all rows of all tables, without the history and the logs."""
    found = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            if not any(part in table for part in LOGS):
                cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608
                found[table] = sorted(map(repr, cursor.fetchall()))
    return found


def merge_page(client: Any, *records: Any) -> Any:
    ids = "&".join(f"id={record.pk}" for record in records)
    return client.get(f"{url(type(records[0]), 'merge')}?{ids}")


def preview_merge(client: Any, survivor: Any, *others: Any, **values: Any) -> Any:
    """Choose the survivor and, by field, the record with the value; otherwise the proposed ones."""
    page = merge_page(client, survivor, *others)
    chosen = {
        row["name"]: cell["pk"]
        for row in page.context["form"].rows()
        for cell in row["cells"]
        if cell["is_chosen"]
    }
    chosen |= {"survivor": survivor.pk, **{f"field-{name}": one.pk for name, one in values.items()}}
    return press(client, page, "preview", **chosen)


def titles(page: Any) -> dict[str, list[str]]:
    return {group.title: [line.text for line in group.lines] for group in page.context["preview"].groups}


def undo(client: Any, model: Any) -> Any:
    """Undo the change set of the latest record of the model's history."""
    latest = model.history.latest("history_id")
    return press(client, client.get(reverse("admin:undo", args=[latest.change_set])), "apply")


def test_service_types_are_merged_and_undone_whole(organization: Organization) -> None:
    kept = ServiceTypeFactory(organization=organization, name="Quality assurance")
    qa = ServiceTypeFactory(organization=organization, name="QA", description="Tests")
    old = ServiceTypeFactory(organization=organization, name="Q.A.")
    earlier = ServiceTypeFactory(organization=organization, name="qa")
    earlier.merge(old)
    deal = DealFactory(organization=organization, service_type_restricted_tracking=True)
    service = ServiceFactory(organization=organization, deal=deal, service_type=qa, name="Test plan")
    older = ServiceFactory(organization=organization, service_type=old)
    old.archive()
    ana = ServiceTypeAssignmentFactory(organization=organization, service_type=kept).person
    eva = ServiceTypeAssignmentFactory(organization=organization, service_type=kept).person
    for person in (ana, eva):
        ProjectAssignmentFactory(organization=organization, project=deal.project, person=person)
    twice = ServiceTypeAssignmentFactory(organization=organization, service_type=qa, person=ana)
    moved = ServiceTypeAssignmentFactory(organization=organization, service_type=qa)
    same = ServiceTypeAssignmentFactory(organization=organization, service_type=old, person=moved.person)
    theirs = ServiceTypeAssignmentFactory()
    client = staff(organization)
    before = tables()

    page = preview_merge(client, kept, qa, old, name=qa, description=qa)
    assert tables() == before
    assert page.context["preview"].consequences.sentences == ["1 person gains access to 1 service."]
    found = titles(page)
    assert found["Will be archived, and merged into Quality assurance"] == ["Q.A. (archived)", "QA"]
    assert found["Service types that were merged into these before"] == ["qa"]
    assert [len(found[title]) for title in found if title.startswith("Services whose")] == [2]
    assert len(found["Service type assignments that exist twice, so one is deleted"]) == 2

    press(client, page, "apply")
    kept.refresh_from_db()
    assert (kept.name, kept.description, kept.archived_at) == ("QA", "Tests", None)
    merged = ServiceType.objects.exclude(archived_at=None)
    assert set(merged.values_list("pk", "merged_into")) == {(each.pk, kept.pk) for each in (qa, old, earlier)}
    assert set(Service.objects.values_list("pk", "service_type")) == {
        (service.pk, kept.pk),
        (older.pk, kept.pk),
    }
    pairs = ServiceTypeAssignment.objects.exclude(pk=theirs.pk).values_list("service_type", "person")
    assert sorted(pairs) == [(kept.pk, ana.pk), (kept.pk, eva.pk), (kept.pk, moved.person_id)]
    assert {twice.pk, same.pk}.isdisjoint(ServiceTypeAssignment.objects.values_list("pk", flat=True))

    page = undo(client, ServiceType)
    assert page.status_code == 302
    assert tables() == before


def test_people_are_merged_and_undone_whole(organization: Organization) -> None:
    boss = PersonFactory(organization=organization)
    user = UserFactory(organization=None, is_staff=True)
    kept = PersonFactory(organization=organization, first_name="Ana", last_name="Horvat", manager=boss)
    double = PersonFactory(organization=organization, first_name="ana", last_name="Horvat", user=user)
    kept.manager = double
    kept.save()
    managed = PersonFactory(organization=organization, manager=double)
    token = ApiTokenFactory(organization=organization, user=user)
    project = ProjectFactory(organization=organization, project_manager=double)
    deal = DealFactory(organization=organization, project=project, responsible=double, creator=double)
    service = ServiceFactory(organization=organization, deal=deal, person=double)
    for person in (kept, double):
        ProjectAssignmentFactory(organization=organization, project=project, person=person)
        ServiceTypeAssignmentFactory(
            organization=organization, service_type=service.service_type, person=person
        )
    assignment = ServiceAssignmentFactory(organization=organization, service=service, person=double)
    client = superuser()
    before = tables()

    page = preview_merge(client, kept, double, email=double, user=double)
    found = titles(page)
    assert found["Users who move"] == [f"{user.username} will sign in as {kept} · {kept.email}"]
    assert "Users who can no longer sign in, and whose API tokens stop working" not in found
    assert press(client, page, "apply").status_code == 302
    address = double.email
    for record in (kept, double, managed, project, deal, service, assignment):
        record.refresh_from_db()
    assert (kept.email, kept.user, kept.manager, double.email, double.user) == (
        address,
        user,
        None,
        None,
        None,
    )
    assert (double.merged_into, managed.manager, project.project_manager) == (kept, kept, kept)
    assert (deal.responsible, deal.creator, service.person, assignment.person) == (kept, kept, kept, kept)
    assert ProjectAssignment.objects.count() == ServiceTypeAssignment.objects.count() == 1
    assert token.user.can_act_for(organization)
    assert User.objects.get(pk=user.pk).signed_out_at is None

    assert undo(client, Person).status_code == 302
    # The user has to sign in again.
    User.objects.filter(pk=user.pk).update(signed_out_at=None)
    assert tables() == before


def test_users_who_lose_access_are_named_and_stay_with_their_person(organization: Organization) -> None:
    user, other = (UserFactory(organization=None, is_staff=True) for _ in range(2))
    kept = PersonFactory(organization=organization, user=other, first_name="Iva", last_name="Kos")
    double = PersonFactory(organization=organization, user=user, first_name="Iva", last_name="Kos")
    ApiTokenFactory(organization=organization, user=user)
    client = staff(organization)
    page = preview_merge(client, kept, double)
    assert "field-user" not in page.context["fields"]
    group = page.context["preview"].groups[0]
    assert (group.title, group.lines[0].notes) == (
        "Users who can no longer sign in, and whose API tokens stop working",
        ["API tokens: 1"],
    )
    press(client, page, "apply")
    double.refresh_from_db()
    assert (double.user, double.merged_into) == (user, kept)
    assert not user.can_act_for(organization)
    assert User.objects.get(pk=user.pk).signed_out_at is not None
    # The user could not undo that.
    own = PersonFactory(organization=organization, first_name="Otto", last_name="Own")
    me = signed_in(UserFactory(organization=None, is_staff=True, is_superuser=True))
    Person.objects.filter(pk=double.pk).update(user=None)
    Person.objects.filter(pk=own.pk).update(user=me.session["_auth_user_id"])
    page = preview_merge(me, kept, own, user=kept)
    assert "You can't archive or delete yourself" in page.context["preview"].blocked


def test_every_relation_is_moved() -> None:
    """A model that refers to people or service types needs nothing else; this list says what is moved."""
    assert {str(relation) for relation in foreign_keys_to(Person)} == {
        "accounts.Person.manager",
        "accounts.Person.merged_into",
        "assignments.ProjectAssignment.person",
        "assignments.ServiceAssignment.person",
        "assignments.ServiceTypeAssignment.person",
        "catalog.Deal.creator",
        "catalog.Deal.responsible",
        "catalog.Project.project_manager",
        "catalog.Service.person",
    }
    assert {str(relation) for relation in foreign_keys_to(ServiceType)} == {
        "assignments.ServiceTypeAssignment.service_type",
        "catalog.Service.service_type",
        "catalog.ServiceType.merged_into",
    }
    pairs = [(ServiceAssignment, "service_id"), (ProjectAssignment, "project_id")]
    for model, column in pairs:
        assert unique_columns(model, model._meta.get_field("person")) == [(column,)]
    assert unique_columns(Person) == [("email",), ("user_id",)]


def test_merge_needs_permissions_and_records_of_one_organization(organization: Organization) -> None:
    first, second = ServiceTypeFactory.create_batch(2, organization=organization)
    foreign = ServiceTypeFactory()
    ServiceTypeAssignmentFactory(organization=organization, service_type=second)
    assert merge_page(staff(organization, "view_servicetype"), first, second).status_code == 403
    client = staff(organization, "view_servicetype", "change_servicetype")
    page = preview_merge(client, first, second)
    assert page.context["preview"].blocked == (
        "You don't have permission to change service type assignments, which refer to these records."
    )
    # A foreign record doesn't exist.
    assert merge_page(client, first, foreign).status_code == 302
    assert merge_page(superuser(), first, foreign).status_code == 302
    forged = client.post(f"{url(ServiceType, 'merge')}?id={first.pk}&id={second.pk}", {"step": "preview"})
    assert forged.context["form"].errors["survivor"] == ["This field is required."]
    data = {"step": "preview", "survivor": foreign.pk, "field-name": first.pk}
    forged = client.post(f"{url(ServiceType, 'merge')}?id={first.pk}&id={second.pk}", data)
    assert list(forged.context["form"].errors) == ["survivor"]
    assert client.get(f"{url(ServiceType, 'merge')}?id=x&id=0").status_code == 302
    assert ServiceType.objects.filter(merged_into=None).count() == 3


def test_confirmation_of_an_old_preview_shows_the_new_one(organization: Organization) -> None:
    kept, other = ServiceTypeFactory.create_batch(2, organization=organization)
    client = staff(organization)
    page = preview_merge(client, kept, other)
    service = ServiceFactory(organization=organization, service_type=other)
    again = press(client, page, "apply")
    assert is_preview(again)
    assert again.context["is_stale"]
    assert press(client, again, "apply").status_code == 302
    service.refresh_from_db()
    assert service.service_type == kept
    # A second click has no effect, and a merged record can't be merged again.
    assert press(client, again, "apply").status_code == 302
    assert merge_page(client, kept, other).status_code == 302


def test_merge_larger_than_undo_is_blocked(organization: Organization, monkeypatch: Any) -> None:
    assert MAX_MOVED + MAX_MERGED <= MAX_UNDONE
    kept, other = ServiceTypeFactory.create_batch(2, organization=organization)
    ServiceFactory.create_batch(2, organization=organization, service_type=other)
    monkeypatch.setattr("productive.database.record_merges.MAX_MOVED", 1)
    page = preview_merge(staff(organization), kept, other)
    assert page.context["preview"].blocked.startswith("More than")
    assert other.services.count() == 2


def test_merged_record_can_not_be_restored_or_used(organization: Organization) -> None:
    kept, other = ServiceTypeFactory.create_batch(2, organization=organization)
    other.merge(kept)
    client = staff(organization)
    selected = {"action": "restore", "index": "0", "_selected_action": [other.pk]}
    page = client.post(url(ServiceType, "changelist"), selected)
    assert titles(page)["Can't be done"] == [other.name]
    page = client.get(url(ServiceType, "change", other.pk))
    assert [action.name for action in page.context["stamps"]] == []
    assert url(ServiceType, "change", kept.pk) in page.content.decode()
    assert ServiceType.objects.restore() == 0


def test_type_of_services_is_changed_and_undone(organization: Organization) -> None:
    new, old = ServiceTypeFactory(organization=organization), ServiceTypeFactory(organization=organization)
    retired = ServiceTypeFactory(organization=organization)
    retired.archive()
    services = ServiceFactory.create_batch(2, organization=organization, service_type=old)
    services.append(ServiceFactory(organization=organization, service_type=new))
    client = staff(organization)
    before = tables()
    posted = {
        "action": "change_type",
        "index": "0",
        "_selected_action": [service.pk for service in services],
        "step": "preview",
    }
    page = client.post(url(Service, "changelist"), {**posted, "chosen": [new.pk]})
    outcomes = {group.outcome: len(group.lines) for group in page.context["preview"].groups if group.lines}
    assert outcomes == {"changed": 2, "unchanged": 1}
    assert press(client, page, "apply").status_code == 302
    assert new.services.count() == 3
    assert undo(client, Service).status_code == 302
    assert tables() == before
    page = client.post(url(Service, "changelist"), {**posted, "chosen": [retired.pk]})
    assert not page.context["preview"].can_apply
    page = client.post(url(Service, "changelist"), {**posted, "chosen": [new.pk, old.pk]})
    assert page.context["form"].errors == {"chosen": ["Choose at most 1."]}


def test_similar_name_is_asked_about_before_it_is_saved(organization: Organization) -> None:
    archived = ServiceTypeFactory(organization=organization, name="Quality Assurance")
    archived.archive()
    ServiceTypeFactory(name="QA")
    client = staff(organization)
    add = url(ServiceType, "add")
    empty = {f"service_type_assignments-{name}_FORMS": 0 for name in ("TOTAL", "INITIAL")}
    page = client.post(add, {"name": "QA", **empty})
    (question,) = page.context["preview"].questions
    assert question.text == "“Quality Assurance” exists already, archived. Restore it instead?"
    assert question.action == ("restore", url(ServiceType, "changelist"), archived.pk)
    assert page.context["preview"].button == "Save anyway"
    assert not ServiceType.objects.filter(organization=organization, name="QA").exists()
    assert press(client, page, "apply").status_code == 302
    created = ServiceType.objects.get(organization=organization, name="QA")
    # A form that keeps the name, and a name like no other, need no question.
    assert save(client, url(ServiceType, "change", created.pk), {"name": "QA", **empty}).status_code == 302
    assert client.post(add, {"name": "Illustration", **empty}).status_code == 302
