"""Output to a terminal, to which no text from a file gives commands."""

from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook
from rich.segment import Segment

from glojax.errors import printable


def open_console(*, quiet: bool = False) -> Console:
    """Return a console for standard output that prints control characters in texts as escapes, or nothing if `quiet`.

    What a `rich.live.Live` display draws is not escaped: it is to hold no texts from files.
    """
    console = Console(quiet=quiet)
    console.push_render_hook(_Escaping())
    return console


def print_text(text: str, console: Console, *, wraps: bool = False) -> None:
    """Print a text as it stands: rich would read it as markup, and wrap it, which is for sentences on a terminal."""
    console.print(text, highlight=False, markup=False, soft_wrap=not (wraps and console.is_terminal))


class _Escaping(RenderHook):
    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [_Escaped(renderable) for renderable in renderables]


@dataclass
class _Escaped:
    renderable: ConsoleRenderable

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        for text, style, control in console.render(self.renderable, options):
            yield Segment(text if control else printable(text), style, control)
