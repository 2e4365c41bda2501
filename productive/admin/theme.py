"""The theme, django-unfold; to replace it, change only this module."""

from typing import TYPE_CHECKING

from unfold.contrib.filters.admin import AutocompleteSelectFilter, DropdownFilter, RangeDateFilter
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm, AuthenticationForm, UserChangeForm, UserCreationForm
from unfold.widgets import SELECT_CLASSES, UnfoldAdminMultipleAutocompleteWidget
from unfold.widgets import UnfoldAdminFileFieldWidget as FileInput
from unfold.widgets import UnfoldAdminSelectWidget as Select
from unfold.widgets import UnfoldAdminSingleDateWidget as DateInput
from unfold.widgets import UnfoldAdminTextInputWidget as TextInput
from unfold.widgets import UnfoldBooleanSwitchWidget as Switch

if TYPE_CHECKING:  # the theme has no type hints, and the project uses only what Django's classes have
    from django.contrib.admin import AdminSite, ModelAdmin, StackedInline, TabularInline
else:
    from unfold.admin import ModelAdmin, StackedInline, TabularInline
    from unfold.sites import UnfoldAdminSite as AdminSite

__all__ = [
    "SELECT_CLASSES",
    "AdminPasswordChangeForm",
    "AdminSite",
    "AuthenticationForm",
    "AutocompleteSelectFilter",
    "DateInput",
    "DropdownFilter",
    "FileInput",
    "ModelAdmin",
    "RangeDateFilter",
    "Select",
    "StackedInline",
    "Switch",
    "TabularInline",
    "TextInput",
    "UnfoldAdminMultipleAutocompleteWidget",
    "UserChangeForm",
    "UserCreationForm",
    "display",
]
