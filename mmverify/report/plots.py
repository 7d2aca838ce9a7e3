"""The plots of the executed notebooks, for the page that shows everything at once."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Plot:
    """A plot of a notebook: the name of its page, its heading, and the PNG in base64."""

    page: str
    heading: str
    png: str


def plots(notebooks: Path) -> list[Plot]:
    """Return the first plot of each executed notebook of a folder, by name."""
    out = []
    for path in sorted(notebooks.glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8")).get("cells", ())
        images = [
            output["data"]["image/png"] for cell in cells for output in cell.get("outputs", ())
            if "image/png" in output.get("data", {})
        ]  # fmt: skip
        if images:
            out.append(Plot(f"{path.stem}.html", _heading(cells) or path.stem, "".join("".join(images[0]).split())))
    return out


def _heading(cells: list[dict[str, object]]) -> str:
    for cell in cells:
        source = cell.get("source", "")
        text = source if isinstance(source, str) else "".join(map(str, source)) if isinstance(source, list) else ""
        if cell.get("cell_type") == "markdown" and (found := re.search(r"^# (.+)$", text, re.MULTILINE)):
            return found[1]
    return ""
