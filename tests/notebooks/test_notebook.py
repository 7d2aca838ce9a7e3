"""What notebooks show and leave: aligned steps, tables of text, exact frames, result files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mmverify import notebook
from mmverify.bundled import bundled
from mmverify.checks import items
from mmverify.errors import NotebookError, UsageError
from mmverify.session.load import open_session

pytestmark = pytest.mark.notebook


def test_steps_are_aligned_at_the_sign_of_equality() -> None:
    steps = ["VWAP = 507 / 5 = 101.4", "two trades", "x = 1"]
    assert notebook.by_hand(steps).splitlines() == ["VWAP = 507 / 5", "     = 101.4", "two trades", "x = 1"]


def test_columns_of_numbers_go_to_the_right() -> None:
    table = notebook.text_table(("what", "n"), [("a", "-1.5"), ("bcd", "~10"), ("e", "1e-08")])
    assert table.splitlines() == [
        "what      n", "----  -----", "a      -1.5", "bcd     ~10", "e     1e-08"
    ]  # fmt: skip


def test_a_table_of_nothing_has_its_headings() -> None:
    assert notebook.text_table(("a", "bc"), []).splitlines() == ["a  bc", "-  --"]


def test_a_header_is_the_wording_of_the_items() -> None:
    text = notebook.header("1.3").data
    assert "**Section 1.3, P&L Calculation**" in text
    assert all(item.text in text and item.severity in text for item in items().values() if item.section == "1.3")
    with pytest.raises(UsageError, match=r"section 9.9 is not known"):
        notebook.header("9.9")


def test_a_definition_is_the_formula_with_units() -> None:
    text = notebook.definition("vwap").data
    assert r"$$\mathrm{VWAP} = \frac{\sum_i p_i q_i}{\sum_i q_i}$$" in text and "prices [quote/base]" in text


def test_a_frame_keeps_every_digit() -> None:
    session = notebook.open_for("")
    frame = notebook.frame(session.table("funding"), ["ts_exchange", "symbol", "amount", "rate"], [1])
    assert frame.index.tolist() == ["funding:2"]
    # the second row of data/sessions/sample/funding.csv as it stands there
    assert frame.iloc[0]["symbol"] == "BTC-USD-PERP"
    assert frame.iloc[0]["amount"] == "-0.00000004" and frame.iloc[0]["rate"] == "0.000001"
    assert frame.iloc[0]["ts_exchange"].value == 1741003322100359514


def test_what_is_missing_in_a_frame_is_none() -> None:
    table = notebook.open_for("").table("balances")
    assert notebook.frame(table, ["asset", "total", "haircut", "currency"], [0]).iloc[0].tolist() == [
        "USDT",
        "100000.00000000",
        None,
        None,
    ]


def test_times_are_read_and_cut() -> None:
    times = np.array([0, 10**9, 2 * 10**9])
    inside = notebook.between(times, "1970-01-01T00:00:01+00:00", "1970-01-01T01:00:02+01:00")
    assert inside.tolist() == [False, True, False]
    assert notebook.clock(3_723_004_999_999) == "01:02:03.004"
    for value in ("yesterday", "2025-03-03T12:00:00"):
        with pytest.raises(UsageError, match="is no time"):
            notebook.moment(value)


def test_a_choice_is_the_first_or_one_that_is_known() -> None:
    assert notebook.chosen("", ["a", "b"]) == "a" and notebook.chosen("b", ["a", "b"]) == "b"
    with pytest.raises(UsageError, match="c is not in the session; should be one of a, b"):
        notebook.chosen("c", ["a", "b"])


def test_a_mistake_without_a_difference_is_refused() -> None:
    with pytest.raises(NotebookError, match="wrong and right are both 2"):
        notebook.side_by_side({("m", "u", "s"): (2, 2)})
    assert "off by" in notebook.side_by_side({("m", "u", "s"): (3, 2)})


def test_a_verdict_leaves_a_result_that_reads_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    session, path = notebook.open_for(""), tmp_path / "r.json"
    notebook.verdict("3.3", session, str(path))
    assert [each.name for each in tmp_path.iterdir()] == ["r.json"]
    runs = notebook.read_result(path, "3.3", "sample")
    assert [run.check for run in runs] == ["vwap", "ema", "volatility", "no_look_ahead"]
    printed = capsys.readouterr().out
    assert all(f"{run.looked.exercised} records exercised it" in printed for run in runs)


def test_a_verdict_is_of_the_session_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    session, path = notebook.open_for(""), tmp_path / "r.json"
    notebook.verdict("4.2", session, str(path))
    runs = notebook.read_result(path, "4.2", "sample")
    assert [run.check for run in runs] == [
        "stage_order", "blocked_time", "allocations_per_pass", "tick_to_order", "log_time"
    ]  # fmt: skip
    printed = " ".join(capsys.readouterr().out.split())
    assert "The verdict is of the session alone." in printed and "declared_path, blocking_calls" in printed


def test_a_section_without_checks_of_a_session_verifies_nothing_and_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session, path = notebook.open_for(""), tmp_path / "s7_documentation.json"
    notebook.verdict("7", session, str(path))
    assert notebook.read_result(path, "7", "sample") == ()
    printed = capsys.readouterr().out
    assert printed.count("not_assessed          0  no check of a session") == 6
    assert "The verdict is empty, for no check of the section is of a session." in printed
    found = notebook.assess([session], results=str(tmp_path), focus=["7"], config="")
    assert found.errors == () and {item.status for item in found.items} == {"not_assessed"}


def test_a_tree_that_is_not_the_bots_is_said_to_be_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert notebook.open_tree("").name == "bot"
    assert "not of the bot under review" in capsys.readouterr().out
    assert notebook.open_tree(str(bundled("data/bot"))).name == "bot"
    assert capsys.readouterr().out.startswith("The source tree bot: 24 files, 16 of them code.")


def test_an_assessment_of_lost_results_is_an_error(tmp_path: Path) -> None:
    session = open_session(bundled("data/sessions/sample"))
    found = notebook.assess([session], results=str(tmp_path), focus=["3.3.4"], config="")
    assert found.errors == ("s3_3_derived on sample: it left no result",)
    assert found.status == "NOT READY"


def test_an_assessment_writes_all_but_times(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    session, path = open_session(bundled("data/sessions/sample")), tmp_path / "r.json"
    found = notebook.assess([session], results="", focus=["3.3.4", "7.6"], config="")
    notebook.readiness(found, str(path))
    data = json.loads(path.read_text())
    assert data["complete"] is True and "times" not in data
    assert [item["id"] for item in data["items"]] == ["3.3.4", "7.6"]
    assert "1 not assessed, no source tree was given: 7.6" in capsys.readouterr().out
