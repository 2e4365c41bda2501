"""The pages of the boards: the table, the rows of pasted names, the review, and the export."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.http.response import HttpResponseBase
from django.urls import path, reverse

from assignments.board.boards import BOARDS, Board, labels_of, organization_of
from assignments.board.cells import Grid, Pair
from assignments.board.changes import (
    BoardChange,
    UnreadableError,
    changes_of_form,
    dump_changes,
    parse_changes,
)
from assignments.board.exports import export_board
from assignments.board.matching import Named, find_named
from assignments.board.rendering import Reasons, RowRenderer, describe_columns, headings_of
from assignments.board.rows import (
    MAX_ADDED,
    MAX_CHECKBOXES,
    PeoplePage,
    RowsForm,
    ids_in,
    plain_size,
    read_people,
    select,
)
from productive.accounts.models import Organization, Person
from productive.accounts.owned_admin import organizations_of
from productive.admin.forms import label_of
from productive.admin.operations import BusyError, Step, carry_out, posted_step, respond
from productive.admin.pages import render_page
from productive.admin.permissions import visible_rows
from productive.admin.spreadsheets.writing import CONTENT_TYPES
from productive.admin.urls import admin_url

# With more columns, their titles are vertical.
MAX_WIDE = 12
UNREADABLE = "The changes can't be read, or there are too many of them. Nothing was changed."


def board_urls() -> list[Any]:
    """Return the URLs of the boards; an organization's has none in it, because most users have one."""
    return [
        path(
            f"admin/boards/{board.name.replace('_', '-')}/"
            + ("" if board.owner is Organization else "<int:pk>/"),
            admin.site.admin_view(show_board),
            {"board": board},
            name=board.url_name,
        )
        for board in BOARDS
    ]


def show_board(request: HttpRequest, board: Board, pk: int | None = None) -> HttpResponseBase:
    """Show a board, or do what one of its buttons says. Raise Http404 for records that the user can't see."""
    if not board.may_view(request):
        raise PermissionDenied
    page = BoardPage(request, board, find_owner(request, board, pk))
    step = posted_step(request)
    if request.method == "POST" and step == Step.MATCH:
        return page.match()
    if request.method == "POST" and step in ("", Step.PREVIEW, Step.APPLY):
        return page.review()
    if (extension := request.GET.get("format", "")) in CONTENT_TYPES:
        rows = read_people(request, board, page.owner, page.columns)
        pairs = page.read_pairs(rows.people)
        return export_board(page.title, rows.people, page.columns, page.labels, pairs, extension)
    return page.show()


def find_owner(request: HttpRequest, board: Board, pk: int | None) -> Any:
    if board.owner is not Organization:
        owner = visible_rows(request, board.owner).select_related("organization").filter(pk=pk).first()
    else:
        wanted, found = request.GET.get("organization"), organizations_of(request)
        matching = [one for one in found if wanted is None or str(one.pk) == wanted]
        owner = matching[0] if matching else None
    if owner is None:
        raise Http404
    return owner


@dataclass
class BoardPage:
    """A board in a request."""

    request: HttpRequest
    board: Board
    owner: Any

    @cached_property
    def columns(self) -> list[Any]:
        return self.board.read_columns(self.request, self.owner)

    @cached_property
    def labels(self) -> dict[int, str]:
        return labels_of(self.columns, self.board.heading)

    @property
    def organization(self) -> Organization:
        return organization_of(self.owner)

    @property
    def title(self) -> str:
        if isinstance(self.owner, Organization):
            return self.board.title
        return f"{self.board.title}: {label_of(self.owner)}"

    def read_pairs(self, people: Sequence[Person]) -> dict[Pair, int]:
        """Return the ids of the assignments of these people to the columns."""
        name = self.board.relation
        rows = self.board.pair.objects.filter(
            **{"person__in": [one.pk for one in people], f"{name}__in": [one.pk for one in self.columns]}
        ).order_by()
        return {(person, column): pk for person, column, pk in rows.values_list("person", name, "pk")}

    def read_grid(self, people: Sequence[Person], pairs: Collection[Pair]) -> Grid:
        return self.board.grid(people, self.columns, pairs, self.organization.today())

    # --- The table ---

    def show(self, named: Named | None = None) -> HttpResponse:
        """Render the board, with what was posted if the user has added people without JavaScript."""
        request, board = self.request, self.board
        rows = read_people(request, board, self.owner, self.columns)
        pairs = self.read_pairs(rows.people)
        grid = self.read_grid(rows.people, pairs)
        reasons = Reasons()
        is_form = (len(self.columns) + 1) * len(rows.people) <= MAX_CHECKBOXES
        checked = None if named is None else self.posted_cells(pairs)
        renderer = RowRenderer(self.columns, self.labels, pairs, reasons, checked, is_form)
        body = renderer.render(rows.people, grid, rows.added)
        has_project = board.project(self.owner) is not None
        context = {
            "title": self.title,
            "is_fullwidth": "1",
            "heading": board.title if board.owner is Organization else label_of(self.owner),
            "board": board,
            "owner": self.owner,
            "form": RowsForm(request.GET, has_project=has_project),
            "rows": rows,
            "body": body,
            "columns": describe_columns(self.columns, self.labels, grid),
            "headings": headings_of(self.columns, board.heading),
            "reasons": reasons.texts,
            "action": self.url(),
            "is_dense": len(self.columns) > MAX_WIDE,
            "may_add": board.may_add(request),
            "may_remove": board.may_remove(request),
            "column_ids": ",".join(str(column.pk) for column in self.columns),
            "check_url": reverse("access_check") if board.is_checked else "",
            "named": named,
            "kept": self.kept_parameters(),
            "pages": self.page_links(rows),
            "plain_url": self.url(rows=size, page=None)
            if not is_form and (size := plain_size(len(self.columns)))
            else "",
            "exports": [(extension.upper(), self.url(format=extension)) for extension in CONTENT_TYPES],
            **self.links(),
        }
        return render_page(request, "admin/board.html", context)

    def links(self) -> dict[str, Any]:
        """Return the link back to the owner, or those to the other boards of the user's organizations."""
        if self.board.owner is not Organization:
            return {"back": admin_url(self.board.owner, "change", self.owner.pk)}
        others = [one for one in organizations_of(self.request) if one.pk != self.owner.pk]
        return {
            "siblings": [(each.title, each.url(self.owner)) for each in BOARDS if each.owner is Organization],
            "others": [(str(one), self.board.url(one)) for one in others],
        }

    def kept_parameters(self) -> list[tuple[str, str]]:
        """Return the parameters that a search keeps."""
        kept = ("organization", "add", "rows")
        return [(name, value) for name in kept for value in self.request.GET.getlist(name)]

    def url(self, **params: Any) -> str:
        """Return the URL of the board as it is shown, with other parameters."""
        query = self.request.GET.copy()
        for name in ("applied", "format"):
            query.pop(name, None)
        for name, value in params.items():
            query.pop(name, None)
            if value is not None:
                query[name] = str(value)
        return f"{self.request.path}?{query.urlencode()}".removesuffix("?")

    def page_links(self, rows: PeoplePage) -> list[tuple[str, str]]:
        links = []
        if rows.number > 1:
            links.append(("Previous", self.url(page=rows.number - 1)))
        if rows.number < rows.pages:
            links.append(("Next", self.url(page=rows.number + 1)))
        return links

    # --- Pasted names ---

    def match(self) -> HttpResponse:
        """Add the people whom a pasted text names as rows.

        The script gets only these rows; without it, the page keeps what was checked.
        """
        post = self.request.POST
        chosen = ids_in(post, "chosen")[:MAX_ADDED]
        named = find_named(self.request, self.organization, post.get("pasted", ""), chosen)
        if post.get("as") == "json":
            return JsonResponse(self.named_rows(named))
        query = self.request.GET.copy()
        query["add"] = ",".join(str(pk) for pk in dict.fromkeys([*named.people, *ids_in(query, "add")]))
        self.request.GET = query  # type: ignore[assignment]
        return self.show(named)

    def named_rows(self, named: Named) -> dict[str, Any]:
        rows = select(self.request, self.board, self.owner, self.columns, named.people)
        found = {one.pk: one for one in rows.filter(pk__in=named.people)}
        people = [found[pk] for pk in named.people if pk in found]
        pairs, reasons = self.read_pairs(people), Reasons()
        added = {one.pk for one in people}
        grid = self.read_grid(people, pairs)
        html = RowRenderer(self.columns, self.labels, pairs, reasons).render(people, grid, added)
        return {
            "html": html,
            "ids": [one.pk for one in people],
            "reasons": reasons.texts,
            "unknown": named.unknown,
            "ambiguous": named.ambiguous,
            "archived": named.archived,
        }

    def posted_cells(self, pairs: Collection[Pair]) -> set[str]:
        """Return the checked cells: those that were sent, and the assignments of rows that were not."""
        sent = {row.partition(":")[0] for row in self.request.POST.getlist("row")}
        others = {f"{person}-{column}" for person, column in pairs if str(person) not in sent}
        return {*self.request.POST.getlist("cell"), *others}

    # --- Review and apply ---

    def review(self) -> HttpResponse:
        """Preview the changes, or apply them once confirmed."""
        post = self.request.POST
        try:
            if "changes" in post:
                changes = parse_changes(post["changes"])
            else:
                changes = changes_of_form(post.getlist("row"), post.get("columns", ""), post.getlist("cell"))
        except UnreadableError:
            messages.warning(self.request, UNREADABLE)
            return HttpResponseRedirect(self.url())
        if not changes:
            messages.info(self.request, "Nothing was changed on the board.")
            return HttpResponseRedirect(self.url())
        try:
            result = carry_out(self.request, BoardChange(self.request, self.board, self.owner, changes))
        except BusyError as error:
            messages.warning(self.request, str(error))
            return HttpResponseRedirect(self.url())
        batch = post.get("batch", "")
        is_batch = re.fullmatch(r"[0-9a-z-]{1,40}", batch) is not None
        context = {
            "title": f"Review: {self.title}",
            "intro": f"{len(changes):,} cell{'s' if len(changes) > 1 else ''} of the board changed.",
            "fields": [("changes", dump_changes(changes)), *([("batch", batch)] if is_batch else [])],
            "back": self.url(),
            "back_label": "Back to the board",
        }
        success_url = self.url(applied=batch) if is_batch else self.url()
        return respond(self.request, result, success_url=success_url, context=context)
