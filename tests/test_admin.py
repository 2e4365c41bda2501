"""Test the admin pages of every registered model."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.admin.utils import flatten_fieldsets
from django.contrib.auth.models import Group
from django.db.models import Model
from django.urls import reverse

from assignments.models import ProjectAssignment
from catalog.models import Project
from productive.accounts.models import ApiToken, Organization, Person, User
from tests.support.admin import (
    FACTORIES,
    MODELS,
    autocomplete,
    create_linked_row,
    create_row,
    delete,
    every_model,
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
from tests.support.samples import sampled

pytestmark = [pytest.mark.django_db, pytest.mark.no_cover, pytest.mark.any_database]

# Staff can do none of this, even with all permissions.
SUPERUSERS_ONLY = {(Organization, "add"), (Organization, "delete"), (User, "delete")}


def test_every_model_is_registered_and_tested() -> None:
    assert set(admin.site._registry) == {*FACTORIES, Organization, Group}


# --- Pages and permissions -----------------------------------------------------------------------------


@every_model
def test_every_page_responds_to_superuser(model: type[Model]) -> None:
    row, client = create_row(model, OrganizationFactory()), superuser()
    pages = [
        url(model, "add"),
        url(model, "changelist"),
        url(model, "changelist") + "?q=someone+else",
        url(model, "changelist") + "?_facets=1",
        url(model, "change", row.pk),
        url(model, "delete", row.pk),
        url(model, "history", row.pk),
    ]
    for page in pages:
        response = client.get(page)
        assert response.status_code == 200, page
        # A comment of a template that doesn't end on its line is shown.
        assert not {"{#", "{%", "{{"} & {*re.findall(r"\{[#%{]", response.content.decode())}, page


@every_model
def test_every_list_filter_works(model: type[Model]) -> None:
    OrganizationFactory.create_batch(2)
    create_row(model, OrganizationFactory())
    client = superuser()
    changelist = unrendered(client, url(model, "changelist")).context_data["cl"]
    choices = [choice for spec in changelist.filter_specs for choice in spec.choices(changelist)]
    links = [choice["query_string"] for choice in choices if "query_string" in choice]
    links += [
        f"?{name}={value}"
        for choice in choices
        if "form" in choice
        for name, field in choice["form"].fields.items()
        for value in ["", "7", "2026-01-31", *(key for key, _ in getattr(field, "choices", ()))]
    ]
    links = sampled(links, MODELS.index(model))
    assert {link: client.get(url(model, "changelist") + link).status_code for link in links} == dict.fromkeys(
        links, 200
    )


@every_model
def test_superuser_saves_and_deletes_every_model(model: type[Model]) -> None:
    row, client = create_row(model, OrganizationFactory()), superuser()
    change = url(model, "change", row.pk)
    saved = client.post(change, form_data(client, change))
    assert (saved.status_code, saved["Location"]) == (302, url(model, "changelist"))
    assert client.get(url(model, "history", row.pk)).status_code == 200

    deleted = delete(client, row)
    assert (deleted.status_code, model._default_manager.filter(pk=row.pk).exists()) == (302, False)


@every_owned_model
def test_staff_with_all_permissions_edit_own_rows(model: type[Model]) -> None:
    organization = OrganizationFactory()
    row, client = create_row(model, organization), staff(organization)
    pages = {page: url(model, page) for page in ("add", "changelist")}
    pages |= {page: url(model, page, row.pk) for page in ("change", "delete", "history")}
    answers = {page: client.get(address).status_code for page, address in pages.items()}
    assert answers == {page: 403 if (model, page) in SUPERUSERS_ONLY else 200 for page in pages}
    change = url(model, "change", row.pk)
    assert client.post(change, form_data(client, change)).status_code == 302


def test_staff_can_change_but_not_add_or_delete_organization() -> None:
    organization = OrganizationFactory()
    client, change = staff(organization), url(Organization, "change", organization.pk)
    assert client.post(change, {"name": "New name", "time_zone": "UTC"}).status_code == 302
    organization.refresh_from_db()
    assert organization.name == "New name"
    assert client.get(url(Organization, "add")).status_code == 403
    assert client.get(url(Organization, "delete", organization.pk)).status_code == 403


@every_owned_model
def test_staff_with_view_permission_only_view(model: type[Model]) -> None:
    organization = OrganizationFactory()
    row = create_row(model, organization)
    client = staff(organization, f"view_{model._meta.model_name}")
    assert client.get(url(model, "changelist")).status_code == 200
    assert client.get(url(model, "change", row.pk)).status_code == 200
    writes = [url(model, "add"), url(model, "change", row.pk), url(model, "delete", row.pk)]
    assert [client.post(write, {"post": "yes"}).status_code for write in writes] == [403, 403, 403]
    # No action is available, so a posted one is ignored.
    client.post(url(model, "changelist"), {"action": "archive", "index": 0, "_selected_action": row.pk})
    assert LogEntry.objects.count() == 0


@every_model
def test_staff_without_permissions_are_rejected(model: type[Model]) -> None:
    organization = OrganizationFactory()
    row, client = create_row(model, organization), staff(organization, "no such right")
    index = client.get(reverse("admin:index"))
    assert (index.status_code, index.context["app_list"]) == (200, [])
    pages = [url(model, "changelist"), url(model, "add")]
    pages += [url(model, page, row.pk) for page in ("change", "delete", "history")]
    assert [client.get(page).status_code for page in pages] == [403] * 5


@every_owned_model
def test_staff_without_organization_see_nothing(model: type[Model]) -> None:
    row, client = create_row(model, OrganizationFactory()), staff(None)
    assert listed(client, model) == set()
    assert listed(client, Organization) == set()
    assert client.get(url(model, "change", row.pk))["Location"] == reverse("admin:index")
    assert client.get(url(model, "add")).status_code == 403


# --- Tenancy --------------------------------------------------------------------------------------


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
