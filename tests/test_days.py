"""Test how the admin reads days."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django import forms
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.core.exceptions import ValidationError

from assignments.access_check import AccessCheckForm
from catalog.models import Deal
from productive.accounts.models import Organization
from productive.admin.changes.views import ChangesForm
from productive.admin.days import DayTimeField, LocalDayField, override_day_order, parse_local_day
from productive.admin.filters import DateRangeListFilter
from tests.support.admin import FACTORIES, form_data, listed, request_by, signed_in, staff, superuser, url
from tests.support.factories import DealFactory, OrganizationFactory, PersonFactory, UserFactory

LAST = date(2026, 12, 31)
AMBIGUOUS = "“03/04/2026” can mean 4 Mar 2026 or 3 Apr 2026. Enter 2026-03-04 or 2026-04-03."


@pytest.mark.any_database
@pytest.mark.parametrize("order", ["", "dmy", "mdy"])
def test_day_with_one_reading_is_read_in_any_order(order: str) -> None:
    for text in [
        "2026-12-31",
        "2026/12/31",
        "2026. 12. 31.",
        "31.12.2026",
        "31. 12. 2026.",
        " 31/12/2026 ",
        "31-12-2026",
        "31 12 2026",
        "12/31/2026",
        "31 Dec 2026",
        "31-Dec-26",
        "31st december 2026",
        "December 31, 2026",
        "Dec 31 2026",
        "３１.１２.２０２６",  # noqa: RUF001, full-width digits
        "31.12.\u00a02026",
    ]:
        assert parse_local_day(text, order) == LAST, text
    assert parse_local_day("4/4/2026", order) == date(2026, 4, 4)


@pytest.mark.any_database
def test_day_with_several_readings_is_read_in_order_of_organization_or_rejected() -> None:
    for text in ("03/04/2026", "3.4.2026", "03-04-2026", "3. 4. 2026."):
        assert parse_local_day(text, "dmy") == date(2026, 4, 3), text
        assert parse_local_day(text, "mdy") == date(2026, 3, 4), text
        with pytest.raises(ValidationError, match="can mean 4 Mar 2026 or 3 Apr 2026"):
            parse_local_day(text, "")
    for text in ("31/12/26", "26-12-31"):  # 26 December 2031
        assert parse_local_day("31/12/26", "dmy") == LAST
        with pytest.raises(ValidationError, match="Enter 2026-12-31 or 2031-12-26"):
            parse_local_day(text, "")
    with pytest.raises(ValidationError) as error:
        parse_local_day("01/02/03", "")
    assert error.value.messages == [
        "“01/02/03” can mean 3 Feb 2001 or 2 Jan 2003 or 1 Feb 2003. "
        "Enter 2001-02-03 or 2003-01-02 or 2003-02-01."
    ]
    # What the message says can be entered.
    assert [parse_local_day(text) for text in ("2001-02-03", "3 Feb 2001")] == [date(2001, 2, 3)] * 2


@pytest.mark.any_database
def test_other_text_is_no_day() -> None:
    for text in [
        "31.13.2026",
        "30 Feb 2026",
        "2026-02-29",
        "46387",
        "20261231",
        "2026-12-31 00:00",
        "31/12-2026",
        "12/2026",
        "31 Foo 2026",
        "31 D 2026",
        "1/2/345",
        "0000-01-01",
        "٣١/١٢/٢٠٢٦ x",
        "today",
        "9" * 5000,
    ]:
        with pytest.raises(ValidationError, match="Enter a valid date"):
            parse_local_day(text)


@pytest.mark.django_db
def test_budget_has_the_day_that_the_organization_means() -> None:
    deal = DealFactory()
    organization, client = deal.organization, staff(deal.organization)
    address = url(Deal, "change", deal.pk)

    def save(end_date: str) -> list[str]:
        response = client.post(address, {**form_data(client, address), "end_date": end_date})
        errors: list[str] = [] if response.status_code == 302 else list(form_errors(response))
        return errors

    def form_errors(response: Any) -> list[str]:
        return response.context["adminform"].form.errors.get("end_date", [])  # type: ignore[no-any-return]

    assert save("03/04/2026") == [AMBIGUOUS]
    deal.refresh_from_db()
    assert deal.end_date is None
    for order, text, expected in [
        ("", "31.12.2026", LAST),
        ("dmy", "03/04/2026", date(2026, 4, 3)),
        ("mdy", "03/04/2026", date(2026, 3, 4)),
    ]:
        Organization.objects.filter(pk=organization.pk).update(day_order=order)
        assert save(text) == []
        deal.refresh_from_db()
        assert deal.end_date == expected
    # The filter of the list reads it in the same way.
    assert listed(client, Deal, "?end_date_from=04/03/2026&end_date_to=4.3.2026") == set()
    assert listed(client, Deal, "?end_date_from=03/04/2026&end_date_to=3.4.2026") == {deal.pk}
    Organization.objects.filter(pk=organization.pk).update(day_order="")
    assert listed(client, Deal, "?end_date_from=03/04/2026") == set()
    assert AMBIGUOUS in client.get(url(Deal, "changelist") + "?end_date_from=03/04/2026").content.decode()


@pytest.mark.django_db
def test_user_of_several_organizations_needs_one_order() -> None:
    first, second = OrganizationFactory(day_order="dmy"), OrganizationFactory(day_order="dmy")
    user = UserFactory(organization=first, is_staff=True)
    PersonFactory(organization=second, user=user)
    deal = DealFactory(organization=first, end_date=date(2026, 4, 3))
    user.user_permissions.set(Permission.objects.all())
    client, everything = signed_in(user), superuser()
    query = "?end_date_from=03/04/2026"
    assert listed(client, Deal, query) == {deal.pk}
    # There can be organizations with another order among those of a superuser.
    assert listed(everything, Deal, query) == set()
    Organization.objects.filter(pk=second.pk).update(day_order="mdy")
    assert listed(client, Deal, query) == set()


@pytest.mark.django_db
def test_every_day_of_the_admin_is_read_without_guessing() -> None:
    request = request_by(superuser())
    fields: list[Any] = []
    for model in FACTORIES:
        model_admin: Any = admin.site.get_model_admin(model)
        fields += model_admin.get_form(request)().fields.values()
        for inline in model_admin.get_inline_instances(request):
            fields += inline.get_formset(request).form().fields.values()
        for each in model_admin.get_list_filter(request):
            if isinstance(each, type) and issubclass(each, DateRangeListFilter):
                spec: Any = each(request, {}, model, model_admin)
                fields += spec.form.fields.values()
    fields += [*AccessCheckForm(request).fields.values(), *ChangesForm({}, []).fields.values()]
    days = [field for field in fields if isinstance(field, forms.DateField)]
    moments = [field for field in fields if isinstance(field, forms.SplitDateTimeField)]
    assert len(days) > 10
    assert moments
    assert {type(field) for field in days} == {LocalDayField}
    assert {type(field) for field in moments} == {DayTimeField}
    assert not any(isinstance(field, forms.DateTimeField) for field in fields)
    [moment] = {type(field): field for field in moments}.values()
    with pytest.raises(ValidationError, match="can mean"):
        moment.clean(["03/04/2026", "10:00"])
    with override_day_order("dmy"):
        assert moment.clean(["03/04/2026", "10:00"]).date() == date(2026, 4, 3)
