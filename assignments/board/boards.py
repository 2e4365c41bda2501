"""The boards: of a budget, of a project, and of an organization."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse

from assignments import bulk
from assignments.access_check import can_check_access
from assignments.board.cells import Grid, Pair, project_grid, service_grid, service_type_grid
from assignments.models import ProjectAssignment, ServiceAssignment
from assignments.tracking import with_budget
from catalog.models import Deal, Project, Service
from productive.accounts.models import Organization, Person
from productive.admin.bulk.pairs import Pairing, Unpairing
from productive.admin.forms import SEPARATOR, label_of
from productive.admin.permissions import can_view, visible_rows

GridOf = Callable[[Sequence[Person], Sequence[Any], Collection[Pair], date], Grid]


@dataclass(frozen=True)
class Board:
    """A board of people and the records of a model, its columns.

    `owner` is the model of the record that has the board. `columns` returns its columns from those that the
    user may see, and `project` its project, whose members are the rows; without one, all people are.
    `add` and `remove` are the bulk actions whose writes and permissions the board has.
    """

    name: str
    title: str
    owner: type[Model]
    columns: Callable[[QuerySet[Any], Any], QuerySet[Any]]
    grid: GridOf
    add: Pairing
    remove: Unpairing
    project: Callable[[Any], int | None] = lambda owner: None
    # Returns the heading above neighboring columns.
    heading: Callable[[Any], str] = lambda column: ""
    # Rows of a page, even if more would fit. Finding where people can track in an organization takes long.
    max_rows: int = 2_000

    @property
    def column(self) -> type[Model]:
        return self.add.side(self.add.other)

    @property
    def pair(self) -> Any:
        return self.add.model

    @property
    def relation(self) -> str:
        """Return the foreign key of a pair to the column's record."""
        return self.add.other

    @property
    def is_checked(self) -> bool:
        """Return whether the Access check explains a cell."""
        return self.column is Service

    @property
    def owner_name(self) -> str:
        return str(self.owner._meta.verbose_name)

    def url(self, owner: Any) -> str:
        if self.owner is Organization:
            return f"{reverse(self.url_name)}?organization={owner.pk}"
        return reverse(self.url_name, args=[owner.pk])

    @property
    def url_name(self) -> str:
        return f"board_{self.name}"

    def may_view(self, request: HttpRequest) -> bool:
        shown = [self.column, self.pair, *([] if self.owner is Organization else [self.owner])]
        # The cells show what the Access check shows.
        return can_check_access(request) and can_view(request, *shown)

    def may_add(self, request: HttpRequest) -> bool:
        return self.add.is_allowed(admin.site.get_model_admin(Person), request)

    def may_remove(self, request: HttpRequest) -> bool:
        return self.remove.is_allowed(admin.site.get_model_admin(self.column), request)

    def read_columns(self, request: HttpRequest, owner: Any) -> list[Any]:
        return list(self.columns(visible_rows(request, self.column), owner))


def labels_of(columns: Sequence[Any], heading: Callable[[Any], str]) -> dict[int, str]:
    """Return the shortest texts that tell the columns apart, by id."""
    forms = (str, lambda column: f"{column}{SEPARATOR}{heading(column) or label_of(column)}")
    found: dict[int, str] = {}
    for text_of in forms:
        texts = {column.pk: text_of(column) for column in columns if column.pk not in found}
        numbers = Counter(texts.values())
        found |= {pk: text for pk, text in texts.items() if numbers[text] == 1}
    return {
        column.pk: found.get(column.pk, f"{forms[-1](column)}{SEPARATOR}#{column.pk}") for column in columns
    }


BUDGET = Board(
    name="budget",
    title="Staffing board",
    owner=Deal,
    columns=lambda services, deal: with_budget(services.filter(deal=deal)).order_by("name_key", "pk"),
    grid=service_grid,
    add=bulk.ASSIGN_TO_SERVICES,
    remove=bulk.UNASSIGN_PEOPLE,
    project=lambda deal: deal.project_id,
)
PROJECT = Board(
    name="project",
    title="Staffing board",
    owner=Project,
    columns=lambda services, project: with_budget(
        services.filter(deal__project=project, deal__closed_at=None)
    ).order_by("deal__name_key", "deal", "name_key", "pk"),
    grid=service_grid,
    add=bulk.ASSIGN_TO_SERVICES,
    remove=bulk.UNASSIGN_PEOPLE,
    project=lambda project: project.pk,
    heading=lambda service: str(service.deal),
)
PROJECTS = Board(
    name="projects",
    title="Project board",
    owner=Organization,
    columns=lambda projects, organization: projects.filter(
        organization=organization, archived_at=None
    ).order_by("name_key", "pk"),
    grid=project_grid,
    add=bulk.ADD_TO_PROJECTS,
    remove=bulk.REMOVE_PEOPLE,
    max_rows=150,
)
SERVICE_TYPES = Board(
    name="service_types",
    title="Service type board",
    owner=Organization,
    columns=lambda types, organization: types.filter(organization=organization, archived_at=None).order_by(
        "name_key", "pk"
    ),
    grid=service_type_grid,
    add=bulk.GIVE_SERVICE_TYPES,
    remove=bulk.REMOVE_FROM_PEOPLE,
    max_rows=150,
)
BOARDS = (BUDGET, PROJECT, PROJECTS, SERVICE_TYPES)


def assignee_ids(columns: Sequence[Any]) -> QuerySet[Any]:
    """Return the ids of the people who are assigned to these services."""
    services = [column.pk for column in columns]
    return ServiceAssignment.objects.filter(service__in=services).order_by().values("person")


def member_ids(project: int) -> QuerySet[Any]:
    """Return the ids of the people on the project."""
    return ProjectAssignment.objects.filter(project=project).order_by().values("person")


def organization_of(owner: Any) -> Organization:
    """Return the organization of a board's owner, which can be the owner itself."""
    organization: Organization = owner if isinstance(owner, Organization) else owner.organization
    return organization
