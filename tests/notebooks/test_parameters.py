"""The notebooks of sections on other parameters: other markets, windows, conventions, tables and forms of them.

Every notebook runs on every set in this process, cell by cell as a kernel would, and by papermill on one set, each on
another. By papermill on all of them is a campaign of its own (`make parameters`).
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from mmverify import notebook, runner
from mmverify.bundled import bundled
from mmverify.checks import sections
from mmverify.review.results import CheckRun
from mmverify.session.schema import TABLES
from mmverify.simulate import simulate

pytestmark = pytest.mark.notebook

SECTIONS = {section.stem: section for section in sections()}
PATHS = sorted(path for path in bundled("notebooks").glob("s[0-9]*_*.ipynb") if path.stem in SECTIONS)
NOON = "2025-03-03T12:{}:00+00:00"


@dataclass(frozen=True)
class Given:
    """One set of parameters: how its session is made, and what is given beside it."""

    make: Callable[[Path], None]
    parameters: Mapping[str, str] = field(default_factory=dict)


def recorded(seed: int, symbols: int, **conventions: str) -> Callable[[Path], None]:
    """Record a session of other conventions."""
    return lambda folder: simulate(
        folder, seed=seed, hours=Fraction(1, 10), symbols=symbols, conventions=conventions or None
    )


def only(*tables: str) -> Callable[[Path], None]:
    """Leave a session with some of its tables."""

    def make(folder: Path) -> None:
        recorded(3, 2)(folder)
        for path in folder.iterdir():
            if path.suffix == ".csv" and path.stem not in tables:
                path.unlink()

    return make


def bare(folder: Path) -> None:
    """Write a session without a table."""
    folder.mkdir()
    (folder / "session.toml").write_text("[session]\n", encoding="utf-8")


def as_parquet(folder: Path) -> None:
    """Record a session, and write its tables as Parquet: numbers as float64, the fills as a folder of parts."""
    import pyarrow.csv
    import pyarrow.parquet

    recorded(4, 3)(folder)
    for path in sorted(folder.glob("*.csv")):
        words = {name: pyarrow.string() for name, column in TABLES[path.stem].items() if column.type == "id"}
        table = pyarrow.csv.read_csv(path, convert_options=pyarrow.csv.ConvertOptions(column_types=words))
        if path.stem == "fills":
            path.with_suffix("").mkdir()
            half = len(table) // 2
            pyarrow.parquet.write_table(table[:half], path.with_suffix("") / "part-0.parquet")
            pyarrow.parquet.write_table(table[half:], path.with_suffix("") / "part-1.parquet")
        else:
            pyarrow.parquet.write_table(table, path.with_suffix(".parquet"))
        path.unlink()


def compressed(folder: Path) -> None:
    """Record a session whose positions are valued at exit prices, and compress its tables."""
    recorded(5, 2, unrealized_price="exit", conversion="fill", cost_basis="lifo")(folder)
    for path in sorted(folder.glob("*.csv")):
        with gzip.open(f"{path}.gz", "wb") as file:
            file.write(path.read_bytes())
        path.unlink()


SETS = {
    "another_market": Given(recorded(6, 3), {"symbol": "BTC-USD-PERP"}),
    "a_window": Given(
        recorded(9, 3, volatility="simple"),
        {"symbol": "BTC-USDT-PERP", "start": NOON.format("01"), "end": NOON.format("05")},
    ),
    "an_empty_window": Given(recorded(6, 3), {"start": NOON.format("02"), "end": NOON.format("02")}),
    "a_window_of_after_it": Given(recorded(6, 3), {"start": "2031-01-01T00:00:00+00:00"}),
    "net_at_average_cost": Given(
        recorded(7, 3, cost_basis="average", realized="net", unrealized_price="index", mid_min_qty="0.002"),
        {"symbol": "BTC-USD-PERP"},
    ),
    "one_market": Given(recorded(8, 1, unrealized_price="mid", trade_sign="lee_ready", ema_init="sma"),
                        {"end": NOON.format("04")}),
    "few_tables": Given(only("fills", "instruments", "pnl")),
    "no_table": Given(bare),
    "parquet": Given(as_parquet),
    "compressed": Given(compressed, {"symbol": "BTC-USDT-PERP"}),
}  # fmt: skip
NAMES = list(SETS)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Make the session of every set, in a folder of the set's name."""
    home = tmp_path_factory.mktemp("sets")
    for name, given in SETS.items():
        given.make(home / name)
    return {name: home / name for name in SETS}


def execute(path: Path, parameters: Mapping[str, str]) -> None:
    """Execute the code cells of a notebook in order, parameters set after the cell that declares them."""
    space: dict[str, Any] = {"__name__": "__main__", "display": lambda *shown: None}
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), f"{path.stem} {cell['id']}", "exec"), space)
            if "parameters" in cell["metadata"].get("tags", ()):
                assert set(parameters) <= set(space)
                space |= parameters


def due_of(stem: str) -> list[tuple[str, str]]:
    """Give the items and names of a section's checks of a session."""
    checks = [(item.id, check) for item in SECTIONS[stem].items for check in item.checks]
    return [(item, check.name) for item, check in checks if check.evidence == "session"]


def verdict_came(runs: tuple[CheckRun, ...], stem: str) -> None:
    """Assert that every check of a session was run and none crashed."""
    due = due_of(stem)
    assert [(run.item, run.check) for run in runs] == due
    assert [run.error for run in runs if run.error] == []


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_the_verdict_comes_whatever_the_parameters(
    path: Path, folders: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(notebook, "DPI", 20)  # pictures are drawn, but small
    exercised = dict.fromkeys(SETS, 0)
    for name, given in SETS.items():
        result = tmp_path / f"{name}.json"
        execute(path, {**given.parameters, "session": str(folders[name]), "result": str(result)})
        runs = notebook.read_result(result, SECTIONS[path.stem].id, name)
        verdict_came(runs, path.stem)
        exercised[name] = sum(run.looked.exercised for run in runs)
        shown = capsys.readouterr()
        assert not shown.err
        assert re.search(r"^item +severity +status +exercised +reason$", shown.out, re.MULTILINE)
        if "symbol" in given.parameters:
            assert given.parameters["symbol"] in shown.out, name
    seen = {name for name, count in exercised.items() if count}
    assert seen >= (set(SETS) - {"few_tables", "no_table"} if due_of(path.stem) else set()) and "no_table" not in seen


def by_papermill(stems: list[str], name: str, folder: Path, out: Path) -> None:
    """Execute notebooks by papermill on a set; every verdict comes."""
    runs, errors = runner.run(
        stems, [folder], out, results_dir=out / "results", workers=2, parameters=SETS[name].parameters, timeout=120
    )  # fmt: skip
    assert errors == []
    for stem in stems:
        of_section = {item.id for item in SECTIONS[stem].items}
        verdict_came(tuple(each for each in runs if each.item in of_section), stem)


@pytest.mark.parametrize("place", range(len(PATHS)), ids=lambda place: PATHS[place].stem)
def test_papermill_says_so_too(place: int, folders: dict[str, Path], tmp_path: Path) -> None:
    name = NAMES[place % len(NAMES)]
    by_papermill([PATHS[place].stem], name, folders[name], tmp_path / "out")


@pytest.mark.campaign
@pytest.mark.parametrize("name", NAMES)
def test_every_notebook_on_every_set_by_papermill(name: str, folders: dict[str, Path], tmp_path: Path) -> None:
    by_papermill([path.stem for path in PATHS], name, folders[name], tmp_path / "out")
