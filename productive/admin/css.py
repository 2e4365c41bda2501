"""A template tag for CSS classes: `<div class="{% css "card" %} p-4">`."""

from django import template

CLASSES = {
    "card": "border border-base-200 rounded-default shadow-xs dark:border-base-800",
    "heading": "font-semibold text-font-important-light dark:text-font-important-dark",
    "link": "font-medium text-primary-600 dark:text-primary-500",
    "subtle": "text-font-subtle-light dark:text-font-subtle-dark",
    "divider": "border-t border-base-200 dark:border-base-800",
    "button": (
        "bg-primary-600 border border-transparent cursor-pointer font-medium px-3 py-2 rounded-default"
        " text-white"
    ),
}

register = template.Library()


@register.simple_tag
def css(name: str) -> str:
    """Return the theme's classes for an element of CLASSES."""
    return CLASSES[name]
