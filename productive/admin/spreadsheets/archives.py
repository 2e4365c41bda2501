"""Unpack XLSX files, which are zip files of XML, within limits.

Without limits, a few kilobytes can take gigabytes of memory or minutes of processor time.
"""

from __future__ import annotations

import io
import zipfile
from contextlib import suppress
from xml.parsers import expat

from django.core.exceptions import ValidationError

MEGABYTE = 1024 * 1024
MAX_UNPACKED_MEGABYTES = 50
MAX_PARTS = 100
# openpyxl creates an object of each element, and takes ten times as long for one that isn't a cell.
MAX_ELEMENTS = 500_000
MAX_OTHER_ELEMENTS = 50_000
CELL_ELEMENTS = {"row", "c", "v", "is", "si", "t"}
MAX_ATTRIBUTES_OF_ELEMENT = 1_000
MAX_PART_CHARACTERS = 20_000_000
# A tag or a comment. The parser of openpyxl starts again at its beginning every 16 KB.
MAX_XML_TAG = MEGABYTE
# XLSX allows no others, whose blocks zipfile unpacks at once, whatever their size.
COMPRESSIONS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}

TOO_LARGE = (
    f"The file contains more than {MAX_UNPACKED_MEGABYTES} MB of unpacked data, or too many cells. "
    "Copy what you need to a new spreadsheet."
)
HAS_DTD = (
    "The file contains a document type definition (DTD), which could expand to any size. "
    "Open it in a spreadsheet program and save it again."
)


def unpack(data: bytes) -> io.BytesIO:
    """Return an uncompressed copy of an XLSX that is safe to parse.

    The copy has only the checked XML, because sizes and names in the original can be wrong or ambiguous.
    Raise ValidationError if the file exceeds a limit, and various errors if it is damaged.
    """
    check, copy = PartCheck(), io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = archive.infolist()
        size = sum(entry.file_size for entry in entries)
        if len(entries) > MAX_PARTS or size > MAX_UNPACKED_MEGABYTES * MEGABYTE:
            raise ValidationError(TOO_LARGE)
        with zipfile.ZipFile(copy, "w") as checked:
            for entry in entries:
                if entry.filename in checked.NameToInfo:
                    raise zipfile.BadZipFile("Duplicate name")
                part = read_part(archive, entry)
                # Parts that aren't XML, such as pictures, are left out.
                with suppress(expat.ExpatError, ValueError, LookupError):
                    check(part)
                    checked.writestr(entry.filename, part)
    return LimitedFile(copy.getvalue())


def read_part(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    if entry.compress_type not in COMPRESSIONS:
        raise zipfile.BadZipFile("Unknown compression")
    with archive.open(entry) as part:
        # Without a size, zipfile unpacks everything, even if it is more than the entry declares.
        return part.read(entry.file_size + 1)


class PartCheck:
    """Parse the parts of a file, and raise ValidationError if they exceed a limit."""

    def __init__(self) -> None:
        self.elements = self.others = self.characters = 0

    def __call__(self, part: bytes) -> None:
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self.doctype
        parser.StartElementHandler = self.element
        parser.CharacterDataHandler = self.text
        parser.CommentHandler = self.markup
        parser.ProcessingInstructionHandler = self.markup
        parser.Parse(part, True)

    def doctype(self, *declaration: object) -> None:
        raise ValidationError(HAS_DTD)

    def element(self, name: str, attributes: dict[str, str]) -> None:
        self.elements += 1
        self.others += name.rpartition(":")[2] not in CELL_ELEMENTS
        if (
            self.elements > MAX_ELEMENTS
            or self.others > MAX_OTHER_ELEMENTS
            or len(attributes) > MAX_ATTRIBUTES_OF_ELEMENT
        ):
            raise ValidationError(TOO_LARGE)
        self.markup(*attributes.values())

    def text(self, text: str) -> None:
        self.characters += len(text)
        if self.characters > MAX_PART_CHARACTERS:
            raise ValidationError(TOO_LARGE)

    def markup(self, *texts: str) -> None:
        if sum(map(len, texts)) > MAX_XML_TAG:
            raise ValidationError(TOO_LARGE)


class LimitedFile(io.BytesIO):
    """A file that raises OSError if it is read too often.

    openpyxl parses the part of each sheet, and any number of sheets can have the same part.
    """

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        # The parts of a usual workbook are read once or twice.
        self.left = 3 * len(data) + 2 * MEGABYTE

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        # Short reads take time, too.
        self.left -= max(len(data), 4096)
        if self.left < 0:
            raise OSError("The file is read too often.")
        return data
