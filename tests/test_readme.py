"""The README is true: its requests work as printed, its tables say what the code says."""

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

README = (ROOT / "README.md").read_text()


def test_every_request_works_as_printed(tmp_path: Path) -> None:
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
        (script,) = (b for b in re.findall(r"```bash\n(.*?)```", README, re.DOTALL) if "api/v2/deals" in b)
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
    """A table of the README by its first column's first word, the other columns as they stand."""
    table = README[README.index(f"| {heading} |") :].split("\n\n")[0]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]
    return {re.findall(r"`([^`]+)`", first)[0]: rest for first, *rest in cells}


# Computed ones have a table of their own.
DOCUMENTED = {name: cells for name, cells in rows("resource").items() if name in RESOURCES}


@pytest.mark.parametrize("resource", DOCUMENTED)
def test_table_of_resources_says_what_the_code_says(resource: str) -> None:
    view = RESOURCES[resource]
    actions = [action for name, action in ACTIONS if name == resource]
    documented = [re.findall(r"`(\w+)`", cell) for cell in DOCUMENTED[resource]]
    filters = [name for name in view.filterset_class.base_filters if name != "id"]
    assert [sorted(names) for names in documented] == [sorted(filters), sorted(view.sorts), sorted(actions)]


def test_table_of_settings_names_every_variable_that_is_read() -> None:
    source = (ROOT / "productive/settings.py").read_text()
    read = set(re.findall(r"env(?:\.\w+)?\(\s*[\"']([A-Z_]+)", source)) | {"ENV_FILE", "WEB_CONCURRENCY"}
    table = README[README.index("| variable |") :].split("\n\n")[0]
    documented = {
        name for line in table.splitlines()[2:] for name in re.findall(r"`([A-Z_]{4,})`", line.split("|")[1])
    }
    assert documented == read


def test_table_of_commands_names_every_command_of_ours() -> None:
    rooms = ("productive", "catalog", "assignments")
    ours = {name for name, app in get_commands().items() if app.startswith(rooms)}
    documented = set(re.findall(r"^\| `manage\.py (\w+)", README, re.MULTILINE))
    assert ours <= documented


@pytest.mark.django_db
def test_example_of_the_tracking_rule_comes_out_as_printed() -> None:
    """But for days and years, which the sample data counts from today."""
    (command,) = re.findall(r"manage\.py (explain_tracking .*)", README.split("## Commands")[0])
    printed = README[README.index(f"{command}\n```\n\n```\n") :].split("```\n")[2].removesuffix("```")
    call_command("seed", stdout=StringIO())
    first = Service.objects.order_by("pk")[0].pk
    name, *arguments = command.split()
    arguments[-1] = str(int(arguments[-1]) + first - 1)
    out = StringIO()
    call_command(name, *arguments, stdout=out)

    def timeless(text: str) -> str:
        return re.sub(r"\d{1,2} [A-Z][a-z]+ \d{4}|\b20\d\d\b", "then", text)

    assert timeless(out.getvalue()) == timeless(printed)


def test_pictures_are_there_and_light_enough_to_look_at() -> None:
    pictures = [ROOT / path for path in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", README)]
    assert {*pictures} == {*(ROOT / "docs/images").glob("*.png")}
    assert [picture.name for picture in pictures if picture.stat().st_size > 200_000] == []
