"""Armed reviews: a mistake is planted in a copy of the evidence, and the check is seen to fire."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from mmverify.checks import Check, Item, Looked, Section, sections, source_function
from mmverify.errors import EvidenceError, NotExercised
from mmverify.review.engine import run_check
from mmverify.review.results import Arming
from mmverify.session.load import Session, with_changes
from mmverify.source.evidence import Source, open_source

if TYPE_CHECKING:
    from mmverify.defects import Defect
    from mmverify.defects.recording import Recording

#: A session of more bytes is armed only where that is asked for.
SIZE = 32 * 2**20


def size(session: Session) -> int:
    """Return the bytes of a session's tables."""
    return sum(source.bytes() for source in session.sources.values())


def arm(session: Session, chosen: Iterable[str], step: Callable[[str], None] = lambda item: None) -> list[Arming]:
    """Plant mistakes in copies of a session, and see whether each check that it exercises fires.

    Parameters
    ----------
    session : Session
    chosen : iterable of str
        Items in focus.
    step : callable
        Told of each item once it is done.

    Returns
    -------
    list of Arming
        One for each check of the items in focus.
    """
    from mmverify.defects.recording import Recording

    recording, wanted, out = Recording(session.folder), set(chosen), []
    for section in sections():
        for item in section.items:
            checks = [check for check in item.checks if check.evidence == "session"]
            if item.id in wanted and checks:
                run = partial(_run, session, section, item)
                plant = partial(_plant, session, recording, section, item)
                out += _armed(item, checks, "session", run, plant)
                step(item.id)
    return out


def arm_source(source: Source, chosen: Iterable[str], step: Callable[[str], None] = lambda item: None) -> list[Arming]:
    """Plant mistakes in copies of a source tree, and see whether each check that it exercises fires; see `arm`."""
    wanted, out = set(chosen), []
    for section in sections():
        for item in section.items:
            checks = [check for check in item.checks if check.evidence == "source"]
            if item.id in wanted and checks:
                run = partial(_run_on_source, source, section)
                out += _armed(item, checks, "source", run, partial(_plant_in_source, source, section))
                step(item.id)
    return out


def _run(session: Session, section: Section, item: Item, check: Check) -> Looked:
    return run_check(session, section, item, check).looked


def _run_on_source(source: Source, section: Section, check: Check) -> Looked:
    return source_function(section.stem, check)(source)


def _armed(
    item: Item, checks: Sequence[Check], evidence: str, run: Callable[[Check], Looked],
    plant: Callable[[Sequence[Check], Defect], dict[str, bool]],
) -> list[Arming]:  # fmt: skip
    """Plant one mistake after the other until every check of an item that can fire has."""
    from mmverify.defects import of_item

    words, silent = dict[str, str](), dict[str, list[str]]()
    for check in checks:
        as_it_is = run(check)
        if as_it_is.breaches:
            words[check.name] = "fires on the evidence as it is"
        elif as_it_is.exercised:
            silent[check.name] = []
    fired = set(words)
    for each in of_item(item.id):
        waiting = [check for check in checks if check.name in silent and check.name not in fired]
        if waiting and each.evidence == evidence:
            for name, fires in plant(waiting, each).items():
                if fires:
                    words[name] = f"fires on {each.id}"
                    fired.add(name)
                else:
                    silent[name].append(each.id)
    for name in set(silent) - fired:
        tried = ", ".join(silent[name])
        words[name] = f"does not fire on {tried}" if tried else "no seeded defect can be planted in this evidence"
    return [
        Arming(item.id, check.name, check.name in fired, words.get(check.name, "no record exercises it"))
        for check in checks
    ]


def _plant(
    session: Session, recording: Recording, section: Section, item: Item, checks: Sequence[Check], chosen: Defect
) -> dict[str, bool]:
    """Plant a mistake in a copy, and say which checks fire; none where it has no place in this evidence."""
    copy = recording.fresh()
    try:
        chosen.plant(copy)
        with TemporaryDirectory(prefix="mmverify-") as folder:
            copy.write_changed(Path(folder))
            seeded = with_changes(session, Path(folder))
            return {check.name: bool(run_check(seeded, section, item, check).looked.breaches) for check in checks}
    except (NotExercised, EvidenceError):
        return {}


def _plant_in_source(source: Source, section: Section, checks: Sequence[Check], chosen: Defect) -> dict[str, bool]:
    """Plant a mistake in a copy of a tree, and say which checks fire; none where it has no place in this tree."""
    from mmverify.defects.source import Tree

    copy = Tree(source.tree.folder)
    try:
        chosen.plant(copy)
    except NotExercised:
        return {}
    with TemporaryDirectory(prefix="mmverify-") as folder:
        copy.write(Path(folder))
        seeded = open_source(Path(folder))
        return {check.name: bool(source_function(section.stem, check)(seeded).breaches) for check in checks}
