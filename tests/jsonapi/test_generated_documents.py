"""Test request bodies with generated input."""

from __future__ import annotations

import json
from datetime import date
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from productive.accounts.models import Organization
from productive.jsonapi.parsers import ABSENT, MAX_ID, JSONParser, ResourceObject, parse_day, parse_id
from productive.jsonapi.renderers import MEDIA_TYPE
from tests.support.api import Api
from tests.support.databases import rolled_back
from tests.support.generated import any_text, any_value, latin_1, outcome, storable_text, storable_value
from tests.support.resources import RESOURCES, WRITABLE, create_rows, document_for, model_of
from tests.support.samples import fuzz_settings

# Other tests cover each kind of input.
pytestmark = pytest.mark.no_cover


def parse(body: bytes, content_type: str = MEDIA_TYPE, **meta: str) -> Any:
    return JSONParser().parse(BytesIO(body), content_type, {"request": SimpleNamespace(META=meta)})


identifiers = st.fixed_dictionaries({}, optional={"type": any_value, "id": any_value})
relationships = any_value | st.fixed_dictionaries({"data": any_value | identifiers | st.lists(identifiers)})
resource_objects = st.fixed_dictionaries(
    {"type": any_value | st.just("people")},
    optional={
        "id": any_value,
        "attributes": any_value | st.dictionaries(any_text, any_value, max_size=3),
        "relationships": any_value | st.dictionaries(any_text, relationships, max_size=3),
    },
)
documents = any_value | st.fixed_dictionaries({"data": any_value | resource_objects})
bodies = st.binary(max_size=60) | st.builds(
    lambda document, ascii_only: json.dumps(document, ensure_ascii=ascii_only).encode(errors="surrogatepass"),
    documents,
    st.booleans(),
)


@pytest.mark.any_database
@fuzz_settings(200)
@given(bodies, st.integers(0, 60), st.binary(max_size=3))
@example(b"[" * 100_000, 0, b"")
@example(b'{"data":' * 5_000, 0, b"")
@example(b'{"data":{"type":"\\ud800"}}', 60, b"")
def test_any_body_is_parsed_or_malformed(body: bytes, at: int, noise: bytes) -> None:
    """Also insert other bytes."""
    for sent in (body, body[:at] + noise + body[at:]):
        parsed, status = outcome(parse, sent)
        if status is None:
            assert isinstance(parsed, ResourceObject) or "data" not in parsed
            # An accepted document can be serialized and parsed again.
            document = parsed.document if isinstance(parsed, ResourceObject) else parsed
            assert parse(json.dumps(document).encode()) == parsed
        else:
            assert status == 400


@pytest.mark.any_database
@fuzz_settings(50)
@given(latin_1 | latin_1.map(lambda text: f"{MEDIA_TYPE};{text}"), latin_1)
def test_any_content_type_and_coding_is_accepted_or_rejected(content_type: str, coding: str) -> None:
    found = outcome(parse, b"{}", content_type, HTTP_CONTENT_ENCODING=coding)
    assert found in (({}, None), (None, 415))


valid_identifiers = st.fixed_dictionaries({"type": storable_text, "id": storable_text})
linkages = st.none() | valid_identifiers | st.lists(valid_identifiers, max_size=3)


@pytest.mark.any_database
@fuzz_settings(70)
@given(
    kind=storable_text,
    identity=st.none() | storable_text,
    attributes=st.dictionaries(storable_text, storable_value, max_size=4),
    linked=st.dictionaries(storable_text, linkages | st.just(ABSENT), max_size=4),
)
def test_resource_object_is_parsed_unchanged(
    kind: str, identity: str | None, attributes: dict[str, Any], linked: dict[str, Any]
) -> None:
    data = {
        "type": kind,
        "id": identity,
        "attributes": attributes,
        "relationships": {
            name: {"meta": {}} if linkage is ABSENT else {"data": linkage} for name, linkage in linked.items()
        },
    }
    for ascii_only in (True, False):
        body = json.dumps({"data": data}, ensure_ascii=ascii_only).encode()
        read = parse(body, CONTENT_LENGTH=str(len(body)))
        assert read == ResourceObject(kind, identity, attributes, linked)


almost_ids = st.from_regex(r"[-+ 0-9_.e\u0660\uff11]{1,21}")


@pytest.mark.any_database
@fuzz_settings(100)
@given(any_text | almost_ids | any_value, st.integers(1, MAX_ID), st.dates())
def test_id_and_date_have_one_format(sent: Any, number: int, day: date) -> None:
    assert parse_id(str(number)) == number
    assert parse_day(day.isoformat()) == day
    found = parse_id(sent)
    assert found is None or (str(found) == sent and 1 <= found <= MAX_ID)
    found_day = parse_day(sent)
    assert found_day is None or found_day.isoformat() == sent


@pytest.mark.django_db
def test_any_attribute_value_is_stored_or_rejected(api: Api, organization: Organization) -> None:
    """Stored values can be read again, in a list, too."""
    rows = {resource: create_rows(resource, organization)[0] for resource in WRITABLE}
    attributes = [
        (resource, name)
        for resource in WRITABLE
        for name in RESOURCES[resource].serializer_class.Meta.fields
        if not model_of(resource)._meta.get_field(name).is_relation
    ]

    @fuzz_settings(80)
    @given(st.sampled_from(attributes), any_value | storable_value)
    def check(attribute: tuple[str, str], value: Any) -> None:
        resource, name = attribute
        with rolled_back():
            response = api.patch(
                f"{resource}/{rows[resource].pk}", json=document_for(resource, **{name: value})
            )
            assert response.status in (200, 400, 422), (attribute, value)
            listed = api.get(resource)
            assert listed.status == 200
            if response.status == 200:
                assert [each["attributes"] for each in listed.data if each["id"] == response.data["id"]] == [
                    response.data["attributes"]
                ]

    check()
