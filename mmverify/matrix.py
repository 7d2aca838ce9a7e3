"""The conformance matrix: what public libraries give for every vector of the names that they have, cell by cell."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

from mmverify.bundled import bundled

KINDS = ("agrees", "convention", "defect", "cannot")


def load() -> Mapping[str, Any]:
    """Read the stored matrix.

    Returns
    -------
    Mapping[str, Any]
        ``labels``: what each named convention and defect means. ``rows``: a call of a library each, with the ids of
        the vectors by status in ``cells`` and the smallest case of each difference in ``examples``.
    """
    found: Mapping[str, Any] = json.loads(bundled("data/matrix.json").read_text(encoding="utf-8"))
    return found


def counts(matrix: Mapping[str, Any], *, by: str) -> list[list[str]]:
    """Count the cells of each kind.

    Parameters
    ----------
    matrix : Mapping[str, Any]
        As `load` gives it.
    by : {"library", "call"}
        A row a library, or a row a call.

    Returns
    -------
    list of list of str
        Headings, then rows.
    """
    sums: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    for row in matrix["rows"]:
        library = f"{row['library']} {row['version']}"
        key = (library,) if by == "library" else (library, row["name"], f"`{row['call']}`")
        for status, ids in row["cells"].items():
            sums[key][status.partition(":")[0]] += len(ids)
    heads = ["library", "name", "call"][: 1 if by == "library" else 3]
    head = [*heads, "agrees", "differs by convention", "defect", "cannot express"]
    return [head, *([*key, *(str(found[kind]) for kind in KINDS)] for key, found in sums.items())]


def differences(matrix: Mapping[str, Any], *, kind: str) -> list[list[str]]:
    """List each named convention or defect, what it means, and which calls show it on how many vectors.

    Parameters
    ----------
    matrix : Mapping[str, Any]
        As `load` gives it.
    kind : {"convention", "defect"}

    Returns
    -------
    list of list of str
        Headings, then rows.
    """
    where: dict[str, Counter[str]] = defaultdict(Counter)
    for row in matrix["rows"]:
        for status, ids in row["cells"].items():
            for label in status.partition(": ")[2].split(" + "):
                where[label][f"{row['library']} {row['name']}"] += len(ids)
    rows = [
        [label, each["text"], ", ".join(f"{place} {count}" for place, count in where[label].items())]
        for label, each in matrix["labels"].items()
        if each["kind"] == kind
    ]
    return [[kind, "what it means", "vectors"], *rows]


def markdown(rows: list[list[str]]) -> str:
    """Write headings and rows as a Markdown table, numbers to the right."""
    head, *body = rows
    aligned = ["---:" if all(row[n].isdigit() for row in body) else "---" for n in range(len(head))]
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, aligned, *body))
