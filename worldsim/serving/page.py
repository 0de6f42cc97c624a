"""One HTML page that holds everything it shows: videos, filmstrips, charts and figures; nothing is fetched.

Axis legend: t moments.

Values in, a file out: this module knows neither worlds nor models. The page opens from a file, reads on a phone, and
follows the reader's choice of light or dark.
"""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from worldsim.storage import atomic_path

CHART_SIZE = (600.0, 100.0)


@dataclass(frozen=True)
class Line:
    """One curve of a chart. ``role`` names its colour: "learned", "reference" or "plain". NaN leaves a gap."""

    name: str
    values: Sequence[float]
    role: str = "plain"


@dataclass(frozen=True)
class Chart:
    """Curves over ``seconds`` (t,) between ``low`` and ``high``; beyond them they are clipped."""

    title: str
    unit: str
    seconds: Sequence[float]
    lines: Sequence[Line]
    low: float
    high: float


@dataclass(frozen=True)
class Table:
    """Figures as they are to be read; the first column names the row."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Fact:
    """A number and what it is."""

    value: str
    meaning: str


@dataclass(frozen=True)
class Scene:
    """One drive seen side by side. ``video`` is an mp4, ``poster`` and ``filmstrip`` are PNGs."""

    title: str
    caption: str
    video: bytes
    poster: bytes
    sides: tuple[str, str]  # what the left and the right half of the video show
    filmstrip: bytes
    rows: Sequence[str]  # of the filmstrip, from the top
    moments: Sequence[str]  # of its columns
    facts: Sequence[Fact] = ()
    charts: Sequence[Chart] = ()
    table: Table | None = None
    remarks: Sequence[str] = ()


@dataclass(frozen=True)
class Plot:
    """A plot drawn elsewhere, as SVG text that begins with ``<svg``, and what it shows in words."""

    svg: str
    words: str


@dataclass(frozen=True)
class Clip:
    """A short video, an mp4 with its poster as PNG, and what it shows in words."""

    video: bytes
    poster: bytes
    words: str


@dataclass(frozen=True)
class Picture:
    """A PNG and what it shows in words."""

    png: bytes
    words: str


@dataclass(frozen=True)
class Section:
    """Words, and what they are about: figures, a table, charts that belong to no video, plots, clips, commands.

    ``details`` are more tables by title, folded away until the reader asks for them.
    """

    heading: str
    paragraphs: Sequence[str] = ()
    points: Sequence[str] = ()
    commands: Sequence[str] = ()
    facts: Sequence[Fact] = ()
    table: Table | None = None
    charts: Sequence[Chart] = ()
    plots: Sequence[Plot] = ()
    clips: Sequence[Clip] = ()
    pictures: Sequence[Picture] = ()
    details: Sequence[tuple[str, Table]] = ()


@dataclass(frozen=True)
class Page:
    """The whole page, from top to bottom."""

    title: str
    lead: str
    facts: Sequence[Fact] = ()
    opening: Sequence[Section | Scene] = ()
    before: Sequence[Section] = ()  # words that stand side by side
    scenes: Sequence[Scene] = ()
    after: Sequence[Section] = ()
    footer: str = field(default="")


def write_page(target: Path | str, page: Page) -> Path:
    """Write the page to ``target``, atomically."""
    with atomic_path(target) as temporary:
        temporary.write_text(render(page), encoding="utf-8")
    return Path(target)


def render(page: Page) -> str:
    """The page as HTML text."""
    body = [
        f"<header><h1>{_text(page.title)}</h1><p class=lead>{_text(page.lead)}</p>{_facts(page.facts)}</header>",
        *(
            _scene(part, f"opening-{place}") if isinstance(part, Scene) else _section(part)
            for place, part in enumerate(page.opening)
        ),
        f"<div class=words>{''.join(map(_section, page.before))}</div>",
        *(_scene(scene, f"scene-{place}") for place, scene in enumerate(page.scenes)),
        *map(_section, page.after),
        f"<footer>{_text(page.footer)}</footer>",
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{_text(page.title)}</title>\n<style>\n{_asset('page.css')}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(body)
        + f"\n</main>\n<script>\n{_asset('page.js')}</script>\n</body>\n</html>\n"
    )


def _scene(scene: Scene, anchor: str) -> str:
    left, right = scene.sides
    video = (
        f'<video controls muted loop playsinline preload="metadata" poster="{_data("image/png", scene.poster)}" '
        f'src="{_data("video/mp4", scene.video)}" aria-label="{_text(scene.title)}: {_text(left)} beside '
        f'{_text(right)}"></video>'
    )
    columns = len(scene.moments)
    strip = (
        f'<figure class=strip><div class=roll><div class=moments style="--columns:{columns}">'
        + "".join(f"<span>{_text(moment)}</span>" for moment in scene.moments)
        + f'</div><img src="{_data("image/png", scene.filmstrip)}" '
        f'alt="Filmstrip of {_text(scene.title)}: {_text(" above ".join(scene.rows))}"></div>'
        f"<figcaption>{_text(' above, '.join(scene.rows))} below</figcaption></figure>"
    )
    return "\n".join(
        [
            f'<article class=scene id="{anchor}">',
            f"<h2>{_text(scene.title)}</h2><p class=caption>{_text(scene.caption)}</p>",
            f"<div class=screen><div class=sides><span class=learned>{_text(left)}</span>"
            f"<span class=reference>{_text(right)}</span></div>{video}</div>",
            _facts(scene.facts),
            strip,
            _charts(scene.charts),
            _table(scene.table) if scene.table else "",
            _points(scene.remarks),
            "</article>",
        ]
    )


def _section(section: Section) -> str:
    paragraphs = "".join(f"<p>{_text(paragraph)}</p>" for paragraph in section.paragraphs)
    commands = "".join(f"<pre><code>{_text(command)}</code></pre>" for command in section.commands)
    shown = _facts(section.facts) + (_table(section.table) if section.table else "") + _charts(section.charts)
    shown += _figures(section.plots, section.clips) + "".join(map(_picture, section.pictures))
    shown += "".join(f"<details><summary>{_text(title)}</summary>{_table(each)}</details>"
                     for title, each in section.details)  # fmt: skip
    words = f"<h2>{_text(section.heading)}</h2>{paragraphs}{shown}{_points(section.points)}"
    return f"<section>{words}{commands}</section>"


def _facts(facts: Iterable[Fact]) -> str:
    cells = "".join(f"<div><dd>{_text(fact.value)}</dd><dt>{_text(fact.meaning)}</dt></div>" for fact in facts)
    return f"<dl class=facts>{cells}</dl>" if cells else ""


def _points(points: Iterable[str]) -> str:
    items = "".join(f"<li>{_text(point)}</li>" for point in points)
    return f"<ul>{items}</ul>" if items else ""


def _table(table: Table) -> str:
    head = "".join(f"<th>{_text(cell)}</th>" for cell in table.head)
    rows = "".join(
        f"<tr><th>{_text(row[0])}</th>" + "".join(f"<td>{_text(cell)}</td>" for cell in row[1:]) + "</tr>"
        for row in table.rows
    )
    return f"<div class=roll><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"


def _charts(charts: Iterable[Chart]) -> str:
    figures = "".join(map(_chart, charts))
    return f"<div class=charts>{figures}</div>" if figures else ""


def _figures(plots: Iterable[Plot], clips: Iterable[Clip]) -> str:
    drawn = [f"<figure class=drawn>{plot.svg}<figcaption>{_text(plot.words)}</figcaption></figure>" for plot in plots]
    for clip in clips:
        drawn.append(
            f'<figure class=drawn><video controls muted loop playsinline preload="metadata" '
            f'poster="{_data("image/png", clip.poster)}" src="{_data("video/mp4", clip.video)}" '
            f'aria-label="{_text(clip.words)}"></video><figcaption>{_text(clip.words)}</figcaption></figure>'
        )
    return f"<div class=gallery>{''.join(drawn)}</div>" if drawn else ""


def _picture(picture: Picture) -> str:
    words = _text(picture.words)
    shown = f'<div class=roll><img src="{_data("image/png", picture.png)}" alt="{words}"></div>'
    return f"<figure class=wide>{shown}<figcaption>{words}</figcaption></figure>"


def _chart(chart: Chart) -> str:
    """Text stays in HTML and curves in a stretched SVG, so that both are sharp at any width."""
    width, height = CHART_SIZE
    curves = "".join(
        f'<path class="{_text(line.role)}" d="{_path(line.values, chart)}" vector-effect="non-scaling-stroke"/>'
        for line in chart.lines
    )
    zero = ""
    if chart.low < 0 < chart.high:
        y = height * chart.high / (chart.high - chart.low)
        zero = f'<path class=zero d="M0 {y:.1f}H{width:g}" vector-effect="non-scaling-stroke"/>'
    key = "".join(f"<span class={line.role}>{_text(line.name)}</span>" for line in chart.lines)
    return (
        f"<figure class=chart><figcaption><b>{_text(chart.title)}</b><span class=key>{key}</span></figcaption>"
        f"<div class=plot><span class=high>{chart.high:g} {_text(chart.unit)}</span>"
        f"<span class=low>{chart.low:g} {_text(chart.unit)}</span>"
        f'<svg viewBox="0 0 {width:g} {height:g}" preserveAspectRatio="none" aria-hidden="true">{zero}{curves}</svg>'
        f"</div>"
        f"<div class=axis><span>{chart.seconds[0]:g} s</span><span>{chart.seconds[-1]:g} s</span></div></figure>"
    )


def _path(values: Sequence[float], chart: Chart) -> str:
    """The curve as SVG path data; a NaN lifts the pen."""
    width, height = CHART_SIZE
    first, span = chart.seconds[0], max(chart.seconds[-1] - chart.seconds[0], 1e-9)
    steps, pen = [], "M"
    for second, value in zip(chart.seconds, values, strict=True):
        if math.isnan(value):
            pen = "M"
            continue
        share = min(max((value - chart.low) / (chart.high - chart.low), 0.0), 1.0)
        steps.append(f"{pen}{(second - first) / span * width:.1f} {(1 - share) * height:.1f}")
        pen = "L"
    return "".join(steps)


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _text(value: str) -> str:
    return html.escape(value, quote=True)


def _asset(name: str) -> str:
    return (resources.files("worldsim.serving") / name).read_text(encoding="utf-8")
