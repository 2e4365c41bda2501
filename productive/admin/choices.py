"""The form fields of admins and inlines: choices of relations, days, and JSON."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.admin.options import BaseModelAdmin
from django.db import models
from django.http import HttpRequest

from productive.admin.days import DayTimeField, LocalDayField
from productive.admin.forms import Autocomplete, IdMultipleChoiceField, PortableDecoder, RecordField


class RelatedChoicesMixin(BaseModelAdmin):
    """Limit the choices of relations to records that the user may see, and read days without guessing."""

    formfield_overrides: ClassVar[dict[Any, Any]] = {
        models.JSONField: {"decoder": PortableDecoder},
        models.DateField: {"form_class": LocalDayField},
        models.DateTimeField: {"form_class": DayTimeField},
    }

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
        return super().formfield_for_manytomany(db_field, request, form_class=IdMultipleChoiceField, **kwargs)
