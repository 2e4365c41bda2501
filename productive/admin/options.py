"""Base class of model admins."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from functools import partial
from typing import Any, ClassVar, cast

from django.contrib import messages
from django.contrib.admin import ShowFacets
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, models, transaction
from django.db.models import ForeignKey, Q
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.text import capfirst

from productive.admin.bulk.actions import BulkAction
from productive.admin.bulk.rows import Stamp
from productive.admin.changes.change_sets import object_history
from productive.admin.choices import RelatedChoicesMixin
from productive.admin.columns import ListColumn, PagedChangeList, Paginator
from productive.admin.conflicts import save_merged
from productive.admin.deleted import show_deleted
from productive.admin.filters import MomentListFilter, get_parameter_names
from productive.admin.form_merge import SHOWN, page_values, sign_values
from productive.admin.forms import LabeledRecord, is_id, label_of
from productive.admin.operations import Step
from productive.admin.pages import render_page
from productive.admin.preview import Question
from productive.admin.saving import UnsavedForm, delete_record, save_form
from productive.admin.theme import ModelAdmin, display, render_row_checkbox
from productive.database.history import history_of, is_recorded
from productive.database.lookups import has_words, searched_columns
from productive.database.moments import moment_of
from productive.database.text import search_words
from productive.database.written_rows import WrittenRows


class BaseAdmin(RelatedChoicesMixin, ModelAdmin):
    """A model admin that handles bad input and concurrent edits.

    Django's ModelAdmin responds to some of them with a server error.
    """

    # The group of the menu, the title if not the model's name, and an icon of Material Symbols.
    menu = ""
    menu_title = ""
    icon = "data_object"
    # The position in the group; models with the same number are in the order of the apps.
    menu_order = 0
    # Whether the command palette finds the records, in which order, and the fields that it shows.
    in_palette = False
    palette_order = 0
    hints: ClassVar[list[str]] = []
    # The fields that `label_of()` adds to the name. `get_queryset()` must join those of other models.
    label_fields: ClassVar[list[str]] = []
    # Whether changes can be undone, and the fields that only superusers may restore.
    can_undo = True
    superuser_fields: Sequence[str] = ()
    # The lookup of a moment that makes a record inactive if it is set, and the status to show then.
    inactive = ("", "")

    list_per_page = 50
    paginator = Paginator
    show_full_result_count = False
    # Each count beside a filter choice would query all rows.
    show_facets = ShowFacets.NEVER
    list_filter_submit = True
    list_fullwidth = True
    list_before_template = "admin/list_title.html"

    @display(description=ModelAdmin.action_checkbox.short_description)  # type: ignore[attr-defined]
    def action_checkbox(self, obj: models.Model) -> str:
        return render_row_checkbox(obj.pk)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Return the object, locked for a POST request.

        No other request can archive or delete it before the form is saved.
        """
        if not is_id(object_id):
            return None
        rows = self.get_queryset(request)
        if request.method == "POST" and transaction.get_connection().in_atomic_block:
            rows = rows.select_for_update(of=("self",))
        return rows.filter(pk=object_id).first()

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if isinstance(db_field, models.TextField) and db_field.null:
            # Save an empty text as null, as Django does for a CharField.
            kwargs.setdefault("empty_value", None)
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def get_hints(self, request: HttpRequest) -> list[str]:
        return self.hints

    def get_history(self, request: HttpRequest) -> Any:
        """Return the historical records that the user may see."""
        return history_of(self.model)._default_manager.all()

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Show the history of an object, even if it was deleted."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        if not is_recorded(self.model):
            return super().history_view(request, object_id, extra_context)
        history = object_history(self, request, object_id) if is_id(object_id) else None
        if history is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        context = {"opts": self.opts, **history, **(extra_context or {})}
        return render_page(request, "admin/object_history.html", context)

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """Search each word in the search fields, ignoring case and accents: Django knows case only."""
        # PostgreSQL rejects NUL, SQLite a condition with a thousand words. Neither can match.
        if "\x00" in search_term or len(search_term) > 255:
            return queryset.none(), False
        lookup, _ = self.inactive
        if lookup and request.GET.get("active") == "yes":  # the request of an ActiveAutocomplete
            queryset = queryset.filter(**{f"{lookup}__isnull": True})
        names = searched_columns(queryset.model, self.get_search_fields(request))
        if not names or not search_term.strip():
            return queryset, False
        return queryset.filter(has_words(names, search_words(search_term))), False

    def to_field_allowed(self, request: HttpRequest, to_field: str) -> bool:
        """Reject reverse relations, for which Django's method fails."""
        names = {name for field in self.opts.concrete_fields for name in (field.name, field.attname)}
        return to_field in {"pk", *names} and super().to_field_allowed(request, to_field)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Allow only the lookups of this list's filters."""
        path, _, operator = lookup.rpartition("__")
        for item in self.get_list_filter(cast(HttpRequest, request)):
            if isinstance(item, type):
                if lookup in get_parameter_names(item):
                    return True
            elif path in (item, f"{item}__id") and operator in ("exact", "isnull", "gte", "lt"):
                return True
        return False

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        """Return the columns, without links that the user may not open."""
        shown: list[Any] = []
        for column in super().get_list_display(request):
            shown += column.visible_to(request) if isinstance(column, ListColumn) else [column]
        return shown

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return PagedChangeList

    def prepare_rows(self, rows: list[Any]) -> None:
        """Set attributes for the columns on the rows of a page, in bulk."""

    def time_zones(self, request: HttpRequest) -> dict[tzinfo, Q]:
        """Return, by time zone, the condition for rows with days in that zone."""
        return {timezone.get_current_timezone(): Q()}

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        try:
            changelist = super().get_changelist_instance(request)
        except OverflowError as error:
            # A datetime out of range, in the database or when converted to another time zone.
            raise IncorrectLookupParameters from error
        if not changelist.is_popup:
            titles = [getattr(spec, "list_title", "") for spec in changelist.filter_specs]
            # For `list_title.html`: the theme shows only the name of the model.
            changelist.list_title = next(filter(None, titles), "")  # type: ignore[attr-defined]
            own = self.menu_title or capfirst(str(self.opts.verbose_name_plural))
            changelist.title = changelist.list_title or own  # type: ignore[attr-defined]
        # For `change_list.html`.
        changelist.switch = [  # type: ignore[attr-defined]
            link
            for spec in changelist.filter_specs
            if isinstance(spec, MomentListFilter)
            for link in spec.links(changelist)
        ]
        return changelist

    def get_actions(self, request: HttpRequest) -> Any:
        actions: dict[str, Any] = super().get_actions(request)
        return {
            name: action
            for name, action in actions.items()
            if not isinstance(action[0], BulkAction) or action[0].is_allowed(self, request)
        }

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Show a message for an action that the user may not use, which Django ignores."""
        name = request.POST.get("action", "")
        if name and name not in self.get_actions(request) and self.has_view_permission(request):
            message = "This action doesn't exist, or you don't have permission for it. Nothing was changed."
            self.message_user(request, message, messages.WARNING)
        return super().changelist_view(request, extra_context)

    def response_add(self, request: HttpRequest, obj: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        return super().response_add(request, LabeledRecord(obj), *args, **kwargs)

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        return super().response_change(request, LabeledRecord(obj))

    def response_action(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse | None:
        if all(map(is_id, request.POST.getlist(ACTION_CHECKBOX_NAME))):
            return super().response_action(request, *args, **kwargs)
        self.message_user(request, "The selection can't be read. Nothing was changed.", messages.WARNING)
        return None

    def render_change_form(
        self,
        request: HttpRequest,
        context: Any,
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> Any:
        """Add buttons for actions on the record, its label, and the values that the form shows."""
        if obj is not None:
            context |= {"original": LabeledRecord(obj), "subtitle": label_of(obj)}
        actions = self.get_actions(request).values() if obj is not None else ()
        context["stamps"] = [
            action
            for action, *_ in actions
            if isinstance(action, Stamp) and action.moment is moment_of(self.model) and action.changes(obj)
        ]
        if obj is not None and self.has_change_permission(request, obj):
            formsets = [each.formset for each in context["inline_admin_formsets"]]
            shown = sign_values(page_values(context["adminform"].form, formsets))
            # A form that is shown again has the values that it showed first.
            context["shown"] = request.POST.get(SHOWN, shown)
        return super().render_change_form(request, context, add, change, form_url, obj)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Return initial values from the URL, of relations only.

        Other widgets fail to render some values.
        """
        initial: dict[str, Any] = request.GET.dict()
        relations = {field.name for field in self.opts.fields if isinstance(field, ForeignKey)}
        return {name: initial[name] for name in relations & initial.keys() if is_id(initial[name])}

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form: Any = super().get_form(request, obj, change=change, **kwargs)
        if request.POST.get("step") == Step.CHOOSE:
            return type(form)(form.__name__, (UnsavedForm, form), {})
        return form

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Save the form, merged with concurrent changes, after a preview if this has consequences."""
        view = partial(super().changeform_view, request, object_id, *args, **kwargs)
        if request.method != "POST" or request.POST.get("step") == Step.CHOOSE:
            return view()
        save = partial(save_merged, self, request, object_id, view)
        try:
            return save_form(self, request, save)
        except IntegrityError:
            # Another request was faster. Validate again, which now finds its row.
            return save_form(self, request, save)

    def _get_obj_does_not_exist_redirect(
        self, request: HttpRequest, opts: Any, object_id: str
    ) -> HttpResponse:
        """Keep what was typed into the form of a record that was deleted meanwhile."""
        page = show_deleted(self, request, object_id) if SHOWN in request.POST else None
        if page is not None:
            return page
        response: HttpResponse = super()._get_obj_does_not_exist_redirect(request, opts, object_id)  # type: ignore[misc]
        return response

    def questions(self, request: HttpRequest, written: Sequence[WrittenRows]) -> list[Question]:
        """Return what to ask before a form that writes these rows is saved."""
        return []

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Delete the object, after a preview."""
        record = self.get_object(request, unquote(object_id))
        if not self.has_delete_permission(request, record):
            raise PermissionDenied
        if record is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        return delete_record(self, request, record)
