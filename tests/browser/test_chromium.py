"""Test that a missing browser is installed if possible."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.browser import chromium
from tests.support.packages import install


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory as PATH, with a working package manager only."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    put(tmp_path, "apt-get", f"[ $1 = update ] || /bin/cp {tmp_path}/apt-get {tmp_path}/chromium")
    return tmp_path


def put(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_browser_is_installed(machine: Path) -> None:
    assert chromium.find() is None
    install("chromium")
    assert chromium.find() == str(machine / "chromium")


def test_browser_is_not_installed_without_root(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    install("chromium")
    assert chromium.find() is None


def test_failing_package_manager_raises_no_error(machine: Path, capfd: pytest.CaptureFixture[str]) -> None:
    put(machine, "apt-get", "exit 100")
    install("chromium")
    assert chromium.find() is None
    assert "returned non-zero exit status 100" in capfd.readouterr().err


def test_named_browser_takes_precedence(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(machine, "chromium", "")
    put(machine, "mine", "")
    monkeypatch.setenv("CHROMIUM", "mine")
    assert chromium.find() == str(machine / "mine")
    monkeypatch.setenv("CHROMIUM", "nowhere")
    assert chromium.find() is None
