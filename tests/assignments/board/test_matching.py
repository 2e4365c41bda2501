"""Test that pasted names add people to a staffing board as rows."""

from __future__ import annotations

import pytest
from django.test import Client

from assignments.board.boards import BUDGET
from catalog.models import Deal
from tests.support.boards import ROW, called, form_of, person, service
from tests.support.factories import PersonFactory

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


def test_pasted_names_add_rows(deal: Deal, client: Client) -> None:
    eva, ivo = person(deal, "Eva", "Babić"), person(deal, "Ivo", "Kovač")
    one, two = person(deal, "Iva", "Same"), person(deal, "Iva", "Same")
    person(deal, "Zoe", "Former").archive()
    PersonFactory(first_name="Foreign", last_name="Person")
    text = f"Hello,\nplease add Ivo Kovač and <{eva.email}>.\nIva Same; Zoe Former; Foreign Person"
    sent = {"step": "match", "pasted": text}
    found = client.post(BUDGET.url(deal), {**sent, "as": "json"}).json()
    assert (found["ids"], found["unknown"]) == (
        [ivo.pk, eva.pk],
        ["Hello", "Foreign Person"],
    )
    assert [pk for pk, _ in found["ambiguous"]["Iva Same"]] == [one.pk, two.pk]
    assert found["archived"][0].endswith("(archived)")
    assert [pk for pk, _ in ROW.findall(found["html"])] == [*map(str, found["ids"])]

    long = client.post(
        BUDGET.url(deal), {**sent, "pasted": f"Ivo Kovač\n{'x' * 30_000}", "as": "json"}
    ).json()
    assert (long["ids"], sum(map(len, long["unknown"]))) == ([ivo.pk], 30_000)

    form = form_of(client.get(BUDGET.url(deal)))
    form["cell"] = [f"{called('Ana').pk}-{service('Design').pk}"]
    page = client.post(BUDGET.url(deal), {**form, **sent, "chosen": two.pk})
    assert page.context["named"].ambiguous == {}
    after = form_of(page)
    assert after["cell"] == form["cell"]
    shown_people = {int(row.partition(":")[0]) for row in after["row"]}
    assert shown_people == {called("Ana").pk, ivo.pk, eva.pk, two.pk}
    assert f"add={two.pk}" in page.context["action"]
