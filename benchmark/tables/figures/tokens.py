"""Figures of visual tokens over the image that they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from benchmark.tables.figures.canvas import COLOURS, blank

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PANEL_INCHES = (3.1, 2.9)
CAPTION_INCHES = 1.0


@dataclass(frozen=True, kw_only=True)
class TokenMap:
    """One figure per visual token, as the tokens lie in the image, row by row."""

    name: str
    rows: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, kw_only=True)
class ExplainedImage:
    """An image, figures of its tokens, which of them are outlined, and figures of the whole."""

    path: Annotated[str, Field(exclude=True)]
    """Where it lies here; what it is, its digest says."""
    sha256: str
    maps: tuple[TokenMap, ...]
    outlined: tuple[tuple[bool, ...], ...]
    figures: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class TokenPicture:
    """A picture of one request: for each image the image itself, then a panel per map."""

    title: str
    caption: str
    images: tuple[ExplainedImage, ...]

    def draw(self) -> Figure:
        """Maps lie half transparent over the image; chosen tokens are outlined."""
        across = 1 + max(max(len(image.maps) for image in self.images), 1)
        figure = blank(
            PANEL_INCHES[0] * across, PANEL_INCHES[1] * len(self.images) + CAPTION_INCHES
        )
        panels = figure.subplots(len(self.images), across, squeeze=False)
        for line, image in zip(panels, self.images, strict=True):
            _draw_image(figure, line, image)
        figure.suptitle(self.title, x=0.01, ha="left", fontsize=9)
        figure.supxlabel(self.caption, x=0.01, ha="left", fontsize=8)
        return figure


def _draw_image(figure: Figure, panels: Any, image: ExplainedImage) -> None:
    from PIL import Image

    with Image.open(Path(image.path)) as opened:
        picture = opened.convert("RGB")
    told = ", ".join(f"{name} {value:+.2f}" for name, value in image.figures.items())
    for axes in panels:
        axes.set_axis_off()
    panels[0].imshow(picture, interpolation="nearest")
    panels[0].set_title(f"image; {told}" if told else "image", loc="left", fontsize=9)
    for axes, tokens in zip(panels[1:], image.maps, strict=False):
        extent = (0, picture.width, picture.height, 0)
        axes.imshow(picture.convert("L"), cmap="gray", interpolation="nearest", extent=extent)
        heat = axes.imshow(tokens.rows, cmap="viridis", alpha=0.65, extent=extent)
        axes.set_title(tokens.name, loc="left", fontsize=9)
        bar = figure.colorbar(heat, ax=axes, shrink=0.8)
        bar.ax.tick_params(labelsize=7)
        _outline(axes, image.outlined, extent)
    if not image.maps:
        panels[1].imshow(picture, interpolation="nearest")
        _outline(panels[1], image.outlined, (0, picture.width, picture.height, 0))


def _outline(
    axes: Any, outlined: tuple[tuple[bool, ...], ...], extent: tuple[int, int, int, int]
) -> None:
    from matplotlib.patches import Rectangle

    if not outlined:
        return
    width, height = extent[1] / len(outlined[0]), extent[2] / len(outlined)
    for row, marks in enumerate(outlined):
        for column, marked in enumerate(marks):
            if marked:
                corner = (column * width + 0.03 * width, row * height + 0.03 * height)
                axes.add_patch(
                    Rectangle(
                        corner, 0.94 * width, 0.94 * height, fill=False,
                        edgecolor=COLOURS[1], linewidth=1.6,
                    )
                )  # fmt: skip
