"""Send requests to the admin, and create a row of every model in it."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.db.models import ForeignKey, Model
from django.template.response import TemplateResponse
from django.test import Client, RequestFactory
from django.urls import reverse

from productive.accounts.models import Organization, Person, User
from productive.accounts.owned import OrganizationOwned
from productive.admin.form_merge import SHOWN
from productive.database.current_request import RequestState
from tests.support import factories
from tests.support.factories import PersonFactory, UserFactory


def factory_of(model: type[Any]) -> Callable[..., Any]:
    """Return a function that creates a row of the model in an organization."""
    if model is Person:
        return lambda organization: PersonFactory(
            organization=organization, user=UserFactory(organization=None)
        )
    factory: Callable[..., Any] = getattr(factories, f"{model.__name__}Factory")
    return factory


# Every model of the admin whose rows belong to an organization or to its people.
FACTORIES = {
    model: factory_of(model)
    for model in admin.site._registry
    if model is User or issubclass(model, OrganizationOwned)
}


def create_row(model: type[Model], organization: Organization) -> Any:
    """Create a row of the model in the organization."""
    if model is Organization:
        return organization
    if model is Group:
        return Group.objects.create(name=f"Group {Group.objects.count()}")
    return FACTORIES[model](organization=organization)


def create_linked_row(field: Any, organization: Organization) -> Any:
    """Create a row whose foreign key isn't empty."""
    row = create_row(field.model, organization)
    if getattr(row, field.attname) is None and field.related_model is not User:
        setattr(row, field.name, create_row(field.related_model, organization))
        row.save()
    return row


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def superuser() -> Client:
    return signed_in(UserFactory(organization=None, is_staff=True, is_superuser=True))


def staff(organization: Organization | None, *codenames: str) -> Client:
    """Return a client of staff with these permissions, or with all if none is given."""
    user = UserFactory(organization=organization, is_staff=True)
    permissions = Permission.objects.all()
    user.user_permissions.set(permissions.filter(codename__in=codenames) if codenames else permissions)
    return signed_in(user)


def rows_of_user(client: Client, model: type[Model]) -> set[Any]:
    """Return the ids of rows that exist because of the client's user: the user and their people."""
    user = User.objects.get(pk=client.session["_auth_user_id"])
    return {User: {user.pk}, Person: {person.pk for person in user.people.all()}}.get(model, set())


def url(model: type[Model], page: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def unrendered(client: Client, address: str) -> Any:
    """Return the response of a page whose context is all that the test reads.

    Rendering would take most of the time. `context_data` has the context.
    """
    with patch.object(TemplateResponse, "rendered_content", ""):
        return client.get(address)


def listed(client: Client, model: type[Model], query: str = "") -> set[Any]:
    response = unrendered(client, url(model, "changelist") + query)
    assert response.status_code == 200
    return {row.pk for row in response.context_data["cl"].result_list}


def form_data(client: Client, address: str) -> dict[str, Any]:
    """Return what a browser sends if the user saves the form without changes."""
    context = unrendered(client, address).context_data
    data = {SHOWN: context["shown"]} if "shown" in context else {}
    for bound in context["adminform"].form:
        value = bound.value()
        if value not in (None, False) and not bound.field.disabled:
            data[bound.html_name] = value
    for inline in context["inline_admin_formsets"]:
        data |= {
            f"{inline.formset.prefix}-{bound.name}": bound.value() for bound in inline.formset.management_form
        }
        for form in inline.formset.initial_forms:
            values = {bound.html_name: bound.value() for bound in form}
            data |= {name: value for name, value in values.items() if value not in (None, False)}
    return data


HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')


def hidden_fields(page: Any) -> dict[str, list[str]]:
    """Return the hidden fields of the page's form."""
    fields: dict[str, list[str]] = {}
    for name, value in HIDDEN.findall(page.content.decode()):
        fields.setdefault(name, []).append(html.unescape(value))
    return fields


def press(client: Client, page: Any, step: str, **data: Any) -> Any:
    """Press a button of a preview, or of the page where an action's records are chosen.

    Type the number of records of a large one.
    """
    address = page.context.get("action") or page.wsgi_request.get_full_path()
    preview = page.context.get("preview")
    typed = {"_number": preview.removed} if preview is not None and preview.is_large else {}
    return client.post(address, {**hidden_fields(page), "step": step, **typed, **data})


def click(client: Client, page: Any, button: str, name: str) -> Any:
    """Include or exclude a related change of a preview."""
    address = page.context.get("action") or page.wsgi_request.get_full_path()
    return client.post(address, {**hidden_fields(page), button: name})


def edit(client: Client, record: Any, **fields: Any) -> Any:
    """Send the form of the record with these changes."""
    address = url(type(record), "change", record.pk)
    return client.post(address, {**form_data(client, address), **fields})


def save(client: Client, address: str, data: dict[str, Any]) -> Any:
    """Save a form, and confirm its preview if there is one."""
    response = client.post(address, data)
    return press(client, response, "apply") if is_preview(response) else response


def is_preview(response: Any) -> bool:
    return response.status_code == 200 and "preview" in response.context


def delete(client: Client, row: Any) -> Any:
    """Delete a row on its page."""
    page = client.get(url(type(row), "delete", row.pk))
    return press(client, page, "apply") if is_preview(page) else page


def autocomplete(client: Client, field: Any, term: str = "", **extra: str) -> Any:
    query = {
        "app_label": field.model._meta.app_label,
        "model_name": field.model._meta.model_name,
        "field_name": field.name,
        "term": term,
    }
    return client.get(reverse("admin:autocomplete"), query | extra)


def form_errors(response: Any) -> dict[str, list[str]]:
    return dict(response.context["adminform"].form.errors)


def request_by(client: Client) -> Any:
    request = RequestFactory().get("/")
    request.state = RequestState(request)
    request.user = User.objects.get(pk=client.session["_auth_user_id"])
    return request


RELATIONS = [
    field
    for model in [*FACTORIES, Group]
    for field in model._meta.get_fields()
    if isinstance(field, ForeignKey) and field.editable and field.related_model in {*FACTORIES, Organization}
    # Only the API sets it.
    if field.name != "creator"
]


every_owned_model = pytest.mark.parametrize("model", FACTORIES, ids=lambda model: model.__name__)
MODELS: list[type[Any]] = [*FACTORIES, Organization, Group]
every_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
every_relation = pytest.mark.parametrize("field", RELATIONS, ids=str)
