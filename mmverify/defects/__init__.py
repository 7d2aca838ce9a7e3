"""Seeded mistakes: what each check is armed with, and benign oddities that no check may report.

A module a section (``s1_3.py``), a function a mistake: it takes a `Recording` and makes of it what a bot with that
mistake would have recorded. The bot's later records carry its consequences, the venue's do not. The mistakes of a
source tree are edits, in ``source.toml``. What checks a session shares no code with what is here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmverify.errors import UsageError

if TYPE_CHECKING:
    from mmverify.defects.recording import Recording


@dataclass(frozen=True)
class Planted:
    """What a mistake did to a session.

    Attributes
    ----------
    where : tuple of str
        ``table:row`` of the first record of each table that differs; settings are ``session.toml``.
    cost : Fraction or None
        The money that it costs where that can be known, never negative, in `currency`.
    """

    where: tuple[str, ...]
    cost: Fraction | None = None
    currency: str = ""


@dataclass(frozen=True)
class Defect:
    """A mistake, or an oddity that is none.

    Attributes
    ----------
    id : str
        The item and a name: ``1.3.1-fifo-for-average``; ``benign-late-fill`` for an oddity.
    item : str
        The item that it breaks; empty for an oddity.
    grade : {"gross", "deep", "benign"}
        Plain everywhere; at a boundary or deep in the history; or none.
    summary : str
        The mistake, in a sentence.
    consequences : tuple of str
        Other items that may fail with it.
    like : str
        The public bug whose mechanism it has, empty where there is none.
    evidence : {"session", "source"}
        What it is made in.
    plant : callable
        Makes it in a `Recording` or a `Tree`; raises `NotExercised` where that has no place for it.
    """

    id: str
    item: str
    grade: str
    summary: str
    consequences: tuple[str, ...]
    like: str
    evidence: str
    plant: Callable[[Any], Planted]


Plant = Callable[["Recording"], Planted]


def defect(item: str, grade: str, *, also: str = "", like: str = "") -> Callable[[Plant], Defect]:
    """Make a mistake of a function: its name becomes the id's, the first sentence of its docstring the summary.

    Parameters
    ----------
    item : str
        The item that it breaks.
    grade : {"gross", "deep"}
    also : str
        Other items that may fail with it, separated by spaces.
    like : str
        The public bug whose mechanism it has.
    """
    return lambda plant: _made(plant, item, grade, tuple(also.split()), like)


def benign(like: str = "") -> Callable[[Plant], Defect]:
    """Make an oddity of a function: nothing may report it."""
    return lambda plant: _made(plant, "", "benign", (), like)


def _made(plant: Plant, item: str, grade: str, also: tuple[str, ...], like: str) -> Defect:
    name = plant.__name__.strip("_").replace("_", "-")
    summary = " ".join((plant.__doc__ or "").partition("\n\n")[0].split())
    return Defect(f"{item or 'benign'}-{name}", item, grade, summary, also, like, "session", plant)


@cache
def defects() -> dict[str, Defect]:
    """Return every mistake and oddity by id: the modules of this folder in order, each in the order of its text."""
    from mmverify.defects.source import edits

    stems = [path.stem for path in sorted(Path(__file__).parent.glob("s[0-9]*.py"))] + ["benign"]
    found = [each for stem in stems for each in vars(import_module(f"mmverify.defects.{stem}")).values()]
    every = [each for each in found if isinstance(each, Defect)] + edits()
    return {each.id: each for each in every}


def of_item(item: str) -> Sequence[Defect]:
    """Return the mistakes that break an item."""
    return [each for each in defects().values() if each.item == item]


def find(id: str) -> Defect:
    """Return a mistake by its id.

    Raises
    ------
    UsageError
        If there is none of that id.
    """
    if id not in defects():
        raise UsageError(f"{id}: no such defect; mmverify defects list shows them")
    return defects()[id]


def inject(id: str, folder: Path, out: Path) -> Planted:
    """Write a copy of a session, or of a source tree, with a mistake in it.

    Parameters
    ----------
    id : str
        Such as ``1.3.1-fifo-for-average``.
    folder, out : Path
        The evidence, and a new or empty folder.

    Returns
    -------
    Planted

    Raises
    ------
    UsageError
        If there is no such mistake, no such evidence, or `out` holds something.
    NotExercised
        If the evidence has no place for it.
    """
    from mmverify.defects.recording import Recording
    from mmverify.defects.source import Tree

    chosen = find(id)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out}: is there already; should be a new or empty folder")
    evidence = Recording(folder) if chosen.evidence == "session" else Tree(folder)
    planted = chosen.plant(evidence)
    evidence.write(out)
    return planted
