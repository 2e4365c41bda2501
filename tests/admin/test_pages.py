"""Test the pages of every registered model, and who may open them."""

from __future__ import annotations

import re

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.db.models import Model
from django.urls import reverse

from productive.accounts.models import Organization, User
from tests.support.admin import (
    FACTORIES,
    MODELS,
    create_row,
    delete,
    every_model,
    every_owned_model,
    form_data,
    listed,
    staff,
    superuser,
    unrendered,
    url,
)
from tests.support.factories import OrganizationFactory
from tests.support.samples import sampled

pytestmark = [pytest.mark.django_db, pytest.mark.no_cover, pytest.mark.any_database]


# Staff can do none of this, even with all permissions.
SUPERUSERS_ONLY = {(Organization, "add"), (Organization, "delete"), (User, "delete")}


def test_every_model_is_registered_and_tested() -> None:
    assert set(admin.site._registry) == {*FACTORIES, Organization, Group}


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
