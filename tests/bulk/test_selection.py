"""Test who may use bulk actions, and how rows and records are chosen for them."""

from __future__ import annotations

from typing import Any

import pytest
from django.db.models import Model

from assignments.models import ServiceAssignment
from catalog.models import Deal, Project, Service, ServiceType
from productive.accounts.models import ApiToken, Person
from tests.support.admin import press, url
from tests.support.bulk import Agency, apply, shown, start
from tests.support.factories import ApiTokenFactory, PersonFactory, ServiceFactory
from tests.support.samples import sampled

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


def actions_of(client: Any, model: type[Model]) -> list[str]:
    form = client.get(url(model, "changelist")).context["action_form"]
    return [name for name, _ in form.fields["action"].choices if name] if form else []


@pytest.mark.parametrize(
    ("model", "actions"),
    [
        (
            Person,
            [
                "assign_to_services",
                "add_to_projects",
                "give_service_types",
                "merge_records",
                "archive",
                "restore",
                "delete_selected",
            ],
        ),
        (
            Service,
            [
                "add_assignees_to_projects",
                "add_people_to_projects",
                "assign_people",
                "change_type",
                "close_budgets",
                "copy_assignments",
                "delete_selected",
                "give_types_to_people",
                "switch_on_expenses",
                "switch_on_time",
                "unassign_people",
            ],
        ),
        (Project, ["add_people", "copy_members", "remove_people", "archive", "restore", "delete_selected"]),
        (
            ServiceType,
            [
                "merge_records",
                "give_to_people",
                "remove_from_people",
                "archive",
                "restore",
                "delete_selected",
            ],
        ),
        (Deal, ["close", "open", "delete_selected"]),
        (ApiToken, ["revoke", "delete_selected"]),
        (ServiceAssignment, ["delete_selected"]),
    ],
)
def test_list_has_actions(agency: Agency, model: type[Model], actions: list[str]) -> None:
    agency.assign(agency.qa, agency.ana)
    ApiTokenFactory(organization=agency.organization)
    assert sorted(actions_of(agency.staff(), model)) == sorted(actions)
    viewer = agency.staff("view_person", "view_service", "view_project", f"view_{model._meta.model_name}")
    assert actions_of(viewer, model) == []


def test_action_requires_permissions_for_pair_and_both_sides(agency: Agency) -> None:
    without = agency.staff("view_person", "add_serviceassignment")
    assert actions_of(without, Person) == []
    assert actions_of(agency.staff("view_person", "view_service", "add_serviceassignment"), Person) == [
        "assign_to_services"
    ]
    for step in ({}, {"step": "preview", "chosen": agency.qa.pk}):
        assert "cl" in start(without, "assign_to_services", [agency.ana], **step).context
    assert ServiceAssignment.objects.count() == 0


def test_record_of_other_organization_can_not_be_chosen(agency: Agency) -> None:
    mine = ServiceFactory(organization=agency.organization)
    foreign = ServiceFactory(name="Secret")
    client = agency.staff()
    answers = [
        start(client, "assign_to_services", [agency.ana], step="preview", chosen=[mine.pk, pk])
        for pk in (foreign.pk, 987_654_321)
    ]
    assert [dict(answer.context["form"].errors) for answer in answers] == [
        {"chosen": [f"Select a valid choice. {pk} is not one of the available choices."]}
        for pk in (foreign.pk, 987_654_321)
    ]
    assert b"Secret" not in answers[0].content
    copied = start(client, "copy_assignments", [mine], step="preview", chosen=[foreign.pk])
    assert list(copied.context["form"].errors) == ["chosen"]


INVALID_INPUT = [
    "\x00",
    "9" * 30,
    "-1",
    "1_0",
    "\u0661",
    "\ud800".encode(errors="surrogatepass"),
    "1" * 5000,
    "",
    "x",
]


@pytest.mark.parametrize("step", ["preview", "apply", "find", "choose", "", "\x00"])
def test_invalid_input_shows_the_form_again(agency: Agency, step: str) -> None:
    client = agency.staff()
    for value in INVALID_INPUT:
        data = {"step": step, "chosen": value, "digest": value, "find": value}
        answer = start(client, "assign_to_services", [agency.ana], **data)
        assert (answer.status_code, "form" in answer.context) == (200, True)
    assert ServiceAssignment.objects.count() == 0


@pytest.mark.no_cover
@pytest.mark.parametrize("value", INVALID_INPUT, ids=lambda value: ascii(value)[:12])
def test_invalid_selection_changes_nothing(agency: Agency, value: Any) -> None:
    client = agency.staff()
    selections = [
        (query, {"index": index, "select_across": across})
        for across in (0, 1, value)
        for query, index in (("", 0), ("?q=x", value))
    ]
    for number, action in enumerate(actions_of(client, Person), start=INVALID_INPUT.index(value)):
        data = {"action": action, "_selected_action": value, "chosen": agency.qa.pk, "step": "apply"}
        for query, selection in sampled(selections, number):
            client.post(url(Person, "changelist") + query, {**data, **selection})
    assert (ServiceAssignment.objects.count(), Person.objects.exclude(archived_at=None).count()) == (0, 1)


def test_choice_is_required(agency: Agency) -> None:
    page = start(agency.staff(), "assign_to_services", [agency.ana])
    again = press(agency.staff(), page, "preview")
    assert dict(again.context["form"].errors) == {"chosen": ["This field is required."]}


def test_more_rows_than_one_form_can_submit_are_rejected(agency: Agency) -> None:
    page = start(agency.staff(), "assign_to_services", [agency.ana])
    again = press(agency.staff(), page, "preview", chosen=range(1, 202))
    assert dict(again.context["form"].errors) == {"chosen": ["Choose at most 200."]}


def test_too_many_pairs_or_rows_show_message(agency: Agency, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("actions", "pairs"):
        monkeypatch.setattr(f"productive.admin.bulk.{module}.MAX_BULK_ROWS", 3)
    client, page = agency.staff(), start(agency.staff(), "assign_to_services", [agency.ana, agency.bo])
    again = press(client, page, "preview", chosen=[agency.qa.pk, agency.design.pk])
    assert again.context["form"].non_field_errors() == [
        "2 people and 2 services make 4 pairs. At most 3 can be changed at once: choose fewer."
    ]
    people = agency.people(4)
    answer = start(client, "archive", people)
    page = client.get(answer["Location"])
    assert [str(said) for said in page.context["messages"]] == [
        "At most 3 rows can be changed at once. Select fewer."
    ]


@pytest.mark.no_cover
def test_all_rows_of_filtered_list_are_selected_and_filter_is_preserved(agency: Agency) -> None:
    agency.people(500)
    client = agency.staff()
    address = url(Person, "changelist") + "?q=P00&archived=no"
    data = {"action": "assign_to_services", "index": 0, "select_across": 1, "_selected_action": agency.ana.pk}
    page = press(client, client.post(address, data), "preview", chosen=[agency.qa.pk])
    [group] = [group for group in page.context["preview"].groups if group.lines]
    assert (group.title, group.count, len(group.shown), group.hidden) == (
        "Will be created",
        "500",
        300,
        "200",
    )
    assert page.content.count(b"_selected_action") == 1
    assert apply(client, page) == ["Assigned 500 people to 1 service: 500 new service assignments."]


@pytest.mark.no_cover
def test_new_row_of_filtered_list_is_shown_before_apply(agency: Agency) -> None:
    client = agency.staff()
    address = url(Person, "changelist") + "?q=Newcomer"
    data = {"action": "archive", "index": 0, "select_across": 1, "_selected_action": agency.ana.pk}
    PersonFactory(first_name="Newcomer", last_name="A", email=None, organization=agency.organization)
    page = client.post(address, data)
    PersonFactory(first_name="Newcomer", last_name="B", email=None, organization=agency.organization)
    again = press(client, page, "apply")
    assert shown(again) == {"Will be archived": ["Newcomer A", "Newcomer B"]}
    assert apply(client, again) == ["2 people archived."]


def test_records_are_found_without_javascript_and_preserved_when_choosing_again(agency: Agency) -> None:
    client = agency.staff()
    foreign = ServiceFactory(name="QA of others")
    page = press(client, start(client, "assign_to_services", [agency.ana]), "find", find="QA")
    assert page.context["found"] == [(agency.qa.pk, "QA · Budget · Portal")]
    assert foreign.name not in page.content.decode()
    shown = press(client, page, "preview", chosen=[agency.qa.pk])
    back = press(client, shown, "choose")
    assert f'<option value="{agency.qa.pk}" selected>QA · Budget · Portal</option>' in back.content.decode()


def test_get_changes_nothing(agency: Agency) -> None:
    client = agency.staff()
    data = {"action": "archive", "index": 0, "_selected_action": agency.ana.pk, "step": "apply"}
    client.get(url(Person, "changelist"), data)
    agency.ana.refresh_from_db()
    assert agency.ana.archived_at is None
