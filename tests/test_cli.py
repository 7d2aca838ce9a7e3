"""The commands as their users meet them: exit codes, one clear line, nothing half written."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import mmverify.command
from mmverify.checks import items
from mmverify.cli import main

NINE = ["--focus", "1.3", "--focus", "3.3"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def sample(root: Path) -> Path:
    return root / "data/sessions/sample"


def altered(sample: Path, folder: Path, table: str, old: str, new: str) -> Path:
    """Copy the sample with one piece of text replaced once in one table."""
    shutil.copytree(sample, folder)
    path = folder / table
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return folder


def test_the_sample_is_ready_on_the_nine(here: Path, sample: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["review", str(sample), *NINE, "--no-notebooks", "--no-arm"]) == 0
    out = capsys.readouterr()
    assert "READY (focus: 1.3, 3.3): 9 of 9 items verified" in out.out
    assert "sample: 1.3 P&L Calculation" in out.err.splitlines()
    data = json.loads((here / "reports/latest/assessment.json").read_text())
    assert data["status"] == "READY" and data["findings"] == []
    assert {item["id"]: item["status"] for item in data["items"]} == {
        id: "verified" for id in ("1.3.1", "1.3.2", "1.3.3", "1.3.4", "1.3.5", "3.3.1", "3.3.2", "3.3.3", "3.3.4")
    }
    assert all(item["exercised"] > 0 for item in data["items"])


def test_a_session_alone_leaves_what_only_a_source_tree_shows_as_conditions(here: Path, sample: Path) -> None:
    assert main(["review", str(sample), "--no-notebooks", "--no-arm", "--out", "all"]) == 3
    data = json.loads((here / "all/assessment.json").read_text())
    assert len(data["items"]) == 96
    unseen = {item["id"]: item["reason"] for item in data["items"] if item["status"] == "not_assessed"}
    in_source = [item.id for item in items().values() if {check.evidence for check in item.checks} == {"source"}]
    assert unseen == dict.fromkeys(in_source, "no source tree was given")


def test_same_input_same_bytes_times_aside(here: Path, sample: Path) -> None:
    kept = []
    for name in ("a", "b"):
        main(["review", str(sample), *NINE, "--no-notebooks", "--no-arm", "--out", name])
        data = json.loads((here / name / "assessment.json").read_text())
        assert set(data.pop("times")) == {"started", "seconds"}
        kept.append(json.dumps(data))
    assert kept[0] == kept[1]


def test_a_wrong_session_fails_with_its_numbers(here: Path, sample: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = altered(sample, here / "wrong", "session.toml", 'cost_basis = "fifo"', 'cost_basis = "lifo"')
    assert main(["review", str(wrong), *NINE, "--no-notebooks", "--no-arm"]) == 1
    out = capsys.readouterr().out
    assert "1.3.1 CRITICAL" in out and "FIFO was used" in out and out.count("NOT READY") == 1


UNUSABLE = {
    "a price that is text": ("trades.csv", ",59994.00,", ",much,", "trades.csv, row 1, column price: 'much'"),
    "a price that is no number": ("trades.csv", ",59994.00,", ",nan,", "trades.csv, row 1, column price: 'nan'"),
    "a price beyond all": ("trades.csv", ",59994.00,", ",1e400,", "trades.csv, row 1, column price: '1e400'"),
    "a time that is none": (
        "trades.csv",
        "1741003202001480000",
        "noon",
        "trades.csv, row 1, column ts_exchange: 'noon'",
    ),
    "a column that is missing": ("fills.csv", "exec_id", "execution", "fills.csv, column exec_id: no such column"),
    "a header twice": ("fills.csv", "exec_id", "price", "fills.csv, column price: the column twice"),
    "a side that is none": ("fills.csv", ",buy,", ",bid,", "column side: 'bid'; should be one of buy, sell"),
    "TOML that is none": ("session.toml", "[session]", "[session", "session.toml: "),
    "a convention that is none": (
        "session.toml",
        '"fifo"',
        '"hifo"',
        "session.toml, column conventions.cost_basis: 'hifo'",
    ),
}


@pytest.mark.parametrize("what", UNUSABLE)
def test_unusable_evidence_is_one_line_and_exit_2(
    what: str, here: Path, sample: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, old, new, words = UNUSABLE[what]
    wrong = altered(sample, here / "wrong", table, old, new)
    assert main(["review", str(wrong), "--no-notebooks", "--no-arm"]) == 2
    out = capsys.readouterr()
    (line,) = out.err.splitlines()
    assert line.startswith(f"mmverify: {wrong}: ") and words in line and "should be" in line
    assert out.out == "" and not (here / "reports").exists()


def test_truncated_parquet_two_forms_a_directory_and_an_empty_folder(
    here: Path, sample: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import pyarrow.csv
    import pyarrow.parquet

    cut, twice, folder, empty = (here / name for name in ("cut", "twice", "folder", "empty"))
    for path in (cut, twice, folder):
        shutil.copytree(sample, path)
    pyarrow.parquet.write_table(pyarrow.csv.read_csv(cut / "fills.csv"), cut / "fills.parquet")
    shutil.copy(cut / "fills.parquet", twice / "fills.parquet")
    (cut / "fills.csv").unlink()
    (cut / "fills.parquet").write_bytes((cut / "fills.parquet").read_bytes()[:-100])
    (folder / "fills.csv").unlink()
    (folder / "fills.csv").mkdir()
    empty.mkdir()
    expected = {
        cut: "should be a whole Parquet file",
        twice: "fills.parquet: the table fills a second time",
        folder: "fills.csv: a directory; should be a file",
        empty: "session.toml: not there",
    }
    for path, words in expected.items():
        assert main(["review", str(path), "--no-notebooks", "--no-arm"]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert words in line, line
    assert not (here / "reports").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["review", "nowhere"], "nowhere: no such folder"),
        (["review", "SAMPLE", "--focus", "9.9"], "--focus 9.9: no such item"),
        (["review", "SAMPLE", "--workers", "0"], "--workers 0"),
        (["review", "SAMPLE", "--param", "symbol"], "--param symbol: should be NAME=VALUE"),
        (["review", "SAMPLE", "--param", "a=1", "--no-notebooks", "--no-arm"], "--param is for notebooks"),
        (["review", "SAMPLE", "--config", "none.toml"], "none.toml: cannot be read"),
        (["review", "SAMPLE", "SAMPLE", "--no-notebooks", "--no-arm"], "two sessions are named"),
        (["import", "excel", "a", "b"], "excel"),
        (["simulate", "out", "--symbols", "0"], "symbols"),
        (["explain", "9.9.9"], "9.9.9: no such item"),
    ],
)
def test_unusable_arguments_are_one_line_and_exit_2(
    arguments: list[str], words: str, here: Path, sample: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(sample) if each == "SAMPLE" else each for each in arguments]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("mmverify: ")]
    assert words in line
    assert not (here / "reports").exists()


def test_a_misspelt_command_is_one_line() -> None:
    ran = subprocess.run([sys.executable, "-m", "mmverify", "revue"], capture_output=True, text=True)
    assert ran.returncode == 2 and len(ran.stderr.splitlines()) == 1 and "revue" in ran.stderr


def test_a_fault_of_our_own_is_exit_4_and_never_a_verdict(
    here: Path, sample: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*args: object, **named: object) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr(mmverify.command, "assemble", broken)
    assert main(["review", str(sample), *NINE, "--no-notebooks", "--no-arm"]) == 4
    assert "a fault of mmverify" in capsys.readouterr().err
    assert not (here / "reports").exists()


def test_strict_turns_conditions_into_exit_1(here: Path, sample: Path) -> None:
    thin = here / "thin"
    shutil.copytree(sample, thin)
    (thin / "signals.csv").unlink()
    assert main(["review", str(thin), "--focus", "3.3.2", "--no-notebooks", "--no-arm"]) == 3
    assert main(["review", str(thin), "--focus", "3.3.2", "--no-notebooks", "--no-arm", "--strict"]) == 1


def test_several_sessions_are_one_review(here: Path, sample: Path) -> None:
    other = altered(sample, here / "other", "session.toml", 'cost_basis = "fifo"', 'cost_basis = "lifo"')
    assert (
        main(["review", str(sample), str(other), "--focus", "1.3.1", "--no-notebooks", "--no-arm", "--out", "two"]) == 1
    )
    data = json.loads((here / "two/assessment.json").read_text())
    assert data["session"] == "sample + other"
    assert {finding["session"] for finding in data["findings"]} == {"other"}


def test_vectors_are_exported_counted_and_judge_answers(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vectors", "export", "corpus"]) == 0
    group = json.loads((here / "corpus/round_qty.json").read_text())["groups"][0]
    right = {test["id"]: test.get("expected") if test["result"] != "invalid" else None for test in group["tests"]}
    (here / "right.json").write_text(json.dumps(right))
    assert main(["vectors", "check", "right.json"]) == 0
    first = next(id for id, answer in right.items() if answer is not None)
    (here / "wrong.json").write_text(json.dumps(right | {first: "12345.678"}))
    capsys.readouterr()
    assert main(["vectors", "check", "wrong.json"]) == 1
    assert capsys.readouterr().out.startswith(f"{first} disagrees: ")
    (here / "bad.json").write_text("[1]")
    assert main(["vectors", "check", "bad.json"]) == 2
    assert main(["vectors", "figures"]) == 0
    name, cases, edges, _, acceptable = capsys.readouterr().out.splitlines()[-1].split()
    assert name == "*" and int(cases) >= 1500 and 2 * int(edges) >= int(cases) >= 20 * int(acceptable)


@pytest.mark.notebook
def test_notebooks_come_to_the_same_assessment(here: Path, sample: Path) -> None:
    assert main(["review", str(sample), *NINE, "--no-notebooks", "--out", "plain"]) == 0
    assert main(["review", str(sample), *NINE, "--out", "paged"]) == 0
    plain, paged = (json.loads((here / name / "assessment.json").read_text()) for name in ("plain", "paged"))
    del plain["times"], paged["times"]
    assert plain == paged
    for stem in ("s0_readiness", "s1_3_pnl", "s3_3_derived"):
        assert (here / "paged/notebooks" / f"{stem}.ipynb").is_file()
        assert (here / "paged/notebooks" / f"{stem}.html").is_file()
