"""Time the review of a session of a million order events, fills, positions and P&L claims, and of two and four million.

Each review is a process of its own, as a user starts it. Beside it pandas reads the same four tables and sums the
fills: the least that anything which looks at them must do.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from session import write

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build" / "bench"
CYCLES = 840  # of a million rows in each of the four tables
SIZES = (1, 2, 4)
TABLES = ("order_events", "fills", "positions", "pnl")
SECONDS, MEBIBYTES = 60, 2048  # that the smallest may take
GROWTH = 1.25  # of what a row costs, from the smallest to the largest
RESULTS = (0, 1, 3)  # exit codes of a review that came to a verdict
PANDAS = f"""
import sys
import pandas as pd
tables = {{name: pd.read_parquet(f"{{sys.argv[1]}}/{{name}}.parquet") for name in {TABLES}}}
fills = tables["fills"].assign(fee=tables["fills"]["fee"].astype(float), qty=tables["fills"]["qty"].astype(float))
fills.groupby(["symbol", "side"])[["qty", "fee"]].sum()
"""


@dataclass(frozen=True)
class Run:
    """What a process took: seconds on the clock and of processors, and its most memory."""

    wall: float
    cpu: float
    mebibytes: float


def made(folder: Path, write: Callable[[Path], None], *sources: str) -> Path:
    """Return a session, written anew where a file of what writes it has changed."""
    stamp = folder / "session.toml"
    changed = max(Path(__file__).with_name(name).stat().st_mtime for name in sources)
    if not stamp.exists() or stamp.stat().st_mtime < changed:
        print(f"writing {folder.relative_to(ROOT)}", file=sys.stderr)
        write(folder)
    return folder


def timed(command: list[str]) -> Run:
    """Run a command to its end, without its output."""
    started = time.perf_counter()
    child = subprocess.Popen([sys.executable, *command], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in RESULTS:
        raise SystemExit(f"{' '.join(command)} ended with {child.returncode}")
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return Run(time.perf_counter() - started, used.ru_utime + used.ru_stime, used.ru_maxrss / unit)


def review(folder: Path, sections: Iterable[str]) -> tuple[Run, list[dict[str, Any]]]:
    """Review sections of a session that is clean; return what it took, and the items of the assessment."""
    out = BUILD / f"report-{folder.name}"
    shutil.rmtree(out, ignore_errors=True)
    focus = [word for section in sections for word in ("--focus", section)]
    run = timed(["-m", "mmverify", "review", str(folder), *focus, "--no-notebooks", "--no-arm", "--out", str(out)])
    assessment = json.loads((out / "assessment.json").read_text(encoding="utf-8"))
    if assessment["findings"] or assessment["errors"]:
        wrong = [*assessment["errors"], *(finding["id"] for finding in assessment["findings"])]
        raise SystemExit(f"{folder.name} is clean, but the review says: {'; '.join(wrong)}")
    return run, assessment["items"]


def summary(items: list[dict[str, Any]]) -> str:
    """Write how many items came out how."""
    statuses = Counter(item["status"] for item in items)
    told = ", ".join(f"{count} {status.replace('_', ' ')}" for status, count in sorted(statuses.items(), reverse=True))
    return f"{len(items)} items: {told}; no finding"


def above(*limits: tuple[float, float, str]) -> list[str]:
    """Write which figures are above what they may be, each with its unit."""
    return [f"too much: {value:.2f} {unit}; at most {most}" for value, most, unit in limits if value > most]


def main() -> int:
    """Print the table and the machine; return 1 where a limit is passed."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("numpy", "pyarrow", "pandas"))
    print(f"{os.cpu_count()} cores, {platform.machine()}; Python {platform.python_version()}, {versions}\n")
    print("| | rows of each table, in 1000 | CPU s | clock s | peak MiB | CPU us a row | to 1x | to pandas, CPU |")
    print("|---|---|---:|---:|---:|---:|---:|---:|")
    costs, smallest = [], None
    for size in SIZES:
        folder = made(BUILD / f"x{size}", partial(write, cycles=CYCLES * size), "session.py", "session.toml")
        rows = [pq.read_metadata(folder / f"{name}.parquet").num_rows for name in TABLES]
        (run, items), peer = review(folder, ("1", "2")), timed(["-c", PANDAS, str(folder)])
        smallest = smallest or run
        costs.append(run.cpu / sum(rows) * 10**6)
        print(f"| {size}x | {' + '.join(str(each // 1000) for each in rows)} | {run.cpu:.1f} | {run.wall:.1f} | "
              f"{run.mebibytes:.0f} | {costs[-1]:.2f} | {costs[-1] / costs[0]:.2f} | {run.cpu / peer.cpu:.1f} |",
              flush=True)  # fmt: skip
    print(f"\n{summary(items)}")
    assert smallest
    too_much = above((smallest.cpu, SECONDS, "s of CPU"), (smallest.mebibytes, MEBIBYTES, "MiB"),
                     (costs[-1] / costs[0], GROWTH, f"times as much a row at {SIZES[-1]}x"))  # fmt: skip
    print("".join(f"{each}\n" for each in too_much), end="")
    return int(bool(too_much))


if __name__ == "__main__":
    sys.exit(main())
