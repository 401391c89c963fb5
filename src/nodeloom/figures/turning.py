"""Moving pictures: a turning map of three dimensions, and a map shown level by level of a hierarchy."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nodeloom.errors import ConfigError, DataError, describe
from nodeloom.figures.canvas import canvas_of, check_matplotlib, new_figure
from nodeloom.figures.colors import theme
from nodeloom.figures.pictures import chosen_color, draw_cube, map_figure, paint, point_colors, seen_from, shortened
from nodeloom.figures.points import MapPoints
from nodeloom.io.atomic import atomic_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from matplotlib.figure import Figure


def save_turning(
    path: str | Path,
    points: MapPoints,
    *,
    color: str = "auto",
    dark: bool = False,
    size: float = 5.0,
    num_frame: int = 120,
    seconds: float = 12.0,
    elevation: float = 25.0,
) -> None:
    """Write a map of three dimensions that turns once around, as GIF or MP4.

    Parameters
    ----------
    path : str or Path
        A file .gif, or .mp4, which needs the program ffmpeg.
    points : MapPoints
        A map of three dimensions.
    color, dark, size
        As in :func:`~nodeloom.figures.map_figure`.
    num_frame : int
        Pictures of one turn.
    seconds : float
        Time of one turn.
    elevation : float
        Degrees above the plane of the first two dimensions.

    Raises
    ------
    ConfigError
        Matplotlib is missing; ffmpeg is missing for MP4; no frame or no time.
    DataError
        The map has two dimensions.
    OutputError
        The file cannot be written.
    """
    check_moving(path)
    if points.dim != 3:
        raise DataError(describe("map that turns", expected="coordinates of 3 dimensions", got=points.dim))
    if num_frame < 1 or not seconds > 0:
        got = f"{num_frame} in {seconds} s"
        raise ConfigError(describe("map that turns", expected="at least 1 frame and a time above 0 s", got=got))
    colors, chosen = theme(dark), chosen_color(points, color)
    of_points = point_colors(points, chosen, dark)

    def frames() -> Iterator[Figure]:
        for frame in range(num_frame):
            figure, axes = new_figure(size, size, colors)
            azimuth = -60 + 360 * frame / num_frame
            places, depth, _ = seen_from(points, azimuth, elevation)
            paint(axes, places, depth, of_points, size)
            draw_cube(axes, azimuth, elevation, colors)
            if points.title:
                axes.set_title(shortened(points.title, 50), color=colors.text, parse_math=False)
            yield figure

    _save_frames(path, frames, seconds / num_frame)


def save_hierarchy(
    path: str | Path,
    points: MapPoints,
    paths: Sequence[Sequence[object]],
    target: object,
    *,
    dark: bool = False,
    size: float = 8.0,
    seconds: float = 3.0,
) -> None:
    """Write a map that follows a class down a hierarchy, one frame for each level, as GIF or MP4 (GraphVite's task ``hierarchy``).

    The frame of a level colours the classes of that level below the parent of the target there; other points are grey.

    Parameters
    ----------
    path : str or Path
        A file .gif or .mp4.
    points : MapPoints
        The map.
    paths : N sequences of equal length
        The classes of each point from the root down; "" where it has no class any more.
    target : object
        A class at any level.
    dark, size
        As in :func:`~nodeloom.figures.map_figure`.
    seconds : float
        Time of a frame.

    Raises
    ------
    ConfigError
        Matplotlib or ffmpeg is missing.
    DataError
        Another number of paths than of points, paths of different lengths, a target that is in no path.
    OutputError
        The file cannot be written.
    """
    check_moving(path)
    rows = [tuple(str(part) for part in row) for row in paths]
    if len(rows) != len(points):
        raise DataError(describe("paths", expected=f"one for each of {len(points):,} points", got=f"{len(rows):,}"))
    depths = sorted({len(row) for row in rows})
    if len(depths) > 1 or depths == [0]:
        raise DataError(describe("paths", expected="paths of one length", got=depths))
    goal = next((row[: row.index(str(target)) + 1] for row in rows if str(target) in row), None)
    if goal is None:
        raise DataError(describe("target", expected="a class of the hierarchy", got=target))

    def frames() -> Iterator[Figure]:
        for level in range(len(goal)):
            labels = [row[level] if row[:level] == goal[:level] else "" for row in rows]
            title = shortened(" › ".join(goal[: level + 1]), 70)
            names = MapPoints.of(points.coordinates, labels=labels)
            assert names.classes is not None
            yield map_figure(replace(points, classes=names.classes, class_names=names.class_names, title=title),
                             color="class", dark=dark, size=size)  # fmt: skip

    _save_frames(path, frames, seconds)


def check_moving(path: str | Path) -> None:
    """Refuse what cannot become a moving picture, before anything is drawn.

    Raises
    ------
    ConfigError
        Another suffix than .gif or .mp4; the library or the program for it is missing.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in (".gif", ".mp4"):
        raise ConfigError(describe(path, expected="a file .gif or .mp4", got=suffix or "no suffix"))
    check_matplotlib()
    if suffix == ".mp4" and shutil.which("ffmpeg") is None:
        hint = "Install ffmpeg, or write a .gif."
        raise ConfigError(describe(path, expected="the program ffmpeg", got="no program of this name", hint=hint))


def _save_frames(path: str | Path, frames: Callable[[], Iterator[Figure]], seconds: float) -> None:
    with atomic_path(path) as temporary:
        if Path(path).suffix.lower() == ".gif":
            _save_gif(temporary, frames, seconds)
        else:
            _save_mp4(temporary, frames, seconds)


def _save_gif(path: Path, frames: Callable[[], Iterator[Figure]], seconds: float) -> None:
    """Write with Pillow, which matplotlib brings; frames of 256 colours take a quarter of the memory that its own writer takes."""
    from PIL import Image

    pictures: list[Any] = []
    for figure in frames():
        picture = Image.fromarray(_pixels(figure)[..., :3])
        pictures.append(picture.quantize(255, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE))
    side = (max(p.width for p in pictures), max(p.height for p in pictures))
    whole = []
    for picture in pictures:
        if picture.size != side:  # legends differ in width
            paper = picture.copy().resize(side)
            paper.paste(picture.getpixel((0, 0)), (0, 0, *side))
            paper.paste(picture, (0, 0))
            picture = paper
        whole.append(picture)
    milliseconds = max(20, round(seconds * 1000))
    whole[0].save(path, "GIF", save_all=True, append_images=whole[1:], duration=milliseconds, loop=0)


def _save_mp4(path: Path, frames: Callable[[], Iterator[Figure]], seconds: float) -> None:
    import subprocess

    first = _pixels(next(frames()))
    height, width = first.shape[0] // 2 * 2, first.shape[1] // 2 * 2  # the format wants even sides
    command = ["ffmpeg", "-y", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "rgba", "-s", f"{width}x{height}"]
    command += ["-r", f"{1 / seconds:g}", "-i", "-", "-r", "25", "-pix_fmt", "yuv420p", "-f", "mp4", str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as program:
        assert program.stdin is not None
        assert program.stderr is not None
        try:
            for figure in frames():
                pixels = _pixels(figure)
                paper = np.zeros((height, width, 4), np.uint8)
                paper[:] = pixels[0, 0]
                part = pixels[:height, :width]
                paper[: len(part), : part.shape[1]] = part
                program.stdin.write(paper.tobytes())
            program.stdin.close()
        except BrokenPipeError:
            pass
        said = program.stderr.read().decode(errors="replace").strip().splitlines()
    if program.returncode:
        got = said[-1] if said else f"exit code {program.returncode}"
        raise ConfigError(describe("ffmpeg", expected="a video", got=got, hint="Write a .gif instead."))


def _pixels(figure: Figure) -> Any:
    figure.canvas.draw()
    return np.asarray(canvas_of(figure).buffer_rgba()).copy()
