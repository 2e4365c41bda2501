"""Test that dry runs and headers of the API say exactly what every write does to access.

Generated organizations are changed by every kind of request. Before and after each, the tracking rule decides
for all people and services.
"""

from __future__ import annotations

from collections import Counter
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assignments.consequences.comparison import Permit
from assignments.tracking import Kind, decide_all, with_budget
from catalog.models import Service
from productive.accounts.models import ApiToken, Organization, Person
from tests.support.api import Api
from tests.support.databases import rolled_back
from tests.support.factories import OrganizationFactory
from tests.support.resources import ACTIONS, WRITABLE, document_for, model_of
from tests.support.samples import fuzz_settings
from tests.support.worlds import build

pytestmark = [pytest.mark.django_db, pytest.mark.no_cover]

# Method, path and document.
Write = tuple[str, str, Any]
SWITCHES = {
    "deals": ("person_restricted_tracking", "service_type_restricted_tracking"),
    "services": ("time_tracking_enabled", "expense_tracking_enabled"),
}
LINKS = {
    "deals": {"project_id": "projects"},
    "services": {"deal_id": "deals", "service_type_id": "service_types"},
    "service_assignments": {"person_id": "people", "service_id": "services"},
    "project_assignments": {"person_id": "people", "project_id": "projects"},
    "service_type_assignments": {"person_id": "people", "service_type_id": "service_types"},
}


class World:
    """A generated organization."""

    def __init__(self, organization: Organization, data: st.DataObject) -> None:
        self.organization, self.data = organization, data
        self.today = organization.today()
        build(data.draw, organization, self.today)

    def draw(self, values: Any) -> Any:
        return self.data.draw(st.sampled_from(list(values)))

    def pick(self, resource: str) -> Any:
        """Return the id of a record, or None if there is none."""
        model: Any = model_of(resource)
        ids = model.objects.filter(organization=self.organization).order_by("pk").values_list("pk", flat=True)
        return self.draw(ids) if ids else None

    def permits(self) -> set[Permit]:
        people = list(Person.objects.filter(organization=self.organization))
        services = list(with_budget(Service.objects.filter(organization=self.organization)))
        pairs = [*product(people, services)]
        return {
            Permit(decision.person.pk, decision.service.pk, kind)
            for kind in Kind
            for decision in decide_all(pairs, self.today, kind)
            if decision.allowed
        }

    def write(self) -> Write | None:
        """Return a request, or None if it isn't possible."""
        resource = self.draw([*LINKS, *LINKS, *WRITABLE])
        pk = self.pick(resource)
        what = self.draw(["create", "change", "change", "delete", "act"])
        verbs = [verb for name, verb in ACTIONS if name == resource]
        if what == "create":
            links = {name: self.pick(other) for name, other in LINKS.get(resource, {}).items()}
            names = {"first_name": "N", "last_name": "N"} if resource == "people" else {"name": "N"}
            return "POST", resource, document_for(resource, **links, **names)
        if pk is None:
            return None
        if what == "delete":
            return "DELETE", f"{resource}/{pk}", None
        if what == "act":
            if not verbs:
                return None
            verb = self.draw(verbs)
            into = document_for(resource, into_id=self.pick(resource)) if verb == "merge" else None
            return "PATCH", f"{resource}/{pk}/{verb}", into
        changes: list[dict[str, Any]] = [{name: self.pick(o)} for name, o in LINKS.get(resource, {}).items()]
        changes += [{name: value} for name in SWITCHES.get(resource, ()) for value in (True, False)]
        if resource == "deals":
            changes += [{"date": None, "end_date": end} for end in (None, "2020-01-01", "2099-01-01")]
        if len(LINKS.get(resource, {})) == 2:
            changes.append({name: self.pick(other) for name, other in LINKS[resource].items()})
        return "PATCH", f"{resource}/{pk}", document_for(resource, **self.draw(changes or [{"name": "N"}]))


def permits_of(consequences: Any, name: str, ids: dict[int, int]) -> set[Permit]:
    """Return the entries of a list; `ids` maps the id of a new service in the dry run to its later one."""
    assert consequences[f"{name}_count"] == len(consequences[name])
    return {
        Permit(each["person_id"], ids.get(each["service_id"], each["service_id"]), Kind(each["kind"]))
        for each in consequences[name]
    }


EXAMPLES, STEPS = 8, 8


def test_dry_run_and_headers_say_exactly_what_a_write_does(api: Api, token: ApiToken) -> None:
    organization = token.organization
    counts: Counter[str] = Counter()
    # Looks the same, and must not be named.
    theirs = OrganizationFactory()

    @fuzz_settings(EXAMPLES)
    @given(st.data())
    def check(data: Any) -> None:
        with rolled_back():
            World(theirs, data)
            world = World(organization, data)
            before = world.permits()
            for _ in range(STEPS):
                request = world.write()
                if request is None:
                    continue
                method, path, document = request
                dry = api.request(method, f"{path}?dry_run=true", json=document)
                assert world.permits() == before
                real = api.request(method, path, json=document)
                if real.status >= 400:
                    assert (dry.status, dry.json) == (real.status, real.json)
                    continue
                assert dry.status == 200
                after = world.permits()
                if organization.today() != world.today:
                    return  # it was midnight
                ids = {}
                if path == "services":
                    ids = {int(dry.data["id"]): int(real.data["id"])}
                consequences = dry.json["meta"]["consequences"]
                assert permits_of(consequences, "loses", ids) == before - after, request
                assert permits_of(consequences, "gains", ids) == after - before, request
                losers = sorted({permit.person_id for permit in before - after})
                header = real.headers.get("Warning-Access-Lost", "")
                assert header == ", ".join(map(str, losers)), request
                check_assignment(path, dry, real, after)
                counts["lost"] += len(before - after)
                counts["gained"] += len(after - before)
                counts["no effect"] += "Warning-No-Effect" in real.headers
                before = after

    def check_assignment(path: str, dry: Any, real: Any, permits: set[Permit]) -> None:
        """Check that only a new assignment without effect says so."""
        reasons = [reason["code"] for reason in dry.json["meta"].get("without_effect", ())]
        if path == "service_assignments":
            included = api.get(f"{path}/{real.data['id']}?include=person,service").data["relationships"]
            pair = tuple(int(included[name]["data"]["id"]) for name in ("person", "service"))
            assert (reasons == []) == (pair in {permit[:2] for permit in permits})
        if path.startswith("service_assignments/") and not reasons:
            assert "Warning-No-Effect" not in real.headers
        assert real.headers.get("Warning-No-Effect", ", ".join(reasons)) == ", ".join(reasons)

    check()
    print(f"\n{dict(counts)}")  # noqa: T201
    assert min(counts[name] for name in ("lost", "gained", "no effect")) > 0
