"""One normal form for text, and the forms in which names are compared and sorted.

`clean_line` is the form in which names are stored. `fold` ignores case, accents, and kinds of apostrophes,
dashes and spaces: two texts with the same folded text are the same to people. `sort_key` orders names as an
alphabet of Latin letters, in which the letters of `LETTERS` follow the letter that they resemble.

The database computes both by the functions of the same names (`productive.database.functions`). So a
generated column can have the result, which no write can leave out.
"""

from __future__ import annotations

import re
import unicodedata

# The longest sort key, in characters of up to 4 bytes: PostgreSQL indexes up to 2,700 bytes. The end of a
# longer one is neither sorted nor found. Names of 255 letters of Croatian have at most 510 characters or so.
MAX_SORT_KEY = 640
# After a letter in a sort key: it is another letter. No letter from A to Z is greater.
MARK = "~"
# Between the parts of a sort key. It is smaller than a space, so "Ana" comes before "Ana Marija".
PART = "\t"

CARON, ACUTE, DOT = "\u030c", "\u0301", "\u0307"
# Letters of their own in the languages that have them, decomposed → sort key. Croatian: č ć đ š ž; Polish:
# ć ł ś ź ż; Czech: č ř š ž. Other accents don't change the order, as in German or French.
LETTERS = {
    f"c{CARON}": "c~",
    f"c{ACUTE}": "c~~",
    "đ": "d~",
    "ł": "l~",
    f"r{CARON}": "r~",
    f"s{CARON}": "s~",
    f"s{ACUTE}": "s~~",
    f"z{CARON}": "z~",
    f"z{ACUTE}": "z~~",
    f"z{DOT}": "z~~~",
}
# Letters that Unicode doesn't decompose, and their Latin spelling.
SPELLED = {"ß": "ss", "æ": "ae", "œ": "oe", "þ": "th"}
# A character → those that are compared like it.
SIMILAR = {
    "d": "đð",
    "g": "ǥ",
    "h": "ħ",
    "i": "ı",
    "k": "ĸ",
    "l": "ł",
    "n": "ŋ",
    "o": "ø",
    "t": "ŧ",
    "σ": "ς",
    "'": "`‘’‚‛ʹʻʼʽˈ′",
    '"': "“”„‟«»″",
    "-": "‐‒–—―−",
    " ": "\t\n\v\f\r\x85\u1680\u2028\u2029",
}
# Replaced before the decomposition, which begins with a space; and the mark of sort keys.
BEFORE = {"´": "'", "΄": "'", "᾽": "'", "᾿": "'", "¨": '"', MARK: "-"}
# Replaced in texts that have only ASCII characters.
ASCII = {MARK: "-", "`": "'", **dict.fromkeys("\t\n\v\f\r", " ")}

Range = tuple[int, int]
# Accents of Latin, Greek and Cyrillic letters.
ACCENTS: Range = (0x300, 0x36F)
# Soft hyphens, fillers, marks of the direction, zero-width spaces and the like.
INVISIBLE: tuple[Range, ...] = (
    (0xAD, 0xAD),
    (0x34F, 0x34F),
    (0x61C, 0x61C),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x200B, 0x200B),
    (0x200E, 0x200F),
    (0x202A, 0x202E),
    (0x2060, 0x206F),
    (0x2800, 0x2800),
    (0x3164, 0x3164),
    (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0),
    (0xFFF0, 0xFFFB),
    (0x1D173, 0x1D17A),
    (0xE0000, 0xE001F),
)
# Control characters other than white space. NUL is missing, because it is rejected.
CONTROLS: tuple[Range, ...] = ((0x01, 0x08), (0x0E, 0x1B), (0x7F, 0x84), (0x86, 0x9F))
# Invisible, but they change the characters beside them: joiners of Persian and of emoji, variants, flags.
JOINERS: tuple[Range, ...] = ((0x200C, 0x200D), (0xFE00, 0xFE0F), (0xE0020, 0xE007F), (0xE0100, 0xE01EF))
REMOVED_RANGES: tuple[Range, ...] = (ACCENTS, *INVISIBLE, *JOINERS)


def removal(*ranges: Range) -> dict[int, None]:
    """Return the argument of `translate` that removes these characters."""
    return {code: None for first, last in ranges for code in range(first, last + 1)}


FOLDED = {similar: letter for letter, characters in SIMILAR.items() for similar in characters}
WITHOUT_INVISIBLE = {
    **removal(*INVISIBLE, *CONTROLS),
    **dict.fromkeys(map(ord, SIMILAR[" "] + "\x1c\x1d\x1e\x1f"), " "),
}
WITHOUT_JOINERS = removal(*JOINERS)
TO_FOLD = str.maketrans({**FOLDED, **SPELLED}) | removal(*REMOVED_RANGES)
TO_FOLD_BEFORE, TO_FOLD_ASCII = str.maketrans(BEFORE), str.maketrans(ASCII)
SPACES = re.compile(" {2,}")


def clean_text(text: str) -> str:
    """Return the text in the normalization form C of Unicode."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def clean_line(text: str) -> str:
    """Return the text as one line, or "" if nothing of it is visible.

    Line breaks and tabs become spaces. Control and invisible characters are removed, because a pasted name
    can have some that nobody sees; so are spaces at its ends. NUL is kept, and rejected later.
    """
    if text.isascii() and text.isprintable():
        return text.strip()
    line = text.replace("\r\n", "\n").translate(WITHOUT_INVISIBLE)
    line = unicodedata.normalize("NFC", line).strip()
    return line if line.translate(WITHOUT_JOINERS).strip() else ""


def fold(text: str) -> str:
    """Return the text for comparison: "Šimić  d’Arcy" and "simic d'arcy" have the same."""
    if text.isascii():
        return single_spaces(text.translate(TO_FOLD_ASCII).lower())
    return single_spaces(decompose(text).translate(TO_FOLD))


def sort_key(text: str) -> str:
    """Return a text that sorts as the name, by its code points.

    Without its MARKs, it is the folded text, up to MAX_SORT_KEY characters.
    """
    if text.isascii():
        return fold(text)[:MAX_SORT_KEY]
    decomposed = decompose(text)
    for letter, key in LETTERS.items():
        decomposed = decomposed.replace(letter, key)
    return single_spaces(decomposed.translate(TO_FOLD))[:MAX_SORT_KEY]


def decompose(text: str) -> str:
    """Return the text in lower case, with each accent after its letter."""
    return unicodedata.normalize("NFKD", text.translate(TO_FOLD_BEFORE)).lower()


def single_spaces(text: str) -> str:
    return SPACES.sub(" ", text).strip(" ")


# The words of a search: quoted text is one word.
SEARCH_WORD = re.compile(r'"([^"]+)"|(\S+)')
# Around words: it doesn't matter to a search.
AROUND_WORDS = "\"',;·"
# A longer search is one word, because each one is a condition.
MAX_WORDS = 20


def search_words(text: str) -> list[str]:
    """Return the folded words of a search, each of which a record must contain.

    Punctuation around them is left out: "Horvat, Ana" and the label "Design · Website" are found.
    """
    folded = fold(text)
    words = [quoted or plain.strip(AROUND_WORDS) for quoted, plain in SEARCH_WORD.findall(folded)]
    words = list(dict.fromkeys(filter(None, words)))
    return words if 0 < len(words) <= MAX_WORDS else [folded]
