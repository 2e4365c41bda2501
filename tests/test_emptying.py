"""A test that commits leaves the database as migrations made it, at a small price."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command

from tests.factories import ServiceAssignmentFactory

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]


def everything() -> dict[str, list[Any]]:
    models = apps.get_models(include_auto_created=True)
    return {model._meta.label: [*model._base_manager.order_by("pk").values()] for model in models}


def test_what_migrations_made_is_put_back_and_all_else_is_gone(django_assert_num_queries: Any) -> None:
    before = everything()
    assert {label for label, rows in before.items() if rows} >= {"contenttypes.ContentType", "auth.Group"}
    ServiceAssignmentFactory()
    Group.objects.all().delete()
    ContentType.objects.create(app_label="nowhere", model="nothing")
    # The names of the tables, BEGIN, one for all that is done, COMMIT.
    with django_assert_num_queries(4):
        call_command("flush", verbosity=0, interactive=False, reset_sequences=False)
    assert everything() == before
