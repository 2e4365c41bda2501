"""Django's admin, without the inputs and races that it answers with a 500. Knows no model."""

from __future__ import annotations

from typing import Any, ClassVar, cast

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import BaseModelAdmin, IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.db import IntegrityError, models, transaction
from django.db.models import ForeignKey
from django.http import HttpRequest, HttpResponse

from productive.admin.forms import Autocomplete, ChoicesById, PortableDecoder, RecordField, is_id
from productive.admin.theme import ModelAdmin


class OwnChoices(BaseModelAdmin):
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


class SturdyAdmin(OwnChoices, ModelAdmin):
    """Answers nonsense and lost races with a page; Django's own answers some of them with a 500."""

    # Where the menu lists it, and under which of the theme's icons.
    menu = ""
    icon = "data_object"
    # Whether the command palette looks for its records.
    in_palette = False

    list_per_page = 50
    show_full_result_count = False
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

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        # PostgreSQL refuses NUL, SQLite a condition of a thousand words; no column holds either.
        if "\x00" in search_term or len(search_term) > 255:
            return queryset.none(), False
        return super().get_search_results(request, queryset, search_term)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Only what the filters beside the list write: not every operator on every column."""
        path, _, operator = lookup.rpartition("__")
        for item in self.get_list_filter(cast(HttpRequest, request)):
            if isinstance(item, type):
                if lookup == getattr(item, "parameter_name", None):
                    return True
            elif path in (item, f"{item}__id") and operator in ("exact", "isnull", "gte", "lt"):
                return True
        return False

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        try:
            return super().get_changelist_instance(request)
        except OverflowError as error:
            # A moment that the database, or Python in its own zone, can't count to.
            raise IncorrectLookupParameters from error

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
