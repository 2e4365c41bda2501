"""Database functions that give the same result on SQLite and PostgreSQL."""

from __future__ import annotations

from typing import Any

from django.db.models.functions import Upper


class AsciiUpper(Upper):
    """Convert the letters a to z to upper case.

    SQLite's UPPER converts no others, and PostgreSQL's converts those of the locale.
    """

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = '%(function)s(%(expressions)s COLLATE "C")'
        return self.as_sql(compiler, connection, template=template, **context)


def ascii_upper(text: str) -> str:
    """Return what AsciiUpper returns."""
    return text.encode(errors="surrogatepass").upper().decode(errors="surrogatepass")
