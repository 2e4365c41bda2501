"""Routers of the API."""

from typing import Any

from rest_framework.routers import SimpleRouter


class Router(SimpleRouter):
    """A SimpleRouter whose URLs can end with or without a slash."""

    def __init__(self) -> None:
        super().__init__()
        self.trailing_slash = "/?"

    def get_default_basename(self, viewset: Any) -> str:
        return viewset.serializer_class.Meta.model._meta.model_name
