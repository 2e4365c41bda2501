"""What holds for the admin of every model, asked of every model that is registered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.admin.utils import flatten_fieldsets
from django.contrib.auth.models import Group, Permission
from django.db import IntegrityError, OperationalError, connection
from django.db.models import ForeignKey, JSONField, Model
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from assignments.models import Filter, ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from catalog.models import Deal, Project, Service, ServiceType
from productive.accounts.models import ApiToken, Organization, Person, User
from tests import factories
from tests.factories import OrganizationFactory, PersonFactory, ProjectFactory, UserFactory

pytestmark = pytest.mark.django_db

OWNED: dict[type[Any], Callable[..., Any]] = {
    User: factories.UserFactory,
    Person: lambda organization: PersonFactory(
        organization=organization, user=UserFactory(organization=None)
    ),
    ApiToken: factories.ApiTokenFactory,
    ServiceType: factories.ServiceTypeFactory,
    Project: factories.ProjectFactory,
    Deal: factories.DealFactory,
    Service: factories.ServiceFactory,
    ServiceAssignment: factories.ServiceAssignmentFactory,
    ProjectAssignment: factories.ProjectAssignmentFactory,
    ServiceTypeAssignment: factories.ServiceTypeAssignmentFactory,
    Filter: factories.FilterFactory,
}
# Staff can do nothing of this, whatever they were given.
SUPERUSERS_ONLY = {(Organization, "add"), (Organization, "delete"), (User, "delete")}

every_owned_model = pytest.mark.parametrize("model", OWNED, ids=lambda model: model.__name__)
every_model = pytest.mark.parametrize(
    "model", [*OWNED, Organization, Group], ids=lambda model: model.__name__
)


def make(model: type[Model], organization: Organization) -> Any:
    """A row of the model that the organization owns."""
    if model is Organization:
        return organization
    if model is Group:
        return Group.objects.create(name=f"Group {Group.objects.count()}")
    return OWNED[model](organization=organization)


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def superuser() -> Client:
    return signed_in(UserFactory(organization=None, is_staff=True, is_superuser=True))


def staff(organization: Organization | None, *codenames: str) -> Client:
    """Staff of the organization with these permissions; without any named, with all there are."""
    user = UserFactory(organization=organization, is_staff=True)
    permissions = Permission.objects.all()
    user.user_permissions.set(permissions.filter(codename__in=codenames) if codenames else permissions)
    return signed_in(user)


def acting(client: Client, model: type[Model]) -> set[Any]:
    """What there is of the model because somebody is signed in: their login and the person they are."""
    user = User.objects.get(pk=client.session["_auth_user_id"])
    return {User: {user.pk}, Person: {person.pk for person in user.people.all()}}.get(model, set())


def url(model: type[Model], page: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def listed(client: Client, model: type[Model], query: str = "") -> set[Any]:
    response = client.get(url(model, "changelist") + query)
    assert response.status_code == 200
    return {row.pk for row in response.context["cl"].result_list}


def form_data(client: Client, address: str) -> dict[str, Any]:
    """What a browser would send if the form at this address were saved untouched."""
    context = client.get(address).context
    data = {}
    for bound in context["adminform"].form:
        value = bound.value()
        if value not in (None, False) and not bound.field.disabled:
            data[bound.html_name] = value
    for inline in context["inline_admin_formsets"]:
        data |= {
            f"{inline.formset.prefix}-{bound.name}": bound.value() for bound in inline.formset.management_form
        }
        for form in inline.formset.initial_forms:
            values = {bound.html_name: bound.value() for bound in form}
            data |= {name: value for name, value in values.items() if value not in (None, False)}
    return data


def autocomplete(client: Client, field: Any, term: str = "", **extra: str) -> Any:
    query = {
        "app_label": field.model._meta.app_label,
        "model_name": field.model._meta.model_name,
        "field_name": field.name,
        "term": term,
    }
    return client.get(reverse("admin:autocomplete"), query | extra)


def test_every_model_is_registered_and_asked_here() -> None:
    assert set(admin.site._registry) == {*OWNED, Organization, Group}


# --- Pages and rights -----------------------------------------------------------------------------


@every_model
def test_every_page_answers_a_superuser(model: type[Model]) -> None:
    row, client = make(model, OrganizationFactory()), superuser()
    pages = [
        url(model, "add"),
        url(model, "changelist"),
        url(model, "changelist") + "?q=someone+else",
        url(model, "changelist") + "?_facets=1",
        url(model, "change", row.pk),
        url(model, "delete", row.pk),
        url(model, "history", row.pk),
    ]
    assert {page: client.get(page).status_code for page in pages} == dict.fromkeys(pages, 200)


@pytest.mark.no_cover
@every_model
def test_every_filter_beside_a_list_answers(model: type[Model]) -> None:
    OrganizationFactory.create_batch(2)
    make(model, OrganizationFactory())
    client = superuser()
    changelist = client.get(url(model, "changelist")).context["cl"]
    choices = [choice for spec in changelist.filter_specs for choice in spec.choices(changelist)]
    links = [choice["query_string"] for choice in choices if "query_string" in choice]
    links += [
        f"?{name}={value}"
        for choice in choices
        if "form" in choice
        for name, field in choice["form"].fields.items()
        for value in ["", "7", "2026-01-31", *(key for key, _ in getattr(field, "choices", ()))]
    ]
    answers = {link: client.get(url(model, "changelist") + link).status_code for link in links}
    assert answers == dict.fromkeys(links, 200)


@every_model
def test_every_model_is_saved_and_deleted_by_a_superuser(model: type[Model]) -> None:
    row, client = make(model, OrganizationFactory()), superuser()
    change = url(model, "change", row.pk)
    saved = client.post(change, form_data(client, change))
    assert (saved.status_code, saved["Location"]) == (302, url(model, "changelist"))
    assert client.get(url(model, "history", row.pk)).status_code == 200

    deleted = client.post(url(model, "delete", row.pk), {"post": "yes"})
    assert (deleted.status_code, model._default_manager.filter(pk=row.pk).exists()) == (302, False)


@every_owned_model
def test_staff_with_all_rights_work_with_their_own_rows(model: type[Model]) -> None:
    organization = OrganizationFactory()
    row, client = make(model, organization), staff(organization)
    pages = {page: url(model, page) for page in ("add", "changelist")}
    pages |= {page: url(model, page, row.pk) for page in ("change", "delete", "history")}
    answers = {page: client.get(address).status_code for page, address in pages.items()}
    assert answers == {page: 403 if (model, page) in SUPERUSERS_ONLY else 200 for page in pages}
    change = url(model, "change", row.pk)
    assert client.post(change, form_data(client, change)).status_code == 302


def test_staff_change_their_organization_but_can_add_or_delete_none() -> None:
    organization = OrganizationFactory()
    client, change = staff(organization), url(Organization, "change", organization.pk)
    assert client.post(change, {"name": "New name", "time_zone": "UTC"}).status_code == 302
    organization.refresh_from_db()
    assert organization.name == "New name"
    assert client.get(url(Organization, "add")).status_code == 403
    assert client.get(url(Organization, "delete", organization.pk)).status_code == 403


@every_owned_model
def test_staff_with_the_right_to_view_only_view(model: type[Model]) -> None:
    organization = OrganizationFactory()
    row = make(model, organization)
    client = staff(organization, f"view_{model._meta.model_name}")
    assert client.get(url(model, "changelist")).status_code == 200
    assert client.get(url(model, "change", row.pk)).status_code == 200
    writes = [url(model, "add"), url(model, "change", row.pk), url(model, "delete", row.pk)]
    assert [client.post(write, {"post": "yes"}).status_code for write in writes] == [403, 403, 403]
    # No action is offered, so none that is posted is done.
    client.post(url(model, "changelist"), {"action": "archive", "index": 0, "_selected_action": row.pk})
    assert LogEntry.objects.count() == 0


@every_model
def test_staff_without_rights_are_refused(model: type[Model]) -> None:
    organization = OrganizationFactory()
    row, client = make(model, organization), staff(organization, "no such right")
    index = client.get(reverse("admin:index"))
    assert (index.status_code, index.context["app_list"]) == (200, [])
    pages = [url(model, "changelist"), url(model, "add")]
    pages += [url(model, page, row.pk) for page in ("change", "delete", "history")]
    assert [client.get(page).status_code for page in pages] == [403] * 5


@every_owned_model
def test_staff_without_an_organization_find_nothing(model: type[Model]) -> None:
    row, client = make(model, OrganizationFactory()), staff(None)
    assert listed(client, model) == set()
    assert listed(client, Organization) == set()
    assert client.get(url(model, "change", row.pk))["Location"] == reverse("admin:index")
    assert client.get(url(model, "add")).status_code == 403


# --- Tenancy --------------------------------------------------------------------------------------


@every_owned_model
def test_list_and_search_reach_own_rows_only(model: type[Model]) -> None:
    organization = OrganizationFactory()
    own, foreign = make(model, organization), make(model, OrganizationFactory())
    client = staff(organization)
    if model is ApiToken:
        assert listed(client, User) == {own.user_id} | acting(client, User)
    assert listed(client, model) == {own.pk} | acting(client, model)
    assert listed(client, model, f"?q={str(foreign).split()[0]}") & {foreign.pk} == set()


def request_by(client: Client) -> Any:
    request = RequestFactory().get("/")
    request.user = User.objects.get(pk=client.session["_auth_user_id"])
    return request


RELATIONS = [
    field
    for model in [*OWNED, Group]
    for field in model._meta.get_fields()
    if isinstance(field, ForeignKey) and field.editable and field.related_model in {*OWNED, Organization}
]
every_relation = pytest.mark.parametrize("field", RELATIONS, ids=str)


@every_relation
def test_autocomplete_offers_own_rows_only(field: Any) -> None:
    organization = OrganizationFactory()
    own, foreign = make(field.model, organization), make(field.model, OrganizationFactory())
    client = staff(organization)
    offered = {int(row["id"]) for row in autocomplete(client, field).json()["results"]}
    assert offered == {getattr(own, field.attname)} | acting(client, field.related_model)
    everything = {row["id"] for row in autocomplete(superuser(), field).json()["results"]}
    assert everything >= {str(getattr(own, field.attname)), str(getattr(foreign, field.attname))}


@every_relation
def test_related_row_of_another_organization_cannot_be_chosen(field: Any) -> None:
    organization = OrganizationFactory()
    own, foreign = make(field.model, organization), make(field.model, OrganizationFactory())
    client, change = staff(organization), url(field.model, "change", own.pk)
    theirs = getattr(foreign, field.attname)
    data = form_data(client, change)
    if field.name in ("organization", "user"):
        # Not for them to choose: whatever is posted is ignored.
        assert client.post(change, {**data, field.name: theirs}).status_code == 302
    else:
        refused = client.post(change, {**data, field.name: theirs})
        missing = client.post(change, {**data, field.name: 987_654_321})
        errors = [answer.context["adminform"].form.errors.get_json_data() for answer in (refused, missing)]
        assert errors[0] == errors[1]
        assert list(errors[0]) == [field.name]
    assert field.model._default_manager.values_list(field.attname, flat=True).get(pk=own.pk) == getattr(
        own, field.attname
    )
    prefilled = client.get(url(field.model, "add") + f"?{field.name}={theirs}")
    assert str(getattr(foreign, field.name)) not in prefilled.content.decode()


@every_owned_model
def test_what_staff_add_is_their_organizations_whatever_they_post(model: type[Model]) -> None:
    organization, other = OrganizationFactory(), OrganizationFactory()
    client = staff(organization)
    row = make(model, organization)
    data = form_data(client, url(model, "change", row.pk))
    add = url(model, "add")
    if model is User:
        person = PersonFactory(organization=organization)
        data = {"username": "new", "usable_password": "false", "person": person.pk}
    if model is ApiToken:
        data["user"] = row.user_id
    if model not in (User, ApiToken):
        row.delete()
    before = set(model._default_manager.values_list("pk", flat=True))
    answer = client.post(add, {**data, "organization": other.pk})
    assert (answer.status_code, "organization" in client.get(add).context["adminform"].form.initial) == (
        302,
        False,
    )
    [added] = model._default_manager.exclude(pk__in=before)
    owned = added.people.get() if model is User else added  # type: ignore[attr-defined]
    assert owned.organization == organization


@every_owned_model
def test_staff_are_shown_no_organization(model: type[Model]) -> None:
    organization = OrganizationFactory()
    row, client = make(model, organization), staff(organization)
    for address in (url(model, "add"), url(model, "change", row.pk)):
        shown = flatten_fieldsets(client.get(address).context["adminform"].fieldsets)
        assert "organization" not in shown
    changelist = client.get(url(model, "changelist")).context["cl"]
    assert "organization" not in changelist.list_display
    assert "organization" not in [spec.title for spec in changelist.filter_specs]


@every_owned_model
def test_staff_of_two_organizations_work_with_both_and_choose_once(model: type[Model]) -> None:
    first, second, third = OrganizationFactory.create_batch(3)
    client = staff(first)
    actor = User.objects.get(pk=client.session["_auth_user_id"])
    seat = PersonFactory(organization=second, user=actor)
    rows = [make(model, organization) for organization in (first, second, third)]
    there = {row.pk for row in rows[:2]} | acting(client, model)
    assert listed(client, model) == there
    changelist = client.get(url(model, "changelist")).context["cl"]
    titles = [spec.title for spec in changelist.filter_specs]
    if model is not User:
        assert "organization" in changelist.list_display
        narrowed = {row.pk for row in rows[1:2]} | ({seat.pk} if model is Person else set())
        assert listed(client, model, f"?organization={second.pk}") == narrowed
        assert listed(client, model, f"?organization={third.pk}") == set()
        page = client.get(url(model, "changelist")).content.decode()
        assert (second.name in page, third.name in page) == (True, False)
    assert titles.count("organization") == (model is not User)

    change = url(model, "change", rows[1].pk)
    if model is not User:
        data = {**form_data(client, change), "organization": first.pk}
        assert client.post(change, data).status_code == 302
        assert model._default_manager.get(pk=rows[1].pk).organization == second  # type: ignore[attr-defined]
        added = client.post(url(model, "add"), form_data(client, url(model, "add")))
        assert "organization" in added.context["adminform"].form.errors
    seat.archive()
    assert listed(client, model) == {rows[0].pk} | (acting(client, model) - {seat.pk})
    assert client.get(change)["Location"] == reverse("admin:index")


def test_staff_of_two_organizations_add_to_the_one_they_choose() -> None:
    first, second, third = OrganizationFactory.create_batch(3)
    client = staff(first)
    PersonFactory(organization=second, user=User.objects.get(pk=client.session["_auth_user_id"]))
    add = url(Project, "add")
    shop = {**form_data(client, add), "name": "Shop"}
    refused = client.post(add, {**shop, "organization": third.pk})
    missing = client.post(add, {**shop, "organization": 987_654_321})
    errors = [answer.context["adminform"].form.errors for answer in (refused, missing)]
    assert (errors[0], [*errors[0]]) == (errors[1], ["organization"])
    assert client.post(add, {**shop, "organization": second.pk}).status_code == 302
    assert Project.objects.get().organization == second
    across = {"project": Project.objects.get().pk, "person": PersonFactory(organization=first).pk}
    answer = client.post(url(ProjectAssignment, "add"), {**across, "organization": second.pk})
    assert answer.context["adminform"].form.errors == {"person": ["belongs to another organization"]}


def test_superuser_chooses_the_organization_once() -> None:
    client, first, second = superuser(), OrganizationFactory(), OrganizationFactory()
    add = url(Project, "add")
    client.post(add, {**form_data(client, add), "organization": first.pk, "name": "Website"})
    project = Project.objects.get()
    change = url(Project, "change", project.pk)
    assert "organization" in flatten_fieldsets(client.get(change).context["adminform"].fieldsets)
    shop = {**form_data(client, change), "organization": second.pk, "name": "Shop"}
    assert client.post(change, shop).status_code == 302
    project.refresh_from_db()
    assert (project.organization, project.name) == (first, "Shop")


def test_superuser_cannot_link_across_organizations() -> None:
    project, stranger = ProjectFactory(), PersonFactory()
    answer = superuser().post(
        url(ProjectAssignment, "add"),
        {"organization": project.organization_id, "project": project.pk, "person": stranger.pk},
    )
    assert answer.context["adminform"].form.errors == {"person": ["belongs to another organization"]}


# --- Cost -----------------------------------------------------------------------------------------


@pytest.mark.no_cover
@every_owned_model
@pytest.mark.parametrize("actor", [superuser, staff])
def test_list_costs_the_same_at_one_and_thirty_rows(model: type[Model], actor: Callable[..., Client]) -> None:
    organization = OrganizationFactory()
    client = actor(*[organization] * (actor is staff))
    make(model, organization)

    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.get(url(model, "changelist")).status_code == 200
        return len(queries)

    count()
    at_one = count()
    for _ in range(29):
        make(model, organization)
    assert count() == at_one


# --- Nonsense -------------------------------------------------------------------------------------

WRONG_IDS = [
    "9223372036854775808",
    "99999999999999999999999",
    "-1",
    "0",
    "abc",
    "1.0",
    "%00",
    "%ED%A0%80",
    "%0A",
    "_3A",
]


@every_model
def test_ids_that_are_none_are_missing(model: type[Model]) -> None:
    row, client = make(model, OrganizationFactory()), superuser()
    # What Python's int() takes for the id of the row.
    full_width = "".join(chr(0xFF10 + int(digit)) for digit in str(row.pk))
    odd = [f"{row.pk}%20", f"%2B{row.pk}", f"0{row.pk}", "_".join(f"0{row.pk}"), full_width]
    for wrong in [*WRONG_IDS, *odd]:
        for page in ("change", "delete", "history"):
            address = f"{url(model, 'changelist')}{wrong}/{page}/"
            assert client.get(address).status_code in (302, 404)
            assert client.post(address, {"post": "yes"}).status_code in (302, 404)
    assert model._default_manager.filter(pk=row.pk).exists()


WRONG_QUERIES = [
    "q=%00",
    "q=%ED%A0%80",
    "q=a%00b",
    "q=%22",
    "q=%27%22%5C",
    "q=" + "a+" * 3000,
    "q=" + "9" * 5000,
    "p=99999999999999999999",
    "p=-1",
    "p=x",
    "p=%00",
    "p=" + "9" * 5000,
    "all=",
    "all=&p=7",
    "o=99",
    "o=-99.1",
    "o=x",
    "o=1.-1.1",
    "o=99999999999999999999",
    "o=%00",
    "o=" + "9" * 5000,
    "e=1",
    "_facets=1&q=%00",
    "_popup=1&_to_field=id",
    "_to_field=organization",
    "_to_field=%00",
    "id=9223372036854775808",
    "id__in=9223372036854775808",
    "id__in=x",
    "pk=1_0",
    "unknown=1",
    "%00=1",
    "created_at__year=99999",
    "created_at__gte=99999-01-01",
    "created_at__gte=%00",
    "created_at__gte=0001-01-01T00:00%2B14:00",
    "created_at__lt=9999-12-31T23:59-14:00",
    "expires_at__gte=0001-01-01T00:00%2B14:00",
    "expires_at__gte=9999-12-31T23:59-14:00",
    "expires_at__isnull=x",
    "end_date__gte=99999-01-01",
    "end_date__lt=x",
    "year=99999",
    "name__regex=(",
    "digest__startswith=a",
    "password__startswith=a",
    "organization__name__regex=(",
    "organization__id__exact=9223372036854775808",
    "organization__id__exact=x",
    "organization__exact=%00",
    "organization__id__lt=99999999999999999999999",
    "organization__gte=x",
    "is_active__exact=%00",
    "is_active__gte=x",
    "is_staff__exact=7&is_staff__exact=x",
    "read_only__exact=x",
    "watched__isnull=%00",
    "archived=%00",
    "archived=maybe",
    "closed=maybe",
    "archived__x=1",
    "groups__id__exact=x",
    "groups__id__exact=9223372036854775808",
    "params__a__b=1",
    "preferences__has_key=%00",
    "_changelist_filters=%00",
    "_changelist_filters=%26%26%3D",
]


@pytest.mark.no_cover
@every_model
def test_nonsense_in_a_query_is_answered(model: type[Model]) -> None:
    make(model, OrganizationFactory())
    client = superuser()
    answers = {
        query: client.get(url(model, "changelist") + "?" + query).status_code for query in WRONG_QUERIES
    }
    assert {query: code for query, code in answers.items() if code not in (200, 302, 400)} == {}


@pytest.mark.parametrize("secret", ["digest__startswith", "prefix__startswith"])
def test_columns_cannot_be_probed_by_a_lists_query(secret: str) -> None:
    token = factories.ApiTokenFactory()
    probed = staff(token.organization).get(url(ApiToken, "changelist") + f"?{secret}=a")
    assert probed.status_code == 400


@pytest.mark.no_cover
@every_model
@pytest.mark.parametrize(
    "value", ["\x00", "x", "1_0", "9223372036854775808", "0001-01-01T00:00+14:00", "[" * 9999]
)
def test_nonsense_in_a_form_is_answered(model: type[Model], value: str) -> None:
    row, client = make(model, OrganizationFactory()), superuser()
    fields = [field.name for field in model._meta.get_fields()]
    names = [*fields, *(f"{name}_{part}" for name in fields for part in (0, 1))]
    assert client.get(url(model, "add"), dict.fromkeys(names, value)).status_code == 200
    for address in (url(model, "add"), url(model, "change", row.pk)):
        data = {**form_data(client, address), **dict.fromkeys(names, value)}
        data = {key: wrong for key, wrong in data.items() if not key.endswith("_FORMS")}
        assert client.post(address, data).status_code in (200, 302)
    for action in ("delete_selected", "archive", value):
        chosen = {"action": action, "index": 0, "_selected_action": value}
        assert client.post(url(model, "changelist"), chosen).status_code == 302


@pytest.mark.no_cover
@every_relation
@pytest.mark.parametrize("term", ["\x00", "a\x00b", "\ud800", "a " * 3000, "\\"])
def test_nonsense_in_an_autocomplete_term_finds_nothing(field: Any, term: str) -> None:
    make(field.model, OrganizationFactory())
    query = term.encode("utf-8", "surrogatepass").decode("latin-1")
    found = autocomplete(superuser(), field, query)
    assert (found.status_code, found.json()["results"]) == (200, [])


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("app_label", "\x00"),
        ("model_name", ""),
        ("field_name", "id"),
        ("field_name", "services"),
        ("page", "x"),
    ],
)
def test_nonsense_in_an_autocomplete_address_is_refused(part: str, value: str) -> None:
    answer = autocomplete(superuser(), Deal._meta.get_field("project"), **{part: value})
    assert answer.status_code in (403, 404)


JSON_FIELDS = [(m, f.name) for m in OWNED for f in m._meta.fields if isinstance(f, JSONField)]


@pytest.mark.parametrize(("model", "name"), JSON_FIELDS)
@pytest.mark.parametrize(
    "text",
    [
        '"\\ud800"',
        '{"\\udfff": 1}',
        '"\\u0000"',
        "NaN",
        "[-Infinity]",
        "1e400",
        "9" * 5000,
        "[" * 100_000,
        "[" * 900 + "]" * 900,
        "{",
    ],
    ids=lambda text: text[:12],
)
def test_json_that_a_database_cannot_keep_is_refused(model: type[Model], name: str, text: str) -> None:
    row, client = make(model, OrganizationFactory()), superuser()
    change = url(model, "change", row.pk)
    answer = client.post(change, {**form_data(client, change), name: text})
    assert answer.status_code == 200
    assert answer.context["adminform"].form.errors == {name: ["Enter a valid JSON."]}


@pytest.mark.parametrize(("model", "name"), JSON_FIELDS)
def test_json_that_only_looks_dangerous_is_kept(model: type[Model], name: str) -> None:
    row, client = make(model, OrganizationFactory()), superuser()
    change = url(model, "change", row.pk)
    text = r'{"a": ["\\u0000", "č", "😀", 9007199254740993, 1.5, null]}'
    assert client.post(change, {**form_data(client, change), name: text}).status_code == 302
    row.refresh_from_db()
    assert getattr(row, name) == {"a": [r"\u0000", "č", "😀", 9007199254740993, 1.5, None]}


@pytest.mark.parametrize(("error", "status"), [(OperationalError, 503), (IntegrityError, 409)])
def test_what_is_left_of_a_race_is_told_on_a_page(error: type[Exception], status: int) -> None:
    """As where a row stays locked for longer than PostgreSQL may wait."""
    row = factories.ServiceTypeFactory()

    def fail(*args: Any) -> None:
        raise error

    client = staff(row.organization)
    with connection.execute_wrapper(
        lambda execute, sql, *rest: fail() if sql.startswith("DELETE") else execute(sql, *rest)
    ):
        answer = client.post(url(ServiceType, "delete", row.pk), {"post": "yes"})
    assert (answer.status_code, "Please try again" in answer.content.decode()) == (status, True)
    assert ServiceType.objects.filter(pk=row.pk).exists()
