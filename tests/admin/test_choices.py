"""Test that no field lists all records of a model."""

from __future__ import annotations

from typing import Any

import pytest
from django import forms
from django.contrib.admin.widgets import AutocompleteMixin
from django.db.models import Model
from django.forms.models import ModelChoiceField, ModelChoiceIterator

from productive.accounts.models import Organization, Person
from tests.support.admin import FACTORIES, create_row, staff, superuser, unrendered, url
from tests.support.factories import OrganizationFactory

pytestmark = [pytest.mark.django_db, pytest.mark.no_cover, pytest.mark.any_database]


def drop_downs(fields: Any) -> set[str]:
    """Return the fields that would list all records of an owned model."""
    return {
        name
        for name, field in fields.items()
        if isinstance(field, ModelChoiceField)
        and field.queryset.model in {*FACTORIES, Organization}
        and not field.disabled
        and not isinstance(
            getattr(field.widget, "widget", field.widget), AutocompleteMixin | forms.HiddenInput
        )
    }


@pytest.mark.parametrize("actor", [superuser, staff])
@pytest.mark.parametrize("model", [*FACTORIES, Organization], ids=lambda model: model.__name__)
def test_no_field_lists_all_records(model: type[Model], actor: Any) -> None:
    organization = OrganizationFactory()
    row, client = create_row(model, organization), actor(*[organization] * (actor is staff))
    found = set()
    for address in (url(model, "add"), url(model, "change", row.pk)):
        answer = unrendered(client, address)
        if answer.status_code == 403:
            continue
        found |= drop_downs(answer.context_data["adminform"].form.fields)
        for inline in answer.context_data["inline_admin_formsets"]:
            found |= drop_downs(inline.formset.empty_form.fields)
    changelist = unrendered(client, url(model, "changelist")).context_data["cl"]
    for spec in changelist.filter_specs:
        for choice in spec.choices(changelist):
            fields = choice["form"].fields if "form" in choice else {}
            found |= drop_downs(fields)
            offered = [field for field in fields.values() if isinstance(getattr(field, "choices", 0), list)]
            assert all(len(field.choices) < 15 for field in offered)
    assert found == set()


def test_drop_downs_finds_fields_that_list_all_records() -> None:
    field = ModelChoiceField(Person.objects.all())
    assert isinstance(field.choices, ModelChoiceIterator)
    assert drop_downs({"person": field}) == {"person"}
