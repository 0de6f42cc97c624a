"""Commands speak in one way: text as it is, tables whole, and nothing else in the packages prints."""

from __future__ import annotations

import ast
import io
from pathlib import Path

import pytest
from rich.table import Table
from tqdm import tqdm

from worldsim.say import say

ROOT = Path(__file__).parents[2]
SPEAKS = {"worldsim/say.py", "worldsim/cli/main.py"}  # the latter on stderr


def test_text_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    text = "[bold]no markup[/bold] 1.5 " + "long " * 50
    say(text)
    assert capsys.readouterr().out == text + "\n"


def test_a_table_is_as_wide_as_a_page_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table(*[f"column {i}" for i in range(9)], expand=True)
    say(table)
    assert {len(line) for line in capsys.readouterr().out.splitlines()} == {120}


def test_a_progress_bar_is_drawn_again_below_what_is_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = io.StringIO()
    monkeypatch.setattr("sys.stderr", screen)
    with tqdm(total=2, desc="driving", file=screen, mininterval=0.0) as bar:
        bar.update()
        drawn = screen.getvalue()
        say("a word")
        assert screen.getvalue().count("driving") == drawn.count("driving") + 1
    assert capsys.readouterr().out == "a word\n"


def test_nothing_else_prints() -> None:
    printing = {
        str(path.relative_to(ROOT))
        for package in ("worldsim", "envs", "agents")
        for path in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and (isinstance(node.func, ast.Name) and node.func.id in ("print", "Console"))
    }
    assert printing <= SPEAKS, "say() instead"
