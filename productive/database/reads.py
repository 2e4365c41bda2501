"""Let another module choose the database that API requests read from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, TypeVar

from django.db.models import Expression

T = TypeVar("T")


@dataclass
class ReadHooks:
    """Hooks that another module can set at start."""

    # Expressions to annotate each API token with, by name.
    token_annotations: dict[str, Expression] = field(default_factory=dict)
    # Called with the request's token and the function that reads.
    run: Callable[[Any, Callable[[], Any]], Any] = lambda token, read: read()


hooks = ReadHooks()


def read_only(method: Callable[..., T]) -> Callable[..., T]:
    """Decorate a view method that only reads, so that `hooks.run` runs it."""

    @wraps(method)
    def decorated(view: Any, *args: Any, **kwargs: Any) -> T:
        return hooks.run(view.request.auth, lambda: method(view, *args, **kwargs))

    return decorated
