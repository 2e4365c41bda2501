"""Send generated requests, valid and invalid by the OpenAPI document.

In `make test`, the requests are the same each time: they follow from the document and the seed.
"""

from __future__ import annotations

import json
import logging
import random
import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
import schemathesis
import werkzeug
from hypothesis import strategies
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema

from productive.accounts.models import ApiToken
from productive.jsonapi.schema.views import document
from tests.openapi.records import Application, token_with_records
from tests.support.samples import FUZZ, sampled

pytestmark = pytest.mark.any_database

# One test for each resource, so that several processes can share them.
RESOURCES = [tag["name"] for tag in document()["tags"]]
# Outside `make fuzz`, some are tested with examples, and two with all edge cases of their schemas.
SOME = sampled(RESOURCES, at=1)
WITH_EDGE_CASES = ["organization_memberships", "tracking_decisions"]
SEED = random.randrange(2**32) if FUZZ else 1
# For each operation and each phase.
EXAMPLES = 10 if FUZZ else 2

# The only cursor that isn't taken from `links.next`; those have tests of their own.
schemathesis.openapi.format("cursor", strategies.just(""))

# Errors of requests that the schemas allow: they can't exclude two parameters together, or strings in members
# that they don't describe.
NOT_IN_SCHEMAS = re.compile(
    r"A page has a number or comes after another"
    r"|One of the filters 'person_id, service_id' is required on this endpoint"
    r"|Filter '(on|kind) without [a-z_ ]+' is not supported on this endpoint"
    r"|Only numbered filters can be combined with 'or', such as filter\[0\]\[[a-z_]+\]"
    r"|A string in the document has a NUL character"
)


class Client(werkzeug.Client):
    """Ignore options of sockets, with which a request is repeated."""

    def open(self, *args: Any, **kwargs: Any) -> Any:
        for name in ("max_redirects", "verify", "cert"):
            kwargs.pop(name, None)
        return super().open(*args, **kwargs)


@pytest.fixture
def quiet() -> Iterator[None]:
    """Disable Django's log, which would have thousands of lines."""
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


def config(token: ApiToken) -> SchemathesisConfig:
    return SchemathesisConfig.from_dict(
        {
            "seed": SEED,
            "headers": {"X-Auth-Token": token.name},
            "generation": {
                "deterministic": not FUZZ,
                "max-examples": EXAMPLES,
                "no-shrink": True,
                "with-security-parameters": False,
            },
            # It would repeat each request without a token; the other phases do so often enough.
            "phases": {"coverage": {"checks": {"ignored_auth": {"enabled": False}}}},
            # Not 400: what the document allows may be rejected by a rule of the model (422), or name a record
            # that doesn't exist or isn't the one in the URL (404, 409, 412), but is never malformed.
            "checks": {
                "positive_data_acceptance": {"expected-statuses": ["2xx", "3xx", "404", "409", "412", "422"]}
            },
        }
    )


def is_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
    if response.status_code != 400:
        return True
    return not NOT_IN_SCHEMAS.fullmatch(json.loads(response.content)["errors"][0]["detail"])


def failures(event: events.ScenarioFinished) -> Iterator[str]:
    """Yield each failed check of a scenario, with code that repeats it."""
    for checks in event.recorder.checks.values():
        for check in checks:
            if check.failure_info is not None:
                failure = check.failure_info.failure
                yield f"{failure.operation}: {failure.title}. {failure.message}"
                yield check.failure_info.code_sample


def without_empty_values(document: dict[str, Any]) -> dict[str, Any]:
    """Return a copy without `allowEmptyValue`.

    With it, schemathesis ignores the format of a cursor.
    """
    copied = deepcopy(document)
    for parameter in copied["components"]["parameters"].values():
        parameter.pop("allowEmptyValue", None)
    return copied


@pytest.mark.no_cover
@pytest.mark.django_db
@pytest.mark.parametrize("resource", [one for one in RESOURCES if one in WITH_EDGE_CASES + SOME])
def test_responses_are_as_described(resource: str, quiet: None, monkeypatch: pytest.MonkeyPatch) -> None:
    token = token_with_records()
    monkeypatch.setattr("schemathesis.python.wsgi.get_client", Client)
    schema = schemathesis.openapi.from_dict(without_empty_values(document()), config=config(token))
    schema.hook("filter_failure")(is_failure)
    if resource in ("activities", "tracking_decisions"):  # computed: no request creates what another needs
        schema.config.phases.stateful.enabled = False
    schema.config.phases.coverage.enabled = FUZZ or resource in WITH_EDGE_CASES
    sent, found = 0, []
    with Application() as schema.app:
        for event in from_schema(schema.include(tag=resource)).execute():
            if isinstance(event, events.ScenarioFinished):
                sent += len(event.recorder.interactions)
                found += failures(event)
            elif isinstance(event, events.NonFatalError):
                found.append(str(event.value))
            elif isinstance(event, events.FatalError):
                raise event.exception
    assert sent > (100 if schema.config.phases.coverage.enabled else 20)
    assert found == []
