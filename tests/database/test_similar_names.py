from __future__ import annotations

import time

import pytest

from productive.database.similar_names import (
    PersonName,
    alike,
    are_alike,
    fold,
    group_alike,
    group_people,
)

pytestmark = pytest.mark.any_database

ALIKE = [
    ("Design", "design"),
    ("Željko Šimić", "zeljko simic"),
    ("Đurđa", "durda"),
    ("Straße", "strasse"),
    ("Front-end development", "Frontend Development"),
    ("Front end dev", "Frontend development"),
    ("Workshops", "Workshop"),
    ("Strategies", "strategy"),
    ("Quality assurance", "Assurance, quality"),
    ("The design of icons", "Icon design"),
    ("QA", "Quality Assurance"),
    ("Q.A.", "Quality assurance"),
    ("q a", "QA"),
    ("R&D", "Research and development"),
    ("SEO", "Search-engine optimisation"),
    ("Project mgmt", "Project management"),
    ("Developement", "Development"),
    ("Devlopment", "Development"),
    ("Developmnet", "Development"),
    ("Developmont", "Development"),
    ("Design\u00a0", "Design"),
]
DIFFERENT = [
    ("Design", "Development"),
    ("UX design", "UI design"),
    ("Frontend development", "Backend development"),
    ("Senior designer", "Junior designer"),
    ("Phase 1", "Phase 2"),
    ("Audit 2025", "Audit 2026"),
    ("Plan A", "Plan B"),
    ("Quality assurance", "Quick analysis"),
    ("Print", "Paint"),
    ("QA", "QC"),
    ("Design", ""),
    ("—", "…"),
    ("Sales training", "Sales trading"),
]


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_alike_names_are_found(one: str, other: str) -> None:
    assert are_alike(one, other)
    assert are_alike(other, one)
    assert group_alike({1: one, 2: "Something else", 3: other}) == [[1, 3]]
    assert alike(one, [(7, other), (8, "Something else")]) == [7]


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_different_names_are_not_alike(one: str, other: str) -> None:
    assert not are_alike(one, other)
    assert not are_alike(other, one)
    assert group_alike({1: one, 2: other}) == []


def test_a_group_has_names_that_are_alike_to_a_third_one() -> None:
    names = {1: "QA", 2: "Quality assurance", 3: "quality-assurances", 4: "Audit", 5: "Design", 6: "Dèsign"}
    assert group_alike(names) == [[1, 2, 3], [5, 6]]


def test_people_with_the_same_name_or_similar_addresses_are_grouped() -> None:
    people = {
        1: PersonName("Ana", "Horvat", "ana@agency.example"),
        2: PersonName("Horvat", "Ána", None),
        3: PersonName("Ivan", "Kos", "Ivan.Kos@agency.example"),
        4: PersonName("I.", "K.", "ivankos+web@agency.example"),
        5: PersonName("Ivo", "Kos", "ivankos@other.example"),
        6: PersonName("Eva", "Babić", "info@agency.example"),
        7: PersonName("Iva", "Babić", "info@other.example"),
        8: PersonName("Marko", "Marić", "marko.maric@agency.example"),
        9: PersonName("Marko", "Marin", "marko.marin@agency.example"),
        10: PersonName("", "", None),
        11: PersonName("", "", ""),
    }
    assert group_people(people) == [[1, 2], [3, 4, 5]]


def test_fold_removes_case_and_accents() -> None:
    assert fold("ŠĐČĆŽ Łódź Ærø İzmir") == "sdccz lodz aero izmir"


def test_thousands_of_names_take_milliseconds() -> None:
    """The work must grow with the number of names, not of pairs."""
    words = ["design", "development", "quality", "content", "mobile", "search", "print", "video"]
    names = {n: f"{words[n % 8]} {words[n // 8 % 8]} {n // 64}" for n in range(3_000)}
    people = {n: PersonName(f"Name{n % 400}", f"Šlast{n % 2000}", f"p{n}@a.example") for n in range(8_000)}
    start = time.process_time()
    group_alike(names)
    group_people(people)
    # 0.1 s.
    assert time.process_time() - start < 1
