"""Mutate `formulas/` and `replay/` in a copy, run their tests on each mutant, hold the survivors to the list.

The copy differs in two things, so that every function is mutated: a property is written as a function and
``name = property(name)``, since mutmut leaves decorated functions alone, and `functools.cache` is taken off, since a
mutant of what is cached already would never be called.
"""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
COPY = ROOT / "build" / "mutation"
PACKAGES = ("formulas", "replay")
LEAST_SHARE = 0.95


@dataclass(frozen=True)
class Mutant:
    """A mutant: the file and function, the lines taken out and put in, and how its run ended."""

    file: str
    function: str
    was: str
    now: str
    status: str


def prepare() -> None:
    """Copy what the run reads."""
    shutil.rmtree(COPY, ignore_errors=True)
    hidden = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "mmverify", COPY / "mmverify", ignore=hidden)
    for package in PACKAGES:
        shutil.copytree(ROOT / "tests" / package, COPY / "tests" / package, ignore=hidden)
        for path in (COPY / "mmverify" / package).glob("*.py"):
            path.write_text(without_decorators(path.read_text()))
    shutil.copy(HERE / "copy_conftest.py", COPY / "tests" / "conftest.py")
    shutil.copy(HERE / "setup.cfg", COPY)
    shutil.copy(ROOT / "pyproject.toml", COPY)


def without_decorators(source: str) -> str:
    """Write properties as plain functions that are made properties after, and take `cache` off."""
    lines = source.splitlines(keepends=True)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            for decorator in node.decorator_list:
                name = ast.unparse(decorator)
                lines[decorator.lineno - 1] = "\n"
                if name != "cache":
                    lines[node.end_lineno - 1] += f"{' ' * node.col_offset}{node.name} = {name}({node.name})\n"
    return "".join(lines)


def run() -> None:
    """Run mutmut in the copy; what it prints is its progress."""
    # One thread: a fork does not carry over the threads of a linear algebra library.
    quiet = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
    command = [Path(sys.executable).with_name("mutmut"), "run", "--max-children", str(os.cpu_count())]
    subprocess.run(command, cwd=COPY, env=os.environ | quiet, check=True)


def mutants() -> list[Mutant]:
    """Read how each mutant ended, and what it was."""
    os.chdir(COPY)
    from mutmut.mutation.diff_apply import get_diff_for_mutant
    from mutmut.stats import status_by_exit_code

    found = []
    for meta in sorted(Path("mutants").rglob("*.meta")):
        path = meta.relative_to("mutants").with_suffix("")
        for key, code in json.loads(meta.read_text())["exit_code_by_key"].items():
            status, was, now = status_by_exit_code[code].replace("timeout", "timed out"), "", ""
            if status != "killed":
                diff = get_diff_for_mutant(key, path=path).splitlines()[2:]
                was, now = ("\n".join(line[1:].strip() for line in diff if line[0] == sign) for sign in "-+")
            name = key.rpartition(".")[2].rpartition("__mutmut_")[0]
            function = name.removeprefix("x_").removeprefix("xǁ").replace("ǁ", ".")
            found.append(Mutant(str(path.relative_to("mmverify")), function, was, now, status))
    return found


def listed() -> set[Mutant]:
    """Read the survivors that are equivalent; a reason stands above each group of them."""
    groups = tomllib.loads((HERE / "equivalents.toml").read_text())["equivalent"]
    return {Mutant(**mutant, status="survived") for group in groups if group["reason"] for mutant in group["mutants"]}


def report(found: list[Mutant], equivalents: set[Mutant]) -> int:
    """Print the figures and what is not explained; return the exit code."""
    rows = {mutant.file: Counter[str]() for mutant in found}
    shown = []
    for mutant in found:
        row = rows[mutant.file]
        row["mutants"] += 1
        if mutant.status in ("killed", "timed out"):
            row[mutant.status] += 1
        else:
            row["survived"] += 1
            row["equivalent" if mutant in equivalents else "unexplained"] += 1
        if mutant.status != "killed" and mutant not in equivalents:
            shown.append(mutant)
    rows["all"] = sum(rows.values(), Counter())
    gone = sorted(equivalents - set(found), key=str)
    columns = ("mutants", "killed", "timed out", "survived", "equivalent", "unexplained")
    print("\n| file | " + " | ".join(columns) + " |\n|---|" + "---:|" * len(columns))
    for name, row in rows.items():
        print(f"| {name} | " + " | ".join(str(row[column]) for column in columns) + " |")
    for mutant in shown + [replace(each, status="listed, but killed or gone") for each in gone]:
        print(f"\n{mutant.status}: {mutant.file}, {mutant.function}\n- {mutant.was}\n+ {mutant.now}")
    share = rows["all"]["killed"] / rows["all"]["mutants"]
    print(f"\n{share:.2%} of {rows['all']['mutants']} mutants killed; at least {LEAST_SHARE:.0%} is asked for")
    return int(bool(rows["all"]["unexplained"] or gone) or share < LEAST_SHARE)


if __name__ == "__main__":
    if "--report" not in sys.argv[1:]:
        prepare()
        run()
    sys.exit(report(mutants(), listed()))
