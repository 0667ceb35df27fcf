"""The page of the profile: a flame graph of what the workers' threads were seen doing."""

from __future__ import annotations

from typing import Any, Final

from bokeh.models import ColumnDataSource

from hocket.diagnostics.model import ClusterModel
from hocket.diagnostics.theme import PALETTE
from hocket.diagnostics.view import View
from hocket.diagnostics.visuals import page, plot

__all__ = ["profile", "worker_profile"]

page("profile", "Profile", order=55)
page("worker-profile", "Profile", role="worker", order=50)

_TEXT: Final = (
    "The wider a bar, the more often it was seen; what it calls is above it. Workers look at their"
    " threads while this page, or its table, is open."
)
#: Frames narrower than this part of all have no name written in them; characters for each part.
_NAMED_PART: Final = 0.03
_CHARACTERS: Final = 150
#: Ticks between two drawings: the whole is sent.
_TICKS: Final = 8


@plot("Threads", on="profile", size="full", height_px=560, reads=("profile",), text=_TEXT)
def profile(view: View) -> Any:
    """Draw the frames of all workers."""
    return draw_flames(view)


@plot(
    "Threads",
    on="worker-profile",
    role="worker",
    size="full",
    height_px=560,
    reads=("profile",),
    text=_TEXT,
)
def worker_profile(view: View) -> Any:
    """Draw the frames of this worker."""
    return draw_flames(view)


def draw_flames(view: View) -> Any:
    """Draw the tree of frames."""
    source = view.add_source(ColumnDataSource(_columns(view.model)))
    figure = view.figure(
        x_range=(0, 1),
        y_range=(-0.1, _height(source)),
        tools="xpan,xwheel_zoom,xbox_zoom,reset,save",
        tooltips=[
            ("function", "@function"),
            ("file", "@file:@line"),
            ("samples", "@samples (@part{0.0 %})"),
        ],
    )
    figure.quad(
        left="left_y",
        right="right_y",
        bottom="depth",
        top="top_y",
        source=source,
        fill_color="color",
        fill_alpha=0.85,
        line_color=view.theme.hatch,
        line_width=0.7,
    )
    figure.text(
        x="left_y",
        y="middle_y",
        x_offset=4,
        text="text_y",
        source=source,
        text_baseline="middle",
        text_font_size="12px",
        text_color="#10151c",
    )
    figure.axis.visible = False
    figure.grid.visible = False
    ticks = 0
    shown = view.model.profile.samples

    def update() -> None:
        nonlocal ticks, shown
        ticks += 1
        if ticks % _TICKS == 0 and view.model.profile.samples != shown:
            shown = view.model.profile.samples
            source.data = _columns(view.model)
            figure.y_range.end = _height(source)

    view.on_tick(update)
    return figure


def _columns(model: ClusterModel) -> dict[str, list[Any]]:
    names = ("function", "file", "line", "samples", "part", "depth")
    drawn = ("left_y", "right_y", "top_y", "middle_y", "text_y", "color")
    columns: dict[str, list[Any]] = {name: [] for name in (*names, *drawn)}
    whole = max(model.profile.samples, 1)
    for frame in model.profile.frames():
        part = (frame.right - frame.left) / whole
        text = frame.function
        room = int(part * _CHARACTERS)
        columns["function"].append(frame.function)
        columns["file"].append(frame.file)
        columns["line"].append(frame.line)
        columns["samples"].append(frame.right - frame.left)
        columns["part"].append(part)
        columns["depth"].append(frame.depth)
        columns["left_y"].append(frame.left / whole)
        columns["right_y"].append(frame.right / whole)
        columns["top_y"].append(frame.depth + 1)
        columns["middle_y"].append(frame.depth + 0.5)
        columns["text_y"].append(text[:room] if part >= _NAMED_PART else "")
        columns["color"].append(PALETTE[_stable(frame.file or frame.function) % 4])
    return columns


def _height(source: ColumnDataSource) -> float:
    """Return how many frames lie on each other, and some room."""
    return max([12.0, *(float(depth) + 1.5 for depth in source.data["depth"])])


def _stable(text: str) -> int:
    """Return a number that follows from a text, on every run the same."""
    return sum(index * ord(character) for index, character in enumerate(text, 1))
