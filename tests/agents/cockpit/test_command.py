"""``worldsim cockpit``: it says where it is, lets in whom it should, and what is wrong before it begins."""

from __future__ import annotations

import importlib.util
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from agents.cockpit.command import CockpitConfig, cockpit, listen


def test_what_cannot_be_served_is_said_first(worlds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="unknown world"):
        cockpit(CockpitConfig(world=str(tmp_path)))
    with pytest.raises(ValueError, match="damaged"):
        cockpit(CockpitConfig(world=str(worlds / "damaged")))
    with pytest.raises(ValueError, match="steps"):
        cockpit(CockpitConfig(world=str(worlds / "tiny"), steps=3))
    with pytest.raises(ValueError, match="at least 8 characters"):
        CockpitConfig(token="short")
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match=r"cannot be had.*port=0"):
        listen("127.0.0.1", taken.getsockname()[1])
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "fastapi" else object())
    with pytest.raises(ImportError, match=r"needs fastapi: pip install -e '\.\[cockpit\]'"):
        cockpit(CockpitConfig())


def test_the_command_serves_until_it_is_interrupted(worlds: Path, tmp_path: Path) -> None:
    command = [
        sys.executable, "-m", "worldsim", "cockpit", f"world={worlds / 'tiny'}", "host=0.0.0.0", "port=0", "places=[]",
        f"out={tmp_path}", "open_browser=false",
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        line = process.stdout.readline()
        address, _, token = line.split()[-1].partition("?token=")
        home = f"http://127.0.0.1:{address.rstrip('/').rpartition(':')[2]}/"
        assert len(token) > 16, line + process.stderr.read()
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(home, timeout=60)
        with_cookies = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        with with_cookies.open(f"{home}?token={token}", timeout=60) as answer:
            assert b"worldsim cockpit" in answer.read()
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
