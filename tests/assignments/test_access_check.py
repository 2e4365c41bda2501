"""Test the Access check page and the command explain_tracking."""

from __future__ import annotations

import re
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.test import Client

from assignments.models import ProjectAssignment
from catalog.models import Deal, Service
from productive.accounts.models import Organization, Person
from tests.support.admin import press, staff, superuser
from tests.support.factories import (
    DealFactory,
    OrganizationFactory,
    PersonFactory,
    ProjectAssignmentFactory,
    ProjectFactory,
    ServiceAssignmentFactory,
    ServiceFactory,
    UserFactory,
)

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

PAGE = "/admin/access-check/"
ON = "2026-11-23"


@pytest.fixture
def organization() -> Organization:
    return OrganizationFactory()


@pytest.fixture
def ana(organization: Organization) -> Person:
    return PersonFactory(
        organization=organization, first_name="Ana", last_name="Horvat", email="ana@example.com"
    )


@pytest.fixture
def service(organization: Organization) -> Service:
    project = ProjectFactory(organization=organization, name="Acme")
    deal = DealFactory(organization=organization, project=project, name="Acme 2026")
    return ServiceFactory(organization=organization, deal=deal, name="Design")


def test_page_shows_the_decision_and_a_link_to_fix_it(ana: Person, service: Service) -> None:
    client = superuser()
    page = client.get(PAGE, {"person": ana.pk, "service": service.pk, "on": ON})
    sentence = (
        "Ana Horvat can't track time for Design on Acme 2026 on 23 November 2026: "
        "Ana Horvat is not on the project Acme."
    )
    assert str(page.context["decision"]) == sentence
    assert sentence.replace("'", "&#x27;") in page.content.decode()
    checks = page.context["checks"]
    assert [check["outcome"] for check in checks] == ["passed"] * 5 + ["failed"] + ["skipped"] * 2
    assert checks[5]["repair"] == "Add Ana Horvat to the project"


def test_failed_checks_are_repaired_together(ana: Person, service: Service) -> None:
    client, page = superuser(), f"{PAGE}?person={ana.pk}&service={service.pk}&on={ON}"
    ServiceAssignmentFactory(organization=ana.organization, service=service)
    Deal.objects.update(
        person_restricted_tracking=True, service_type_restricted_tracking=True, end_date="2026-01-01"
    )
    Service.objects.update(time_tracking_enabled=False)
    ana.archive()
    service.deal.project.archive()
    service.deal.close()
    checks = client.get(page).context["checks"]
    assert [check["outcome"] for check in checks] == ["failed"] * 8
    assert [check.get("repair") or check["link"] for check in checks] == [
        "Restore Ana Horvat",
        "Restore the project",
        "Reopen the budget",
        "Open the budget",
        "Switch on time tracking",
        "Add Ana Horvat to the project",
        "Assign Ana Horvat to the service",
        "Give Ana Horvat the service type",
    ]
    assert client.get(checks[3]["url"]).status_code == 200
    Deal.objects.update(end_date=None)

    codes = [check["code"] for check in checks if "code" in check]
    preview = client.post(page, {"repair": codes, "step": "preview"})
    assert preview.context["preview"].consequences.sentences == ["1 person gains access to 1 service."]
    assert not ProjectAssignment.objects.exists()
    done = press(client, preview, "apply")
    assert (done.status_code, done["Location"]) == (302, page)
    assert client.get(page).context["decision"].allowed is True
    [made] = ProjectAssignment.history.values_list("change_set", flat=True)
    assert Deal.history.latest("history_id").change_set == made


def test_only_allowed_repairs_are_made(ana: Person, service: Service) -> None:
    views = ["view_person", "view_service", "view_project", "view_servicetype"]
    client = staff(ana.organization, *views, "add_servicetypeassignment")
    Deal.objects.update(service_type_restricted_tracking=True)
    page = f"{PAGE}?person={ana.pk}&service={service.pk}"
    checks = client.get(page).context["checks"]
    assert [check["repair"] for check in checks if "repair" in check] == ["Give Ana Horvat the service type"]
    codes = ["not_project_member", "service_type_not_assigned", "budget_closed", "unknown"]
    press(client, client.post(page, {"repair": codes, "step": "preview"}), "apply")
    assert (ana.service_type_assignments.count(), ana.project_assignments.count()) == (1, 0)
    assert client.post(PAGE, {"repair": codes, "step": "apply"}).context["form"].is_bound is False


def test_page_lists_services_of_a_person_and_people_of_a_service(ana: Person, service: Service) -> None:
    ProjectAssignmentFactory(organization=ana.organization, project=service.deal.project, person=ana)
    client = superuser()
    what = client.get(PAGE, {"person": ana.pk}).context
    assert (what["list_title"], what["number"]) == (f"What Ana Horvat · {ana.email} can track time on", 1)
    assert what["rows"] == [
        {"label": "Design · Acme 2026 · Acme", "url": f"{PAGE}?person={ana.pk}&service={service.pk}"}
    ]
    who = client.get(PAGE, {"service": service.pk, "kind": "expense", "on": ON}).context
    assert (who["list_title"], who["number"]) == ("Who can log expenses on Design · Acme 2026 · Acme", 1)
    assert who["rows"] == [
        {
            "label": f"Ana Horvat · {ana.email}",
            "url": f"{PAGE}?service={service.pk}&person={ana.pk}&on={ON}&kind=expense",
        }
    ]
    assert client.get(who["rows"][0]["url"]).context["decision"].allowed is True


def test_pages_of_person_and_service_have_the_list_and_a_link(ana: Person, service: Service) -> None:
    ProjectAssignmentFactory(organization=ana.organization, project=service.deal.project, person=ana)
    client = superuser()
    pair = f"person={ana.pk}&amp;service={service.pk}"
    person = words(client, f"/admin/accounts/person/{ana.pk}/change/")
    assert re.search(
        rf'href="{re.escape(PAGE)}\?person={ana.pk}"[^<]*<span[^<]*</span> What can Ana track on\?', person
    )
    assert f"What Ana Horvat · {ana.email} can track time on: 1" in person
    assert f'href="{PAGE}?{pair}">Design · Acme 2026 · Acme</a>' in person
    pair = f"service={service.pk}&amp;person={ana.pk}"
    page = words(client, f"/admin/catalog/service/{service.pk}/change/")
    assert re.search(
        rf'href="{re.escape(PAGE)}\?service={service.pk}"[^<]*<span[^<]*</span> Who can track here\?', page
    )
    assert "Who can track time on Design · Acme 2026 · Acme: 1" in page
    assert f'href="{PAGE}?{pair}">Ana Horvat · {ana.email}</a>' in page
    assert f'href="{PAGE}"' in words(client, "/admin/")


def words(client: Client, address: str) -> str:
    """Return the page with collapsed whitespace."""
    return " ".join(client.get(address).content.decode().split())


def test_staff_who_may_only_view_people_see_no_services(ana: Person, service: Service) -> None:
    ProjectAssignmentFactory(organization=ana.organization, project=service.deal.project, person=ana)
    user = UserFactory(organization=ana.organization, is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_person"))
    client = Client()
    client.force_login(user)
    page = client.get(f"/admin/accounts/person/{ana.pk}/change/")
    assert page.status_code == 200
    assert "Design" not in page.content.decode()
    assert PAGE not in page.content.decode()
    assert PAGE not in client.get("/admin/").content.decode()
    user.user_permissions.add(Permission.objects.get(codename="view_service"))
    assert PAGE in client.get("/admin/").content.decode()
    ana.archive()
    ServiceAssignmentFactory(organization=ana.organization, service=service)
    Deal.objects.update(person_restricted_tracking=True)
    checks = client.get(PAGE, {"person": ana.pk, "service": service.pk}).context["checks"]
    failed = [(check["message"], check.get("link")) for check in checks if check["outcome"] == "failed"]
    assert failed == [
        ("Ana Horvat is archived", "Open the person"),
        ("Ana Horvat is not the one person assigned to Design on Acme 2026", None),
    ]


def test_staff_check_their_own_organization_only(
    organization: Organization, ana: Person, service: Service
) -> None:
    theirs = ServiceAssignmentFactory()
    client = staff(organization)
    assert client.get(PAGE, {"person": ana.pk, "service": service.pk}).context["decision"].allowed is False
    for name, foreign in (("person", theirs.person_id), ("service", theirs.service_id)):
        rejected = client.get(PAGE, {name: foreign})
        unknown = client.get(PAGE, {name: 10**9})
        assert rejected.context["form"].errors == unknown.context["form"].errors
        assert list(rejected.context["form"].errors) == [name]


def test_records_of_two_organizations_are_rejected(ana: Person) -> None:
    page = superuser().get(PAGE, {"person": ana.pk, "service": ServiceFactory().pk})
    assert page.context["form"].non_field_errors() == [
        "The person and the service belong to different organizations."
    ]


@pytest.mark.no_cover
@pytest.mark.parametrize("value", ["x", "0", "-1", "1_0", "\uff19", "9" * 19, "9" * 30, "\x00"])
def test_invalid_value_is_rejected_at_its_field(value: str, ana: Person) -> None:
    client = superuser()
    for params in (
        {"person": value},
        {"service": value},
        {"person": ana.pk, "on": value},
        {"person": ana.pk, "kind": value},
    ):
        page = client.get(PAGE, params)
        assert page.status_code == 200
        assert list(page.context["form"].errors) == [list(params)[-1]]


def test_page_needs_permission_to_view_people_and_services(organization: Organization) -> None:
    assert Client().get(PAGE).headers["Location"] == f"/admin/login/?next={PAGE}"
    client = Client()
    client.force_login(UserFactory(organization=organization, is_staff=True))
    assert client.get(PAGE).status_code == 403
    assert superuser().get(PAGE).status_code == 200


def test_decision_takes_few_queries(ana: Person, service: Service, django_assert_num_queries: Any) -> None:
    """Session, user, time zone; both records, validated and rendered; the rule."""
    client = superuser()
    with django_assert_num_queries(8):
        client.get(PAGE, {"person": ana.pk, "service": service.pk})


# --- the command ----------------------------------------------------------------------------------


def explain(*arguments: str) -> list[str]:
    out = StringIO()
    call_command("explain_tracking", *arguments, stdout=out)
    return out.getvalue().splitlines()


def test_command_prints_the_decision_and_all_checks(ana: Person, service: Service) -> None:
    lines = explain("--person", "ANA@example.com", "--service", str(service.pk), "--on", ON)
    assert lines == [
        "Ana Horvat can't track time for Design on Acme 2026 on 23 November 2026: "
        "Ana Horvat is not on the project Acme.",
        "  ✓ Ana Horvat is active",
        "  ✓ The project Acme is active",
        "  ✓ The budget Acme 2026 is open",
        "  ✓ 23 November 2026 is within the dates of Acme 2026",
        "  ✓ Time tracking is switched on for Design on Acme 2026",
        "  ✗ Ana Horvat is not on the project Acme",
        "  · Acme 2026 is not restricted by person",
        "  · Acme 2026 is not restricted by service type",
    ]
    ProjectAssignmentFactory(organization=ana.organization, project=service.deal.project, person=ana)
    lines = explain("--person", "ana@example.com", "--service", str(service.pk), "--kind", "expense")
    assert lines[0].startswith("Ana Horvat can log expenses for Design on Acme 2026 on ")


def test_command_rejects_unknown_records(ana: Person, service: Service) -> None:
    PersonFactory(email="ivo@example.com")
    for arguments, message in (
        (("--person", "ana@example.com", "--service", "999"), "There is no service 999."),
        (("--person", "ana@example.com", "--service", str(10**30)), f"There is no service {10**30}."),
        (
            ("--person", "ivo@example.com", "--service", str(service.pk)),
            f"No person of {ana.organization} has the e-mail address ivo@example.com.",
        ),
    ):
        with pytest.raises(CommandError) as caught:
            explain(*arguments)
        assert str(caught.value) == message
    for wrong in ("tomorrow", "2026-02-30"):
        with pytest.raises(CommandError, match="argument --on"):
            explain("--person", "ana@example.com", "--service", str(service.pk), "--on", wrong)
