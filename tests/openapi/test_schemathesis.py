"""Schemathesis asks the API for all that its document says, and for much that it doesn't.

In `make test`, the same requests each time: they follow from the document and the seed.
"""

from __future__ import annotations

import json
import logging
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
from tests.openapi.world import Application, furnished_token
from tests.support.samples import FUZZ

pytestmark = pytest.mark.any_database

# Each resource is a case of its own, so that several processes can share them.
RESOURCES = [tag["name"] for tag in document()["tags"]]
# Outside `make fuzz`, these alone are asked for all the edges that the schemas have, and others for examples.
WHOLE = ["service_assignments", "tracking_decisions"]
# Of each operation and each phase.
EXAMPLES = 10 if FUZZ else 2

# The only cursor that can be made up. Those of `links.next` have tests of their own.
schemathesis.openapi.format("cursor", strategies.just(""))

# What no schema can tell, by the words of the answer: of two parameters together, or of members that it
# doesn't know.
BEYOND_SCHEMAS = re.compile(
    r"A page has a number or comes after another"
    r"|One of the filters 'person_id, service_id' is required on this endpoint"
    r"|Filter '(on|kind) without [a-z_ ]+' is not supported on this endpoint"
    r"|A string in the document has a NUL character"
)


class Client(werkzeug.Client):
    """Takes what is meant for sockets, and goes without: schemathesis passes it on when it asks again."""

    def open(self, *args: Any, **kwargs: Any) -> Any:
        for name in ("max_redirects", "verify", "cert"):
            kwargs.pop(name, None)
        return super().open(*args, **kwargs)


@pytest.fixture
def quiet() -> Iterator[None]:
    """Django's log has a line for each refusal: thousands."""
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


def config(token: ApiToken) -> SchemathesisConfig:
    return SchemathesisConfig.from_dict(
        {
            "seed": None if FUZZ else 1,
            "headers": {"X-Auth-Token": token.name},
            "generation": {
                "deterministic": not FUZZ,
                "max-examples": EXAMPLES,
                "no-shrink": True,
                "with-security-parameters": False,
            },
            # Without a token each request is asked again: the other phases do so often enough.
            "phases": {"coverage": {"checks": {"ignored_auth": {"enabled": False}}}},
            # Not 400: what the document allows may be refused by a rule of the model (422), or speak of a
            # record that isn't there or isn't the one that is meant (404, 409, 412); it is never malformed.
            "checks": {
                "positive_data_acceptance": {"expected-statuses": ["2xx", "3xx", "404", "409", "412", "422"]}
            },
        }
    )


def is_fault(context: Any, failure: Any, case: Any, response: Any) -> bool:
    if response.status_code != 400:
        return True
    return not BEYOND_SCHEMAS.fullmatch(json.loads(response.content)["errors"][0]["detail"])


def told(event: events.ScenarioFinished) -> Iterator[str]:
    """Each failed check of a scenario, with how to have it again."""
    for checks in event.recorder.checks.values():
        for check in checks:
            if check.failure_info is not None:
                failure = check.failure_info.failure
                yield f"{failure.operation}: {failure.title}. {failure.message}"
                yield check.failure_info.code_sample


def without_empty_values(document: dict[str, Any]) -> dict[str, Any]:
    """Return a copy without `allowEmptyValue`, for which schemathesis ignores the format of a cursor."""
    copied = deepcopy(document)
    for path in copied["paths"].values():
        for operation in path.values():
            for parameter in operation["parameters"]:
                parameter.pop("allowEmptyValue", None)
    return copied


@pytest.mark.no_cover
@pytest.mark.django_db
@pytest.mark.parametrize("resource", RESOURCES)
def test_the_api_keeps_to_its_document(resource: str, quiet: None, monkeypatch: pytest.MonkeyPatch) -> None:
    token = furnished_token()
    monkeypatch.setattr("schemathesis.python.wsgi.get_client", Client)
    schema = schemathesis.openapi.from_dict(without_empty_values(document()), config=config(token))
    schema.hook("filter_failure")(is_fault)
    if resource == "tracking_decisions":  # computed: none is made, so no request follows from another
        schema.config.phases.stateful.enabled = False
    schema.config.phases.coverage.enabled = FUZZ or resource in WHOLE
    asked, faults = 0, []
    with Application() as schema.app:
        for event in from_schema(schema.include(tag=resource)).execute():
            if isinstance(event, events.ScenarioFinished):
                asked += len(event.recorder.interactions)
                faults += told(event)
            elif isinstance(event, events.NonFatalError):
                faults.append(str(event.value))
            elif isinstance(event, events.FatalError):
                raise event.exception
    assert asked > (100 if schema.config.phases.coverage.enabled else 20)
    assert faults == []
