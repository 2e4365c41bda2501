"""Compare cells with headings and values, as spreadsheet programs rewrite them."""

from __future__ import annotations

import re
from datetime import date, timedelta
from decimal import Decimal

from productive.admin.days import readings
from productive.database.text import INVISIBLE, clean_line, clean_text, fold, removal

# What programs and web pages leave in cells that look empty, besides white space; joiners join nothing there.
INVISIBLES = "".join(map(chr, removal(*INVISIBLE))) + "\u200c\u200d"
# All that Unicode has are before this one; a regular expression takes long for a long run of them.
BLANK_CHARACTERS = "".join(filter(str.isspace, map(chr, range(0x3001)))) + INVISIBLES
# Longer cells are no numbers or days.
MAX_REWRITTEN = 60
LINE_BREAKS = re.compile(r"\r\n?")
DECIMAL = re.compile(r"[+-]?[0-9]{1,30}(?:[.,][0-9]{1,30})?(?:e[+-]?[0-9]{1,2})?", re.ASCII | re.IGNORECASE)
ID_CELL = re.compile(r"#?([1-9][0-9]{0,18})(?:[.,]0{1,2})?", re.ASCII)
# What programs add to a day without a time.
MIDNIGHT = re.compile(r"[ T]0{1,2}:00(?::00(?:\.0+)?)?(?:Z|\+00:00)?$")
# The first day of serial numbers, on Windows and in old workbooks of the Mac.
EPOCHS = [date(1899, 12, 30), date(1904, 1, 1)]


def quoted(text: str) -> str:
    """Return the text in quotation marks, at most 100 characters of it."""
    return f"“{text[:100]}…”" if len(text) > 100 else f"“{text}”"


def clean(text: str) -> str:
    """Return the text as it is stored, without white space and invisible characters around it."""
    return clean_text(text).strip(BLANK_CHARACTERS)


def tidy(name: str) -> str:
    """Return the form in which names are compared first: as they are stored, with single spaces."""
    return " ".join(clean_line(name).split())


def heading_key(heading: str) -> str:
    """Return the form in which headings are compared: folded letters and digits only, "E-mail" as "email"."""
    return "".join(filter(str.isalnum, fold(heading)))


def parse_id_cell(text: str) -> int | None:
    """Return the id of a cell such as 12, #12 or 12.0, or None."""
    found = ID_CELL.fullmatch(clean(text))
    pk = int(found[1]) if found else 0
    return pk if 0 < pk < 2**63 else None


def is_same(stored: str, cell: str) -> bool:
    """Return whether the cell is a spelling of the stored text, as a program writes it that saves the file.

    Programs compose letters, change line breaks, and rewrite numbers and days: 007 as 7, and 2026-12-31 as
    31/12/2026. If the stored day is one of those that the cell can mean, nothing has to be guessed.
    """
    if stored == cell:
        return True
    stored, cell = (LINE_BREAKS.sub("\n", clean(text)) for text in (stored, cell))
    if stored == cell:
        return True
    if max(len(stored), len(cell)) > MAX_REWRITTEN:
        return False
    number = parse_decimal(cell)
    if number is not None and number == parse_decimal(stored):
        return True
    days = {*readings(MIDNIGHT.sub("", stored)).values()}
    meant = {*readings(MIDNIGHT.sub("", cell)).values()}
    if number is not None and number == number.to_integral_value() and 0 < number < 3_000_000:
        meant |= {epoch + timedelta(days=int(number)) for epoch in EPOCHS}
    return len(days) == 1 and days <= meant


def parse_decimal(text: str) -> Decimal | None:
    return Decimal(text.replace(",", ".")) if DECIMAL.fullmatch(text) else None
