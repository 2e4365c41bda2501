"""What importing a file would do, row by row, to be looked at before it is done."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import ClassVar


@dataclass
class Line:
    """What a row of a file comes to: what it says of each column before and after, or why it can't be."""

    number: int
    status: str
    label: str = ""
    # Of each heading: what it was, and what it becomes.
    changes: list[tuple[str, str, str]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


@dataclass
class Plan:
    """What a file would do, row by row."""

    lines: list[Line]
    most_shown: ClassVar[int] = 300
    order: ClassVar[list[str]] = ["error", "changed", "new", "unchanged"]

    def counts(self) -> dict[str, int]:
        return {status: sum(line.status == status for line in self.lines) for status in self.order}

    @property
    def is_faulty(self) -> bool:
        return any(line.status == "error" for line in self.lines)

    @property
    def does_something(self) -> bool:
        return any(line.status != "unchanged" for line in self.lines)

    def shown(self) -> list[Line]:
        """What matters most comes first, and a page has an end."""
        return sorted(self.lines, key=lambda line: self.order.index(line.status))[: self.most_shown]

    def hidden(self) -> int:
        return max(0, len(self.lines) - self.most_shown)

    def digest(self) -> str:
        """Tells whether a plan is still the one that was agreed to."""
        return sha256(repr(self.lines).encode(errors="surrogatepass")).hexdigest()
