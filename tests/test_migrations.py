"""Test that every migration can be reversed and applied again, and that none is missing."""

import pytest
from django.contrib.auth.hashers import check_password, is_password_usable, make_password
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.db.migrations import RemoveConstraint
from django.db.migrations.executor import MigrationExecutor

from assignments.models import ServiceAssignment
from productive.accounts.models import User
from productive.database.row_counts import CreateRowCountTriggers
from tests.support.factories import OrganizationFactory, PersonFactory, ServiceFactory

pytestmark = pytest.mark.no_cover

BEFORE_LOGINS_ARE_REMOVED = [("accounts", "0003_user_signed_out_at")]


def our_tables() -> list[str]:
    names = connection.introspection.table_names()
    return sorted(name for name in names if name.startswith(("catalog_", "assignments_")))


def create_logins_of_service_accounts() -> None:
    """Create users as release 0.1 may have them: two service accounts, one with a login, and a person."""
    state = MigrationExecutor(connection).loader.project_state(BEFORE_LOGINS_ARE_REMOVED)
    organization = state.apps.get_model("accounts", "Organization").objects.get()
    users = state.apps.get_model("accounts", "User").objects
    access = {"is_staff": True, "is_superuser": True, "password": make_password("correct horse battery")}
    for name, owner in (("login", organization.pk), ("new", organization.pk), ("ana", None)):
        users.create(username=name, service_account_of_id=owner, **access)
    users.filter(username="new").update(password="")


@pytest.mark.django_db(transaction=True)
def test_migrations_go_back_and_forth() -> None:
    before = our_tables()
    OrganizationFactory()
    try:
        call_command("migrate", "catalog", "zero", verbosity=0)
        assert our_tables() == []
        call_command("migrate", *BEFORE_LOGINS_ARE_REMOVED[0], verbosity=0)
        create_logins_of_service_accounts()
    finally:
        call_command("migrate", verbosity=0)
    assert our_tables() == before
    call_command("makemigrations", check_changes=True, dry_run=True, verbosity=0)

    rows = User.objects.values_list("is_staff", "is_superuser", "password")
    login, new, ana = (rows.get(username=name) for name in ("login", "new", "ana"))
    assert (login[:2], is_password_usable(login[2])) == ((False, False), False)
    assert (new, ana[:2]) == ((False, False, ""), (True, True))
    assert check_password("correct horse battery", ana[2])

    row = ServiceAssignment(person=PersonFactory(), service=ServiceFactory(), organization_id=None)
    row.organization = row.service.organization
    with pytest.raises(IntegrityError), transaction.atomic():
        ServiceAssignment.objects.bulk_create([row])
        connection.check_constraints()


@pytest.mark.django_db(transaction=True)
def test_constraint_can_be_removed_and_added() -> None:
    """Migrations handle our constraints like Django's."""
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
            # SQLite has created the table again, without its triggers.
            count_rows = CreateRowCountTriggers("ServiceAssignment", "ServiceAssignmentRowCount")
            count_rows.database_forwards("assignments", editor, without, with_guard)
    with pytest.raises(IntegrityError):
        link()


def test_constraints_are_equal_if_all_arguments_are() -> None:
    for constraint in ServiceAssignment._meta.constraints:
        assert constraint == constraint.clone()
        assert constraint != object()
    pair = next(c for c in ServiceAssignment._meta.constraints if hasattr(c, "blame"))
    other = pair.clone()
    other.blame = "person"
    assert other != pair
