"""Test the normal form of texts, and that the database folds and sorts them as Python does."""

from __future__ import annotations

import random
import sys
from typing import Any

import pytest
from django.db import connection

from catalog.models import ServiceType
from productive.accounts.models import Person
from productive.database.functions import create_sqlite_functions, create_statements
from productive.database.text import (
    MAX_SORT_KEY,
    MAX_WORDS,
    clean_line,
    clean_text,
    fold,
    search_words,
    sort_key,
)
from productive.management.invariants import stale_sort_keys
from tests.support.factories import OrganizationFactory, PersonFactory, ServiceTypeFactory
from tests.support.samples import FUZZ

# As an alphabetical index has them.
IN_ORDER = [
    "",
    "# 1",
    "1 day",
    "Adam",
    "Álvarez",
    "Ana Babić",
    "Anamarija",
    "Änne",
    "Cvitan",
    "Czerny",
    "Čale",
    "Čolić",
    "Ćosić",
    "de Vries",
    "DEVELOPMENT",
    "dž",
    "đak",
    "Đurić",
    "Lz",
    "Łukasz",
    "Müller",
    "O'Neil",
    "O’Neill",
    "Ömer",
    "Pavić",
    "quality",
    "Quality assurance",
    "Řezník",
    "Straße",
    "Strasser",
    "Szabo",
    "Šimić",
    "Śliwa",
    "Zorić",
    "Zz",
    "Žitko",
    "Źródło",
    "Żak",
    "Ελένη",
    "Анна",
    "李",
]


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("ŠIME", "sime"),
        ("Ömer", "omer"),
        ("jürgen  MÜLLER ", "jurgen muller"),
        ("Đuro", "duro"),
        ("O’Neil", "o'neil"),
        ("D`Arcy O´Neil", "d'arcy o'neil"),
        ("„Web“ – 2026", '"web" - 2026'),
        ("Straße", "strasse"),
        ("Łukasz Ærø", "lukasz aero"),
        ("S\u030cime", "sime"),
        ("First\u00a0name\tof\n\u2003it", "first name of it"),
        ("a\u200bb\u00adc\u202e\u2060", "abc"),
        ("Ａｎａ", "ana"),
        ("ﬁt", "fit"),
        ("ΑΣ ΣΑΣ Ό", "ασ σασ ο"),
        ("Йод", "иод"),
        ("~", "-"),
        ("\u200b", ""),
    ],
)
def test_fold_ignores_what_people_ignore(text: str, folded: str) -> None:
    assert fold(text) == fold(fold(text)) == folded
    assert sort_key(text).replace("~", "") == folded


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Horvat, Ana", ["horvat", "ana"]),
        ("Design · Web", ["design", "web"]),
        ("D’Arcy O’Neil", ["d'arcy", "o'neil"]),
        ('"ana horvat" Šime', ["ana horvat", "sime"]),
        ('5" ', ["5"]),
        (" · ", ["·"]),
        ("", [""]),
        ("x x", ["x"]),
        ("a b " * MAX_WORDS, ["a", "b"]),
        (" ".join(map(str, range(MAX_WORDS + 1))), [" ".join(map(str, range(MAX_WORDS + 1)))]),
    ],
)
def test_search_words(text: str, words: list[str]) -> None:
    assert search_words(text) == words


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        *(
            (character, "")
            for character in "\u200b\u2060\u3164\u2800\u00ad\ufeff\u00a0\u2003\u202e\x07\u200d\ufe0f"
        ),
        ("\u200b\u2060 \u200d\n", ""),
        ("Ana\r\nMarija\tHorvat\r\n", "Ana Marija Horvat"),
        ("\u202eanA\u0007 \ufeff", "anA"),
        ("S\u030cime", "Šime"),
        ("  two  spaces ", "two  spaces"),
        ("👩\u200d💻 Web ❤\ufe0f", "👩\u200d💻 Web ❤\ufe0f"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("a\0b", "a\0b"),
    ],
)
def test_line_has_no_invisible_characters(text: str, cleaned: str) -> None:
    assert clean_line(text) == clean_line(cleaned) == cleaned


@pytest.mark.any_database
def test_text_of_several_lines_is_only_composed() -> None:
    assert clean_text(" S\u030cime\n\u200b ") == " Šime\n\u200b "


@pytest.mark.any_database
def test_sort_key_has_the_order_of_the_alphabet() -> None:
    assert sorted(random.Random(1).sample(IN_ORDER, len(IN_ORDER)), key=sort_key) == IN_ORDER
    assert len(sort_key("\ufdfa" * 255)) == MAX_SORT_KEY


@pytest.mark.postgresql
def test_postgresql_folds_every_character_as_python_does(db: None) -> None:
    """SQLite calls the functions of Python."""
    near = [*range(1, 0x600), *range(0x1E00, 0x2100), 0x3000, 0xFB01, 0xFEFF, 0xFF21, 0x1F469, 0xE0020]
    every = (code for code in range(1, sys.maxunicode + 1) if not 0xD800 <= code < 0xE000)
    pick, codes = random.Random(1), every if FUZZ else near
    texts = [f"A{chr(code)} {chr(code)}b" for code in codes]
    texts += ["".join(map(chr, pick.choices(near, k=12))) for _ in range(2_000)]
    texts += [*IN_ORDER, " a  b   c ", "č" * 255, "\ufdfa" * 255]
    with connection.cursor() as cursor:
        sql = "SELECT value, text_fold(value), text_sort_key(value) FROM unnest(%s::text[]) AS value"
        cursor.execute(sql, [texts])
        different = [row for row in cursor.fetchall() if row[1:] != (fold(row[0]), sort_key(row[0]))]
    assert different == []


# --- Columns --------------------------------------------------------------------------------------


@pytest.fixture
def wrong_keys() -> Any:
    """Return a function that replaces the function of the sort keys by a wrong one, or recreates it."""

    wrong_function = (
        "CREATE OR REPLACE FUNCTION text_sort_key(text) RETURNS text LANGUAGE sql IMMUTABLE"
        " AS $$ SELECT 'x' $$"
    )

    def replace(*, wrong: bool) -> None:
        if connection.vendor == "sqlite":
            if wrong:
                connection.connection.create_function("text_sort_key", 1, lambda _: "x", deterministic=True)
            else:
                create_sqlite_functions(connection)
            return
        with connection.cursor() as cursor:
            for statement in [wrong_function] if wrong else create_statements():
                cursor.execute(statement)

    return replace


def keys(model: Any) -> list[str]:
    return list(model.objects.order_by("pk").values_list("name_key", flat=True))


@pytest.mark.each_database
def test_every_write_has_the_sort_key(db: None, wrong_keys: Any) -> None:
    organization = OrganizationFactory()
    row = ServiceTypeFactory(organization=organization, name="  C\u030cisto\u200b")
    assert (row.name, keys(ServiceType)) == ("Čisto", ["c~isto"])
    row.name = "Žito"
    row.save(update_fields=["name"])
    assert keys(ServiceType) == ["z~ito"]
    ServiceType.objects.update(name="S\u030cuma\n")
    assert [*ServiceType.objects.values_list("name", "name_key")] == [("Šuma", "s~uma")]
    ServiceType.objects.bulk_create([ServiceType(organization=organization, name="C\u0301up")])
    row.name = "S\u0301um"
    ServiceType.objects.bulk_update([row], ["name"])
    assert [*ServiceType.objects.order_by("pk").values_list("name", flat=True)] == ["Śum", "Ćup"]
    with connection.cursor() as cursor:
        cursor.execute("UPDATE catalog_servicetype SET name = 'Łan' WHERE id = %s", [row.pk])
    assert keys(ServiceType) == ["l~an", "c~~up"]
    PersonFactory(organization=organization, first_name="Ana", last_name="Šimić")
    assert keys(Person) == ["ana\ts~imic~~"]
    assert [*stale_sort_keys(Person), *stale_sort_keys(ServiceType)] == []
    # The longest keys fit into the index.
    letters = random.Random(1).choices([chr(code) for code in range(0xAC00, 0xD7A4)], k=510)
    PersonFactory(
        organization=organization, first_name="".join(letters[:255]), last_name="".join(letters[255:])
    )
    ServiceTypeFactory(organization=organization, name="".join(letters[:255])).delete()
    wrong_keys(wrong=True)
    ServiceType.objects.filter(pk=row.pk).update(name="Other")
    wrong_keys(wrong=False)
    assert [*stale_sort_keys(ServiceType)] == [
        "1 service types have a sort key that isn't that of their name"
    ]
    ServiceType.objects.filter(pk=row.pk).update(name="Other")
    assert [*stale_sort_keys(ServiceType)] == []
