"""Armed reviews: a check is seen to fire on a mistake planted in a copy of the evidence, or the report says why not."""

from __future__ import annotations

import json
import shutil
from fractions import Fraction
from pathlib import Path

import pytest

import mmverify.defects
from mmverify.cli import main
from mmverify.defects import Defect, Planted
from mmverify.defects.recording import Recording, shift
from mmverify.errors import NotExercised
from mmverify.review.arm import arm
from mmverify.session import open_session


def wrong_value(recording: Recording) -> Planted:
    rows = recording.edit("balances")
    place = next(n for n, row in enumerate(rows) if row["value"])
    shift(rows[place], "value", Fraction(10))
    return Planted((f"balances:{place + 1}",))


def nothing(recording: Recording) -> Planted:
    return Planted(())


def no_place(recording: Recording) -> Planted:
    raise NotExercised("no record")


def seeded(monkeypatch: pytest.MonkeyPatch, **plants: object) -> None:
    made = [Defect(f"1.3.5-{name}", "1.3.5", "gross", name, (), "", "session", plant) for name, plant in plants.items()]
    monkeypatch.setattr(mmverify.defects, "of_item", lambda item: [each for each in made if each.item == item])


@pytest.fixture
def cut(root: Path, tmp_path: Path) -> Path:
    """Give the balances of the sample session, and what converts them."""
    folder = tmp_path / "cut"
    folder.mkdir()
    for name in ("session.toml", "instruments.csv", "balances.csv", "rates.csv"):
        shutil.copy(root / "data/sessions/sample" / name, folder)
    return folder


def words(folder: Path) -> dict[str, tuple[bool, str]]:
    return {each.check: (each.armed, each.words) for each in arm(open_session(folder), ["1.3.5"])}


def test_a_check_that_fires_is_armed(cut: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seeded(monkeypatch, no_place=no_place, nothing=nothing, wrong_value=wrong_value)
    before = {path.name: path.read_bytes() for path in cut.iterdir()}
    assert words(cut)["balance_value"] == (True, "fires on 1.3.5-wrong_value")
    assert {path.name: path.read_bytes() for path in cut.iterdir()} == before


def test_a_check_that_stays_silent_is_not(cut: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seeded(monkeypatch, nothing=nothing)
    assert words(cut)["balance_value"] == (False, "does not fire on 1.3.5-nothing")
    assert words(cut)["currencies_added"] == (False, "no record exercises it")


def test_where_no_mistake_has_a_place_the_report_says_so(cut: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seeded(monkeypatch, no_place=no_place)
    assert words(cut)["balance_value"] == (False, "no seeded defect can be planted in this evidence")


def test_a_check_that_fails_already_has_fired(cut: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seeded(monkeypatch)
    recording = Recording(cut)
    wrong_value(recording)
    recording.write(cut.with_name("wrong"))
    assert words(cut.with_name("wrong"))["balance_value"] == (True, "fires on the evidence as it is")


def test_the_report_says_armed_beside_the_item(cut: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seeded(monkeypatch, wrong_value=wrong_value)
    asked = ["review", str(cut), "--focus", "1.3.5", "--no-notebooks"]
    assert main([*asked, "--out", str(tmp_path / "on")]) == 0
    (item,) = json.loads((tmp_path / "on/assessment.json").read_text())["items"]
    assert [(check["name"], check["armed"]) for check in item["checks"]] == [
        ("balance_value", True), ("currencies_added", False),
    ]  # fmt: skip
    for name in ("assessment.md", "index.html"):
        assert "fires on 1.3.5-wrong_value" in (tmp_path / "on" / name).read_text()
    assert main([*asked, "--no-arm", "--out", str(tmp_path / "off")]) == 0
    (item,) = json.loads((tmp_path / "off/assessment.json").read_text())["items"]
    assert {check["armed"] for check in item["checks"]} == {None}
    assert "fires on" not in (tmp_path / "off/assessment.md").read_text()
