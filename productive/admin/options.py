"""Django's admin, without the inputs and races that it answers with a 500. Knows no model."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from typing import Any, ClassVar, cast

from django.contrib import messages
from django.contrib.admin import ShowFacets
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import BaseModelAdmin, IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, models, transaction
from django.db.models import ForeignKey, Q
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.text import capfirst

from productive.admin.bulk.actions import BulkAction
from productive.admin.changes.change_sets import object_history
from productive.admin.columns import ListColumn, PagedChangeList, Paginator
from productive.admin.filters import get_parameter_names
from productive.admin.forms import Autocomplete, ChoicesById, PortableDecoder, RecordField, is_id
from productive.admin.theme import ModelAdmin
from productive.database.history import history_of, is_recorded


class RelatedChoicesMixin(BaseModelAdmin):
    """Offers, for every relation, only the rows that the user finds in the related admin."""

    def get_field_queryset(self, db: str | None, db_field: Any, request: HttpRequest) -> Any:
        related = db_field.remote_field.model
        if self.admin_site.is_registered(related):
            return self.admin_site.get_model_admin(related).get_queryset(request)
        return super().get_field_queryset(db, db_field, request)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name in self.get_autocomplete_fields(request):
            kwargs.setdefault("widget", Autocomplete(db_field, self.admin_site))
        return super().formfield_for_foreignkey(db_field, request, form_class=RecordField, **kwargs)

    def formfield_for_manytomany(self, db_field: Any, request: Any = None, **kwargs: Any) -> Any:
        return super().formfield_for_manytomany(db_field, request, form_class=ChoicesById, **kwargs)


class BaseAdmin(RelatedChoicesMixin, ModelAdmin):
    """Answers nonsense and lost races with a page; Django's own answers some of them with a 500."""

    # Where the menu lists it, and under which of the theme's icons.
    menu = ""
    menu_title = ""
    icon = "data_object"
    # Later in its group, the larger.
    place = 0
    # Whether the command palette finds its records, in which place, and what it shows besides the label.
    in_palette = False
    palette_place = 0
    hints: ClassVar[list[str]] = []
    # Whether changes of its records can be undone, and the fields in which only superusers may do so.
    can_undo = True
    superuser_fields: Sequence[str] = ()
    # The moment that puts a record away, and what it is called then.
    ended = ("", "")

    list_per_page = 50
    paginator = Paginator
    show_full_result_count = False
    # Counts beside every filter cost a query over all rows each.
    show_facets = ShowFacets.NEVER
    list_filter_submit = True
    list_fullwidth = True
    formfield_overrides: ClassVar[dict[Any, Any]] = {models.JSONField: {"decoder": PortableDecoder}}

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """The row, locked where it is about to be changed: nobody archives or deletes it in between."""
        if not is_id(object_id):
            return None
        rows = self.get_queryset(request)
        if request.method == "POST" and transaction.get_connection().in_atomic_block:
            rows = rows.select_for_update(of=("self",))
        return rows.filter(pk=object_id).first()

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if isinstance(db_field, models.TextField) and db_field.null:
            # Left empty, it stays what it was: null, as for Django's shorter texts.
            kwargs.setdefault("empty_value", None)
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def get_hints(self, request: HttpRequest) -> list[str]:
        return self.hints

    def get_history(self, request: HttpRequest) -> Any:
        """The records of what was changed that the user may see."""
        return history_of(self.model)._default_manager.all()

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """What was changed of one object, also when it is gone."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        if not is_recorded(self.model):
            return super().history_view(request, object_id, extra_context)
        page = object_history(self, request, object_id) if is_id(object_id) else None
        if page is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined]
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            **page,
            **(extra_context or {}),
        }
        return TemplateResponse(request, "admin/object_history.html", context)

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        # PostgreSQL refuses NUL, SQLite a condition of a thousand words; no column holds either.
        if "\x00" in search_term or len(search_term) > 255:
            return queryset.none(), False
        moment, _ = self.ended
        if moment and request.GET.get("active") == "yes":
            # Asked by the choices of a form, where what is put away is not offered.
            queryset = queryset.filter(**{f"{moment}__isnull": True})
        return super().get_search_results(request, queryset, search_term)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Only what the filters beside the list write: not every operator on every column."""
        path, _, operator = lookup.rpartition("__")
        for item in self.get_list_filter(cast(HttpRequest, request)):
            if isinstance(item, type):
                if lookup in get_parameter_names(item):
                    return True
            elif path in (item, f"{item}__id") and operator in ("exact", "isnull", "gte", "lt"):
                return True
        return False

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        """The columns that the user may see, and links only to what they may open."""
        shown: list[Any] = []
        for column in super().get_list_display(request):
            shown += column.shown_to(request) if isinstance(column, ListColumn) else [column]
        return shown

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return PagedChangeList

    def complete(self, rows: list[Any]) -> None:
        """Fetch what columns show of the page's rows, for all of them at once."""

    def zones(self, request: HttpRequest) -> dict[tzinfo, Q]:
        """By time zone, the rows whose days are that zone's."""
        return {timezone.get_current_timezone(): Q()}

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        try:
            page = super().get_changelist_instance(request)
        except OverflowError as error:
            # A moment that the database, or Python in its own zone, can't count to.
            raise IncorrectLookupParameters from error
        if not page.is_popup:
            page.title = self.menu_title or capfirst(str(self.opts.verbose_name_plural))
        return page

    def get_actions(self, request: HttpRequest) -> Any:
        actions: dict[str, Any] = super().get_actions(request)
        return {
            name: action
            for name, action in actions.items()
            if not isinstance(action[0], BulkAction) or action[0].is_allowed(self, request)
        }

    def response_action(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse | None:
        if all(map(is_id, request.POST.getlist(ACTION_CHECKBOX_NAME))):
            return super().response_action(request, *args, **kwargs)
        self.message_user(request, "The selection can't be read. Nothing was changed.", messages.WARNING)
        return None

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """What a link may fill in: relations. Other fields fail to draw some of what could be asked."""
        asked: dict[str, Any] = request.GET.dict()
        relations = {field.name for field in self.opts.fields if isinstance(field, ForeignKey)}
        return {name: asked[name] for name in relations & asked.keys() if is_id(asked[name])}

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().changeform_view(request, *args, **kwargs)
        except IntegrityError:
            # Somebody was faster, after the form was checked. Checked again, it sees their row.
            return super().changeform_view(request, *args, **kwargs)
