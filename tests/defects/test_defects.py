"""Every seeded mistake trips the detector of its item and changes what it says; no oddity trips any.

The detectors are those of `audit`, which know nothing of mmverify.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from audit import audit, detectors
from audit.recorded import Recorded, Seen

from mmverify.cli import main
from mmverify.defects import Defect, defects, inject
from mmverify.defects.recording import Recording
from mmverify.simulate import simulate

#: What the venue says. A mistake of the bot leaves it as it is, unless the bot's record of it is the mistake: of times
#: in 4.1, of the fee rates that it assumes in 1.3.3.
VENUE = ("instruments", "book", "trades", "fills", "transfers", "marks", "rates", "funding")
RECORDED = {"1.3.3": {"instruments"}}
SEEDED = [each for each in defects().values() if each.item and each.evidence == "session"]
ODD = [each for each in defects().values() if not each.item and each.evidence == "session"]


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clean") / "clean"
    simulate(folder, seed=5, hours=0.2, symbols=3, conventions=None)
    return folder


@pytest.fixture(scope="module")
def recording(clean: Path) -> Recording:
    return Recording(clean)


def test_there_are_two_of_each_item_and_forty_oddities() -> None:
    from mmverify.checks import items

    grades = {item: {each.grade for each in defects().values() if each.item == item} for item in items()}
    assert {item: each for item, each in grades.items() if each != {"gross", "deep"}} == {}
    assert sum(bool(each.item) for each in defects().values()) >= 192
    assert sum(not each.item for each in defects().values()) >= 40


@pytest.mark.parametrize("id", defects())
def test_a_defect_says_what_it_is(id: str) -> None:
    from mmverify.checks import items

    found = defects()[id]
    assert found.id.startswith(f"{found.item or 'benign'}-") and found.summary.endswith(".")
    assert set(found.consequences) <= set(items()) - {found.item}


def differences(recording: Recording, planted: Recording) -> Iterator[str]:
    """Yield ``table:row`` of the first record of each table that differs."""
    for table, rows in planted.changed().items():
        before = recording[table]
        same = next(
            (n for n, (a, b) in enumerate(zip(before, rows, strict=False)) if a != b), min(len(before), len(rows))
        )
        yield f"{table}:{same + 1}"
    if planted.settings != recording.settings:
        yield "session.toml"


@cache
def reads(folder: Path) -> Mapping[str, tuple[Seen, frozenset[str]]]:
    """Return what each detector sees in the clean session, and the tables that it read for it."""
    found = {}
    for item, detector in detectors().items():
        session = Tracked(folder)
        found[item] = (detector(session), frozenset(session.read))
    return found


class Tables(dict[str, list[dict[str, str]]]):
    """Tables that remember which of them they were asked for; ``*`` stands for all."""

    read: set[str]

    def get(self, table: str, default: Any = None) -> Any:
        self.read.add(table)
        return super().get(table, default)

    def items(self) -> Any:
        self.read.add("*")
        return super().items()


class Tracked(Recorded):
    """A session that remembers which tables it was asked for after it was opened."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.tables = Tables(self.tables)
        self.tables.read = self.read = set[str]()


def violated(clean: Path, folder: Path, changed: set[str]) -> set[str]:
    """Return the items whose detectors find a violation; those that read no changed table see what they saw before."""
    every = changed & {"session.toml", "instruments"}
    again = [item for item, (_, tables) in reads(clean).items() if every or "*" in tables or tables & changed]
    return {item for item, seen in audit(folder, again).items() if seen.violations} if again else set()


def plant(chosen: Defect, recording: Recording, folder: Path) -> set[str]:
    """Plant a mistake, write the session, and return the tables that differ, each where the mistake says."""
    copy = recording.fresh()
    planted = chosen.plant(copy)
    where = set(differences(recording, copy))
    assert where == set(planted.where) and where
    assert planted.cost is None or (planted.cost >= 0 and planted.currency)
    copy.write(folder)
    return {place.partition(":")[0] for place in where}


def test_the_clean_session_exercises_every_item_and_breaks_none(clean: Path) -> None:
    assert {item: seen.violations for item, (seen, _) in reads(clean).items() if seen.violations} == {}
    assert {item: seen.exercised for item, (seen, _) in reads(clean).items() if not seen.exercised} == {}


@pytest.mark.armed
@pytest.mark.parametrize("chosen", SEEDED, ids=lambda each: each.id)
def test_a_defect_trips_its_item_and_no_other(
    chosen: Defect, clean: Path, recording: Recording, tmp_path: Path
) -> None:
    changed = plant(chosen, recording, tmp_path / "planted")
    assert chosen.item.startswith("4.1") or changed & set(VENUE) <= RECORDED.get(chosen.item, set())
    found = violated(clean, tmp_path / "planted", changed)
    assert chosen.item in found
    assert found <= {chosen.item, *chosen.consequences}


@pytest.mark.armed
@pytest.mark.parametrize("chosen", ODD, ids=lambda each: each.id)
def test_an_oddity_trips_nothing(chosen: Defect, clean: Path, recording: Recording, tmp_path: Path) -> None:
    changed = plant(chosen, recording, tmp_path / "planted")
    assert violated(clean, tmp_path / "planted", changed) == set()


def test_inject_writes_what_the_command_says(clean: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = SEEDED[0]
    assert main(["defects", "inject", chosen.id, str(clean), str(tmp_path / "out")]) == 0
    out = capsys.readouterr().out
    assert chosen.summary in out and "first differs at" in out
    assert main(["defects", "inject", chosen.id, str(clean), str(tmp_path / "out")]) == 2
    assert main(["defects", "inject", "1.3.1-none", str(clean), str(tmp_path / "other")]) == 2
    assert main(["defects", "inject", chosen.id, str(tmp_path / "absent"), str(tmp_path / "other")]) == 2


def test_same_session_same_bytes(clean: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        inject(SEEDED[0].id, clean, tmp_path / name)
    a, b = ({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("a", "b"))
    assert a == b


def test_the_list_counts(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["defects", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    seeded = sum(bool(each.item) for each in defects().values())
    assert lines[-1] == f"{seeded} defects of 96 items, {len(defects()) - seeded} benign oddities"
    assert len(lines) == len(defects()) + 1
