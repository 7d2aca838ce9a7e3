"""The runner: what counts as a run, what does not, and what a page must not hold."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from mmverify import runner
from mmverify.bundled import bundled
from mmverify.checks import sections
from mmverify.errors import UsageError
from mmverify.review.engine import review, run_section
from mmverify.session.load import open_session
from mmverify.simulate import simulate

pytestmark = pytest.mark.notebook

PARAMETERS = 'session: str = ""  # folder\nsource: str = ""  # a complete result\nresult: str = ""  # file'
ANSWER = "import shutil\nshutil.copy(source, result)"
SAMPLE = bundled("data/sessions/sample")

#: How a notebook may go wrong: its cells after the parameters, and what is said of it.
WRONG = {
    "exception": ([ANSWER, "1 / 0", "3"], "ZeroDivisionError: division by zero"),
    "os_exit": ([ANSWER, "import os\nos._exit(0)", "3"], "DeadKernelError"),
    "killed": ([ANSWER, "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "3"], "DeadKernelError"),
    "time_out": ([ANSWER, "import time\ntime.sleep(60)", "3"], "CellTimeoutError"),
    "sys_exit_0": ([ANSWER, "import sys\nsys.exit(0)", "3"], "it stopped before its last cell"),
    "no_result": (["3"], "it left no result"),
    "half_a_result": (["open(result, 'w').write(open(source).read()[:-40])"], "its result is not complete"),
    "not_complete": (
        ["open(result, 'w').write(open(source).read().replace('\"complete\": true', '\"complete\": false'))"],
        "its result is not complete",
    ),
    "other_section": (
        ["open(result, 'w').write(open(source).read().replace('\"1.3\"', '\"3.3\"'))"],
        "its result is of 3.3",
    ),
    "other_session": (
        ["open(result, 'w').write(open(source).read().replace('sample', 'x'))"],
        "its result is of 1.3 on x",
    ),
    "check_left_out": (
        ["import json\ndata = json.load(open(source))\ndata['runs'].pop()\njson.dump(data, open(result, 'w'))"],
        "its result does not hold",
    ),
}
RIGHT = {"right": [ANSWER, "3"], "warns": ["import sys\nprint('beware', file=sys.stderr)", ANSWER]}


def write_notebook(path: Path, sources: list[str], *, tags: list[list[str]] | None = None) -> Path:
    """Write a notebook of code cells, the first with the parameters."""
    metadata = [["parameters"], *[[] for _ in sources]] if tags is None else tags
    code = {"cell_type": "code", "outputs": [], "execution_count": None}
    cells = [
        code | {"id": f"c{n}", "metadata": {"tags": tag}, "source": source}
        for n, (source, tag) in enumerate(zip([PARAMETERS, *sources], metadata, strict=True))
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    path.write_text(json.dumps({"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}))
    return path


@pytest.fixture(scope="module")
def answer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the file that section 1.3's notebook leaves of the sample."""
    section = next(section for section in sections() if section.id == "1.3")
    session = open_session(SAMPLE)
    runs = run_section(session, section, [item.id for item in section.items])
    path = tmp_path_factory.mktemp("answer") / "result.json"
    data = {"section": "1.3", "session": "sample", "runs": [run.to_json() for run in runs], "complete": True}
    path.write_text(json.dumps(data))
    return path


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory, answer: Path) -> tuple[Path, dict[str, str]]:
    """Execute one notebook of each kind; give their folder and why each does not count."""
    folder = tmp_path_factory.mktemp("out")
    jobs = []
    for name, sources in ({name: sources for name, (sources, _) in WRONG.items()} | RIGHT).items():
        notebook = write_notebook(folder / f"{name}.in.ipynb", sources)
        result = folder / f"{name}.json"
        parameters = {"source": str(answer), "result": str(result)}
        jobs.append(runner.Job(name, notebook, folder / f"{name}.ipynb", "1.3", "sample", result, parameters))
    return folder, runner.execute(jobs, workers=2, timeout=3)


@pytest.mark.parametrize("name", WRONG)
def test_a_run_that_went_wrong_does_not_count(executed: tuple[Path, dict[str, str]], name: str) -> None:
    _, failed = executed
    assert failed[name].startswith(WRONG[name][1])
    assert "\n" not in failed[name]


@pytest.mark.parametrize("name", RIGHT)
def test_a_run_to_the_last_cell_counts(executed: tuple[Path, dict[str, str]], name: str) -> None:
    folder, failed = executed
    assert name not in failed
    assert (folder / f"{name}.html").is_file()


def test_a_stale_result_is_no_result(tmp_path: Path, answer: Path) -> None:
    notebook = write_notebook(tmp_path / "in.ipynb", ["3"])
    result = tmp_path / "result.json"
    result.write_bytes(answer.read_bytes())
    job = runner.Job("stale", notebook, tmp_path / "out.ipynb", "1.3", "sample", result, {"result": str(result)})
    assert runner.execute([job], workers=1, timeout=30) == {"stale": "it left no result"}


def test_bad_evidence_in_a_notebook_is_the_users(tmp_path: Path) -> None:
    source = "from mmverify.errors import EvidenceError\nraise EvidenceError('fills.csv', was='x', should='y', row=3)"
    notebook = write_notebook(tmp_path / "in.ipynb", [source])
    job = runner.Job("bad", notebook, tmp_path / "out.ipynb", "1.3", "sample", tmp_path / "r.json", {"result": ""})
    with pytest.raises(UsageError, match=r"fills.csv, row 3: x; should be y"):
        runner.execute([job], workers=1, timeout=30)


# --- what is refused before anything runs -----------------------------------------------------------------------------


def refused(folder: Path, parameters: dict[str, str], sessions: list[Path] | None = None) -> None:
    """Run the notebook of section 1.3 into a folder that must stay empty."""
    out = folder / "out"
    try:
        runner.run(
            ["s1_3_pnl"], sessions or [SAMPLE], out, results_dir=out, workers=1, parameters=parameters, timeout=30
        )  # fmt: skip
    finally:
        assert not out.exists()


@pytest.mark.parametrize("name", ["cost_bassis", "session", "source", "result"])
def test_unknown_and_reserved_parameters_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(
        UsageError, match=f"--param {name}: no notebook of this review takes it; should be one of cost_basis"
    ):
        refused(tmp_path, {name: "fifo"})


def test_two_sessions_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="two sessions are named sample"):
        refused(tmp_path, {}, [SAMPLE, tmp_path / "sample"])


def test_a_notebook_without_parameters_is_refused(tmp_path: Path) -> None:
    notebook = write_notebook(tmp_path / "s1_3_pnl.ipynb", [], tags=[[]])
    with pytest.raises(UsageError, match=r"s1_3_pnl.ipynb has no cell tagged parameters"):
        runner.declared(notebook)


def test_declared_parameters_are_read(tmp_path: Path) -> None:
    assert runner.declared(write_notebook(tmp_path / "{x}.ipynb", [])) == ("session", "source", "result")


def test_a_source_tree_is_for_the_notebooks_that_show_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, str | None] = {}

    def note(jobs: list[runner.Job], **settings: Any) -> dict[str, str]:
        seen.update((job.name, job.parameters.get("source")) for job in jobs)
        return {job.name: "not run" for job in jobs}

    monkeypatch.setattr(runner, "execute", note)
    stems = ["s1_3_pnl", "s4_2_hot_path", "s6_configuration", "s7_documentation", "s0_readiness"]
    given = {"results_dir": tmp_path, "workers": 1, "parameters": {}, "timeout": 30}
    runner.run(stems, [SAMPLE], tmp_path, source=Path("my/bot"), **given)
    assert seen == {"s1_3_pnl": None, "s0_readiness": None, **dict.fromkeys(stems[1:4], "my/bot")}
    runner.run(stems, [SAMPLE], tmp_path, **given)
    assert set(seen.values()) == {None}


# --- refreshing -------------------------------------------------------------------------------------------------------


def test_only_the_named_notebooks_are_refreshed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("first", "second"):
        write_notebook(tmp_path / f"{name}.ipynb", ["print(1 + 1)"])
    monkeypatch.setattr(runner, "bundled", lambda path: tmp_path / path.removeprefix("notebooks").lstrip("/"))
    assert runner.refresh(["second"], timeout=30) == {}
    outputs = {path.stem: json.loads(path.read_text())["cells"][1]["outputs"] for path in tmp_path.glob("*.ipynb")}
    assert outputs["first"] == [] and "".join(outputs["second"][0]["text"]) == "2\n"


def test_a_stem_of_no_notebook_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        runner.main(["refresh", "s9_9_nothing"])
    assert left.value.code == 2
    assert "notebooks/s9_9_nothing.ipynb is not there" in capsys.readouterr().err


# --- the stored notebooks on other sessions ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], Path, tuple[Any, list[str]]]:
    """Review a session of other conventions, one with a wrong total, and one with hardly any evidence."""
    folder = tmp_path_factory.mktemp("several")
    other, wrong, bare = folder / "other", folder / "wrong", folder / "bare"
    conventions = {"cost_basis": "average", "realized": "net", "ema_init": "sma", "volatility": "simple",
                   "unrealized_price": "exit", "conversion": "fill"}  # fmt: skip
    simulate(other, seed=5, hours=Fraction(1, 15), symbols=2, conventions=conventions)
    copytree(SAMPLE, wrong)
    lines = (wrong / "pnl.csv").read_text().splitlines()
    lines[1] = lines[1].replace("0.01067043", "0.49069745")  # the fee of 0.24001351 added, not taken off
    (wrong / "pnl.csv").write_text("\n".join(lines) + "\n")
    bare.mkdir()
    (bare / "session.toml").write_text("[session]\n")
    sessions = [other, wrong, bare]
    stems = ["s0_readiness", "s1_3_pnl", "s3_3_derived"]
    parameters = {"cost_basis": "lifo", "start": "2025-03-03T12:01:00+00:00", "focus": "1.3,3.3"}
    done = runner.run(
        stems, sessions, folder / "out", results_dir=folder / "results", workers=2, parameters=parameters, timeout=60
    )  # fmt: skip
    return sessions, folder, done


def test_notebooks_say_what_the_review_says(several: tuple[list[Path], Path, tuple[Any, list[str]]]) -> None:
    paths, folder, (runs, errors) = several
    assert not errors
    sessions = [open_session(path) for path in paths]
    whole = review(sessions, focus=["1.3", "3.3"])
    shown = json.loads((folder / "results" / "s0_readiness.json").read_text())
    expected = json.loads(json.dumps(whole.to_json()))
    del expected["times"]
    assert shown == expected | {"complete": True}
    both = [section for section in sections() if section.id in ("1.3", "3.3")]
    assert runs == [
        run
        for session in sessions
        for section in both
        for run in run_section(session, section, [item.id for item in section.items])
    ]


def test_a_wrong_total_is_worked_out_in_its_notebook(several: tuple[list[Path], Path, tuple[Any, list[str]]]) -> None:
    _, folder, (runs, _) = several
    (failed,) = [run for run in runs if run.session == "wrong" and run.check == "total_claim"]
    assert failed.looked.breaches[0].should == "0.01067043 USDT"
    text = (folder / "out" / "s1_3_pnl-wrong.ipynb").read_text()
    assert "was 0.49069745 USDT, but should be 0.01067043 USDT" in text


def test_without_evidence_nothing_is_verified(several: tuple[list[Path], Path, tuple[Any, list[str]]]) -> None:
    _, folder, (runs, _) = several
    assert {run.status for run in runs if run.session == "bare"} == {"not_assessed"}
    assert "The session claims no profit of a market" in (folder / "out" / "s1_3_pnl-bare.ipynb").read_text()


def test_an_executed_notebook_says_which_parameters_it_had(
    several: tuple[list[Path], Path, tuple[Any, list[str]]],
) -> None:
    _, folder, _ = several
    cells = json.loads((folder / "out" / "s1_3_pnl-other.ipynb").read_text())["cells"]
    (injected,) = [cell for cell in cells if cell["id"] == "injected-parameters"]
    source = "".join(injected["source"])
    assert 'cost_basis = "lifo"' in source and "result =" not in source
    assert all(set(cell["metadata"]) <= {"tags"} for cell in cells)


# --- pages ------------------------------------------------------------------------------------------------------------

MATH = "Inline $x^2$, code `$y$`\n\n$$\\frac{a}{b}$$\n\n$$\\begin{aligned} a &= b \\\\ &= c \\end{aligned}$$"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Export a notebook with formulas in text and in outputs."""
    path = write_notebook(tmp_path_factory.mktemp("page") / "n.ipynb", ["3"])
    data = json.loads(path.read_text())
    latex = {"output_type": "display_data", "metadata": {}, "data": {"text/latex": "$$\\sqrt{2}$$", "text/plain": "x"}}
    data["cells"][1]["outputs"] = [latex]
    data["cells"].append({"cell_type": "markdown", "id": "m", "metadata": {}, "source": MATH})
    path.write_text(json.dumps(data))
    runner.export_html(path, path.with_suffix(".html"))
    return path.with_suffix(".html").read_text()


def test_formulas_are_typeset(page: str) -> None:
    found = re.findall(r"<math[\s\S]*?</math>", page)
    assert len(found) == 4
    assert any("<msqrt>" in each for each in found) and any("<mtable" in each for each in found)
    assert not [each for each in found if re.search(r"&(?!#?\w+;)", each)]
    assert "$$" not in page and "MATHML" not in page
    assert "<code>$y$</code>" in page


@pytest.mark.parametrize("stem", ["s0_readiness", "s1_3_pnl", "s3_3_derived"])
def test_a_page_needs_no_network(tmp_path: Path, stem: str) -> None:
    path = tmp_path / "page.html"
    runner.export_html(bundled(f"notebooks/{stem}.ipynb"), path)
    body = path.read_text()
    assert not re.findall(r"(?:src|href)\s*=\s*[\"']?https?:", body)
    assert "<script" not in body and "@import" not in body and not re.findall(r"url\(['\"]?https?:", body)
    assert "$$" not in body
    assert body.count('src="data:image/png;base64,') == 1


def test_the_callback_is_told(tmp_path: Path, answer: Path) -> None:
    told: list[str] = []
    tell: Callable[[str], None] = told.append
    notebook = write_notebook(tmp_path / "in.ipynb", [ANSWER])
    result = tmp_path / "result.json"
    given = {"source": str(answer), "result": str(result)}
    job = runner.Job("one", notebook, tmp_path / "one.ipynb", "1.3", "sample", result, given)
    assert runner.execute([job], workers=1, timeout=30, step=tell) == {}
    assert told == ["one"]
