"""Every migration of ours can be taken back and applied again, and none is missing."""

from typing import Any

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.db.migrations import RemoveConstraint
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from assignments.models import ServiceAssignment
from tests.support.factories import PersonFactory, ServiceFactory

pytestmark = pytest.mark.no_cover


def our_tables() -> list[str]:
    names = connection.introspection.table_names()
    return sorted(name for name in names if name.startswith(("catalog_", "assignments_")))


@pytest.mark.django_db(transaction=True)
def test_migrations_go_back_and_forth() -> None:
    before = our_tables()
    try:
        call_command("migrate", "catalog", "zero", verbosity=0)
        assert our_tables() == []
    finally:
        call_command("migrate", verbosity=0)
    assert our_tables() == before
    call_command("makemigrations", check_changes=True, dry_run=True, verbosity=0)
    row = ServiceAssignment(person=PersonFactory(), service=ServiceFactory(), organization_id=None)
    row.organization = row.service.organization
    with pytest.raises(IntegrityError), transaction.atomic():
        ServiceAssignment.objects.bulk_create([row])
        connection.check_constraints()


@pytest.mark.django_db(transaction=True)
def test_one_guard_can_be_taken_away_and_put_back() -> None:
    """Constraints of our own kind are changed by migrations as Django's are."""
    guard = next(c for c in ServiceAssignment._meta.constraints if c.name.endswith("_own_person"))
    row = ServiceAssignment(person=PersonFactory(), service=ServiceFactory())
    row.organization = row.service.organization

    def link() -> None:
        with transaction.atomic():
            ServiceAssignment.objects.bulk_create([row])
            connection.check_constraints()

    with_guard = MigrationExecutor(connection).loader.project_state()
    without = with_guard.clone()
    removal = RemoveConstraint("serviceassignment", guard.name)
    removal.state_forwards("assignments", without)
    with connection.schema_editor() as editor:
        removal.database_forwards("assignments", editor, with_guard, without)
    try:
        link()
        ServiceAssignment.objects.all().delete()
        row.pk = None
    finally:
        with connection.schema_editor() as editor:
            removal.database_backwards("assignments", editor, without, with_guard)
    with pytest.raises(IntegrityError):
        link()


@pytest.mark.django_db(transaction=True)
def test_users_of_an_organization_become_people_of_it_and_back() -> None:
    try:
        old = at("accounts", "0001_initial")
        organization = old.get_model("accounts", "Organization").objects.create(name="Agency")
        other = old.get_model("accounts", "Organization").objects.create(name="Other")
        people, users = old.get_model("accounts", "Person").objects, old.get_model("accounts", "User").objects

        def person(first_name: str, **values: Any) -> int:
            return people.create(
                **{"organization": organization, "first_name": first_name, "last_name": "P", **values}
            ).pk

        def user(username: str, **values: Any) -> int:
            return users.create(
                **{"username": username, "organization": organization, "password": "x", **values}
            ).pk

        ana, away = (
            person("Ana", email="ana@example.com"),
            person("Ana", email="ana@example.com", organization=other),
        )
        gone = person("Gone", email="gone@example.com", archived_at=timezone.now())
        first, second = user("ana", email="ANA@example.com"), user("ana2", email="ana@example.com")
        left = user("gone", email="gone@example.com", first_name="Iva", last_name="Novak")
        ben, nobody = user("ben", email="ben@example.com", is_staff=True), user("root", organization=None)
        robot = user("api-1", password="!x", organization=other)

        new = at("accounts", "0002_people_sign_in")
        seats = {
            (
                row.user_id,
                row.organization_id,
                row.first_name,
                row.last_name,
                row.email,
                row.archived_at is None,
            )
            for row in new.get_model("accounts", "Person").objects.all()
        }
        assert seats == {
            (first, organization.pk, "Ana", "P", "ana@example.com", True),
            (None, other.pk, "Ana", "P", "ana@example.com", True),
            (None, organization.pk, "Gone", "P", "gone@example.com", False),
            (second, organization.pk, "ana2", "ana2", None, True),
            (left, organization.pk, "Iva", "Novak", None, True),
            (ben, organization.pk, "ben", "ben", "ben@example.com", True),
        }
        served = new.get_model("accounts", "User").objects.exclude(serves=None).values_list("pk", "serves")
        assert [*served] == [(robot, other.pk)]

        people = new.get_model("accounts", "Person").objects
        people.create(organization_id=other.pk, first_name="Ben", last_name="There", user_id=ben)
        people.filter(pk=away).update(user=second)
        people.filter(user=left).update(archived_at=timezone.now())
        old = at("accounts", "0001_initial")
        kept = dict(old.get_model("accounts", "User").objects.values_list("pk", "organization"))
        here, there = organization.pk, other.pk
        assert kept == {first: here, second: here, ben: here, robot: there, left: None, nobody: None}
        assert {ana, gone} <= {*old.get_model("accounts", "Person").objects.values_list("pk", flat=True)}
    finally:
        call_command("migrate", verbosity=0)


def at(app: str, name: str) -> Any:
    """The models as they are once this migration is the app's last."""
    executor = MigrationExecutor(connection)
    executor.migrate([(app, name)])
    return executor.loader.project_state([(app, name)]).apps


def test_constraints_are_equal_when_all_of_them_is() -> None:
    for constraint in ServiceAssignment._meta.constraints:
        assert constraint == constraint.clone()
        assert constraint != object()
    pair = next(c for c in ServiceAssignment._meta.constraints if hasattr(c, "blame"))
    other = pair.clone()
    other.blame = "person"
    assert other != pair
