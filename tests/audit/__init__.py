"""A slow second opinion on a session, item by item: naive detectors that know nothing of mmverify.

Each module is a section; each function `i1_3_1` of it takes a `Recorded` and gives a `Seen`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

from audit.recorded import Recorded, Seen

Detector = Callable[[Recorded], Seen]


def detectors() -> dict[str, Detector]:
    """Return the detector of each item that has one, by the item's id."""
    modules = [import_module(f"audit.{path.stem}") for path in sorted(Path(__file__).parent.glob("s*.py"))]
    return {
        name[1:].replace("_", "."): function
        for module in modules
        for name, function in vars(module).items()
        if name[0] == "i" and name[1:2].isdigit()
    }


def audit(folder: Path, items: Sequence[str] = ()) -> dict[str, Seen]:
    """Return what each detector sees in a session, or those of `items`."""
    session = Recorded(folder)
    return {item: detector(session) for item, detector in detectors().items() if item in items or not items}
