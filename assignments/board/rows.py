"""The people of a board: filtered, grouped, and in pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import (
    BooleanField,
    Case,
    Count,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
    Window,
)
from django.db.models.functions import NullIf
from django.http import HttpRequest, QueryDict

from assignments.board.boards import Board, assignee_ids, member_ids, organization_of
from assignments.models import ServiceTypeAssignment
from assignments.tracking_today import TRACKS_NOWHERE, in_person_states
from productive.accounts.models import Organization, Person
from productive.admin.forms import is_id
from productive.admin.permissions import visible_rows
from productive.admin.theme import Select, TextInput
from productive.database.text import search_words

# A page has as many rows as fit: with more cells, browsers become slow.
MAX_CELLS = 20_000
# Browsers without JavaScript send a field for each checked cell, and Django accepts 1,000.
MAX_CHECKBOXES = 900
# People that are shown whatever the filters are: those who were pasted.
MAX_ADDED = 200

ALL, MEMBERS, OUTSIDERS, NOWHERE = "all", "members", "outside", "nowhere"
TITLE, TYPE, MEMBERSHIP = "title", "type", "membership"


class RowsForm(forms.Form):
    """The filters of the rows, and how they are grouped."""

    q = forms.CharField(
        required=False,
        max_length=100,
        label="Find people",
        widget=TextInput(
            attrs={"type": "search", "placeholder": "Find people", "title": "Name, title or service type"}
        ),
    )
    show = forms.ChoiceField(required=False, label="Show", widget=Select)
    group = forms.ChoiceField(required=False, label="Group by", widget=Select)

    def __init__(self, data: QueryDict, *, has_project: bool) -> None:
        super().__init__(data)
        shows = [("", "Everybody")]
        groups = [("", "Nothing"), (TITLE, "Title"), (TYPE, "Service type")]
        if has_project:
            shows = [
                ("", "Project and assigned"),
                (MEMBERS, "On the project"),
                (OUTSIDERS, "Not on the project"),
                (ALL, "Everybody"),
            ]
            groups.append((MEMBERSHIP, "Project membership"))
        self.fields["show"].choices = [*shows, (NOWHERE, "Can track nowhere")]  # type: ignore[attr-defined]
        self.fields["group"].choices = groups  # type: ignore[attr-defined]

    def value(self, name: str) -> str:
        """Return a valid value, or ""."""
        return "" if name in self.errors else str(self.cleaned_data[name])


@dataclass(frozen=True)
class PeoplePage:
    """The people of a page, and the position of the page."""

    people: Sequence[Any]
    total: int
    number: int
    size: int
    # The people who were added to the board, who come first.
    added: Sequence[int]

    @property
    def first(self) -> int:
        return (self.number - 1) * self.size + 1

    @property
    def last(self) -> int:
        return self.first + len(self.people) - 1

    @property
    def pages(self) -> int:
        return max(-(-self.total // self.size), 1)


def read_people(request: HttpRequest, board: Board, owner: Any, columns: Sequence[Any]) -> PeoplePage:
    """Return the page of people that the request shows. It takes one query."""
    params = request.GET
    size = page_size(params, len(columns), board.max_rows)
    added = ids_in(params, "add")[:MAX_ADDED]
    number = int(params.get("page", "1")) if is_id(params.get("page", "1")) else 1
    people = select(request, board, owner, columns, added)
    for attempt in dict.fromkeys([number, 1]):
        start = min((attempt - 1) * size, 2**62)
        page = list(people[start : start + size])
        if page:
            return PeoplePage(page, page[0].total, attempt, size, added)
    return PeoplePage([], 0, 1, size, added)


def page_size(params: QueryDict, columns: int, max_rows: int) -> int:
    """Return the number of rows of a page: as many as fit, or fewer if the request has `rows`."""
    most = min(max(MAX_CELLS // max(columns, 1), 1), max_rows)
    wanted = params.get("rows", "")
    return min(int(wanted), most) if is_id(wanted) else most


def plain_size(columns: int) -> int:
    """Return the number of rows that a browser without JavaScript can send, or 0."""
    return MAX_CHECKBOXES // (columns + 1)


def ids_in(params: QueryDict, name: str) -> list[int]:
    """Return the ids in a parameter, separated by commas."""
    return [int(pk) for value in params.getlist(name) for pk in value.split(",") if is_id(pk)]


def people_of(request: HttpRequest, organization: Organization) -> QuerySet[Any]:
    """Return the active people of the organization that the user may see."""
    people: QuerySet[Any] = visible_rows(request, Person).filter(organization=organization)
    return people.filter(archived_at=None)


def select(
    request: HttpRequest, board: Board, owner: Any, columns: Sequence[Any], added: Sequence[int]
) -> QuerySet[Any]:
    """Return the rows in their order, annotated with `group_label` and the `total`."""
    people, project = people_of(request, organization_of(owner)), board.project(owner)
    form = RowsForm(request.GET, has_project=project is not None)
    wanted, show = people, form.value("show")
    if show == NOWHERE:
        wanted = in_person_states(wanted, TRACKS_NOWHERE)
    if project is not None:
        wanted = wanted.filter(membership_condition(show, project, columns))
    for word in search_words(form.value("q")) if form.value("q").strip() else ():
        wanted = wanted.filter(word_condition(request, people, word))
    rows = people.filter(Q(pk__in=wanted.order_by().values("pk")) | Q(pk__in=added))
    label = group_expression(form.value("group"), project)
    rows = rows.annotate(
        is_added=Case(
            When(pk__in=added, then=Value(True)), default=Value(False), output_field=BooleanField()
        ),
        group_label=label,
        total=Window(Count("pk")),
    )
    return rows.order_by("-is_added", F("group_label").asc(nulls_last=True), "name_key", "pk")


def membership_condition(show: str, project: int, columns: Sequence[Any]) -> Q:
    members = Q(pk__in=member_ids(project))
    if show == MEMBERS:
        return members
    if show == OUTSIDERS:
        return ~members
    return Q() if show in (ALL, NOWHERE) else members | Q(pk__in=assignee_ids(columns))


def word_condition(request: HttpRequest, people: QuerySet[Any], word: str) -> Q:
    """Return the condition that a name, the title or a service type has the word."""
    found, _ = admin.site.get_model_admin(Person).get_search_results(request, people, word)
    holders = ServiceTypeAssignment.objects.filter(service_type__name__folded=word).order_by()
    return (
        Q(pk__in=found.order_by().values("pk")) | Q(title__folded=word) | Q(pk__in=holders.values("person"))
    )


def group_expression(group: str, project: int | None) -> Any:
    """Return the text by which the rows are grouped; null comes last."""
    if group == TITLE:
        return NullIf(F("title"), Value(""))
    if group == TYPE:
        held = ServiceTypeAssignment.objects.filter(person=OuterRef("pk")).order_by(
            "service_type__name_key", "pk"
        )
        return Subquery(held.values("service_type__name")[:1])
    if group == MEMBERSHIP and project is not None:
        members = Q(pk__in=member_ids(project))
        return Case(When(members, then=Value("On the project")), default=Value("Without the project"))
    return Value("")
