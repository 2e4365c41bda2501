from __future__ import annotations

from playwright.sync_api import Page, expect

from productive.accounts.models import Organization, Person
from tests.browser.axe import barriers
from tests.browser.steps import lines_under


def preview(page: Page, *lines: str) -> None:
    """Choose a file with these lines, and preview its import."""
    file = "\n".join(lines).encode()
    page.locator("input[type=file]").set_input_files(
        {"name": "people.csv", "mimeType": "text/csv", "buffer": file}
    )
    page.get_by_role("button", name="Preview").click()


def test_file_with_an_error_is_corrected_and_imported(page: Page, organization: Organization) -> None:
    page.goto("/admin/accounts/person/")
    page.get_by_role("link", name="Import").click()
    header, ana = "First name,Last name,Email", "Ana,Kovač,ana@agency.example"
    preview(page, header, ana, "Iva,Marić,nowhere")
    expect(page.get_by_text("nothing can be imported")).to_be_visible()
    [line] = lines_under(page, "Can't be done")
    assert line.startswith("Row 3")
    assert line.endswith("Email: Enter a valid email address.")
    expect(page.get_by_role("button", name="Import", exact=True)).to_have_count(0)

    page.get_by_role("link", name="Choose another file").click()
    preview(page, header, ana, "Iva,Marić,iva@agency.example")
    expect(page.get_by_text("Nothing has been changed yet")).to_be_visible()
    imported = Person.objects.owned_by(organization).filter(user=None)
    assert not imported.exists()
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_role("rowheader", name="Iva Marić")).to_be_visible()
    assert sorted(imported.values_list("first_name", "email")) == [
        ("Ana", "ana@agency.example"),
        ("Iva", "iva@agency.example"),
    ]


def test_columns_are_chosen_and_rows_with_errors_left_out(page: Page, organization: Organization) -> None:
    page.goto("/admin/accounts/person/import/")
    preview(
        page,
        "Vorname;Surname;E-mail;Colour",
        "Ana;Kovač;ana@agency.example;red",
        "Iva;Marić;nowhere;blue",
        "Ivo;Ilić;ivo@agency.example;red",
    )
    expect(page.get_by_text("Missing columns: First name.")).to_be_visible()
    assert barriers(page) == []
    assert page.get_by_label("Surname").input_value() == "last_name"
    page.get_by_label("Vorname").select_option("First name")
    page.get_by_role("button", name="Preview").click()
    [line] = lines_under(page, "Can't be done")
    assert line.startswith("Row 3 Iva · Marić · nowhere · blue")
    assert barriers(page) == []
    with page.expect_download() as download:
        page.get_by_role("link", name="Download 1 row with errors").click()
    assert download.value.suggested_filename == "people-errors.csv"

    page.get_by_role("button", name="Continue with the other 2 rows").click()
    assert len(lines_under(page, "Will be created")) == 2
    # Back leads to the preview of all rows, whose file is still there.
    page.go_back()
    expect(page.get_by_text("1 row has errors")).to_be_visible()
    page.get_by_role("button", name="Continue with the other 2 rows").click()
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_text("Imported: 2 created.")).to_be_visible()
    expect(page.get_by_text("1 row with errors left out.")).to_be_visible()
    imported = Person.objects.owned_by(organization).filter(user=None)
    assert sorted(imported.values_list("first_name", flat=True)) == ["Ana", "Ivo"]
