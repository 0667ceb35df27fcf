"""Colours and sizes, in one place: light and dark, and such that colour-blind people read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

__all__ = ["DARK", "HATCHES", "LIGHT", "PALETTE", "Theme", "theme_named"]

#: Okabe and Ito's colours, which differ for people with any of the common kinds of colour
#: blindness; the order is that in which groups get them.
PALETTE: Final = (
    "#56b4e9",  # sky blue
    "#e69f00",  # orange
    "#009e73",  # bluish green
    "#cc79a7",  # reddish purple
    "#0072b2",  # blue
    "#d55e00",  # vermilion
    "#b7a900",  # a darker yellow than theirs, to be seen on white
)
#: Where colours come round again, patterns tell apart what would look alike.
HATCHES: Final = (" ", "/", ".", "x", "-", "o")


@dataclass(frozen=True, slots=True)
class Theme:
    """What depends on light and dark.

    Attributes
    ----------
    name
        ``"light"`` or ``"dark"``.
    text, faint, line
        Colours of text, of what matters less, and of grids and axes.
    hatch
        The colour of patterns over bars.
    accents
        For lines and bars that stand for no function.
    transfer, disk
        For data on its way, in lanes that hold nothing else.
    good, warning, bad
        Never alone: there is always a word, too.
    ramp
        From little to much, for matrices.
    """

    name: str
    text: str
    faint: str
    line: str
    hatch: str
    accents: tuple[str, str, str, str]
    transfer: str
    disk: str
    good: str
    warning: str
    bad: str
    ramp: tuple[str, ...]

    def to_bokeh(self) -> dict[str, Any]:
        """Return the attributes of a Bokeh theme."""
        font = "system-ui, sans-serif"
        return {
            "attrs": {
                "Plot": {
                    "background_fill_color": None,
                    "border_fill_color": None,
                    "outline_line_color": None,
                },
                "Grid": {"grid_line_color": self.line, "grid_line_alpha": 0.6},
                "Axis": {
                    "axis_line_color": self.line,
                    "axis_label_text_color": self.faint,
                    "axis_label_text_font": font,
                    "axis_label_text_font_size": "12px",
                    "axis_label_text_font_style": "normal",
                    "major_label_text_color": self.text,
                    "major_label_text_font": font,
                    "major_label_text_font_size": "12px",
                    "major_tick_line_color": self.line,
                    "minor_tick_line_color": None,
                },
                "Legend": {
                    "background_fill_alpha": 0.0,
                    "border_line_color": None,
                    "label_text_color": self.text,
                    "label_text_font": font,
                    "label_text_font_size": "12px",
                    "padding": 0,
                    "margin": 2,
                    "spacing": 2,
                },
                "Title": {"text_color": self.text, "text_font": font, "text_font_size": "13px"},
                "ColorBar": {
                    "background_fill_alpha": 0.0,
                    "major_label_text_color": self.text,
                    "title_text_color": self.faint,
                },
                "Toolbar": {"autohide": True, "logo": None},
            }
        }


LIGHT: Final = Theme(
    name="light",
    text="#1f2328",
    faint="#57606a",
    line="#d0d7de",
    hatch="#ffffff",
    accents=("#0072b2", "#d55e00", "#009e73", "#aa4488"),
    transfer="#d7263d",
    disk="#7a5c3e",
    good="#009e73",
    warning="#b35900",
    bad="#c0392b",
    ramp=("#f7fbff", "#deebf7", "#c6dbef", "#9ecae1", "#6baed6", "#4292c6", "#2171b5", "#084594"),
)
DARK: Final = Theme(
    name="dark",
    text="#e6edf3",
    faint="#9aa4af",
    line="#3d444d",
    hatch="#0d1117",
    accents=("#56b4e9", "#e69f00", "#2fc08f", "#e0a0c4"),
    transfer="#ff5a6a",
    disk="#c8a27a",
    good="#3fd0a4",
    warning="#f0a83a",
    bad="#ff7b6b",
    ramp=("#12233a", "#163a5f", "#1b5283", "#2a6ca6", "#4288c4", "#67a5d9", "#97c4ea", "#cfe4f7"),
)


def theme_named(name: str) -> Theme:
    """Return the theme of a name; the light one if there is none."""
    return DARK if name == DARK.name else LIGHT
