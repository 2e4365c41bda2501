"""Where API requests read: the default database, unless the hooks say otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, TypeVar

from django.db.models import Expression

T = TypeVar("T")


def read_here(token: Any, read: Callable[[], Any]) -> Any:
    return read()


@dataclass
class ReadHooks:
    """Set at start by a module that moves reads elsewhere, such as to a replica."""

    # Expressions to annotate each API token with, by name.
    token_annotations: dict[str, Expression] = field(default_factory=dict)
    # Called with the request's token and the function that reads.
    run: Callable[[Any, Callable[[], Any]], Any] = read_here


hooks = ReadHooks()


def read_only(method: Callable[..., T]) -> Callable[..., T]:
    """Decorate a view's method that only reads, so that a hook can choose the database."""

    @wraps(method)
    def decorated(view: Any, *args: Any, **kwargs: Any) -> T:
        result: T = hooks.run(view.request.auth, lambda: method(view, *args, **kwargs))
        return result

    return decorated
