"""Armed reviews: a mistake is planted in a copy of the evidence, and the check is seen to fire."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from mmverify.checks import Check, Item, Section, sections
from mmverify.errors import EvidenceError, NotExercised
from mmverify.review.engine import run_check
from mmverify.review.results import Arming, CheckRun
from mmverify.session.load import Session, with_changes

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
            if item.id in wanted and item.checks:
                out += [_armed(session, recording, section, item, check) for check in item.checks]
                step(item.id)
    return out


def _armed(session: Session, recording: Recording, section: Section, item: Item, check: Check) -> Arming:
    from mmverify.defects import of_item

    as_it_is = run_check(session, section, item, check)
    if as_it_is.looked.breaches:
        return Arming(item.id, check.name, True, "fires on the evidence as it is")
    if not as_it_is.looked.exercised:
        return Arming(item.id, check.name, False, "no record exercises it")
    silent = []
    for each in of_item(item.id):
        if each.evidence == "session":
            try:
                planted = _plant(session, recording, section, item, check, each)
            except (NotExercised, EvidenceError):
                continue
            if planted.looked.breaches:
                return Arming(item.id, check.name, True, f"fires on {each.id}")
            silent.append(each.id)
    words = f"does not fire on {', '.join(silent)}" if silent else "no seeded defect can be planted in this evidence"
    return Arming(item.id, check.name, False, words)


def _plant(
    session: Session, recording: Recording, section: Section, item: Item, check: Check, chosen: Defect
) -> CheckRun:
    copy = recording.fresh()
    chosen.plant(copy)
    with TemporaryDirectory(prefix="mmverify-") as folder:
        copy.write_changed(Path(folder))
        return run_check(with_changes(session, Path(folder)), section, item, check)
