"""The page of a report: one file, which asks no server for anything and runs no script but its own."""

import base64
import hashlib
from collections.abc import Sequence
from importlib.resources import files
from typing import NamedTuple

from glojax.reporting.elements import Element, as_html, element


class Part(NamedTuple):
    """A part of the page: its heading, and what each of several runs has there; None where it has nothing."""

    title: str
    of_runs: Sequence[Element | None]


def page(title: str, run_names: Sequence[str], parts: Sequence[Part], footer: str) -> str:
    """Return the page; a part without content is left out, and several runs stand side by side."""
    style, script = (files("glojax.reporting").joinpath(f"report.{kind}").read_text("utf-8") for kind in ("css", "js"))
    # Nothing but the two may take effect, were a text from a file ever to become markup.
    policy = f"default-src 'none'; style-src {_source(style)}; script-src {_source(script)}; base-uri 'none'"
    shown = [(f"part-{number}", part) for number, part in enumerate(parts) if any(e is not None for e in part.of_runs)]
    links = [element("a", part.title, href=f"#{name}") for name, part in shown]
    sections = [element("section", element("h2", part.title), _runs(part, run_names), id=name) for name, part in shown]
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="generator", content="glojax"),
        element("title", title),
        element("style", style),
    )
    body = element(
        "body",
        element("header", element("h1", title), element("nav", *links)),
        element("main", *sections),
        element("footer", footer),
        element("div", id="tip", hidden="hidden"),
        element("script", script),
    )
    return f"<!doctype html>\n{as_html(element('html', head, body, lang='en'))}\n"


def _runs(part: Part, run_names: Sequence[str]) -> Element:
    cards = []
    for name, content in zip(run_names, part.of_runs, strict=True):
        heading = element("h3", name) if len(run_names) > 1 else None
        shown = element("p", "Nothing here.", class_="soft") if content is None else content
        cards.append(element("div", heading, shown, class_="card"))
    return element("div", *cards, class_="runs")


def _source(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
