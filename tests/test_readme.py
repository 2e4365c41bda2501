"""Run the examples of README and docs, and compare their tables with the code."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command, get_commands

from catalog.models import Service
from tests.support.resources import ACTIONS, RESOURCES
from tests.support.servers import ROOT, empty_environment, free_port, wait_for_port

pytestmark = [pytest.mark.any_database, pytest.mark.no_cover]

README, ADMIN, API, OPERATING, TRACKING = (
    (ROOT / page).read_text()
    for page in ("README.md", "docs/admin.md", "docs/api.md", "docs/operating.md", "docs/tracking.md")
)


def test_every_documented_request_succeeds(tmp_path: Path) -> None:
    assert shutil.which("curl"), "this test needs curl"
    port = free_port()
    log = tmp_path / "log"
    with log.open("w") as output:
        demo = subprocess.Popen(
            [sys.executable, "manage.py", "demo", "--port", str(port)],
            cwd=ROOT,
            env=empty_environment(tmp_path),
            stdout=output,
            stderr=subprocess.DEVNULL,
        )
    try:
        wait_for_port(port)
        (token,) = re.findall(r"^Token +(prd_\S+)", log.read_text(), re.MULTILINE)
        blocks = re.findall(r"```bash\n(.*?)```", API, re.DOTALL)
        (script,) = (block for block in blocks if "api/v2/deals" in block)
        # The request in README, without the line that sets the token.
        script += re.findall(r"^curl .*\n", README, re.MULTILINE)[0]
        ran = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script.replace("127.0.0.1:8000", f"127.0.0.1:{port}")],
            env={"PATH": os.environ["PATH"], "TOKEN": token},
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        demo.terminate()
        demo.wait(30)
    assert ran.returncode == 0, ran.stderr
    assert {kind for kind in DOCUMENTED if f'"type":"{kind}"' not in ran.stdout} == set()


def rows(heading: str) -> dict[str, list[str]]:
    """Return a table of docs/api.md by the first word of the first column."""
    table = API[API.index(f"| {heading} |") :].split("\n\n")[0]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]
    return {re.findall(r"`([^`]+)`", first)[0]: rest for first, *rest in cells}


# Computed resources are tested in tests/assignments.
DOCUMENTED = {name: cells for name, cells in rows("resource").items() if name in RESOURCES}


@pytest.mark.parametrize("resource", DOCUMENTED)
def test_table_of_resources_agrees_with_code(resource: str) -> None:
    view = RESOURCES[resource]
    actions = [action for name, action in ACTIONS if name == resource]
    documented = [re.findall(r"`(\w+)`", cell) for cell in DOCUMENTED[resource]]
    filters = [name for name in view.filterset_class.base_filters if name != "id"]
    assert [sorted(names) for names in documented] == [sorted(filters), sorted(view.sorts), sorted(actions)]


def test_table_of_settings_names_every_variable() -> None:
    source = (ROOT / "productive/settings.py").read_text()
    read = set(re.findall(r"env(?:\.\w+)?\(\s*[\"']([A-Z_]+)", source)) | {"ENV_FILE", "WEB_CONCURRENCY"}
    table = OPERATING[OPERATING.index("| variable |") :].split("\n\n")[0]
    documented = {
        name for line in table.splitlines()[2:] for name in re.findall(r"`([A-Z_]{4,})`", line.split("|")[1])
    }
    assert documented == read


def test_readme_names_every_resource() -> None:
    listed = README[README.index("Resources: ") :].split("\n\n")[0]
    assert {*re.findall(r"`(\w+)`", listed)} == {*rows("resource")}


def test_table_of_commands_names_every_command() -> None:
    prefixes = ("productive", "catalog", "assignments")
    ours = {name for name, app in get_commands().items() if app.startswith(prefixes)}
    documented = set(re.findall(r"^\| `manage\.py (\w+)", OPERATING, re.MULTILINE))
    assert ours <= documented


@pytest.mark.django_db
def test_example_of_tracking_rule_has_documented_output() -> None:
    """Except days and years, because the sample data is relative to today."""
    (command,) = re.findall(r"manage\.py (explain_tracking .*)", TRACKING)
    printed = TRACKING[TRACKING.index(f"{command}\n```\n\n```\n") :].split("```\n")[2].removesuffix("```")
    call_command("seed", stdout=StringIO())
    first = Service.objects.order_by("pk")[0].pk
    name, *arguments = command.split()
    arguments[-1] = str(int(arguments[-1]) + first - 1)
    out = StringIO()
    call_command(name, *arguments, stdout=out)

    def timeless(text: str) -> str:
        return re.sub(r"\d{1,2} [A-Z][a-z]+ \d{4}|\b20\d\d\b", "then", text)

    assert timeless(out.getvalue()) == timeless(printed)


def test_pictures_exist_and_are_small() -> None:
    pictures = [ROOT / "docs" / path for path in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", ADMIN)]
    assert "](docs/images/dashboard.png)" in README
    assert {*pictures} == {*(ROOT / "docs/images").glob("*.png")}
    assert [picture.name for picture in pictures if picture.stat().st_size > 200_000] == []
