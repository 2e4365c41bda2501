"""Test that staff see, choose and add records of their organizations only."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.utils import flatten_fieldsets
from django.db.models import Model
from django.urls import reverse

from assignments.models import ProjectAssignment
from catalog.models import Project
from productive.accounts.models import ApiToken, Person, User
from tests.support.admin import (
    autocomplete,
    create_linked_row,
    create_row,
    every_owned_model,
    every_relation,
    form_data,
    listed,
    rows_of_user,
    save,
    staff,
    superuser,
    unrendered,
    url,
)
from tests.support.factories import OrganizationFactory, PersonFactory, ProjectFactory

pytestmark = [pytest.mark.django_db, pytest.mark.no_cover, pytest.mark.any_database]


@every_owned_model
def test_list_and_search_show_own_rows_only(model: type[Model]) -> None:
    organization = OrganizationFactory()
    own, foreign = create_row(model, organization), create_row(model, OrganizationFactory())
    client = staff(organization)
    if model is ApiToken:
        assert listed(client, User) == {own.user_id} | rows_of_user(client, User)
    assert listed(client, model) == {own.pk} | rows_of_user(client, model)
    assert listed(client, model, f"?q={str(foreign).split()[0]}") & {foreign.pk} == set()


@every_relation
def test_autocomplete_offers_own_rows_only(field: Any) -> None:
    organization = OrganizationFactory()
    own, foreign = (create_linked_row(field, one) for one in (organization, OrganizationFactory()))
    client = staff(organization)
    offered = {int(row["id"]) for row in autocomplete(client, field).json()["results"]}
    itself = {own.pk} if field.related_model is field.model else set()
    assert offered == {getattr(own, field.attname)} | itself | rows_of_user(client, field.related_model)
    everything = {row["id"] for row in autocomplete(superuser(), field).json()["results"]}
    assert everything >= {str(getattr(own, field.attname)), str(getattr(foreign, field.attname))}


@every_relation
def test_related_row_of_another_organization_cannot_be_chosen(field: Any) -> None:
    organization = OrganizationFactory()
    own, foreign = (create_linked_row(field, one) for one in (organization, OrganizationFactory()))
    client, change = staff(organization), url(field.model, "change", own.pk)
    theirs = getattr(foreign, field.attname)
    data = form_data(client, change)
    if field.name in ("organization", "user"):
        # Staff can't choose it, so the posted value is ignored.
        assert client.post(change, {**data, field.name: theirs}).status_code == 302
    else:
        rejected = client.post(change, {**data, field.name: theirs})
        missing = client.post(change, {**data, field.name: 987_654_321})
        errors = [answer.context["adminform"].form.errors.get_json_data() for answer in (rejected, missing)]
        assert errors[0] == errors[1]
        assert list(errors[0]) == [field.name]
    assert field.model._default_manager.values_list(field.attname, flat=True).get(pk=own.pk) == getattr(
        own, field.attname
    )
    prefilled = client.get(url(field.model, "add") + f"?{field.name}={theirs}")
    assert str(getattr(foreign, field.name)) not in prefilled.content.decode()


@every_owned_model
def test_row_added_by_staff_belongs_to_their_organization(model: type[Model]) -> None:
    organization, other = OrganizationFactory(), OrganizationFactory()
    client = staff(organization)
    row = create_row(model, organization)
    data = form_data(client, url(model, "change", row.pk))
    add = url(model, "add")
    if model is User:
        person = PersonFactory(organization=organization)
        data = {"username": "new", "usable_password": "false", "person": person.pk}
    if model is ApiToken:
        data["user"] = row.user_id
    if model not in (User, ApiToken):
        row.delete()
    before = set(model._default_manager.values_list("pk", flat=True))
    answer = save(client, add, {**data, "organization": other.pk})
    assert (answer.status_code, "organization" in client.get(add).context["adminform"].form.initial) == (
        302,
        False,
    )
    [added] = model._default_manager.exclude(pk__in=before)
    owned = added.people.get() if model is User else added  # type: ignore[attr-defined]
    assert owned.organization == organization


@every_owned_model
def test_staff_do_not_see_organization_field(model: type[Model]) -> None:
    organization = OrganizationFactory()
    row, client = create_row(model, organization), staff(organization)
    for address in (url(model, "add"), url(model, "change", row.pk)):
        shown = flatten_fieldsets(unrendered(client, address).context_data["adminform"].fieldsets)
        assert "organization" not in shown
    changelist = unrendered(client, url(model, "changelist")).context_data["cl"]
    assert "organization" not in changelist.list_display
    assert "organization" not in [spec.title for spec in changelist.filter_specs]


@every_owned_model
def test_staff_of_two_organizations_choose_organization_of_new_row(model: type[Model]) -> None:
    first, second, third = OrganizationFactory.create_batch(3)
    client = staff(first)
    actor = User.objects.get(pk=client.session["_auth_user_id"])
    membership = PersonFactory(organization=second, user=actor)
    rows = [create_row(model, organization) for organization in (first, second, third)]
    visible = {row.pk for row in rows[:2]} | rows_of_user(client, model)
    assert listed(client, model) == visible
    changelist = unrendered(client, url(model, "changelist")).context_data["cl"]
    titles = [spec.title for spec in changelist.filter_specs]
    if model is not User:
        assert "organization" in changelist.list_display
        filtered = {row.pk for row in rows[1:2]} | ({membership.pk} if model is Person else set())
        assert listed(client, model, f"?organization={second.pk}") == filtered
        assert listed(client, model, f"?organization={third.pk}") == set()
        page = client.get(url(model, "changelist")).content.decode()
        assert (second.name in page, third.name in page) == (True, False)
    assert titles.count("organization") == (model is not User)

    change = url(model, "change", rows[1].pk)
    if model is not User:
        data = {**form_data(client, change), "organization": first.pk}
        assert client.post(change, data).status_code == 302
        assert model._default_manager.get(pk=rows[1].pk).organization == second  # type: ignore[attr-defined]
        added = client.post(url(model, "add"), form_data(client, url(model, "add")))
        assert "organization" in added.context["adminform"].form.errors
    membership.archive()
    assert listed(client, model) == {rows[0].pk} | (rows_of_user(client, model) - {membership.pk})
    assert client.get(change)["Location"] == reverse("admin:index")


def test_staff_of_two_organizations_add_to_chosen_one() -> None:
    first, second, third = OrganizationFactory.create_batch(3)
    client = staff(first)
    PersonFactory(organization=second, user=User.objects.get(pk=client.session["_auth_user_id"]))
    add = url(Project, "add")
    shop = {**form_data(client, add), "name": "Shop"}
    rejected = client.post(add, {**shop, "organization": third.pk})
    missing = client.post(add, {**shop, "organization": 987_654_321})
    errors = [answer.context["adminform"].form.errors for answer in (rejected, missing)]
    assert (errors[0], [*errors[0]]) == (errors[1], ["organization"])
    assert client.post(add, {**shop, "organization": second.pk}).status_code == 302
    assert Project.objects.get().organization == second
    across = {"project": Project.objects.get().pk, "person": PersonFactory(organization=first).pk}
    answer = client.post(url(ProjectAssignment, "add"), {**across, "organization": second.pk})
    assert answer.context["adminform"].form.errors == {"person": ["belongs to another organization"]}


def test_superuser_can_not_change_organization() -> None:
    client, first, second = superuser(), OrganizationFactory(), OrganizationFactory()
    add = url(Project, "add")
    client.post(add, {**form_data(client, add), "organization": first.pk, "name": "Website"})
    project = Project.objects.get()
    change = url(Project, "change", project.pk)
    assert "organization" in flatten_fieldsets(client.get(change).context["adminform"].fieldsets)
    shop = {**form_data(client, change), "organization": second.pk, "name": "Shop"}
    assert client.post(change, shop).status_code == 302
    project.refresh_from_db()
    assert (project.organization, project.name) == (first, "Shop")


def test_superuser_cannot_link_across_organizations() -> None:
    project, foreign_person = ProjectFactory(), PersonFactory()
    answer = superuser().post(
        url(ProjectAssignment, "add"),
        {"organization": project.organization_id, "project": project.pk, "person": foreign_person.pk},
    )
    assert answer.context["adminform"].form.errors == {"person": ["belongs to another organization"]}
