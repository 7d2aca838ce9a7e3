"""Run every adapter over every vector of its names and write data/matrix.json: `python tests/matrix/run.py [--check]`.

Each cell is one of: agrees, differs by a named convention, defect, cannot express. A difference that no convention and
no known defect reproduces ends the run with 1 and is printed; nothing is written then.
"""

from __future__ import annotations

import importlib
import json
import logging
import math
import sys
import warnings
from collections import Counter, defaultdict
from fractions import Fraction
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(Path(__file__).parent), str(ROOT)]

from adapters import Cannot, Entry  # noqa: E402
from conventions import LABELS, explain  # noqa: E402

from mmverify.vectors import check, load  # noqa: E402

LIBRARIES = {
    "numpy": "numpy", "pandas": "pandas", "talib": "TA-Lib", "talipp": "talipp", "empyrical": "empyrical-reloaded",
    "quantstats": "quantstats", "ta": "ta", "nautilus": "nautilus_trader", "vectorbt": "vectorbt",
}  # fmt: skip
OUT = ROOT / "data" / "matrix.json"


def plain(value: Any) -> Any:
    """Write an answer for JSON: NaN and infinity as text."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def magnitude(scale: Any) -> float:
    """Return the largest number of a scale, 0 where there is none."""
    values = scale.values() if isinstance(scale, dict) else [scale or 0]
    return max((float(Fraction(value)) for value in values), default=0.0)


def call(entry: Entry, params: Any, test: Any) -> tuple[str, Any]:
    """Call a library for one case; return ``value``, ``raised`` or ``cannot`` with what came."""
    try:
        return "value", entry.run(params, test["inputs"])
    except Cannot as why:
        return "cannot", str(why)
    except (AttributeError, NameError, ImportError):
        raise  # the adapter is wrong
    except Exception as error:  # a library refuses with whatever it likes
        return "raised", f"{type(error).__name__}: {error}".splitlines()[0][:200]


def reasons(entry: Entry, params: Any, test: Any, kind: str, got: Any) -> list[str]:
    """Name what gives a cell that does not agree, one or several of the same number of changes."""
    if kind == "raised":
        none_left = entry.name == "round_qty" and Fraction(test["expected"]) == 0
        return ["convention: zero raises" if none_left else "defect: refuses"]
    scale = magnitude(test.get("scale"))
    labels = explain(entry.name, params, test["inputs"], got, scale=scale, invalid=test["result"] == "invalid")
    if not labels and test["result"] == "valid" and lost(test["expected"], got, scale):
        labels = ["loses digits"]
    defect = {label for label in labels if "defect" in {LABELS[each][0] for each in label.split(" + ")}}
    return [f"{'defect' if label in defect else 'convention'}: {label}" for label in labels]


def lost(expected: Any, got: Any, scale: float) -> bool:
    """Say whether an answer is right to a millionth."""
    if isinstance(expected, list):
        return isinstance(got, list) and len(got) == len(expected) and all(
            lost(e, g, scale) for e, g in zip(expected, got, strict=True))  # fmt: skip
    if isinstance(expected, dict):
        return isinstance(got, dict) and all(lost(each, got.get(key), scale) for key, each in expected.items())
    if expected is None or isinstance(expected, bool) or not isinstance(got, int | float) or not math.isfinite(got):
        return expected == got or (expected is None and got is not None and got != got)
    exact = Fraction(expected)
    return abs(Fraction(got) - exact) <= max(abs(exact), Fraction(scale)) / 10**6


def cells(entry: Entry) -> tuple[dict[str, list[str]], dict[str, Any], list[str]]:
    """Judge all cases of an entry: ids by status, an example by status, and what nothing explains."""
    tests = [(group["params"], test) for group in load(entry.name)["groups"] for test in group["tests"]]
    outcomes = {test["id"]: call(entry, params, test) for params, test in tests}
    answers = {
        id_: {"error": got} if kind == "raised" else got for id_, (kind, got) in outcomes.items() if kind != "cannot"
    }
    verdicts = {each.id: each for each in check(answers)} if answers else {}
    open_ = {}
    for params, test in tests:
        kind, got = outcomes[test["id"]]
        verdict = verdicts[test["id"]].status if kind != "cannot" else ""
        if kind == "cannot":
            open_[test["id"]] = [f"cannot: {got}"]
        elif verdict == "agrees":
            open_[test["id"]] = ["agrees"]
        elif verdict == "not judged":
            open_[test["id"]] = ["cannot: no float holds the inputs"]
        else:
            open_[test["id"]] = reasons(entry, params, test, kind, got)
    common = Counter(reason for each in open_.values() for reason in each)
    found: dict[str, list[str]] = defaultdict(list)
    examples: dict[str, Any] = {}
    odd = []
    for params, test in tests:
        kind, got = outcomes[test["id"]]
        # Of several that give the same, the one that explains most of this call.
        status = max(open_[test["id"]], key=lambda reason: common[reason], default=None)
        if status is None:
            odd.append(f"{entry.name} {entry.call}: {test['id']} {test['inputs']} {params} gave {got}")
            continue
        found[status].append(test["id"])
        size = len(json.dumps(test["inputs"]))
        if status != "agrees" and size < examples.get(status, {"size": math.inf})["size"]:
            should = "refused" if test["result"] == "invalid" else test["expected"]
            was = f"raised {got}" if kind == "raised" else plain(got)
            examples[status] = {
                "size": size,
                "id": test["id"],
                "params": params,
                "inputs": test["inputs"],
                "got": was,
                "should": should,
            }
    return dict(found), examples, odd


def build(libraries: dict[str, str]) -> tuple[dict[str, Any], list[str]]:
    """Run everything; return the matrix and what nothing explains."""
    rows, odd = [], []
    for module, library in libraries.items():
        adapter = importlib.import_module(f"adapters.{module}")
        for entry in adapter.ENTRIES:
            found, examples, unexplained = cells(entry)
            odd += [f"{library} {each}" for each in unexplained]
            shown = {
                status: {k: v for k, v in each.items() if k != "size"}
                for status, each in sorted(examples.items())
                if not status.startswith("cannot")
            }
            rows.append({"library": library, "version": adapter.VERSION, "name": entry.name, "call": entry.call,
                         "cells": dict(sorted(found.items())), "examples": shown})  # fmt: skip
    used = {
        label
        for row in rows
        for status in row["cells"]
        if status.startswith(("convention", "defect"))
        for label in status.split(": ", 1)[1].split(" + ")
    }
    labels = {label: {"kind": kind, "text": text} for label, (kind, text) in LABELS.items() if label in used}
    return {"command": "make matrix", "labels": labels, "rows": rows}, odd


def main() -> int:
    """Write the matrix; 1 where a cell is unexplained, or with --check where the file is not as made."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    chosen = [each for each in sys.argv[1:] if not each.startswith("--")]
    matrix, odd = build({key: value for key, value in LIBRARIES.items() if not chosen or key in chosen})
    for line in odd:
        print(f"unexplained: {line}", file=sys.stderr)
    for row in matrix["rows"]:
        counts = {status: len(ids) for status, ids in row["cells"].items()}
        print(f"{row['library']:20} {row['name']:15} {row['call'][:50]:50} {counts}")
    if odd or chosen:
        print(f"{len(odd)} cells are unexplained", file=sys.stderr)
        return 1 if odd else 0
    rows = ",\n".join(json.dumps(row, ensure_ascii=False) for row in matrix.pop("rows"))
    text = json.dumps(matrix, indent=1, ensure_ascii=False)[:-2] + f',\n "rows": [\n{rows}\n]}}\n'
    if "--check" in sys.argv[1:]:
        return 0 if OUT.is_file() and OUT.read_text(encoding="utf-8") == text else 1
    OUT.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
