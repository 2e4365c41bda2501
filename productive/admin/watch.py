"""What a write changes beyond its own rows, for the previews.

This package imports no app. An app that has an answer sets `admin.site.watch`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from django.http import HttpRequest

from productive.admin.preview import Consequences, RelatedChange
from productive.database.written_rows import WrittenRows


class Comparison:
    """Compares a state before and after rows are written; the reads can be in any order."""

    def read_before(self, written: Sequence[WrittenRows]) -> None:
        """Read the state while the rows are not written."""
        raise NotImplementedError

    def read_after(self, written: Sequence[WrittenRows]) -> None:
        """Read the state while the rows are written; new rows can have other ids than before."""
        raise NotImplementedError

    def is_complete(self) -> bool:
        """Return whether both states have been read of everything that is affected."""
        raise NotImplementedError

    def consequences(self) -> Consequences:
        raise NotImplementedError


class Watch:
    """Finds the consequences of written rows. An app sets `admin.site.watch`."""

    def concerns(self, written: Sequence[WrittenRows]) -> bool:
        """Return whether the rows may have consequences; called for every write."""
        return False

    def compare(self, request: HttpRequest) -> Comparison:
        return Comparison()

    def add_related(
        self, request: HttpRequest, written: Sequence[WrittenRows], included: Collection[str]
    ) -> Sequence[RelatedChange]:
        """Write the related changes that are included, and return all that could be."""
        return ()

    def refusal(self, request: HttpRequest, written: Sequence[WrittenRows]) -> str:
        """Return why the user may not write the rows, or ""; called while they are written."""
        return ""
