"""What the engine makes of checks on sessions: results, findings, notes and errors, whatever the checks are."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from checks.hand_3_3 import BASE, LIMITS, changed, write

from mmverify.checks import Breach, Looked, items, s3_3_derived
from mmverify.errors import EvidenceError, UsageError
from mmverify.review.assess import exit_code
from mmverify.review.config import Attestation, NotApplicable, ReviewConfig, Waiver
from mmverify.review.engine import assemble, in_focus, review
from mmverify.review.results import Assessment, CheckRun, ItemResult
from mmverify.session import Session, open_session

TODAY = date(2026, 3, 31)

# --- focus ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("focus", "chosen"),
    [
        (["1.3.1"], ["1.3.1"]),
        (["3.3"], ["3.3.1", "3.3.2", "3.3.3", "3.3.4"]),
        (["3.3.2", "1.3.5", "3.3.2"], ["1.3.5", "3.3.2"]),  # in the protocol's order, once
        (["1.3.5", "1.3"], ["1.3.1", "1.3.2", "1.3.3", "1.3.4", "1.3.5"]),
        (["6"], ["6.1", "6.2", "6.3", "6.4", "6.5"]),
        (["7.6"], ["7.6"]),
    ],
)
def test_focus_names_items_sections_and_phases(focus: list[str], chosen: list[str]) -> None:
    assert list(in_focus(focus)) == chosen


def test_focus_on_a_phase_is_on_all_its_sections_and_none_is_on_all_96() -> None:
    assert [id for id in in_focus(["1"])] == [id for id in items() if id.startswith("1.")]
    assert len(in_focus(["1"])) == 6 + 6 + 5 + 4
    assert list(in_focus([])) == list(items())


@pytest.mark.parametrize("name", ["1.3.9", "9", "0.1", "", "pnl", "1.3.", "1,3", " 1.3"])
def test_focus_on_nothing_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=f"^--focus {re.escape(name)}: no such item"):
        in_focus(["1.3.1", name])


# --- sessions ---------------------------------------------------------------------------------------------------------


def session(folder: Path, *without: str, signals: dict[int, dict[str, str]] | None = None) -> Session:
    """Write the base session of 3.3 less some signals, with cells of others changed, and open it."""
    rows = BASE["signals"]
    for row, cells in (signals or {}).items():
        rows = changed(rows, row, **cells)
    return open_session(write(folder, BASE | {"signals": [r for r in rows if r["name"] not in without]}, limits=LIMITS))


def look(*sessions: Session, focus: tuple[str, ...] = ("3.3",), **stated: Any) -> Assessment:
    return review(sessions, focus=focus, config=ReviewConfig(**stated), today=TODAY)


def result(seen: Assessment, id: str) -> ItemResult:
    return next(item for item in seen.items if item.id == id)


WRONG = {3: {"value": "101.5"}}  # a VWAP of 101.4: HIGH
PEEK = {6: {"ts_input_max": "1505"}}  # CRITICAL
EARLY = {7: {"value": "105"}}  # an EMA of 104.9375: MEDIUM


def test_with_everything_verified_the_review_is_ready(tmp_path: Path) -> None:
    seen = look(session(tmp_path / "right"))
    assert (seen.status, seen.session, seen.focus, seen.conditions) == ("READY", "right", ("3.3",), ())


def test_an_item_whose_evidence_was_not_given_is_not_assessed_and_says_so(tmp_path: Path) -> None:
    seen = look(session(tmp_path / "right"), focus=("7.1",))
    assert (result(seen, "7.1").status, result(seen, "7.1").reason) == ("not_assessed", "no source tree was given")
    assert seen.status == "READY WITH CONDITIONS"


def test_all_96_items_come_out_whatever_was_there(tmp_path: Path) -> None:
    seen = look(session(tmp_path / "right"), focus=())
    assert [item.id for item in seen.items] == list(items())
    assert seen.status == "NOT READY"  # CRITICAL items that nothing here assesses


def test_several_sessions_are_one_review(tmp_path: Path) -> None:
    calm, bare = session(tmp_path / "calm"), session(tmp_path / "bare", "volatility", "ema")
    wrong = session(tmp_path / "wrong", signals=WRONG)
    # verified if one exercised it, the counts added: 5 VWAPs in each, 7 EMAs in one
    seen = look(bare, calm)
    assert (seen.status, seen.session) == ("READY", "bare + calm")
    assert [(item.status, item.exercised) for item in seen.items] == [
        ("verified", 10), ("verified", 7), ("verified", 2), ("verified", 5 + 14),
    ]  # fmt: skip
    # failed if one fails it, whichever comes first; the finding says in which
    for sessions in ((wrong, calm), (calm, wrong)):
        seen = look(*sessions)
        assert [item.status for item in seen.items] == ["failed", "verified", "verified", "verified"]
        assert [(f.id, f.location, f.session) for f in seen.findings] == [
            ("3.3.1:vwap:BTC-USDT:wrong", "wrong/signals:3", "wrong")
        ]
    # not assessed if none did
    assert result(look(bare, session(tmp_path / "more", "ema")), "3.3.2").status == "not_assessed"


def test_the_same_mistake_in_two_sessions_is_two_findings(tmp_path: Path) -> None:
    seen = look(session(tmp_path / "a", signals=WRONG), session(tmp_path / "b", signals=WRONG))
    assert [f.id for f in seen.findings] == ["3.3.1:vwap:BTC-USDT:a", "3.3.1:vwap:BTC-USDT:b"]
    assert len({f.test for f in seen.findings}) == 2
    assert result(seen, "3.3.1").findings == tuple(f.id for f in seen.findings)


def test_two_sessions_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="two sessions are named 'bot'"):
        look(session(tmp_path / "monday" / "bot"), session(tmp_path / "tuesday" / "bot"))


def test_findings_come_in_order_of_severity(tmp_path: Path) -> None:
    seen = look(session(tmp_path / "wrong", signals=EARLY | WRONG | PEEK))
    assert [f.severity for f in seen.findings] == ["CRITICAL", "HIGH", "MEDIUM"]
    assert seen.counts == {"critical": 1, "high": 1, "medium": 1, "low": 0}
    assert seen.status == "NOT READY"


# --- a check that breaks ----------------------------------------------------------------------------------------------


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    def vwap(session: Session) -> Looked:
        raise ZeroDivisionError("one line\nand another")

    monkeypatch.setattr(s3_3_derived, "vwap", vwap)


@pytest.mark.usefixtures("broken")
def test_a_check_that_raises_is_an_error_and_never_a_pass(tmp_path: Path) -> None:
    seen = look(session(tmp_path / "right"))
    item = result(seen, "3.3.1")
    assert (item.status, item.exercised, [c.status for c in item.checks]) == ("not_assessed", 0, ["error"])
    assert item.reason == "vwap crashed: ZeroDivisionError: one line"
    assert seen.errors == ("3.3.1 vwap on right: ZeroDivisionError: one line",)
    assert [item.status for item in seen.items[1:]] == ["verified"] * 3
    assert (seen.status, exit_code(seen.status, seen.errors, strict=False)) == ("NOT READY", 4)


@pytest.mark.usefixtures("broken")
def test_a_word_does_not_stand_for_a_check_that_raised(tmp_path: Path) -> None:
    seen = look(
        session(tmp_path / "right"),
        attestations=(Attestation("3.3.1", "B. Person", TODAY, "drill.txt"),),
        not_applicable=(NotApplicable("3.3.1", "no vwap", "C. Person", TODAY),),
    )
    assert (result(seen, "3.3.1").status, seen.status) == ("not_assessed", "NOT READY")


def test_a_check_that_raises_on_one_session_is_not_saved_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = s3_3_derived.vwap

    def vwap(session: Session) -> Looked:
        if session.name == "bad":
            raise KeyError("x")
        return right(session)

    monkeypatch.setattr(s3_3_derived, "vwap", vwap)
    seen = look(session(tmp_path / "good"), session(tmp_path / "bad"))
    assert (result(seen, "3.3.1").status, result(seen, "3.3.1").checks[0].status) == ("not_assessed", "error")
    assert len(seen.errors) == 1


def test_evidence_that_cannot_be_read_ends_the_review(tmp_path: Path) -> None:
    strange = BASE | {"signals": changed(BASE["signals"], 4, symbol="DOGE")}
    with pytest.raises(EvidenceError, match=r"^signals\.csv, row 4, column symbol: 'DOGE'"):
        look(open_session(write(tmp_path / "strange", strange, limits=LIMITS)))


def test_an_error_of_the_caller_counts_like_one_of_a_check(tmp_path: Path) -> None:
    seen = assemble([session(tmp_path / "right")], [], focus=["7.1"], today=TODAY, errors=["a notebook crashed"])
    assert (seen.status, seen.errors) == ("NOT READY", ("a notebook crashed",))


# --- review.toml ------------------------------------------------------------------------------------------------------


def waiver(target: str, expires: date = TODAY) -> Waiver:
    return Waiver(target, "known", "A. Person", expires)


@pytest.mark.parametrize("target", ["3.3.1", "3.3.1:vwap:BTC-USDT"])
def test_a_waiver_in_force_leaves_a_condition(tmp_path: Path, target: str) -> None:
    seen = look(session(tmp_path / "wrong", signals=WRONG), waivers=(waiver(target),))
    assert (seen.status, result(seen, "3.3.1").status, seen.counts["high"]) == ("READY WITH CONDITIONS", "failed", 1)
    assert [f.waived for f in seen.findings] == [True]
    assert seen.conditions == (
        "3.3.1:vwap:BTC-USDT: waived HIGH finding, VWAP is not sum(price x qty) / sum(qty) (BTC-USDT) "
        "(known; A. Person, until 2026-03-31)",
    )
    assert seen.notes == ()


@pytest.mark.parametrize(
    ("changes", "target", "expires", "why"),
    [
        (WRONG, "3.3.1", date(2026, 3, 30), "it has expired"),
        (WRONG, "3.3.1:vwap:ETH-PERP", TODAY, "there is no such finding"),
        (PEEK, "3.3.4:no_look_ahead:BTC-USDT-vwap", TODAY, "there is none for CRITICAL"),
    ],
)
def test_a_waiver_that_counts_for_nothing_is_said_so(
    tmp_path: Path, changes: dict[int, dict[str, str]], target: str, expires: date, why: str
) -> None:
    seen = look(session(tmp_path / "wrong", signals=changes), waivers=(waiver(target, expires),))
    assert (seen.status, [f.waived for f in seen.findings]) == ("NOT READY", [False])
    assert seen.notes == (f"the waiver of {target} (known; A. Person, until {expires}) counts for nothing: {why}",)


def test_a_waiver_out_of_focus_is_not_spoken_of(tmp_path: Path) -> None:
    assert look(session(tmp_path / "right"), waivers=(waiver("1.3.2"),)).notes == ()


def test_a_waiver_of_one_finding_leaves_its_neighbour_open(tmp_path: Path) -> None:
    other = session(tmp_path / "two", signals=WRONG | {5: {"value": "50000"}})  # BTC-USD too
    seen = look(other, waivers=(waiver("3.3.1:vwap:BTC-USDT"),))
    assert {f.key: f.waived for f in seen.findings} == {"BTC-USDT": True, "BTC-USD": False}
    assert seen.status == "NOT READY"


def test_an_attestation_stands_for_what_nothing_exercised_and_for_nothing_else(tmp_path: Path) -> None:
    said = tuple(Attestation(id, "B. Person", TODAY, "drill.txt") for id in ("3.3.1", "3.3.2", "3.3.3"))
    seen = look(session(tmp_path / "some", "volatility", signals=WRONG), attestations=said)
    assert [item.status for item in seen.items] == ["failed", "verified", "attested", "verified"]
    assert result(seen, "3.3.3").reason == "by B. Person on 2026-03-31, drill.txt"
    seen = look(session(tmp_path / "none", "volatility"), attestations=said)
    assert (seen.status, seen.conditions) == (
        "READY", ("3.3.3 is attested, not seen: by B. Person on 2026-03-31, drill.txt",),
    )  # fmt: skip


def test_not_applicable_is_refused_where_a_record_exercises_the_item(tmp_path: Path) -> None:
    beside = tuple(NotApplicable(id, "not used", "C. Person", TODAY) for id in ("3.3.1", "3.3.2", "3.3.3"))
    seen = look(session(tmp_path / "some", "volatility", signals=WRONG), not_applicable=beside)
    assert [item.status for item in seen.items] == ["failed", "verified", "not_applicable", "verified"]
    assert result(seen, "3.3.3").reason == "not used (C. Person, 2026-03-31)"
    assert result(seen, "3.3.2").reason == (
        "7 records exercised it; declared not applicable by C. Person, refused: 7 records exercise it"
    )


def test_an_attested_critical_item_no_longer_blocks(tmp_path: Path) -> None:
    right = session(tmp_path / "right")
    assert look(right, focus=("1.3.1",)).status == "NOT READY"
    assert look(right, focus=("1.3.1",), attestations=(Attestation("1.3.1", "B", TODAY, "f"),)).status == "READY"


# --- as data ----------------------------------------------------------------------------------------------------------

ITEM = {
    "id": str, "text": str, "status": str, "exercised": int, "checks": list, "reason": str, "findings": list,
}  # fmt: skip
FINDING = {
    "id": str, "item": str, "severity": str, "title": str, "location": str, "category": str, "description": str,
    "current": str, "correct": str, "impact": dict, "fix": str, "test": str, "waived": bool,
}  # fmt: skip


def test_the_assessment_is_the_json_that_users_rely_on(tmp_path: Path) -> None:
    seen = look(session(tmp_path / "wrong", signals=WRONG | PEEK), focus=("1.3", "3.3"))
    data = json.loads(json.dumps(seen.to_json(), allow_nan=False))
    assert data["version"] == 1
    assert data["status"] == "NOT READY"
    assert data["session"] == "wrong"
    assert data["counts"] == {"critical": 1, "high": 1, "medium": 0, "low": 0}
    assert len(data["items"]) == 9
    for item in data["items"]:
        assert {name: type(item[name]) for name in ITEM} == ITEM
        assert item["status"] in ("verified", "failed", "not_assessed", "not_applicable", "attested")
        for check in item["checks"]:
            assert {"name", "evidence", "status", "exercised"} <= set(check)
            assert check["evidence"] == "session"
    for finding in data["findings"]:
        assert {name: type(finding[name]) for name in FINDING} == FINDING
        assert set(finding["impact"]) == {"text", "amount", "currency"}
        assert re.fullmatch(r"[a-z_]+:[1-9][0-9]*", finding["location"])
        assert re.fullmatch(r"tests/test_\w+\.py", finding["test"])
    ids = [finding["id"] for finding in data["findings"]]
    assert [id for item in data["items"] for id in item["findings"]] == sorted(ids)
    assert len(set(ids)) == len(ids)


def test_the_same_input_gives_the_same_json(tmp_path: Path) -> None:
    """In this process and in others, whose sets and dictionaries hash otherwise."""
    folder = session(tmp_path / "wrong", signals=WRONG | PEEK | EARLY).folder
    code = (
        "import json, sys; from mmverify.review.engine import review; from mmverify.session import open_session; "
        "print(json.dumps(review([open_session(sys.argv[1])], focus=['1.3', '3.3']).to_json()))"
    )
    here = json.dumps(review([open_session(folder)], focus=["1.3", "3.3"]).to_json())
    for seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[2])}
        command = [sys.executable, "-c", code, str(folder)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == here


def test_a_run_survives_the_way_through_json() -> None:
    breach = Breach(
        key="BTC-USDT", where=("pnl:3", "pnl:9"), count=12, was="1", should="2", work=("1 + 1 = 2", "so"),
        amount=Fraction(1, 3), currency="USDT", loss="money", cause="a slip", severity="LOW",
    )  # fmt: skip
    bare = Breach("k", (), 0, "", "", (), None, "", "")
    run = CheckRun("day", "1.3.1", "realized_pnl", Looked(7, (breach, bare), ("a note",)), ("fills",), "")
    assert CheckRun.from_json(json.loads(json.dumps(run.to_json()))) == run
    assert CheckRun.from_json(run.to_json()) == run
    crashed = CheckRun("day", "1.3.1", "realized_pnl", Looked(0), error="KeyError: 1")
    assert CheckRun.from_json(json.loads(json.dumps(crashed.to_json()))) == crashed


@pytest.mark.parametrize(
    ("run", "status"),
    [
        (CheckRun("s", "i", "c", Looked(0)), "not_assessed"),
        (CheckRun("s", "i", "c", Looked(1)), "verified"),
        (CheckRun("s", "i", "c", Looked(1, (Breach("k", (), 1, "", "", (), None, "", ""),))), "failed"),
        (CheckRun("s", "i", "c", Looked(1), error="x"), "error"),
    ],
)
def test_a_run_is_verified_only_if_something_exercised_it(run: CheckRun, status: str) -> None:
    assert run.status == status


def test_money_is_rounded_in_the_report_and_only_there(tmp_path: Path) -> None:
    breach = Breach("k", ("pnl:1",), 1, "", "", (), Fraction(2, 3), "USDT", "gone", severity="LOW")
    run = CheckRun("right", "1.3.1", "realized_pnl", Looked(1, (breach,)))
    seen = assemble([session(tmp_path / "right")], [run], focus=["1.3.1"], today=TODAY)
    assert seen.findings[0].impact.amount == 0.666666666667
    assert seen.findings[0].impact.text == "~0.666666666667 USDT: gone"
    # a LOW finding alone: the item is failed, and the review is ready
    assert (seen.items[0].status, seen.status) == ("failed", "READY")
