"""Test that an XLSX can't take much memory or time."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from defusedxml import EntitiesForbidden
from django.test import Client

from catalog.models import ServiceType
from tests.support.samples import sampled
from tests.support.spreadsheets import (
    NOT_XLSX,
    plan_of,
    preview,
    rejection_of,
    rows_of,
    upload,
    xlsx_file,
    zipped,
)

pytestmark = [pytest.mark.django_db, pytest.mark.no_cover]


@pytest.mark.any_database
def test_zip_bomb_is_rejected(client: Client) -> None:
    bomb = zipped(**{"xl/worksheets/sheet1.xml": bytes(60 * 1024 * 1024)})
    assert len(bomb) < 100_000
    assert rejection_of(client, ServiceType, upload(bomb, "file.xlsx")) == [
        "The file contains more than 50 MB of unpacked data, or too many cells. Copy what you need to a new "
        "spreadsheet."
    ]


SHARED_STRINGS = "xl/sharedStrings.xml"
SHEET = "xl/worksheets/sheet1.xml"
XMLNS = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
RELATIONS = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'


def workbook(**parts: bytes | str) -> bytes:
    """Return an XLSX with these parts in place of its own."""
    own = dict.fromkeys(parts, b"") | {SHARED_STRINGS: f"<sst {XMLNS}/>".encode()}
    with zipfile.ZipFile(io.BytesIO(xlsx_file(["Name"], ["Made"]).read())) as archive:
        own |= {name: archive.read(name) for name in archive.namelist()}
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
    strings = f'<Override PartName="/{SHARED_STRINGS}" ContentType="{kind}"/></Types>'
    own["[Content_Types].xml"] = own["[Content_Types].xml"].replace(b"</Types>", strings.encode())
    return zipped(**{**own, **{name: as_bytes(part) for name, part in parts.items()}})


def as_bytes(part: bytes | str) -> bytes:
    return part.encode() if isinstance(part, str) else part


def sheet_of(cells: str) -> str:
    return f"<worksheet {XMLNS}><sheetData>{cells}</sheetData></worksheet>"


def peak_memory(act: Callable[[], Any]) -> tuple[Any, int]:
    """Return the result, and the megabytes of Python objects that existed at once."""
    tracemalloc.start()
    try:
        return act(), tracemalloc.get_traced_memory()[1] // 1024**2
    finally:
        tracemalloc.stop()


DTD = [
    "The file contains a document type definition (DTD), which could expand to any size. "
    "Open it in a spreadsheet program and save it again."
]
PARTS = [
    "[Content_Types].xml",
    "_rels/.rels",
    "docProps/core.xml",
    "xl/workbook.xml",
    "xl/_rels/workbook.xml.rels",
    "xl/styles.xml",
    "xl/theme/theme1.xml",
    "xl/drawings/drawing1.xml",
    SHARED_STRINGS,
    SHEET,
    "anything.bin",
]


@pytest.mark.any_database
@pytest.mark.parametrize("part", PARTS)
def test_document_type_definition_is_rejected(client: Client, part: str) -> None:
    entities = '<!ENTITY a "{}"><!ENTITY b "&a;&a;">'.format("A" * 290)
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "iso-8859-2", "windows-1250"):
        declaration = f'<?xml version="1.0" encoding="{encoding.removesuffix("-sig")}"?>'
        text = f"{declaration}\n<!-- x -->\n<!DOCTYPE x [{entities}]><x>&b;</x>"
        file = workbook(**{part: text.encode(encoding)})
        assert rejection_of(client, ServiceType, upload(file, "file.xlsx")) == DTD, encoding


@pytest.mark.any_database
@pytest.mark.parametrize(
    "doctype", ["<!DOCTYPE x>", '<!DOCTYPE x SYSTEM "file:///etc/passwd">', "<!DOCTYPE x []>"]
)
def test_document_type_definition_without_entities_is_rejected(client: Client, doctype: str) -> None:
    file = workbook(**{SHARED_STRINGS: f"{doctype}<sst {XMLNS}/>"})
    assert rejection_of(client, ServiceType, upload(file, "file.xlsx")) == DTD


def test_openpyxl_rejects_entities(tmp_path: Path) -> None:
    """Without defusedxml, openpyxl would expand them."""
    strings = f'<!DOCTYPE x [<!ENTITY a "A">]><sst {XMLNS}><si><t>&a;</t></si></sst>'
    with pytest.raises(ValueError, match="could not read strings") as error:
        openpyxl.load_workbook(io.BytesIO(workbook(**{SHARED_STRINGS: strings})), read_only=True)
    assert isinstance(error.value.__cause__, EntitiesForbidden)


TOO_LARGE = [
    "The file contains more than 50 MB of unpacked data, or too many cells. Copy what you need to a new "
    "spreadsheet."
]
SHARED_TEXT = f"<sst {XMLNS}><si><t>{'A' * 100_000}</t></si></sst>"
SHARING_ROWS = "<row><c t='s'><v>0</v></c></row>" * 60
ATTRIBUTES = " ".join(f"a{n}='0'" for n in range(1_001))
SAME_SHEET = "".join(f'<sheet name="{n}" sheetId="{n + 1}" r:id="rId1"/>' for n in range(2000))
# Small files that took gigabytes of memory or minutes of processor time.
BOMBS: dict[str, tuple[dict[str, str], list[str]]] = {
    "styles": (
        {"xl/styles.xml": f"<styleSheet {XMLNS}><cellXfs>{'<xf/>' * 60_000}</cellXfs></styleSheet>"},
        TOO_LARGE,
    ),
    "prefix": ({SHEET: f'<x:worksheet xmlns:x="x">{"<x:xf/>" * 60_000}</x:worksheet>'}, TOO_LARGE),
    "cells": ({SHEET: sheet_of(f"<row>{'<c/>' * 500_000}</row>")}, TOO_LARGE),
    "attributes": ({SHEET: sheet_of(f"<row {ATTRIBUTES}/>")}, TOO_LARGE),
    "attribute": ({SHEET: sheet_of(f'<row a="{"A" * 2_000_000}"/>')}, TOO_LARGE),
    "namespace": ({SHEET: sheet_of(f'<row xmlns:a="{"A" * 2_000_000}"/>')}, TOO_LARGE),
    "comment": ({SHEET: sheet_of(f"<!--{'<A' * 1_000_000}-->")}, TOO_LARGE),
    "instruction": ({SHEET: sheet_of(f"<?a {'A' * 2_000_000}?>")}, TOO_LARGE),
    "unclosed comment": ({SHEET: f"<worksheet {XMLNS}><!--{'A' * 40_000_000}"}, NOT_XLSX),
    "text": ({SHARED_STRINGS: f"<sst {XMLNS}><si><t>{'A' * 21_000_000}</t></si></sst>"}, TOO_LARGE),
    "shared text": (
        {SHARED_STRINGS: SHARED_TEXT, SHEET: sheet_of(SHARING_ROWS)},
        ["The file contains more than 5 MB of text. Split it into several."],
    ),
    "sheets with one part": (
        {
            "xl/workbook.xml": f"<workbook {XMLNS} {RELATIONS}><sheets>{SAME_SHEET}</sheets></workbook>",
            SHEET: f"<worksheet {XMLNS}><x>{' ' * 1_000_000}</x><sheetData/></worksheet>",
        },
        NOT_XLSX,
    ),
}


@pytest.mark.any_database
@pytest.mark.parametrize("name", sampled(BOMBS, share=3))
def test_small_file_does_not_take_much_memory_or_time(client: Client, name: str) -> None:
    parts, expected = BOMBS[name]
    file = workbook(**parts)
    assert len(file) < 200_000
    errors, megabytes = peak_memory(lambda: rejection_of(client, ServiceType, upload(file, "file.xlsx")))
    assert (errors, megabytes < 200) == (expected, True), megabytes


@pytest.mark.any_database
@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_wrong_size_in_file_does_not_take_memory(client: Client, compression: int) -> None:
    data = io.BytesIO(workbook())
    with zipfile.ZipFile(data, "a", compression) as archive:
        archive.writestr("xl/media/image1.png", bytes(60 * 1024 * 1024))
    # The last entry of the directory says that the content has a hundred bytes.
    file, entry = bytearray(data.getvalue()), data.getvalue().rfind(b"PK\x01\x02")
    file[entry + 16 : entry + 20] = struct.pack("<I", zlib.crc32(bytes(100)))
    file[entry + 24 : entry + 28] = struct.pack("<I", 100)
    page, megabytes = peak_memory(lambda: preview(client, ServiceType, upload(bytes(file), "file.xlsx")))
    if compression == zipfile.ZIP_DEFLATED:
        assert rows_of(page) == [(2, "created", [("Name", "", "Made")])]
    else:
        assert page.context["form"].errors["file"] == NOT_XLSX
    assert megabytes < 20


def test_part_with_two_contents_is_rejected(client: Client) -> None:
    data = io.BytesIO(workbook())
    with zipfile.ZipFile(data, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr(SHEET, sheet_of("<row/>"))
    assert rejection_of(client, ServiceType, upload(data.getvalue(), "file.xlsx")) == NOT_XLSX


@pytest.mark.any_database
def test_spreadsheet_with_too_many_cells_is_rejected_before_reading(client: Client) -> None:
    """Each takes twelve bytes in the file, almost none compressed, and hundreds in memory."""
    row = b"<row>" + b"<c/>" * 1_000_000 + b"</row>"
    assert rejection_of(client, ServiceType, upload(zipped(**{"xl/sheet.xml": row}), "file.xlsx")) == [
        "The file contains more than 50 MB of unpacked data, or too many cells. Copy what you need to a new "
        "spreadsheet."
    ]


def test_pictures_and_other_sheets_are_ignored(client: Client) -> None:
    book = openpyxl.Workbook()
    book.active.append(["Name"])
    book.active.append(["Made"])
    for _ in range(50):
        book.create_sheet().append(["x"] * 100)
    data = io.BytesIO()
    book.save(data)
    with zipfile.ZipFile(data, "a") as archive:
        archive.writestr("xl/media/image1.png", b"\x89PNG\r\n\x1a\n" + bytes(100))
        archive.writestr("xl/embeddings/book.xlsx", workbook())
    file = upload(data.getvalue(), "file.xlsx")
    assert plan_of(client, ServiceType, file) == [(2, "created", [("Name", "", "Made")])]
