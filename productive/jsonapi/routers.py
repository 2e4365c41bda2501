from typing import Any

from rest_framework.routers import SimpleRouter


class Router(SimpleRouter):
    """Routes by plain paths, with or without a slash at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.trailing_slash = "/?"

    def get_default_basename(self, viewset: Any) -> str:
        return viewset.serializer_class.Meta.model._meta.model_name
