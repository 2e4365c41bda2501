"""Test that the lock files are complete, because `make` installs them without resolving anything."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

pytestmark = pytest.mark.any_database

REQUIREMENTS = Path(__file__).parent.parent / "requirements"
RUNNING = default_environment()["python_full_version"]
PYTHONS = ("3.11.0", "3.12.0", "3.13.0", "3.14.0")


def read(name: str) -> list[Requirement]:
    """Return the requirements in a file, without its options, hashes and comments."""
    lines = (REQUIREMENTS / name).read_text().splitlines()
    stripped = (line.partition("#")[0].removesuffix("\\").strip() for line in lines)
    return [Requirement(line) for line in stripped if line and not line.startswith("-")]


def applies(requirement: Requirement, python: str, extra: str = "") -> bool:
    environment = default_environment() | {
        "python_full_version": python,
        "python_version": python.rpartition(".")[0],
        "extra": extra,
    }
    return requirement.marker is None or requirement.marker.evaluate(environment)


def locked(lock: list[Requirement], python: str) -> dict[str, Requirement]:
    """Return the lines that pip would install for a version of Python, by name."""
    return {canonicalize_name(line.name): line for line in lock if applies(line, python)}


def version(line: Requirement) -> str:
    (pin,) = line.specifier
    assert pin.operator == "==", line
    return pin.version


def unsatisfied(lock: list[Requirement], python: str) -> Iterator[str]:
    """Yield what the locked distributions require and the lock lacks for a version of Python.

    Metadata is read from installed packages, so versions for other Pythons only are skipped.
    """
    lines = locked(lock, python)
    for line in lines.values():
        if line not in locked(lock, RUNNING).values():
            continue
        for requirement in map(Requirement, distribution(line.name).requires or ()):
            if any(applies(requirement, python, extra) for extra in {"", *line.extras}):
                found = lines.get(canonicalize_name(requirement.name))
                if not found or not satisfies(found, requirement):
                    yield f"{line.name} requires {requirement}; locked: {found}"


def satisfies(line: Requirement, requirement: Requirement) -> bool:
    return requirement.specifier.contains(version(line)) and requirement.extras <= line.extras


@pytest.mark.parametrize("name", ["base", "dev"])
def test_lock_satisfies_requirements_of_its_packages(name: str) -> None:
    lock = read(f"{name}.txt")
    for line in locked(lock, RUNNING).values():
        assert distribution(line.name).version == version(line)
    assert [missing for python in (RUNNING, *PYTHONS) for missing in unsatisfied(lock, python)] == []


@pytest.mark.parametrize("name", ["pip", "uv", "base", "dev", "audit"])
def test_lock_satisfies_our_requirements(name: str) -> None:
    requirements, lock = read(f"{name}.in"), read(f"{name}.txt")
    assert requirements
    for python in PYTHONS:
        lines = locked(lock, python)
        for requirement in requirements:
            assert satisfies(lines[canonicalize_name(requirement.name)], requirement)


def test_dev_lock_does_not_change_base_lock() -> None:
    """`make test` installs dev.txt over base.txt."""
    for python in PYTHONS:
        assert locked(read("dev.txt"), python).items() >= locked(read("base.txt"), python).items()


def test_locks_name_no_package_index() -> None:
    for path in REQUIREMENTS.glob("*.txt"):
        lines = [line.strip() for line in path.read_text().splitlines()]
        hashes = [line for line in lines if line.startswith("--hash=sha256:")]
        assert hashes
        assert [line for line in lines if line.startswith("-") and line not in hashes] == []
        assert "://" not in path.read_text()
