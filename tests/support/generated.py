"""Generated values, and what the API does with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlencode

from hypothesis import strategies as st

from productive.jsonapi.errors import ApiError, ParameterError
from tests.support.api import Answer

T = TypeVar("T")

# Text that is valid in JSON and in a database.
storable_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
any_text = st.text(max_size=12)
latin_1 = st.text(st.characters(max_codepoint=255), max_size=30)


def values(text: st.SearchStrategy[str], numbers: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        st.none() | st.booleans() | numbers | text,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
        max_leaves=6,
    )


any_value = values(any_text, st.integers() | st.floats())
storable_value = values(
    storable_text,
    st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False),
)


def outcome(call: Callable[..., T], *args: Any, **kwargs: Any) -> tuple[T | None, Any]:
    """Return the result or None, and the error's code or status or None."""
    try:
        return call(*args, **kwargs), None
    except ParameterError as error:
        return None, error.members["code"]
    except ApiError as error:
        return None, error.status_code


def code_of(response: Answer) -> str | None:
    """Return the code of an error 400; None for a list."""
    if response.status == 200:
        assert isinstance(response.json["data"], list)
        return None
    assert response.status == 400, response
    code: str = response.error["code"]
    assert response.error["source"]["parameter"]
    return code


def spelled(pairs: list[tuple[str, str]]) -> str:
    return urlencode(pairs, errors="replace")
