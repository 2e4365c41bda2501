"""Schemathesis asks the API for all that its document says, and for much that it doesn't."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
import werkzeug
from django.db import connection
from hypothesis import strategies
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema

from productive.accounts.models import ApiToken
from productive.jsonapi.schema.pages import document
from tests.openapi.world import Application, furnished_token

RESOURCES = [tag["name"] for tag in document()["tags"]]
# What is asked on the second database is the same; there it is enough to see that it gives the same answers.
MAX_EXAMPLES = int(os.environ.get("EX", "20"))

# The only cursor that can be made up. Those of `links.next` have tests of their own.
schemathesis.openapi.format("cursor", strategies.just(""))

# Rules that no schema can tell, by the words of the answer: of two parameters, of one that is of use beside
# another only, and of the body and the address.
BEYOND_SCHEMAS = (
    "A page has a number or comes after another",
    "One of the filters 'person_id, service_id' is required on this endpoint",
    "Filter 'alone' is not supported on this endpoint",
)


class Client(werkzeug.Client):
    """Takes what schemathesis means for sockets, and goes without."""

    def open(self, *args: Any, max_redirects: Any = None, verify: Any = None, cert: Any = None, **kwargs: Any) -> Any:
        return super().open(*args, **kwargs)


@pytest.fixture
def quiet() -> Iterator[None]:
    """Thousands of refusals are what these tests are for."""
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


def config(token: ApiToken, examples: int) -> SchemathesisConfig:
    return SchemathesisConfig.from_dict(
        {
            "seed": 1,
            "headers": {"X-Auth-Token": token.name},
            "parameters": {"X-Organization-Id": str(token.organization_id)},
            "generation": {
                "deterministic": True,
                "max-examples": examples,
                "no-shrink": True,
                "with-security-parameters": False,
            },
            # Not 400: what the document allows may be refused by a rule of the model (422), or speak of a
            # record that isn't there or isn't the one in the address (404, 409), but it is never malformed.
            "checks": {
                "positive_data_acceptance": {"expected-statuses": ["2xx", "3xx", "404", "409", "422"]}
            },
        }
    )


def is_fault(context: Any, failure: Any, case: Any, response: Any) -> bool:
    if response.status_code == 400:
        return json.loads(response.content)["errors"][0]["detail"] not in BEYOND_SCHEMAS
    return True


@pytest.mark.django_db
@pytest.mark.parametrize("resource", RESOURCES)
def test_the_api_keeps_to_its_document(
    resource: str, quiet: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = furnished_token()
    monkeypatch.setattr("schemathesis.python.wsgi.get_client", Client)
    with Application() as application:
        schema = schemathesis.openapi.from_dict(document(), config=config(token, MAX_EXAMPLES))
        schema.app = application
        schema.hook("filter_failure")(is_fault)
        faults: list[Any] = []
        import collections
        n = collections.Counter(); t = collections.Counter()
        for event in from_schema(schema.include(tag=resource)).execute():
            if isinstance(event, events.ScenarioFinished):
                n[event.phase.value] += len(event.recorder.interactions)
                t[event.phase.value] += event.elapsed_time
                for case_id, checks in event.recorder.checks.items():
                    for check in checks:
                        if check.failure_info is not None:
                            i = event.recorder.interactions.get(case_id)
                            faults.append((event.phase.value, event.recorder.label, check.name, check.failure_info.failure.title, check.failure_info.failure.message[:300], i and i.request.uri, i and (i.request.encoded_body if hasattr(i.request,'encoded_body') else i.request.body), i and i.response and (i.response.status_code, i.response.content[:300]), str(event.recorder.cases[case_id].value.meta)[:600]))
            elif isinstance(event, (events.NonFatalError, events.FatalError)):
                faults.append(("ERR", str(getattr(event, "value", None) or getattr(event, "exception", None))[:2000]))
        out = open("/tmp/w_faults.txt", "a")
        print(resource, dict(n), dict(t), file=out)
        seen = collections.Counter()
        for f in faults:
            k = f[2:4] if len(f) > 3 else f
            seen[k] += 1
            if seen[k] <= int(os.environ.get("SHOW", "3")):
                print("\n".join(map(str, f)), "\n", file=out)
        print(seen, file=out)
    assert faults == []
