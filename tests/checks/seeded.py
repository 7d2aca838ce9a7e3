"""Sessions that the tests of a section plant mistakes in, and what a review of them fails."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from audit import audit

from mmverify.defects import Defect
from mmverify.defects.recording import Recording
from mmverify.errors import NotExercised
from mmverify.review.engine import review
from mmverify.review.results import Assessment
from mmverify.session import open_session
from mmverify.simulate import simulate


def simulated(folder: Path, chosen: Mapping[str, tuple[int, Mapping[str, str] | None]]) -> dict[str, Recording]:
    """Record a session of each seed and conventions, by name."""
    for name, (seed, conventions) in chosen.items():
        simulate(folder / name, seed=seed, hours=0.2, symbols=3, conventions=conventions)
    return {name: Recording(folder / name) for name in chosen}


def failed(assessment: Assessment) -> set[str]:
    """Return the items that failed; the review itself must not have."""
    assert assessment.errors == ()
    return {item.id for item in assessment.items if item.status == "failed"}


def planted(chosen: Defect, recordings: Mapping[str, Recording], folder: Path, names: Iterable[str]) -> Iterator[Path]:
    """Plant a mistake in every one of these sessions that has a place for it."""
    for name in names:
        copy = recordings[name].fresh()
        try:
            chosen.plant(copy)
        except NotExercised:
            continue
        copy.write(folder / name)
        yield folder / name


def exercises_all(recordings: Mapping[str, Recording], focus: str, items: Iterable[str]) -> None:
    """Hold sound sessions to no finding, and to the records of each item that the slow detectors count, some at all."""
    for recording in recordings.values():
        seen = review([open_session(recording.folder)], focus=[focus])
        assert (seen.findings, seen.errors) == ((), ())
        slow = audit(recording.folder, items)
        assert {item.id: item.exercised for item in seen.items} == {name: each.exercised for name, each in slow.items()}
        assert all(item.exercised for item in seen.items)


def fails_its_item(chosen: Defect, folders: Iterable[Path], focus: str, items: Iterable[str]) -> None:
    """Hold sessions with a mistake to its item, to what may follow from it, and to the slow detectors of a section."""
    seen = [(folder, failed(review([open_session(folder)], focus=[focus]))) for folder in folders]
    assert seen
    for folder, found in seen:
        assert chosen.item in found
        assert found <= {chosen.item, *chosen.consequences}
        assert found == {item for item, slow in audit(folder, items).items() if slow.violations}


def fails_nothing(folders: Iterable[Path], focus: str) -> None:
    """Hold sessions with an oddity to no finding."""
    seen = [failed(review([open_session(folder)], focus=[focus])) for folder in folders]
    assert seen
    assert seen == [set()] * len(seen)
