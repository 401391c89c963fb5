"""The place where everything is printed: what a terminal would obey is written out first."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook, RenderResult
from rich.segment import Segment

from nodeloom.cli.streams import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def console(stream: TextIO, *, quiet: bool) -> Console:
    """Return a console on a stream."""
    result = Console(file=stream, highlight=False, quiet=quiet)
    result.push_render_hook(_Printable())
    return result


class _Printable(RenderHook):
    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [_Shown(item) for item in renderables]


class _Shown:
    """What is inside, without control characters but those that the console makes itself."""

    def __init__(self, content: ConsoleRenderable) -> None:
        self.content = content

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from _shown(console.render(self.content, options))


def _shown(segments: Iterable[Segment]) -> Iterator[Segment]:
    for segment in segments:
        yield segment if segment.control else segment._replace(text=printable(segment.text))
