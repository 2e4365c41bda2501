# ruff: noqa: E501  (a row of a table is one line)
"""Test bad requests, and careless ones that real clients send.

Each row of the two long tables is one request in bytes. A bad request returns the contract's error document
and changes nothing; a careless one is served, and has exactly the listed changes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest
from django.apps import apps
from django.utils import timezone

from assignments.models import Filter, ProjectAssignment, ServiceAssignment
from catalog.models import Deal, Project, Service, ServiceType
from productive.accounts.models import Organization, Person
from productive.database.history import Change
from productive.database.row_counts import RowCount
from tests.support.api import CONTENT_TYPE, MEDIA_TYPE, Answer, Api
from tests.support.databases import Contents, contents
from tests.support.factories import (
    ApiTokenFactory,
    DealFactory,
    FilterFactory,
    OrganizationFactory,
    PersonFactory,
    ProjectAssignmentFactory,
    ProjectFactory,
    ServiceAssignmentFactory,
    ServiceFactory,
    ServiceTypeAssignmentFactory,
    ServiceTypeFactory,
)
from tests.support.samples import sampled

pytestmark = pytest.mark.no_cover

# Ids of the rows in the requests. They are higher than any id of a sequence during the tests.
SECRET = "the-secret-of-the-api-client"
ORGANIZATION, PERSON, FREE_PERSON, LAST_PERSON = 900_001, 900_011, 900_012, 900_013
TYPE, FREE_TYPE, PROJECT, DEAL = 900_021, 900_022, 900_031, 900_041
SERVICE, SECOND_SERVICE = 900_051, 900_052
SERVICE_ASSIGNMENT, SECOND_ASSIGNMENT = 900_061, 900_062
PROJECT_ASSIGNMENT, TYPE_ASSIGNMENT, FILTER = 900_071, 900_081, 900_091
# Ids of another organization, and an id without a row.
STRANGERS, STRANGER_PERSON, STRANGER_TYPE, STRANGER_PROJECT = 800_001, 800_011, 800_021, 800_031
STRANGER_DEAL, STRANGER_SERVICE, STRANGER_ASSIGNMENT, STRANGER_FILTER = 800_041, 800_051, 800_061, 800_091
UNKNOWN = 700_000

BLANK, INVALID, NOT_SUPPORTED = "can't be blank", "attribute is invalid", "attribute is not supported"
TITLES = {
    "malformed_document": "Malformed Document",
    "unsupported_filter": "Unsupported Filter",
    "unsupported_filter_value": "Unsupported Filter Value",
    "unsupported_sort": "Unsupported Sort",
    "unsupported_include": "Unsupported Include",
    "unsupported_field": "Unsupported Field",
    "invalid_page": "Invalid Page",
    "keyset_conflict": "Keyset Conflict",
    "keyset_invalid_cursor": "Keyset Invalid Cursor",
    "unauthenticated": "Unauthenticated",
    "access_denied": "Access Denied",
    "record_not_found": "Record Not Found",
    "method_not_allowed": "Method Not Allowed",
    "conflict": "Conflict",
    "payload_too_large": "Payload Too Large",
    "unsupported_media_type": "Unsupported Media Type",
    "invalid_attribute": "Invalid Attribute",
}
DETAILS = {
    "unsupported_filter": r"Filter '.*' is not supported on this endpoint",
    "unsupported_filter_value": r"Filter value '.*' is not supported on this endpoint",
    "unsupported_sort": r"Sort by '.*' is not supported on this endpoint",
    "unsupported_include": r"Include '.*' is not supported on this endpoint",
    "unsupported_field": r"Field '.*' is not supported on this endpoint",
    "invalid_page": r"Page '.*' is not a whole number from 1",
    "keyset_conflict": "A page has a number or comes after another",
    "keyset_invalid_cursor": r"Page after '.*' is not one that a list in this order has",
    "unauthenticated": "You are not authenticated",
    "access_denied": "You are not authorized to access this resource",
    "record_not_found": "The requested record was not found",
}

TOKEN, ORGANIZATION_ID, TYPE_OF_CONTENT = "X-Auth-Token", "X-Organization-Id", "Content-Type"
ABSENT = "(not sent)"


class Bad(NamedTuple):
    """A request and its error. `at` is the attribute or the parameter.

    A body that is not bytes is sent as JSON. `headers` override a valid token and media type.
    """

    name: str
    method: str
    path: str
    status: int
    code: str
    at: str | None = None
    detail: str | None = None
    body: Any = b""
    headers: dict[str, str] = {}


class Careless(NamedTuple):
    """A request that is served.

    `shows` are the ids of a list, or some attributes; `changes` are those of `difference`.
    """

    name: str
    method: str
    path: str
    status: int = 200
    body: Any = b""
    shows: list[int] | dict[str, Any] | None = None
    changes: dict[Any, Any] = {}
    headers: dict[str, str] = {}


def shortened(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:60]}… {len(text)}"


def full_width(number: int) -> str:
    """Return full-width digits, which `int()` accepts, too."""
    return "".join(chr(ord("\uff10") + int(digit)) for digit in str(number))


def arabic(number: int) -> str:
    return "".join(chr(ord("\u0660") + int(digit)) for digit in str(number))


def identifier(kind: Any, identity: Any) -> dict[str, Any]:
    return {"type": kind, "id": str(identity) if type(identity) is int else identity}


def one(kind: str, identity: Any) -> dict[str, Any]:
    return {"data": identifier(kind, identity)}


def document(kind: Any, attributes: Any = ABSENT, relationships: Any = ABSENT, **more: Any) -> dict[str, Any]:
    members = {"type": kind, "attributes": attributes, "relationships": relationships, **more}
    return {"data": {name: member for name, member in members.items() if member is not ABSENT}}


def invalid(name: str, method: str, path: str, at: str, detail: str, body: Any) -> Bad:
    # Without this preference, unknown members are ignored.
    headers = {"Prefer": "handling=strict"} if detail == NOT_SUPPORTED else {}
    return Bad(name, method, path, 422, "invalid_attribute", at, re.escape(detail), body, headers)


def malformed(name: str, body: Any, method: str = "POST", path: str = "service_types") -> Bad:
    return Bad(name, method, path, 400, "malformed_document", body=body)


def nested(levels: int, opening: bytes = b"[", closing: bytes = b"]") -> bytes:
    return opening * levels + (b"1" if closing == b"}" else b"") + closing * levels


GOOD_NAME = document("service_types", {"name": "Design"})
GOOD = json.dumps(GOOD_NAME).encode()
GOOD_PAIR = {"person": one("people", FREE_PERSON), "service": one("services", SERVICE)}
GOOD_MEMBER = {"person": one("people", FREE_PERSON), "project": one("projects", PROJECT)}

# --- Authentication and organization --------------------------------------------------------------

AUTHENTICATION = [
    *(
        Bad(f"token {name}", "GET", "people", 401, "unauthenticated", headers={TOKEN: value})
        for name, value in {
            "not sent": ABSENT,
            "empty": "",
            "blank": "   ",
            "unknown": "nobody's",
            "in quotes": f'"{SECRET}"',
            "as bearer": f"Bearer {SECRET}",
            "with a space before": f" {SECRET}",
            "with a space after": f"{SECRET} ",
            "with NUL": f"{SECRET}\0",
            "in capitals": SECRET.upper(),
            "shortened": SECRET[:12],
            "sent twice": f"{SECRET},{SECRET}",
            "latin-1": "s\xe9cret",
            "not even latin-1": "ključ",
            "very long": "x" * 8_000,
        }.items()
    ),
    Bad("token in the query", "GET", f"people?X-Auth-Token={SECRET}", 401, "unauthenticated", headers={TOKEN: ABSENT}),
    Bad("token as authorization", "GET", "people", 401, "unauthenticated", headers={TOKEN: ABSENT, "Authorization": f"Token {SECRET}"}),
    Bad("token as a cookie", "GET", "people", 401, "unauthenticated", headers={TOKEN: ABSENT, "Cookie": f"X-Auth-Token={SECRET}"}),
    Bad("token in the body", "POST", "service_types", 401, "unauthenticated", body={**GOOD_NAME, "token": SECRET}, headers={TOKEN: ABSENT}),
    Bad("broken body without token", "POST", "service_types", 401, "unauthenticated", body=b"{", headers={TOKEN: ABSENT}),
    Bad("wrong method without token", "PUT", "people", 401, "unauthenticated", headers={TOKEN: ABSENT}),
    Bad("session cookie with NUL", "GET", "people", 401, "unauthenticated", headers={TOKEN: ABSENT, "Cookie": 'sessionid="\\000"'}),
    *(
        Bad(f"organization {name}", "GET", "people", 403, "access_denied", headers={ORGANIZATION_ID: value})
        for name, value in {
            "of strangers": str(STRANGERS),
            "unknown": str(UNKNOWN),
            "empty": "",
            "zero": "0",
            "negative": f"-{ORGANIZATION}",
            "with plus": f"+{ORGANIZATION}",
            "with zero before": f"0{ORGANIZATION}",
            "with underscore": "900_001",
            "with fraction": f"{ORGANIZATION}.0",
            "full-width": full_width(ORGANIZATION),
            "sent twice": f"{ORGANIZATION},{ORGANIZATION}",
            "too big": "9223372036854775808",
            "5,000 digits": "9" * 5_000,
            "text": "acme",
        }.items()
    ),
    *(
        Bad(f"organization in the query {name}", "GET", f"people?{query}", 403, "access_denied")
        for name, query in {
            "of strangers": f"X-Organization-Id={STRANGERS}",
            "empty": "X-Organization-Id=",
            "right and wrong": f"X-Organization-Id={ORGANIZATION}&X-Organization-Id={STRANGERS}",
            "with NUL": f"X-Organization-Id={ORGANIZATION}%00",
        }.items()
    ),
    Bad("organization right in the header, wrong in the query", "GET", f"people?X-Organization-Id={STRANGERS}", 403, "access_denied", headers={ORGANIZATION_ID: str(ORGANIZATION)}),
    Bad("organization of strangers on a change", "POST", "service_types", 403, "access_denied", body=GOOD_NAME, headers={ORGANIZATION_ID: str(STRANGERS)}),
    Bad("host that is not ours", "GET", "people", 400, "malformed_document", headers={"Host": "evil.example"}),
    Bad("host that is none", "GET", "people", 400, "malformed_document", headers={"Host": "a b/@:x"}),
]  # fmt: skip

METHODS = [
    *(
        Bad(path, method, path, 405, "method_not_allowed")
        for method in ("PUT", "TRACE", "OPTIONS", "FOO", "CONNECT")
        for path in ("service_types", f"service_types/{TYPE}", f"service_types/{TYPE}/archive")
        if method != "PUT" or not path.endswith("archive")
    ),
    *(
        Bad(path, method, path, 405, "method_not_allowed", body=b"" if method == "DELETE" else GOOD)
        for method, path in [
            ("DELETE", "service_types"),
            ("DELETE", "service_types/"),
            ("DELETE", f"service_types?filter[id]={FREE_TYPE}"),
            ("DELETE", f"service_assignments?filter[person_id]={PERSON}"),
            ("PATCH", "service_types"),
            ("POST", f"service_types/{TYPE}"),
            ("POST", f"service_types/{TYPE}/archive"),
            ("DELETE", f"service_types/{TYPE}/archive"),
            ("POST", "organizations"),
            ("PATCH", f"organizations/{ORGANIZATION}"),
            ("DELETE", f"organizations/{ORGANIZATION}"),
        ]
    ),
    Bad(f"service_types/{TYPE}/archive", "GET", f"service_types/{TYPE}/archive", 405, "method_not_allowed"),
    Bad("method override by header", "POST", f"service_types/{FREE_TYPE}", 405, "method_not_allowed", body=GOOD, headers={"X-HTTP-Method-Override": "DELETE"}),
]  # fmt: skip

NOT_AN_ID = {
    "zero": "0",
    "negative": f"-{TYPE}",
    "with plus": f"+{TYPE}",
    "with fraction": f"{TYPE}.0",
    "with zero before": f"0{TYPE}",
    "as power": "1e3",
    "with underscore": "900_021",
    "full-width": full_width(TYPE),
    "Arabic": arabic(TYPE),
    "2^63": "9223372036854775808",
    "20 digits": "9" * 20,
    "5,000 digits": "9" * 5_000,
    "with NUL": f"{TYPE}\0",
    "NUL": "\0",
    "newline": "\n",
    "with newline after": f"{TYPE}\n",
    "with newline before": f"\n{TYPE}",
    "with space after": f"{TYPE} ",
    "with space before": f" {TYPE}",
    "true": "true",
    "null": "null",
    "a list": f"{TYPE},{FREE_TYPE}",
    "hexadecimal": "0x1",
    "quote": "'",
    "star": "*",
}
PATHS = [
    *(
        Bad(f"id {name}", method, f"service_types/{quote(text)}", 404, "record_not_found", body=GOOD if method == "PATCH" else b"")
        for name, text in NOT_AN_ID.items()
        for method in ("GET", "PATCH", "DELETE")
    ),
    *(
        Bad(f"archive id {name}", "PATCH", f"service_types/{quote(text)}/archive", 404, "record_not_found")
        for name, text in NOT_AN_ID.items()
    ),
    *(
        Bad(f"unknown route {shortened(path)}", method, path, 404, "record_not_found")
        for method, path in [
            ("GET", "/api"),
            ("GET", "/api/"),
            ("GET", "/api/v2"),
            ("GET", "/api/v2/"),
            ("GET", "/api/v1/people"),
            ("GET", "/api/v2//people"),
            ("GET", "nothing"),
            ("POST", "nothing"),
            ("DELETE", "nothing/1"),
            ("OPTIONS", "nothing"),
            ("FOO", "nothing"),
            ("GET", "People"),
            ("GET", "people.json"),
            ("GET", "people%00"),
            ("GET", "people%0A"),
            ("GET", "people%20"),
            ("GET", "%FF%FE"),
            ("GET", "..%2F..%2Fetc%2Fpasswd"),
            ("GET", "x" * 7_000),
            ("GET", "users"),
            ("GET", "api_tokens"),
            ("GET", "permissions"),
            ("GET", f"service_types/%FF{TYPE}"),
            ("GET", f"service_types/{TYPE}//"),
            ("GET", f"service_types/{TYPE}/assignees"),
            ("GET", f"service_types/{TYPE}/relationships/assignees"),
            ("GET", f"service_types/{TYPE}/."),
            ("GET", f"service_types/./{TYPE}"),
            ("GET", f"service_types/{TYPE};x=1"),
            ("GET", f"service_types/{TYPE}.json"),
            ("GET", f"tracking_decisions/{PERSON}-{SERVICE}-TIME-2026-01-01"),
            ("GET", f"tracking_decisions/0{PERSON}-{SERVICE}-time-2026-01-01"),
            ("GET", f"tracking_decisions/{PERSON}-{SERVICE}-time-2026-01-01%0A"),
            ("GET", f"tracking_decisions/{PERSON}-9223372036854775808-time-2026-01-01"),
            ("PATCH", f"service_types/{TYPE}/destroy"),
            ("PATCH", f"service_types/{TYPE}/delete"),
            ("PATCH", f"service_types/{TYPE}/__init__"),
            ("PATCH", f"service_types/{TYPE}/archive/archive"),
            ("PATCH", f"service_types/{TYPE}/archive%0A"),
            ("PATCH", "service_types/archive"),
            ("PATCH", f"deals/{DEAL}/archive"),
            ("PATCH", f"services/{SERVICE}/archive"),
            ("PATCH", f"filters/{FILTER}/archive"),
            ("PATCH", f"service_assignments/{SERVICE_ASSIGNMENT}/archive"),
            ("PATCH", f"people/{PERSON}/close"),
            ("PATCH", f"organizations/{ORGANIZATION}/archive"),
        ]
    ),
    *(
        Bad(path, method, path, 404, "record_not_found", body=body)
        for method, path, body in [
            ("GET", f"service_types/{UNKNOWN}", b""),
            ("PATCH", f"service_types/{UNKNOWN}", GOOD),
            ("DELETE", f"service_types/{UNKNOWN}", b""),
            ("GET", f"service_types/{STRANGER_TYPE}", b""),
            ("PATCH", f"service_types/{STRANGER_TYPE}", GOOD),
            ("DELETE", f"service_types/{STRANGER_TYPE}", b""),
            ("PATCH", f"service_types/{STRANGER_TYPE}/archive", b""),
            ("PATCH", f"service_types/{STRANGER_TYPE}/restore", b""),
            ("PATCH", f"deals/{STRANGER_DEAL}/close", b""),
            ("DELETE", f"service_assignments/{STRANGER_ASSIGNMENT}", b""),
            ("GET", f"people/{STRANGER_PERSON}?include=service_types", b""),
            ("GET", f"organizations/{STRANGERS}", b""),
        ]
    ),
]  # fmt: skip

# --- Bodies ---------------------------------------------------------------------------------------

A_PREFERENCE = b'{"data":{"type":"project_assignments","attributes":{"preferences":%s}}}'
A_PARAM = b'{"data":{"type":"filters","attributes":{"name":"x","params":%s}}}'
A_NAME = b'{"data":{"type":"service_types","attributes":{"name":%s}}}'

BYTES = [
    *(
        malformed(name, body)
        for name, body in {
            "body not sent": b"",
            "blank": b" \n",
            "invalid UTF-8": A_NAME % b'"\xff"',
            "invalid UTF-8 in a name": b'{"\xc3\x28":1}',
            "overlong UTF-8": A_NAME % b'"\xc0\x80"',
            "surrogate in UTF-8": A_NAME % b'"\xed\xa0\x80"',
            "UTF-16": GOOD.decode().encode("utf-16"),
            "byte order mark": b"\xef\xbb\xbf" + GOOD,
            "gzip": b"\x1f\x8b\x08\x00\x00",
            "high surrogate alone": A_NAME % b'"\\ud800"',
            "low surrogate alone": A_NAME % b'"\\udc00"',
            "surrogates the wrong way round": A_NAME % b'"\\udc00\\ud800"',
            "NUL escape": A_NAME % b'"a\\u0000b"',
            "NUL byte": A_NAME % b'"a\x00b"',
            "NUL after the document": GOOD + b"\0",
            "NUL in the type": b'{"data":{"type":"service_types\\u0000"}}',
            "NUL in a member's name": b'{"data":{"type":"service_types","attributes":{"na\\u0000me":1}}}',
            "NUL in a member that is ignored": b'{"meta":{"a":"\\u0000"},' + GOOD[1:],
            "cut": GOOD[:-1],
            "cut in a string": GOOD[:30],
            "cut in an escape": A_NAME[:52] + b'"\\u00',
            "two documents": GOOD + GOOD,
            "trailing comma": b'{"data":{"type":"service_types",}}',
            "single quotes": b"{'data': 1}",
            "a comment": b"/* */" + GOOD,
            "form fields": b"data=1&type=service_types",
            "XML": b"<data/>",
            "NaN": A_NAME % b"NaN",
            "Infinity": A_NAME % b"Infinity",
            "-Infinity": A_NAME % b"-Infinity",
            "1e400": A_NAME % b"1e400",
            "5,000 digits": A_NAME % (b"9" * 5_000),
            "number with zero before": A_NAME % b"01",
            "1,000 arrays": nested(1_000),
            "100,000 arrays": nested(100_000),
            "100,000 arrays, open": b"[" * 100_000,
            "1,000 objects": nested(1_000, b'{"a":', b"}"),
            "100,000 objects": nested(100_000, b'{"a":', b"}"),
            "1,000 arrays in a member that is ignored": b'{"meta":' + nested(1_000) + b"," + GOOD[1:],
            "100 arrays in an attribute": A_NAME % nested(100),
        }.items()
    ),
    *(
        malformed(f"{name} in {where}", text % body, method, path)
        for where, text, method, path in [
            ("preferences", A_PREFERENCE, "PATCH", f"project_assignments/{PROJECT_ASSIGNMENT}"),
            ("params", A_PARAM, "POST", "filters"),
        ]
        for name, body in {
            "NUL": b'"\\u0000"',
            "NUL deep down": b'{"a":[{"b":"\\u0000"}]}',
            "NUL in a key": b'{"a":{"\\u0000":1}}',
            "high surrogate": b'{"a":"\\ud83d"}',
            "surrogate in a key": b'{"\\udfff":1}',
            "invalid UTF-8": b'"\xff"',
            "NaN": b"[NaN]",
            "1e400": b"[1e400]",
            "-1e400": b"[-1e400]",
            "1,000 arrays": nested(1_000),
            "100,000 arrays": nested(100_000),
            "1,000 objects": nested(1_000, b'{"a":', b"}"),
            "100,000 objects": nested(100_000, b'{"a":', b"}"),
            "100 arrays": nested(100),
        }.items()
    ),
    *(
        # As floats, these numbers would not be stored exactly. PostgreSQL would return them as integers that can't
        # be serialized, so they would break every list that contains them.
        invalid(f"{name} in {where}", method, path, where, INVALID, text % body)
        for where, text, method, path in [
            ("preferences", A_PREFERENCE, "PATCH", f"project_assignments/{PROJECT_ASSIGNMENT}"),
            ("params", A_PARAM, "POST", "filters"),
        ]
        for name, body in {
            "2^64": b"[18446744073709551616]",
            "-2^64": b"-18446744073709551616",
            "-1e19": b"-1e19",
            "1e20": b'{"a":{"b":[1e20]}}',
            "300 digits": b"[" + b"9" * 300 + b"]",
        }.items()
    ),
    Bad("body over the limit", "POST", "service_types", 413, "payload_too_large", body=GOOD + b" " * 1_000_000),
    Bad("body far over the limit", "POST", "service_types", 413, "payload_too_large", body=b"[" * 5_000_000),
    Bad("body one byte over the limit", "POST", "service_types", 413, "payload_too_large", body=GOOD.ljust(1_000_001)),
    Bad("archive body over the limit", "PATCH", f"service_types/{TYPE}/archive", 413, "payload_too_large", body=b" " * 1_000_001),
]  # fmt: skip

CONTENT_TYPES = [
    *(
        Bad(f"content type {name}", method, path, 415, "unsupported_media_type", body=GOOD, headers={TYPE_OF_CONTENT: value})
        for name, value, method, path in [
            ("not sent", ABSENT, "POST", "service_types"),
            ("empty", "", "POST", "service_types"),
            ("plain text", "text/plain", "POST", "service_types"),
            ("JSON", "application/json", "POST", "service_types"),
            ("JSON on PATCH", "application/json", "PATCH", f"service_types/{TYPE}"),
            ("JSON on archive", "application/json", "PATCH", f"service_types/{TYPE}/archive"),
            ("form", "application/x-www-form-urlencoded", "POST", "service_types"),
            ("multipart", "multipart/form-data; boundary=x", "POST", "service_types"),
            ("multipart without boundary", "multipart/form-data", "POST", "service_types"),
            ("any", "*/*", "POST", "service_types"),
            ("longer", f"{MEDIA_TYPE}x", "POST", "service_types"),
            ("twice", f"{MEDIA_TYPE},{MEDIA_TYPE}", "POST", "service_types"),
            ("NUL", f"{MEDIA_TYPE}\0", "POST", "service_types"),
            ("latin-1", f"{MEDIA_TYPE}; charset=latin-1", "POST", "service_types"),
            ("utf-7", f"{MEDIA_TYPE}; charset=utf-7", "POST", "service_types"),
            ("utf-16", f"{MEDIA_TYPE}; charset=utf-16", "POST", "service_types"),
            ("rot13", f"{MEDIA_TYPE}; charset=rot13", "POST", "service_types"),
            ("rot13 and a query", f"{MEDIA_TYPE}; charset=rot13", "POST", "service_types?a=b"),
            ("hex and a query", f"{MEDIA_TYPE}; charset=hex", "POST", "service_types?a=b"),
            ("zlib and a query", f"{MEDIA_TYPE}; charset=zlib_codec", "POST", "service_types?a=b"),
            ("undefined and a query", f"{MEDIA_TYPE}; charset=undefined", "POST", "service_types?a=b"),
            ("unknown charset", f"{MEDIA_TYPE}; charset=x", "PATCH", f"service_types/{TYPE}"),
            ("empty charset", f"{MEDIA_TYPE}; charset=", "POST", "service_types"),
            ("extended rot13", f"{MEDIA_TYPE}; charset*=rot13''x", "POST", "service_types?a=b"),
            ("extended hex", f"{MEDIA_TYPE}; charset*=hex''x", "POST", "service_types"),
            ("extended unknown", f"{MEDIA_TYPE}; title*=nothing''%ff", "POST", "service_types"),
            ("extended utf-8", f"{MEDIA_TYPE}; title*=utf-8''%ff", "POST", "service_types"),
            ("unknown extension", f"{MEDIA_TYPE}; ext=foo", "POST", "service_types"),
            ("extension by address", f'{MEDIA_TYPE}; ext="https://jsonapi.org/ext/atomic"', "POST", "service_types"),
            ("unknown parameter", f"{MEDIA_TYPE}; version=1", "POST", "service_types"),
            ("10,000 parameters", MEDIA_TYPE + "; a=b" * 10_000, "POST", "service_types"),
        ]
    ),
    *(
        Bad(f"coding {coding}", "POST", "service_types", 415, "unsupported_media_type", body=GOOD, headers={"Content-Encoding": coding})
        for coding in ("gzip", "deflate", "br", "GZIP", "identity, gzip", "nothing")
    ),
]  # fmt: skip

# --- Documents ------------------------------------------------------------------------------------

NO_OBJECT: dict[str, Any] = {"null": None, "list": [], "string": "x", "number": 1, "true": True}
NO_LINKAGE: dict[str, Any] = {
    "string": "x", "number": 1, "true": True, "false": False, "empty string": "", "list in list": [[]], "list of strings": ["1"],
    "list of numbers": [1], "list with null": [None],
}  # fmt: skip
PAIR = "service_assignments"

SHAPES = [
    *(malformed(f"document is {name}", json.dumps(value).encode()) for name, value in NO_OBJECT.items()),
    malformed("document has no data", {}),
    malformed("document has only errors", {"errors": []}),
    malformed("document has only operations", {"atomic:operations": []}),
    malformed("data sent twice", b'{"data":{"type":"service_types","attributes":{"name":"x"}},"data":null}'),
    malformed("document spells data otherwise", {"Data": GOOD_NAME["data"]}),
    *(malformed(f"data is {name}", {"data": value}) for name, value in NO_OBJECT.items()),
    malformed("data is a list of resources", {"data": [GOOD_NAME["data"]]}),
    malformed("data is empty", {"data": {}}),
    malformed("type not sent", {"data": {"attributes": {"name": "Design"}}}),
    *(malformed(f"type is {name}", document(value, {"name": "x"})) for name, value in {**NO_OBJECT, "object": {}}.items() if name != "string"),
    *(
        Bad(f"type is {kind!r}", "POST", "service_types", 409, "conflict", body=document(kind, {"name": "x"}))
        for kind in ("people", "service_type", "Service_types", "service-types", "serviceTypes", "", " service_types", "organizations")
    ),
    Bad("type of another resource on PATCH", "PATCH", f"service_types/{TYPE}", 409, "conflict", body=document("people", {}, id=str(TYPE))),
    Bad("type of another resource on archive by PUT", "PUT", f"service_types/{TYPE}/archive", 409, "conflict", body=one("people", TYPE)),
    Bad("type of another resource on archive", "PATCH", f"service_types/{TYPE}/archive", 409, "conflict", body=one("people", TYPE)),
    *(
        malformed(f"id is {name} on {path}", document("service_types", {"name": "x"}, id=value), method, path)
        for name, value in {"number": TYPE, "list": [], "object": {}, "true": True, "float": 1.5}.items()
        for method, path in [("POST", "service_types"), ("PATCH", f"service_types/{TYPE}"), ("PATCH", f"service_types/{TYPE}/archive")]
    ),
    *(
        Bad(f"id is {value!r} on {path}", "PATCH", path, 409, "conflict", body=document("service_types", {"name": "x"}, id=value))
        for value in (str(FREE_TYPE), f"{TYPE} ", f"0{TYPE}", "", full_width(TYPE), str(UNKNOWN), str(STRANGER_TYPE))
        for path in (f"service_types/{TYPE}", f"service_types/{TYPE}/archive")
    ),
    *(
        Bad(f"client-chosen id {value!r}", "POST", "service_types", 403, "access_denied", detail="The id of a new record can't be chosen by the client", body=document("service_types", {"name": "x"}, id=value))
        for value in ("1", str(TYPE), str(STRANGER_TYPE), "", "f47ac10b-58cc-4372-a567-0e02b2c3d479")
    ),
    *(
        malformed(f"{member} is {name}", {"data": {"type": "service_types", member: value}}, method, path)
        for member in ("attributes", "relationships")
        for name, value in NO_OBJECT.items()
        for method, path in [("POST", "service_types"), ("PATCH", f"service_types/{TYPE}")]
    ),
    *(
        malformed(f"relationship is {name}", document(PAIR, {}, {**GOOD_PAIR, "person": value}), method, path)
        for name, value in NO_OBJECT.items()
        for method, path in [("POST", PAIR), ("PATCH", f"{PAIR}/{SERVICE_ASSIGNMENT}")]
    ),
    *(
        malformed(f"linkage is {name}", document(PAIR, {}, {**GOOD_PAIR, "person": {"data": value}}), method, path)
        for name, value in NO_LINKAGE.items()
        for method, path in [("POST", PAIR), ("PATCH", f"{PAIR}/{SERVICE_ASSIGNMENT}")]
    ),
    malformed("read-only relationship is a string", document("service_types", {"name": "x"}, {"assignees": "x"})),
    *(
        malformed(f"1,001 {member}", {"data": {"type": "service_types", member: {f"a{n}": {} for n in range(1_001)}}}, method, path)
        for member in ("attributes", "relationships")
        for method, path in [("POST", "service_types"), ("PATCH", f"service_types/{TYPE}")]
    ),
    malformed("linkage of a read-only relationship is a string", document("service_types", {"name": "x"}, {"assignees": {"data": "x"}})),
    *(malformed(f"archive with {body!r}", body, "PATCH", f"service_types/{TYPE}/archive") for body in (b"[]", b"null", b"0", b'""', b"false", b"[1]", b'"x"', b'{"data":null}', b'{"data":[]}', b"{")),
]  # fmt: skip

# --- Relationships --------------------------------------------------------------------------------

NO_IDENTIFIER: dict[str, Any] = {
    "empty": {},
    "without id": {"type": "people"},
    "without type": {"id": str(FREE_PERSON)},
    "a list": [identifier("people", FREE_PERSON)],
    "an empty list": [],
    **{
        f"with id {name}": {"type": "people", "id": value}
        for name, value in {
            "unknown number": UNKNOWN,
            "float": 1.5,
            "whole float": float(FREE_PERSON),
            "true": True,
            "null": None,
            "list": [str(FREE_PERSON)],
            "object": {"id": str(FREE_PERSON)},
            "zero": "0",
            "negative": f"-{FREE_PERSON}",
            "huge": "9223372036854775808",
            "5,000 digits": "9" * 5_000,
            "huge number": 2**63,
            "space after": f"{FREE_PERSON} ",
            "newline after": f"{FREE_PERSON}\n",
            "plus": f"+{FREE_PERSON}",
            "underscore": "900_012",
            "fraction": f"{FREE_PERSON}.0",
            "full-width": full_width(FREE_PERSON),
            "empty": "",
            "unknown": str(UNKNOWN),
            "of strangers": str(STRANGER_PERSON),
        }.items()
    },
    **{
        f"with type {name}": {"type": value, "id": str(FREE_PERSON)}
        for name, value in {
            "number": 1,
            "null": None,
            "list": ["people"],
            "object": {},
            "foreign": "services",
            "singular": "person",
            "capital": "People",
            "empty": "",
        }.items()
    },
}
NO_FOREIGN_KEY: dict[str, Any] = {
    "zero": 0, "negative": -1, "fraction": 1.5, "whole float": float(FREE_PERSON), "true": True, "false": False, "text": "abc", "empty": "",
    "2^63": 2**63, "2^63 as text": str(2**63), "2^64": 2**64, "10^30": 10**30, "underscore": "900_012", "plus": f"+{FREE_PERSON}",
    "space": f" {FREE_PERSON}", "newline": f"{FREE_PERSON}\n", "zero before": f"0{FREE_PERSON}", "power": "1e3", "full-width": full_width(FREE_PERSON),
    "Arabic": arabic(FREE_PERSON), "list": [FREE_PERSON], "object": {"id": FREE_PERSON},
}  # fmt: skip
LINKS: list[tuple[str, str, str, int, dict[str, Any]]] = [
    ("service_assignments", "person", "people", STRANGER_PERSON, {"service": one("services", SERVICE)}),
    ("service_assignments", "service", "services", STRANGER_SERVICE, {"person": one("people", FREE_PERSON)}),
    ("project_assignments", "person", "people", STRANGER_PERSON, {"project": one("projects", PROJECT)}),
    ("project_assignments", "project", "projects", STRANGER_PROJECT, {"person": one("people", FREE_PERSON)}),
    ("service_type_assignments", "person", "people", STRANGER_PERSON, {"service_type": one("service_types", TYPE)}),
    ("service_type_assignments", "service_type", "service_types", STRANGER_TYPE, {"person": one("people", FREE_PERSON)}),
    ("deals", "project", "projects", STRANGER_PROJECT, {}),
    ("services", "deal", "deals", STRANGER_DEAL, {"service_type": one("service_types", TYPE)}),
    ("services", "service_type", "service_types", STRANGER_TYPE, {"deal": one("deals", DEAL)}),
]  # fmt: skip
RECORDS = {
    "service_assignments": SERVICE_ASSIGNMENT,
    "project_assignments": PROJECT_ASSIGNMENT,
    "service_type_assignments": TYPE_ASSIGNMENT,
    "service_types": TYPE,
    "people": PERSON,
    "projects": PROJECT,
    "deals": DEAL,
    "services": SERVICE,
    "filters": FILTER,
}
NAMED = {"deals": {"name": "x"}, "services": {"name": "x"}}
SOFT = ["favorite_filter", "budgets_favorite_filter", "deals_favorite_filter", "invoices_favorite_filter", "docs_favorite_filter"]  # fmt: skip
MEMBER = f"project_assignments/{PROJECT_ASSIGNMENT}"

LINKAGE = [
    *(
        invalid(f"identifier {name}", method, path, "person", INVALID, document(PAIR, {}, {**GOOD_PAIR, "person": {"data": value}}))
        for name, value in NO_IDENTIFIER.items()
        for method, path in [("POST", PAIR), ("PATCH", f"{PAIR}/{SERVICE_ASSIGNMENT}")]
    ),
    *(
        invalid(f"person_id {name}", "POST", PAIR, "person", INVALID, document(PAIR, {"person_id": value}, {"service": GOOD_PAIR["service"]}))
        for name, value in NO_FOREIGN_KEY.items()
    ),
    *(
        invalid(f"{kind} {name} {which}", method, path, name, INVALID, document(kind, NAMED.get(kind, {}), {**others, name: one(type_, identity)}))
        for kind, name, type_, stranger, others in LINKS
        for which, identity in [("of strangers", stranger), ("unknown", UNKNOWN)]
        for method, path in [("POST", kind), ("PATCH", f"{kind}/{RECORDS[kind]}")]
    ),
    *(
        invalid(f"{kind} {name}_id {which}", "PATCH", f"{kind}/{RECORDS[kind]}", name, INVALID, document(kind, {f"{name}_id": identity}))
        for kind, name, _, stranger, _ in LINKS
        for which, identity in [("of strangers", stranger), ("unknown", UNKNOWN)]
    ),
    *(
        invalid(f"{kind} {name} {which}", method, path, name, BLANK, body)
        for kind, name, _, _, others in LINKS
        for which, method, path, body in [
            ("missing", "POST", kind, document(kind, NAMED.get(kind, {}), others)),
            ("without data", "POST", kind, document(kind, NAMED.get(kind, {}), {**others, name: {"meta": {}, "links": {}}})),
            ("null on POST", "POST", kind, document(kind, NAMED.get(kind, {}), {**others, name: {"data": None}})),
            ("null on PATCH", "PATCH", f"{kind}/{RECORDS[kind]}", document(kind, {}, {name: {"data": None}})),
            ("_id null", "PATCH", f"{kind}/{RECORDS[kind]}", document(kind, {f"{name}_id": None})),
        ]
    ),
    *(
        invalid(f"{name} {which}", "PATCH", MEMBER, name, INVALID, document("project_assignments", {}, {name: {"data": linkage}}))
        for name in SOFT
        for which, linkage in [
            ("unknown", identifier("filters", UNKNOWN)),
            ("of strangers", identifier("filters", STRANGER_FILTER)),
            ("of another type", identifier("people", FILTER)),
            ("a list", []),
        ]
    ),
    *(
        invalid(f"person both ways: {name}", "POST", PAIR, "person", INVALID, document(PAIR, {"person_id": attribute}, {**GOOD_PAIR, "person": {"data": linkage}}))
        for name, attribute, linkage in [
            ("different", PERSON, identifier("people", FREE_PERSON)),
            ("different as text", str(PERSON), identifier("people", FREE_PERSON)),
            ("null and one", None, identifier("people", FREE_PERSON)),
            ("one and null", PERSON, None),
            ("one and a list", PERSON, []),
            ("one and an empty identifier", PERSON, {}),
            ("of strangers, and unknown", STRANGER_PERSON, identifier("people", UNKNOWN)),
        ]
    ),
    *(
        invalid(f"saved filter both ways: {name}", "PATCH", MEMBER, "favorite_filter", INVALID, document("project_assignments", {"default_filter_id": attribute}, {"favorite_filter": {"data": linkage}}))
        for name, attribute, linkage in [
            ("different", 7, identifier("filters", FILTER)),
            ("null and one", None, identifier("filters", FILTER)),
            ("one and null", 7, None),
        ]
    ),
    *(
        invalid(f"pair taken: {name}", method, path, at, detail, body)
        for name, method, path, at, detail, body in [
            ("service", "POST", PAIR, "service", "only one assignment per service, per person is allowed", document(PAIR, {}, {"person": one("people", PERSON), "service": one("services", SERVICE)})),
            ("service by ids", "POST", PAIR, "service", "only one assignment per service, per person is allowed", document(PAIR, {"person_id": PERSON, "service_id": str(SERVICE)})),
            ("service on PATCH", "PATCH", f"{PAIR}/{SECOND_ASSIGNMENT}", "service", "only one assignment per service, per person is allowed", document(PAIR, {}, {"service": one("services", SERVICE)})),
            ("project", "POST", "project_assignments", "person", "has already been assigned to that project", document("project_assignments", {}, {"person": one("people", PERSON), "project": one("projects", PROJECT)})),
            ("service type", "POST", "service_type_assignments", "service_type", "only one assignment per service type, per person is allowed", document("service_type_assignments", {}, {"person": one("people", PERSON), "service_type": one("service_types", TYPE)})),
            ("email", "POST", "people", "email", "has already been taken", document("people", {"first_name": "a", "last_name": "b", "email": "taken@example.com"})),
            ("email in capitals", "PATCH", f"people/{FREE_PERSON}", "email", "has already been taken", document("people", {"email": "TAKEN@example.com"})),
        ]
    ),
    invalid("service type in use deleted", "DELETE", f"service_types/{TYPE}", "base", "is used by 2 services; archive it instead", b""),
    *(
        invalid(f"{shortened(name)} {str(value)[:20]} under {member}", method, path, name, NOT_SUPPORTED, {"data": {"type": PAIR, "relationships": GOOD_PAIR, member: {**good, name: value}}})
        for member, good, name, value in [
            ("attributes", {}, "nothing", 1),
            ("attributes", {}, "", 1),
            ("attributes", {}, "id", "1"),
            ("attributes", {}, "type", "x"),
            ("attributes", {}, "pk", 1),
            ("attributes", {}, "_id", 1),
            ("attributes", {}, "created_at", None),
            ("attributes", {}, "person", FREE_PERSON),
            ("attributes", {}, "person", identifier("people", FREE_PERSON)),
            ("attributes", {}, "personId", FREE_PERSON),
            ("attributes", {}, "person_id_id", FREE_PERSON),
            ("attributes", {}, "service__deal", 1),
            ("attributes", {}, "__class__", "x"),
            ("attributes", {}, "clean", "x"),
            ("attributes", {}, "x" * 10_000, "x"),
            ("relationships", GOOD_PAIR, "nothing", one("people", PERSON)),
            ("relationships", GOOD_PAIR, "nothing", {"data": None}),
            ("relationships", GOOD_PAIR, "nothing", {"data": []}),
            ("relationships", GOOD_PAIR, "person_id", one("people", PERSON)),
            ("relationships", GOOD_PAIR, "created_at", {"data": None}),
        ]
        for method, path in [("POST", PAIR), ("PATCH", f"{PAIR}/{SERVICE_ASSIGNMENT}")]
    ),
    invalid("attribute under relationships", "PATCH", f"service_types/{TYPE}", "name", NOT_SUPPORTED, document("service_types", {}, {"name": {"data": None}})),
    invalid("service_types ids as attribute", "PATCH", f"service_types/{TYPE}", "assignee_ids", NOT_SUPPORTED, document("service_types", {"assignee_ids": [PERSON]})),
    invalid("assignees as attribute", "PATCH", f"service_types/{TYPE}", "assignees", NOT_SUPPORTED, document("service_types", {"assignees": []})),
    invalid("archived service type on a new service", "POST", "services", "service_type", "is archived", document("services", {"name": "x"}, {"deal": one("deals", DEAL), "service_type": one("service_types", FREE_TYPE)})),
]  # fmt: skip

# --- Attributes -----------------------------------------------------------------------------------

# (Resource, attribute, maximum length, whether it is required).
TEXTS = [
    ("service_types", "name", 255, True),
    ("service_types", "description", None, False),
    ("people", "first_name", 255, True),
    ("people", "last_name", 255, True),
    ("people", "email", 254, False),
    ("people", "title", 255, False),
    ("projects", "name", 255, True),
    ("projects", "project_number", 50, False),
    ("deals", "name", 255, True),
    ("services", "name", 255, True),
    ("filters", "name", 255, True),
]
BOOLEANS = [
    ("deals", "budget"),
    ("deals", "person_restricted_tracking"),
    ("deals", "service_type_restricted_tracking"),
    ("services", "time_tracking_enabled"),
    ("services", "expense_tracking_enabled"),
    ("project_assignments", "watched"),
]
SOFT_IDS = ["default_filter_id", "tasks_layout_id", "budgets_filter_id", "deals_filter_id", "invoices_filter_id", "docs_filter_id"]  # fmt: skip
NO_TEXT: dict[str, Any] = {"number": 1, "false": False, "list": ["x"], "object": {}}  # fmt: skip
NO_BOOLEAN: dict[str, Any] = {"0": 0, "1": 1, "'true'": "true", "'false'": "false", "'null'": "null", "empty": "", "list": [], "object": {}}  # fmt: skip
NO_DATE: dict[str, Any] = {
    "30 February": "2026-02-30", "month 13": "2026-13-01", "year 10000": "10000-01-01", "year 0": "0000-01-01", "negative year": "-2026-01-01",
    "moment": "2026-01-01T00:00:00Z", "moment with space": "2026-01-01 00:00", "other order": "01/02/2026", "words": "tomorrow", "empty": "",
    "blank": " ", "number": 20260101, "float": 2026.0, "true": True, "list": ["2026-01-01"], "object": {}, "space after": "2026-01-01 ",
    "newline after": "2026-01-01\n", "full-width": f"{full_width(2026)}-01-01", "Arabic": f"{arabic(2026)}-{arabic(10)}-{arabic(11)}", "short": "2026-1-1", "no hyphens": "20260101",
    "week": "2026-W01-1",
}  # fmt: skip
NO_SOFT_ID: dict[str, Any] = {
    "zero": 0, "negative": -1, "fraction": 1.5, "whole float": 1.0, "true": True, "false": False, "text": "abc", "empty": "", "2^63": 2**63,
    "2^64": 2**64, "10^30": 10**30, "underscore": "1_0", "space": " 1", "newline": "1\n", "plus": "+1", "zero before": "01", "power": "1e3",
    "full-width": full_width(1), "Arabic": arabic(1), "list": [1], "object": {},
}  # fmt: skip


def attribute(kind: str, name: str, how: str, value: Any, detail: str) -> Bad:
    path = f"{kind}/{RECORDS[kind]}"
    return invalid(f"{kind} {name} {how}", "PATCH", path, name, detail, document(kind, {name: value}))


ATTRIBUTES = [
    *(attribute(kind, name, how, value, INVALID) for kind, name, _, _ in TEXTS for how, value in NO_TEXT.items()),
    *(
        attribute(kind, name, f"blank {value!r}", value, BLANK)
        for kind, name, _, required in TEXTS if required
        for value in (None, "", " ", "\t\r\n", "\u00a0\u2003\u3000")
    ),
    *(
        attribute(kind, name, "too long", "x" * (longest + 1), f"is too long (maximum is {longest} characters)")
        for kind, name, longest, _ in TEXTS if longest and name != "email"
    ),
    attribute("people", "email", "too long", f"{'x' * 60}@{'y' * 60}.{'y' * 60}.{'y' * 60}.{'y' * 8}.net", "is too long (maximum is 254 characters)"),
    *(attribute("people", "email", f"{value!r}", value, INVALID) for value in ("x", "x@", "@example.com", "x@y", "a b@example.com", "x@example.com\ny@example.com", "x@example.com, y@example.com", "x@exa mple.com")),
    *(attribute(kind, name, how, value, INVALID) for kind, name in BOOLEANS for how, value in NO_BOOLEAN.items()),
    *(attribute(kind, name, "null", None, BLANK) for kind, name in BOOLEANS if name != "watched"),
    attribute("project_assignments", "subscribe", "text", "true", INVALID),
    invalid("subscribe and unsubscribe", "PATCH", MEMBER, "unsubscribe", INVALID, document("project_assignments", {"subscribe": True, "unsubscribe": True})),
    attribute("deals", "budget", "false", False, "must be true: only budgets are kept"),
    *(attribute("deals", name, how, value, INVALID) for name in ("date", "end_date") for how, value in NO_DATE.items()),
    attribute("deals", "end_date", "before the start", "2025-12-31", "must not be before the start date"),
    invalid("deals start after the end", "PATCH", f"deals/{DEAL}", "end_date", "must not be before the start date", document("deals", {"date": "2027-01-01"})),
    *(attribute("project_assignments", name, how, value, INVALID) for name in SOFT_IDS for how, value in NO_SOFT_ID.items() if name == SOFT_IDS[0] or how in ("zero", "fraction", "text", "2^63")),
    attribute("filters", "params", "null", None, BLANK),
    *(
        invalid(f"{kind} without {name}", "POST", kind, name, BLANK, document(kind, more, relationships))
        for kind, name, more, relationships in [
            ("service_types", "name", {}, {}),
            ("people", "first_name", {"last_name": "x"}, {}),
            ("people", "last_name", {"first_name": "x"}, {}),
            ("projects", "name", {"project_number": "1"}, {}),
            ("deals", "name", {}, {"project": one("projects", PROJECT)}),
            ("services", "name", {}, {"deal": one("deals", DEAL), "service_type": one("service_types", TYPE)}),
            ("filters", "name", {"params": {}}, {}),
        ]
    ),
    invalid("service type without attributes", "POST", "service_types", "name", BLANK, document("service_types")),
]  # fmt: skip

# --- Query strings --------------------------------------------------------------------------------


def query(code: str, at: str, text: str, path: str = "people") -> Bad:
    return Bad(f"{path}?{shortened(text)}", "GET", f"{path}?{text}", 400, code, at)


QUERIES = [
    *(
        query("unsupported_filter", at, text)
        for at, text in [
            ("filter", "filter"),
            ("filter", "filter="),
            ("filter", "filter=1"),
            ("filter[", "filter[=1"),
            ("filter[x", "filter[x=1"),
            ("filter[name", "filter[name=1"),
            ("filter[]", "filter[]="),
            ("filter[][]", "filter[][]=1"),
            ("filter[[id]]", "filter[[id]]=1"),
            ("filter[id]x", "filter[id]x=1"),
            ("filter[id][eq][eq]", "filter[id][eq][eq]=1"),
            ("filter[id][eq][0][1]", "filter[id][eq][0][1]=1"),
            ("filter[id][][eq]", "filter[id][][eq]=1"),
            ("filter[id][-1]", "filter[id][-1]=1"),
            ("filter[id]\0", "filter[id]%00=1"),
            ("filter[on]", "filter[on]=2026-01-01"),
            ("filter[kind]", "filter[kind]=time"),
            ("filter[nothing]", "filter[nothing]=1"),
            ("filter[Email]", "filter[Email]=1"),
            ("filter[ email]", "filter[%20email]=1"),
            ("filter[email\0]", "filter[email%00]=x"),
            ("filter[\ufffd]", "filter[%FF]=x"),
            ("filter[avatar_url]", "filter[avatar_url]=x"),
            ("filter[pk]", "filter[pk]=1"),
            ("filter[id__gt]", "filter[id__gt]=1"),
            ("filter[email__startswith]", "filter[email__startswith]=x"),
            ("filter[organization]", f"filter[organization]={STRANGERS}"),
            ("filter[organization_id]", f"filter[organization_id]={STRANGERS}"),
            ("filter[organization__name]", "filter[organization__name]=x"),
            ("filter[organization.name]", "filter[organization.name]=x"),
            ("filter[service_types__name]", "filter[service_types__name]=x"),
            ("filter[_connector]", "filter[_connector]=OR"),
            ("filter[__class__]", "filter[__class__]=x"),
            ("filter[form]", "filter[form]=x"),
            ("filter[id][contains]", "filter[id][contains]=1"),
            ("filter[id][in]", "filter[id][in]=1"),
            ("filter[id][EQ]", "filter[id][EQ]=1"),
            ("filter[email][gt]", "filter[email][gt]=x"),
            ("filter[email][regex]", "filter[email][regex]=x"),
            ("filter[status][contains]", "filter[status][contains]=1"),
            ("filter[query][contains]", "filter[query][contains]=x"),
            ("filter[project_id][gt]", "filter[project_id][gt]=1"),
        ]
    ),
    *(
        query("unsupported_filter_value", at, text)
        for at, text in [
            ("filter[id]", "filter[id]"),
            ("filter[id]", "filter[id]="),
            ("filter[id]", "filter[id]=,"),
            ("filter[id]", "filter[id]=1,,2"),
            ("filter[id]", "filter[id]=1,"),
            ("filter[id]", "filter[id]=-1"),
            ("filter[id]", "filter[id]=-0"),
            ("filter[id]", "filter[id]=00"),
            ("filter[id]", "filter[id]=0.0"),
            ("filter[id]", "filter[id]=1.0"),
            ("filter[id]", "filter[id]=0,"),
            ("filter[id]", "filter[id]=%2B1"),
            ("filter[id]", "filter[id]=+1"),
            ("filter[id]", "filter[id]=1.5"),
            ("filter[id]", "filter[id]=01"),
            ("filter[id]", "filter[id]=1e3"),
            ("filter[id]", "filter[id]=1_0"),
            ("filter[id]", "filter[id]=true"),
            ("filter[id]", "filter[id]=null"),
            ("filter[id]", "filter[id]=[1]"),
            ("filter[id]", "filter[id]=1%00"),
            ("filter[id]", "filter[id]=1%0A"),
            ("filter[id]", "filter[id]=%FF"),
            ("filter[id]", "filter[id]=%EF%BC%91"),
            ("filter[id]", "filter[id]=9223372036854775808"),
            ("filter[id]", f"filter[id]={'9' * 20}"),
            ("filter[id]", f"filter[id]={'9' * 5_000}"),
            ("filter[id][eq]", "filter[id]=1&filter[id][eq]=2"),
            ("filter[id]", "filter[id][]=1&filter[id]=2"),
            ("filter[id][0]", "filter[id]=1&filter[id][0]=2"),
            ("filter[id][eq]", "filter[id][eq][]=1&filter[id][eq]=2"),
            ("filter[email][eq]", "filter[email]=a&filter[email][eq]=a"),
            ("filter[id][]", "filter[id][]=1&filter[id][]="),
            ("filter[id][0]", "filter[id][0]=x"),
            ("filter[id][gt]", "filter[id][gt]=9223372036854775808"),
            ("filter[id][gt]", "filter[id][gt]=x"),
            ("filter[id][not_eq]", "filter[id][not_eq]=9223372036854775808"),
            ("filter[project_id]", "filter[project_id]=9223372036854775808"),
            ("filter[service_type_id]", "filter[service_type_id]=x"),
            ("filter[status]", "filter[status]="),
            ("filter[status]", "filter[status]=3"),
            ("filter[status]", "filter[status]=01"),
            ("filter[status]", "filter[status]=active"),
            ("filter[email]", "filter[email]=%00"),
            ("filter[status]", "filter[status]=1&filter[status]=3"),
            ("filter[email][contains]", "filter[email][contains]=a%00b"),
            ("filter[query]", "filter[query]=%00"),
            # SQLite would reject this pattern as too complex, and these ORs as too deep.
            ("filter[email][contains]", f"filter[email][contains]={'x' * 60_000}"),
            ("filter[query]", f"filter[query]={'x' * 60_000}"),
            ("filter[id][gt]", f"filter[id][gt]={','.join(map(str, range(1, 2_001)))}"),
            ("filter[email][contains][]", "&".join(f"filter[email][contains][]={n}" for n in range(999))),
            ("filter[query][]", "&".join(f"filter[query][]={n}" for n in range(999))),
        ]
    ),
    *(
        query(code, at, text, path)
        for path, code, at, text in [
            ("service_assignments", "unsupported_filter_value", "filter[person_id]", "filter[person_id]=9223372036854775808"),
            ("service_assignments", "unsupported_filter_value", "filter[service_id][]", "filter[service_id][]=1&filter[service_id][]=x"),
            ("service_assignments", "unsupported_filter", "filter[person]", "filter[person]=1"),
            ("service_assignments", "unsupported_filter", "filter[person__email]", "filter[person__email]=x"),
            ("service_assignments", "unsupported_filter", "filter[person.email]", "filter[person.email]=x"),
            ("project_assignments", "unsupported_filter", "filter[watched]", "filter[watched]=true"),
            ("project_assignments", "unsupported_filter", "filter[preferences__a]", "filter[preferences__a]=1"),
            ("deals", "unsupported_filter_value", "filter[budget_status]", "filter[budget_status]=0"),
            ("deals", "unsupported_filter_value", "filter[type]", "filter[type]=x"),
            ("services", "unsupported_filter_value", "filter[deal_id]", "filter[deal_id]=-1"),
            ("service_types", "unsupported_filter_value", "filter[name]", "filter[name]=%00"),
            ("service_types", "unsupported_filter", "filter[name][gt]", "filter[name][gt]=a"),
            ("organizations", "unsupported_filter", "filter[name]", "filter[name]=x"),
            ("filters", "unsupported_filter", "filter[params]", "filter[params]=x"),
            ("service_types", "unsupported_sort", "sort", "sort=name"),
            ("service_assignments", "unsupported_sort", "sort", "sort=created_at"),
            ("service_assignments", "unsupported_sort", "sort[]", "sort[]=id"),
            ("service_assignments", "unsupported_include", "include[0]", "include[0]=person"),
            ("service_assignments", "unsupported_include", "include", "include=person.service_assignments"),
            ("services", "unsupported_filter_value", "filter[access]", "filter[access]=Open"),
            ("services", "unsupported_filter_value", "filter[trackable_by_person_id]", f"filter[trackable_by_person_id]={PERSON},{FREE_PERSON}"),
            ("services", "unsupported_filter_value", "filter[on][]", f"filter[trackable_by_person_id]={PERSON}&filter[on][]=2026-01-01&filter[on][]=2026-01-01"),
            ("services", "unsupported_filter_value", "filter[kind]", f"filter[trackable_by_person_id]={PERSON}&filter[kind]="),
            ("tracking_decisions", "unsupported_filter", "filter[id]", "filter[id]=1"),
            ("tracking_decisions", "unsupported_filter_value", "filter[person_id]", "filter[person_id]=9223372036854775808"),
            ("tracking_decisions", "unsupported_filter_value", "filter[on]", f"filter[person_id]={PERSON}&filter[on]=2026-02-30"),
            ("tracking_decisions", "invalid_page", "page[size]", f"filter[person_id]={PERSON}&page[size]=0"),
            ("organizations", "unsupported_sort", "sort", "sort=name"),
            ("organizations", "unsupported_include", "include", "include=people"),
            ("project_assignments", "unsupported_sort", "sort", "sort=person_id"),
        ]
    ),
    *(
        query("unsupported_sort", "sort", text)
        for text in [
            "sort=,", "sort=-", "sort=?", "sort=--name", "sort=%2Bname", "sort=+name", "sort=name,", "sort=,name",
            "sort=nothing", "sort=Name", "sort=pk", "sort=first_name", "sort=organization__name", "sort=service_types.name", "sort=name%00",
            "sort=password", "sort=name%20desc", "sort=name;email", "sort=random", "sort=name&sort=email", "sort=" + "x" * 5_000,
        ]
    ),
    *(
        query("unsupported_include", "include", text)
        for text in [
            "include=nothing", "include=Organization", "include=organization,nothing", "include=organization,,nothing",
            "include=first_name", "include=created_at", "include=id", "include=__proto__", "include=__class__", "include=user",
            "include=organization.users", "include=organization.name", "include=organization.", "include=.organization", "include=.",
            "include=organization..name", "include=organization__users", "include=service_assignments", "include=tokens", "include=*",
            "include=service_types.assignees.service_types.assignees.service_types.assignees", "include=" + "service_types.assignees." * 500,
            "include=organization%00", "include=%20organization", "include=organization&include=service_types", "include=%FF",
        ]
    ),
    *(
        query("unsupported_field", at, text)
        for at, text in [
            ("fields", "fields=email"),
            ("fields[", "fields[=email"),
            ("fields[people", "fields[people=email"),
            ("fields[]", "fields[]=email"),
            ("fields[people][]", "fields[people][]=email"),
            ("fields[people][email]", "fields[people][email]=1"),
            ("fields[People]", "fields[People]=email"),
            ("fields[people]", "fields[people]=id"),
            ("fields[nothing]", "fields[nothing]=email"),
            ("fields[nothing]", "fields[nothing]="),
            ("fields[users]", "fields[users]=password"),
            ("fields[api_tokens]", "fields[api_tokens]=digest"),
            ("fields[person]", "fields[person]=email"),
            ("fields[people]", "fields[people]=password"),
            ("fields[people]", "fields[people]=email,nothing"),
            ("fields[people]", "fields[people]=email%00"),
            ("fields[people]", "fields[people]=organization_id"),
            ("fields[people]", "fields[people]=organization.name"),
            ("fields[people]", "fields[people]=service_assignments"),
            ("fields[people]", "fields[people]=__dict__"),
            ("fields[people]", "fields[people]=email&fields[people]=title"),
            ("fields[service_types]", "fields[service_types]=password&include=service_types"),
        ]
    ),
    *(
        query("invalid_page", at, text)
        for at, text in [
            ("page", "page=2"),
            ("page", "page"),
            ("page[", "page[=1"),
            ("page[foo]", "page[foo]=1"),
            ("page[]", "page[]=1"),
            ("page[number][]", "page[number][]=1"),
            ("page[number][]", "page[number]=1&page[number][]=2"),
            ("page[limit]", "page[limit]=10"),
            ("page[offset]", "page[offset]=10"),
            *(
                (f"page[{name}]", f"page[{name}]={value}")
                for name in ("number", "size")
                for value in (
                    "-1", "x", "1.5", "last", "%2B1", "+1", "01", "1e3", "1_0", "1%00", "1%0A", "%EF%BC%91", "9223372036854775808",
                    "9" * 5_000, "1,2",
                )
            ),
            ("page[size]", "page[size]=0"),
            ("page[number]", "page[number]=1&page[number]=1"),
            ("page[size]", "page[size]=1&page[size]=2"),
        ]
    ),
    query("keyset_conflict", "page[number]", "page[after]=&page[number]=1"),
    query("keyset_invalid_cursor", "page[after]", "page[after]=x"),
    Bad("1,001 parameters", "GET", f"people?{'&'.join(f'a{n}=1' for n in range(1_001))}", 400, "malformed_document"),
    Bad("100,000 parameters", "GET", f"people?{'a&' * 100_000}", 400, "malformed_document"),
    Bad("1,001 parameters on POST", "POST", f"service_types?{'&'.join(f'a{n}=1' for n in range(1_001))}", 400, "malformed_document", body=GOOD),
    *(
        Bad(f"{path}?{text}", method, f"{path}?{text}", 400, code, at, body=body)
        for method, path, body in [("POST", "service_types", GOOD), ("PATCH", f"service_types/{TYPE}", GOOD), ("PATCH", f"service_types/{TYPE}/archive", b""), ("GET", f"service_types/{TYPE}", b"")]
        for code, at, text in [
            ("unsupported_include", "include", "include=nothing"),
            ("unsupported_field", "fields[service_types]", "fields[service_types]=nothing"),
        ]
    ),
]  # fmt: skip

BAD = [*AUTHENTICATION, *METHODS, *PATHS, *BYTES, *CONTENT_TYPES, *SHAPES, *LINKAGE, *ATTRIBUTES, *QUERIES]

# --- Careless requests ----------------------------------------------------------------------------


class AnyMoment:
    """Equal to any moment in the format of the API."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and MOMENT_TEXT.fullmatch(other) is not None

    __hash__ = None  # type: ignore[assignment]


MOMENT, ANY_MOMENT = "(a moment)", AnyMoment()
MOMENT_TEXT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d")
NEW = "(new)"
RENAMED = {(ServiceType, TYPE): {"name": "Design"}}
DESIGN = {"name": "Design", "description": None, "archived_at": None}
NEW_DESIGN = {(ServiceType, NEW): {**DESIGN, "merged_into_id": None}}
ARCHIVED = {(ServiceType, TYPE): {"archived_at": MOMENT}}
DESIGN_AGAIN = document("service_types", {"name": "Design"}, id=str(TYPE))
ASSIGNED = {(ServiceAssignment, NEW): {"person_id": FREE_PERSON, "service_id": SERVICE}}
PREFERENCE = document("project_assignments", {"preferences": [1]})
BROWSER = (
    "text/xml,application/xml,application/xhtml+xml,text/html;q=0.9,text/plain;q=0.8,image/png,*/*;q=0.5"
)


def patched(name: str, body: Any, **more: Any) -> Careless:
    return Careless(name, "PATCH", f"service_types/{TYPE}", 200, body, {"name": "Design"}, RENAMED, **more)


def created(name: str, body: Any, query: str = "", **more: Any) -> Careless:
    return Careless(name, "POST", f"service_types{query}", 201, body, DESIGN, NEW_DESIGN, **more)


def member(name: str, attributes: dict[str, Any], **changes: Any) -> Careless:
    rows = {(ProjectAssignment, PROJECT_ASSIGNMENT): changes} if changes else {}
    return Careless(name, "PATCH", MEMBER, 200, document("project_assignments", attributes), changes, rows)


CARELESS = [
    created("unknown top-level members", {**GOOD_NAME, "meta": {"a": 1}, "included": [{"type": "x"}], "links": None, "x": 1}),
    created("jsonapi member", {"jsonapi": {"version": "1.1"}, **GOOD_NAME}),
    created("no relationships", GOOD_NAME),
    created("empty relationships", document("service_types", {"name": "Design"}, {})),
    created("id null", document("service_types", {"name": "Design"}, id=None)),
    created("client's own lid", document("service_types", {"name": "Design"}, lid="a")),
    created("resource with links and meta", document("service_types", {"name": "Design"}, links={}, meta={})),
    created("read-only members", document("service_types", {"name": "Design", "archived_at": "2020-01-01"}, {"organization": one("organizations", STRANGERS), "assignees": {"data": [identifier("people", PERSON)]}})),
    created("space around a name", document("service_types", {"name": " Design\n"})),
    created("white space around the document", b" \r\n\t" + GOOD + b"\n"),
    created("escaped text", A_NAME % b'"\\u0044esign"'),
    created("name sent twice", b'{"data":{"type":"service_types","attributes":{"name":"x","name":"Design"}}}'),
    created("exactly the limit", GOOD.ljust(1_000_000)),
    created("slash at the end", GOOD_NAME, "/"),
    created("unknown query parameters", GOOD_NAME, "?foo=bar&foo=baz&_=1700000000&filter_by=x&pages=2&Sort=name&%FF=%00"),
    *(
        created(f"content type {value}", GOOD, headers={TYPE_OF_CONTENT: value})
        for value in [
            f"{MEDIA_TYPE}; charset=utf-8", f"{MEDIA_TYPE};charset=UTF-8", f'{MEDIA_TYPE}; charset="utf-8"', f"{MEDIA_TYPE}; charset=utf8",
            f"{MEDIA_TYPE}; ext=bulk", f"{MEDIA_TYPE}; ext=bulk; charset=utf-8", f'{MEDIA_TYPE}; ext="bulk"', MEDIA_TYPE.upper(),
            f"{MEDIA_TYPE};", f" {MEDIA_TYPE} ; Charset=utf-8",
        ]
    ),
    created("identity coding", GOOD, headers={"Content-Encoding": "identity"}),
    created("Accept of a browser", GOOD, headers={"Accept": BROWSER}),
    created("own organization in the header", GOOD, headers={ORGANIZATION_ID: str(ORGANIZATION)}),
    created("own organization in the query", GOOD, f"?X-Organization-Id={ORGANIZATION}"),
    Careless("text of any script", "POST", "filters", 201, document("filters", {"name": "\U0001f600\u202e\ufeff\ufffe"}), {"name": "\U0001f600\ufffe"}, {(Filter, NEW): {"name": "\U0001f600\ufffe", "params": {}}}),
    patched("PATCH without id", document("service_types", {"name": "Design"})),
    patched("PATCH with id null", document("service_types", {"name": "Design"}, id=None)),
    patched("PATCH with id", DESIGN_AGAIN),
    patched("PATCH with a slash at the end", DESIGN_AGAIN)._replace(path=f"service_types/{TYPE}/"),
    patched("PATCH of all that was fetched", document("service_types", {"name": "Design", "archived_at": "2020-01-01T00:00:00.000+01:00", "description": "Made up"}, {"organization": one("organizations", ORGANIZATION), "assignees": {"meta": {"included": False}}}, id=str(TYPE))),
    patched("PATCH with organization_id", document("service_types", {"name": "Design", "organization_id": STRANGERS})),
    patched("PATCH with another organization", document("service_types", {"name": "Design"}, {"organization": one("organizations", STRANGERS)})),
    patched("PATCH with assignees to be replaced", document("service_types", {"name": "Design"}, {"assignees": {"data": []}})),
    *(patched(f"PATCH with assignees {value}", document("service_types", {"name": "Design"}, {"assignees": value})) for value in ({}, {"meta": {}}, {"links": {"self": "/x"}})),
    Careless("PATCH with the number of an id", "PATCH", f"{PAIR}/{SERVICE_ASSIGNMENT}", 200, document(PAIR, {}, {"service": {"data": {"type": "services", "id": SERVICE}}})),
    Careless("PATCH without attributes", "PATCH", f"service_types/{TYPE}", 200, document("service_types"), {"name": "Made"}),
    Careless("PATCH of an assignment as fetched", "PATCH", f"{PAIR}/{SERVICE_ASSIGNMENT}", 200, document(PAIR, {}, {"organization": one("organizations", ORGANIZATION), "person": {"meta": {"included": False}}, "service": {"meta": {"included": False}}}, id=str(SERVICE_ASSIGNMENT))),
    *(
        Careless(f"PATCH with relationship {value}", "PATCH", f"{PAIR}/{SERVICE_ASSIGNMENT}", 200, document(PAIR, {}, {"person": value, "service": one("services", SERVICE)}))
        for value in ({}, {"meta": {"included": False}}, {"links": {"related": "/x"}})
    ),
    Careless("PATCH of a budget as fetched", "PATCH", f"deals/{DEAL}", 200, document("deals", {"budget": True, "closed_at": MOMENT, "created_at": 1, "date": "2026-01-01"}), {"date": "2026-01-01"}),
    *(
        Careless(f"pair {name}", "POST", PAIR, 201, body, {}, ASSIGNED)
        for name, body in {
            "by relationships": document(PAIR, ABSENT, GOOD_PAIR),
            "with empty attributes": document(PAIR, {}, GOOD_PAIR),
            "with method in the identifiers": document(PAIR, {}, {n: {"data": {**r["data"], "method": "replace"}} for n, r in GOOD_PAIR.items()}),
            "with method in the resource": document(PAIR, {}, GOOD_PAIR, method="create"),
            "with links and meta": document(PAIR, {}, {n: {**r, "links": {}, "meta": {}} for n, r in GOOD_PAIR.items()}),
            "with attributes in identifiers": document(PAIR, {}, {n: {"data": {**r["data"], "attributes": {"name": "x"}}} for n, r in GOOD_PAIR.items()}),
            "by numbers": document(PAIR, {"person_id": FREE_PERSON, "service_id": SERVICE}),
            "by numbers as text": document(PAIR, {"person_id": str(FREE_PERSON), "service_id": str(SERVICE)}),
            "both ways alike": document(PAIR, {"person_id": FREE_PERSON, "service_id": str(SERVICE)}, GOOD_PAIR),
            "half and half": document(PAIR, {"person_id": FREE_PERSON}, {"service": GOOD_PAIR["service"], "person": {}}),
            "with organization_id": document(PAIR, {"organization_id": "abc"}, GOOD_PAIR),
        }.items()
    ),
    Careless("member with defaults", "POST", "project_assignments", 201, document("project_assignments", ABSENT, GOOD_MEMBER), {"watched": None}, {(ProjectAssignment, NEW): {"person_id": FREE_PERSON, "project_id": PROJECT, "preferences": None, "watched": None, **dict.fromkeys(SOFT_IDS)}}),
    member("largest id", {"default_filter_id": 2**63 - 1}, default_filter_id=2**63 - 1),
    member("id as text", {"tasks_layout_id": "7"}, tasks_layout_id=7),
    member("id of a stranger's filter", {"docs_filter_id": STRANGER_FILTER}, docs_filter_id=STRANGER_FILTER),
    member("id null", {"default_filter_id": None}),
    *(member(f"watched {value}", {"watched": value}, watched=value) for value in (True, False)),
    member("watched null", {"watched": None}),
    member("subscribe", {"subscribe": True, "unsubscribe": False, "watched": None}, watched=True),
    member("unsubscribe", {"unsubscribe": True, "subscribe": None}, watched=False),
    member("neither subscribe nor unsubscribe", {"subscribe": False, "unsubscribe": None}),
    *(
        member(f"preferences {str(value)[:20]}", {"preferences": value}, preferences=value)
        for value in (
            True, False, 0, 1, -1, 1.5, 1e19, 1e-7, 2**63 - 1, -(2**63), 2**64 - 1, "", "x", "\ufffe", "\\u0000", [], {}, [[], {}, None], {"": {"a b": [None]}},
            {"__proto__": 1, "constructor": 1, "$where": "x"}, json.loads(nested(50)), "x" * 100_000,
        )
    ),
    member("preferences null", {"preferences": None}),
    *(
        Careless(f"saved filter {name}", "PATCH", MEMBER, 200, document("project_assignments", attributes, {"favorite_filter": {"data": linkage}}), changes, {(ProjectAssignment, PROJECT_ASSIGNMENT): changes} if changes else {})
        for name, attributes, linkage, changes in [
            ("as a relationship", {}, identifier("filters", FILTER), {"default_filter_id": FILTER}),
            ("both ways alike", {"default_filter_id": str(FILTER)}, identifier("filters", FILTER), {"default_filter_id": FILTER}),
            ("null", {}, None, {}),
            ("null both ways", {"default_filter_id": None}, None, {}),
        ]
    ),
    *(
        Careless(f"{kind} {name} of {longest} characters", "PATCH", f"{kind}/{RECORDS[kind]}", 200, document(kind, {name: "ž" * longest}), {name: "ž" * longest}, {(model, RECORDS[kind]): {name: "ž" * longest}})
        for model, kind, name, longest in [
            (ServiceType, "service_types", "name", 255),
            (ServiceType, "service_types", "description", 100_000),
            (Person, "people", "first_name", 255),
            (Person, "people", "last_name", 255),
            (Person, "people", "title", 255),
            (Project, "projects", "name", 255),
            (Project, "projects", "project_number", 50),
            (Deal, "deals", "name", 255),
            (Service, "services", "name", 255),
        ]
    ),
    Careless("email of 254 characters", "PATCH", f"people/{FREE_PERSON}", 200, document("people", {"email": f"{'x' * 60}@{'y' * 60}.{'y' * 60}.{'y' * 60}.{'y' * 6}.ne"}), changes={(Person, FREE_PERSON): {"email": f"{'x' * 60}@{'y' * 60}.{'y' * 60}.{'y' * 60}.{'y' * 6}.ne"}}),
    Careless("own email again", "PATCH", f"people/{PERSON}", 200, document("people", {"email": "taken@example.com"}), {"email": "taken@example.com"}),
    Careless("email of a stranger", "PATCH", f"people/{PERSON}", 200, document("people", {"email": "stranger@example.com"}), {"email": "stranger@example.com"}, {(Person, PERSON): {"email": "stranger@example.com"}}),
    Careless("email cleared", "PATCH", f"people/{PERSON}", 200, document("people", {"email": None}), {"email": None}, {(Person, PERSON): {"email": None}}),
    Careless("second email cleared with no text", "PATCH", f"people/{PERSON}", 200, document("people", {"email": ""}), changes={(Person, PERSON): {"email": None}}),
    *(Careless(f"date {value}", "PATCH", f"deals/{DEAL}", 200, document("deals", {"end_date": value}), {"end_date": value}, {(Deal, DEAL): {"end_date": value}}) for value in ("2026-01-01", "2028-02-29", "9999-12-31", None)),
    Careless("first day of all", "PATCH", f"deals/{DEAL}", 200, document("deals", {"date": "0001-01-01"}), {"date": "0001-01-01"}, {(Deal, DEAL): {"date": "0001-01-01"}}),
    Careless("DELETE with a body", "DELETE", f"service_types/{FREE_TYPE}", 204, GOOD_NAME, changes={(ServiceType, FREE_TYPE): None}),
    Careless("DELETE with a body that is none", "DELETE", f"{PAIR}/{SERVICE_ASSIGNMENT}", 204, b"\xff{", changes={(ServiceAssignment, SERVICE_ASSIGNMENT): None}, headers={TYPE_OF_CONTENT: "text/plain"}),
    Careless("DELETE with a slash at the end", "DELETE", f"{PAIR}/{SERVICE_ASSIGNMENT}/", 204, changes={(ServiceAssignment, SERVICE_ASSIGNMENT): None}),
    *(
        Careless(f"archive with {name}", "PATCH", f"service_types/{TYPE}/archive{end}", 200, body, {"archived_at": MOMENT}, ARCHIVED, headers)
        for name, end, body, headers in [
            ("no body", "", b"", {}),
            ("no body, but a content type", "", b"", {TYPE_OF_CONTENT: MEDIA_TYPE}),
            ("no body, but another content type", "", b"", {TYPE_OF_CONTENT: "application/json"}),
            ("no body, but a form's content type", "", b"", {TYPE_OF_CONTENT: "application/x-www-form-urlencoded"}),
            ("an empty object", "", b"{}", {}),
            ("an identifier", "", one("service_types", TYPE), {}),
            ("type only", "", {"data": {"type": "service_types"}}, {}),
            ("attributes", "", document("service_types", {"name": "x"}, id=str(TYPE)), {}),
            ("a slash at the end", "/", b"", {}),
            ("unknown query parameters", "?foo=bar", b"", {}),
        ]
    ),
    Careless("archive by PUT", "PUT", f"service_types/{TYPE}/archive", shows={"archived_at": MOMENT}, changes=ARCHIVED),
    Careless("archive of what is archived", "PATCH", f"service_types/{FREE_TYPE}/archive", shows={"archived_at": "2026-01-01T01:00:00.000+01:00"}),
    Careless("restore", "PATCH", f"service_types/{FREE_TYPE}/restore", shows={"archived_at": None}, changes={(ServiceType, FREE_TYPE): {"archived_at": None}}),
    Careless("restore of what is in use", "PATCH", f"service_types/{TYPE}/restore", shows={"archived_at": None}),
    *(
        Careless(f"GET with {name}", "GET", "projects", shows=[PROJECT], headers=headers)
        for name, headers in {
            "content type text/plain": {TYPE_OF_CONTENT: "text/plain"},
            "content type rot13": {TYPE_OF_CONTENT: f"{MEDIA_TYPE}; charset=rot13"},
            "content type extended rot13": {TYPE_OF_CONTENT: "x; charset*=rot13''x"},
            "content type multipart": {TYPE_OF_CONTENT: "multipart/form-data"},
            "empty content type": {TYPE_OF_CONTENT: ""},
            "coding gzip": {"Content-Encoding": "gzip"},
            "Accept any": {"Accept": "*/*"},
            "Accept JSON": {"Accept": "application/json, text/plain, */*"},
            "Accept HTML only": {"Accept": "text/html"},
            "Accept with a parameter": {"Accept": f'{MEDIA_TYPE}; ext="x"'},
            "Accept nonsense": {"Accept": ";;q=,,/"},
            "empty Accept": {"Accept": ""},
            "a language": {"Accept-Language": "x" * 500},
            "a cookie": {"Cookie": 'sessionid="\\000"; csrftoken=x; a'},
            "a range": {"Range": "bytes=0-1", "If-None-Match": "x", "If-Modified-Since": "x"},
            "a proxy's headers": {"X-Forwarded-Host": "evil.example", "X-Forwarded-For": "x", "Forwarded": "x"},
        }.items()
    ),
    Careless("GET with rot13 and a query", "GET", f"projects?filter[id]={PROJECT}", shows=[PROJECT], headers={TYPE_OF_CONTENT: "x; charset=rot13"}),
    Careless("GET with a body", "GET", "projects", body=b"{", shows=[PROJECT]),
    Careless("GET with a slash at the end", "GET", "projects/", shows=[PROJECT]),
    Careless("GET one with a slash at the end", "GET", f"projects/{PROJECT}/", shows={"name": "Bridge"}),
    Careless("HEAD", "HEAD", "projects"),
    *(
        Careless(f"{path}?{shortened(text)}", "GET", f"{path}?{text}", shows=shown)
        for path, text, shown in [
            ("projects", "", [PROJECT]),
            ("projects", "&&=&", [PROJECT]),
            ("projects", "foo=bar&format=xml&filters=x&includes=x&field=x&pagenumber=0&sorted=x", [PROJECT]),
            ("projects", "foo=%00&%FF=%FF", [PROJECT]),
            ("projects", "x-organization-id=1", [PROJECT]),
            ("projects", "&".join(f"a{n}=1" for n in range(1_000)), [PROJECT]),
            ("projects", "foo=" + "x" * 60_000, [PROJECT]),
            ("projects", "page[size]=1000", [PROJECT]),
            ("projects", "page[size]=9223372036854775807", [PROJECT]),
            ("projects", "page[number]=9223372036854775807", []),
            ("projects", "page[number]=9223372036854775807&page[size]=9223372036854775807", []),
            ("projects", "page[number]=307445734561825860", []),
            ("projects", "page[number]=2", []),
            ("projects", "page[number]=0", [PROJECT]),
            ("projects", "page[number]=&page[size]=", [PROJECT]),
            ("projects", "sort=", [PROJECT]),
            ("projects", "page%5Bnumber%5D=1&page%5Bsize%5D=1", [PROJECT]),
            ("projects", "include=", [PROJECT]),
            ("projects", "include=,", [PROJECT]),
            ("projects", "include=organization,", [PROJECT]),
            ("projects", "include=" + "organization," * 1_000, [PROJECT]),
            ("projects", "fields[projects]=", [PROJECT]),
            ("projects", "fields[projects]=,", [PROJECT]),
            ("projects", "fields[people]=email", [PROJECT]),
            ("projects", "sort=id", [PROJECT]),
            ("projects", "sort=name,name,-name,id,-id", [PROJECT]),
            ("projects", "sort=" + ",".join(["name", "-created_at", "id"] * 800), [PROJECT]),
            ("projects", "filter[id]=9223372036854775807", []),
            ("projects", "filter[id]=0", []),
            ("projects", "filter[id]=0,0", []),
            ("projects", f"filter[id]=0,{PROJECT}", [PROJECT]),
            ("projects", f"filter[id][]=0&filter[id][]={PROJECT}", [PROJECT]),
            ("projects", "filter[id][0]=0", []),
            ("projects", "filter[id][not_eq]=0", [PROJECT]),
            ("projects", "filter[id][gt]=0", [PROJECT]),
            ("projects", "filter[id][gt_eq]=0", [PROJECT]),
            ("projects", "filter[id][lt]=0", []),
            ("projects", "filter[id][lt_eq]=0", []),
            ("projects", f"filter[id]={STRANGER_PROJECT}", []),
            ("projects", f"filter[id]={STRANGER_PROJECT},{PROJECT}", [PROJECT]),
            ("projects", f"filter[id][]={UNKNOWN}&filter[id][]={PROJECT}", [PROJECT]),
            ("projects", f"filter[id][0]={UNKNOWN}&filter[id][1]={PROJECT}", [PROJECT]),
            ("projects", "filter[id]=" + ",".join(map(str, range(PROJECT, PROJECT + 4_000))), [PROJECT]),
            ("projects", "&".join(["filter[id][]=" + str(PROJECT)] * 1_000), [PROJECT]),
            ("projects", "filter[status]=1,1,2", [PROJECT]),
            ("projects", "filter[name]=", []),
            ("projects", "filter[name]=BRIDGE", []),
            ("projects", "filter[name]=Bridge%20", []),
            ("projects", "filter[name]=%FF", []),
            ("projects", "filter[name]=' OR 1=1 --", []),
            ("projects", "filter[name][contains]=RID", [PROJECT]),
            ("projects", "filter[name][contains]=%25", []),
            ("projects", "filter[name][contains]=_", []),
            ("projects", "filter[name][contains]=%5C", []),
            ("projects", "filter[name][not_contain]=zzz", [PROJECT]),
            ("projects", "filter[name]=" + "x" * 8_000, []),
            ("projects", "filter[query]=" + "x" * 8_000, []),
            ("projects", "filter[query]=", [PROJECT]),
            ("people", f"filter[service_type_id]={TYPE}&filter[service_type_id][not_eq]={FREE_TYPE}", [PERSON]),
            ("people", f"filter[id]={FREE_PERSON}&filter[id]={PERSON}", [PERSON]),
            ("people", f"filter[project_id]={STRANGER_PROJECT}", []),
        ]
    ),
]  # fmt: skip


# --- Tests ----------------------------------------------------------------------------------------

Rows = dict[tuple[Any, Any], dict[str, Any]]


@pytest.fixture(scope="module")
def rows(django_db_setup: None, django_db_blocker: Any) -> Iterator[Rows]:
    """Create two organizations with one or two rows of every model.

    They are committed once; each test is rolled back to this state.
    """
    with django_db_blocker.unblock():
        create_own_rows()
        create_rows_of_strangers()
        yield all_rows()
        Service.objects.filter(organization__in=[ORGANIZATION, STRANGERS]).delete()
        Organization.objects.filter(id__in=[ORGANIZATION, STRANGERS]).delete()
        for model in apps.get_models():
            if issubclass(model, Change):
                model._base_manager.all().delete()


@pytest.fixture(scope="module")
def stored(rows: Rows, django_db_blocker: Any) -> Contents:
    """Return what the tables have before each test; that takes a third of the time of `rows`."""
    with django_db_blocker.unblock():
        return contents()


@pytest.fixture
def api(rows: Rows, db: None) -> Api:
    return Api(SECRET)


def create_own_rows() -> None:
    ours: Organization = OrganizationFactory(id=ORGANIZATION, name="Ours")
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    person = PersonFactory(organization=ours, id=PERSON, email="taken@example.com")
    PersonFactory(organization=ours, id=FREE_PERSON, email=None)
    PersonFactory(organization=ours, id=LAST_PERSON, email="")
    service_type = ServiceTypeFactory(organization=ours, id=TYPE, name="Made", description="Made up")
    ServiceTypeFactory(organization=ours, id=FREE_TYPE, archived_at=moment)
    project = ProjectFactory(organization=ours, id=PROJECT, name="Bridge")
    deal = DealFactory(organization=ours, id=DEAL, project=project, date="2026-01-01", end_date="2026-12-31")
    service = ServiceFactory(organization=ours, id=SERVICE, deal=deal, service_type=service_type)
    second = ServiceFactory(organization=ours, id=SECOND_SERVICE, deal=deal, service_type=service_type)
    ServiceAssignmentFactory(organization=ours, id=SERVICE_ASSIGNMENT, person=person, service=service)
    ServiceAssignmentFactory(organization=ours, id=SECOND_ASSIGNMENT, person=person, service=second)
    ProjectAssignmentFactory(organization=ours, id=PROJECT_ASSIGNMENT, person=person, project=project)
    ServiceTypeAssignmentFactory(
        organization=ours, id=TYPE_ASSIGNMENT, person=person, service_type=service_type
    )
    FilterFactory(organization=ours, id=FILTER)
    # In the future, so that no test updates when it was last used.
    token = ApiTokenFactory(organization=ours, name=SECRET, last_used_at=datetime(2100, 1, 1, tzinfo=UTC))
    token.touch(timezone.now())


def create_rows_of_strangers() -> None:
    theirs: Organization = OrganizationFactory(id=STRANGERS, name="Theirs")
    person = PersonFactory(organization=theirs, id=STRANGER_PERSON, email="stranger@example.com")
    service_type = ServiceTypeFactory(organization=theirs, id=STRANGER_TYPE)
    project = ProjectFactory(organization=theirs, id=STRANGER_PROJECT)
    deal = DealFactory(organization=theirs, id=STRANGER_DEAL, project=project)
    service = ServiceFactory(organization=theirs, id=STRANGER_SERVICE, deal=deal, service_type=service_type)
    ServiceAssignmentFactory(organization=theirs, id=STRANGER_ASSIGNMENT, person=person, service=service)
    ProjectAssignmentFactory(organization=theirs, person=person, project=project)
    FilterFactory(organization=theirs, id=STRANGER_FILTER)


def send(api: Api, request: Bad | Careless) -> Answer:
    path = request.path if request.path.startswith("/") else f"/api/v2/{request.path}"
    body = request.body if isinstance(request.body, bytes) else json.dumps(request.body).encode()
    headers = {TOKEN: SECRET, **({TYPE_OF_CONTENT: MEDIA_TYPE} if body else {}), **request.headers}
    return api.send(
        request.method, path, body, {name: value for name, value in headers.items() if value != ABSENT}
    )


def all_rows() -> Rows:
    """Return all rows, by model and id, without history and row counts."""
    models = [
        model
        for model in apps.get_models()
        if model._meta.app_label not in ("auth", "contenttypes") and not issubclass(model, Change | RowCount)
    ]
    return {(model, row[model._meta.pk.attname]): row for model in models for row in written_values(model)}


def written_values(model: Any) -> Any:
    """Return the values of all rows, but for generated columns."""
    names = [field.attname for field in model._meta.concrete_fields if not field.generated]
    return model._base_manager.values(*names)


def difference(before: Rows, after: Rows) -> dict[Any, Any]:
    """Return (model, id) → the changed columns, or None for a deleted row.

    A new row has the id NEW, without the columns that the server sets.
    """
    changes: dict[Any, Any] = {key: None for key in before if key not in after}
    for (model, pk), row in after.items():
        if (model, pk) in before:
            old = before[model, pk]
            if row != old:
                changes[model, pk] = {name: plain(row[name]) for name in row if row[name] != old[name]}
        else:
            own = {"id", "created_at", "organization_id"}
            assert row["organization_id"] == ORGANIZATION
            changes[model, NEW] = {name: plain(row[name]) for name in row if name not in own}
    return changes


def plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return MOMENT
    return value.isoformat() if hasattr(value, "isoformat") else value


def name_of(request: Any) -> str:
    return f"{request.method} {request.name}"


def test_tables_have_their_minimum_length() -> None:
    assert (len(BAD) >= 1_200, len(CARELESS) >= 190) == (True, True)
    for table in (BAD, CARELESS):
        names = [name_of(request) for request in table]
        assert sorted(set(names)) == sorted(names)


def mostly_on_sqlite(requests: list[Any], both: list[Any]) -> list[Any]:
    """Mark the requests `any_database`, except those to be sent on both databases."""
    return [each if each in both else pytest.param(each, marks=pytest.mark.any_database) for each in requests]


# A part of the requests that are rejected only after a query for records.
LATE = sampled(bad for bad in BAD if bad.status in (404, 409, 422))


@pytest.mark.parametrize("bad", mostly_on_sqlite(BAD, LATE), ids=name_of)
def test_bad_request_is_rejected_and_changes_nothing(bad: Bad, api: Api, stored: Contents) -> None:
    response = send(api, bad)
    assert response.status == bad.status
    assert response.headers["Content-Type"] == CONTENT_TYPE
    assert "Set-Cookie" not in response.headers
    assert list(response.json) == ["errors"]
    error = response.error
    assert list(error) == ["status", "code", "title", "detail", *(["source"] if bad.at is not None else [])]
    assert (error["status"], error["code"], error["title"]) == (str(bad.status), bad.code, TITLES[bad.code])
    assert re.fullmatch(bad.detail or DETAILS.get(bad.code, ".+"), error["detail"], re.DOTALL)
    if bad.code == "invalid_attribute":
        assert error["source"] == {"pointer": f"data/attributes/{bad.at}"}
    elif bad.at is not None:
        assert error["source"] == {"parameter": bad.at}
    assert contents() == stored


@pytest.mark.parametrize("careless", mostly_on_sqlite(CARELESS, sampled(CARELESS, share=2)), ids=name_of)
def test_careless_request_is_served(careless: Careless, api: Api, rows: Rows) -> None:
    response = send(api, careless)
    assert response.status == careless.status
    assert difference(rows, all_rows()) == careless.changes
    if careless.status == 204:
        assert (response.body, response.headers.get("Content-Type")) == (b"", None)
        return
    assert response.headers["Content-Type"] == CONTENT_TYPE
    assert "Set-Cookie" not in response.headers
    if isinstance(careless.shows, list):
        assert response.ids == careless.shows
    elif careless.shows:
        shown = response.data["attributes"]
        expected = {n: ANY_MOMENT if value == MOMENT else value for n, value in careless.shows.items()}
        assert {name: shown[name] for name in careless.shows} == expected


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("people", {}, 200),
        ("people?sort=x", {}, 400),
        ("people/1", {}, 404),
        ("nothing", {}, 404),
        ("people", {TOKEN: "x"}, 401),
        ("people", {"Host": "evil.example"}, 400),
    ],
)
def test_responses_must_not_be_cached(path: str, headers: dict[str, str], status: int, api: Api) -> None:
    response = api.get(path, headers=headers)
    assert (response.status, response.headers.get("Cache-Control")) == (status, "no-store")
