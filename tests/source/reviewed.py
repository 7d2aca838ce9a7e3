"""The trees of the tests, edits of them, and what the review of a tree finds."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mmverify.checks import items
from mmverify.defects.words import random_word
from mmverify.review.engine import run_source
from mmverify.source.evidence import Source, open_source
from mmverify.source.graph import Graph
from mmverify.source.tree import File, Tree, read_tree

ROOT = Path(__file__).parents[2]
TREES = {
    "python": ROOT / "data" / "bot",
    "cpp": Path(__file__).parent / "trees" / "cpp",
    "rust": Path(__file__).parent / "trees" / "rust",
}
ENDS = {"python": ".py", "cpp": ".cpp", "rust": ".rs"}


class Found(NamedTuple):
    """A finding of the review: its item, its places, what was there, and its severity."""

    item: str
    where: tuple[str, ...]
    was: str
    severity: str


def tree_of(files: Mapping[str, str], **settings: Sequence[str]) -> Tree:
    """Return a tree of texts, as if review.toml held the settings."""
    return Tree(
        Path("nowhere"),
        tuple(File(path, text) for path, text in sorted(files.items())),
        {key: tuple(value) for key, value in settings.items()},
        (),
    )


def graph_of(**files: str) -> Graph:
    """Return the calls of a tree of modules of Python, by their names."""
    return Graph(tree_of({f"{name}.py": text for name, text in files.items()}))


def source_of(files: Mapping[str, str], folder: Path, **settings: Sequence[str]) -> Source:
    """Write a tree to a folder, and open it."""
    lists = [f"{key} = {list(value)!r}".replace("'", '"') for key, value in settings.items()]
    for path, text in {**files, "review.toml": "\n".join(["[source]", *lists])}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return open_source(folder)


def findings(folder: Path) -> list[Found]:
    """Return what the checks of the source tree find."""
    runs = run_source(open_source(folder), list(items()))
    assert [run.error for run in runs if run.error] == []
    severities = {id: item.severity for id, item in items().items()}
    return [
        Found(run.item, breach.where, breach.was, breach.severity or severities[run.item])
        for run in runs
        for breach in run.looked.breaches
    ]


def edited(tree: str, edits: Sequence[Mapping[str, str]], out: Path) -> Path:
    """Write a copy of a tree with the edits made, each of which has to fit exactly once."""
    shutil.copytree(TREES[tree], out, ignore=shutil.ignore_patterns("__pycache__"))
    for edit in edits:
        path = out / edit["path"]
        if "create" in edit:
            assert not path.exists(), f"{edit['path']} is there already"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(edit["create"].replace("{random word}", random_word()), encoding="utf-8")
            continue
        before = path.read_text(encoding="utf-8")
        assert before.count(edit["find"]) == 1, (
            f"{edit['path']} holds {edit['find']!r} {before.count(edit['find'])} times"
        )
        path.write_text(
            before.replace(edit["find"], edit["replace"].replace("{random word}", random_word())), encoding="utf-8"
        )
    return out


def place(folder: Path, at: Mapping[str, Any]) -> str:
    """Return the ``file:line`` that an entry says; the first line where it gives no text."""
    lines = (folder / at["path"]).read_text(encoding="utf-8").splitlines()
    places = [n for n, line in enumerate(lines, 1) if at["text"] in line]
    assert len(places) == 1 or not at["text"], f"{at['text']!r} stands in {len(places)} lines of {at['path']}"
    return f"{at['path']}:{places[0]}"


def errors(folder: Path) -> list[str]:
    """Return the files of code that do not parse."""
    return [file.path for file in read_tree(folder).code if file.root.find({"rule": {"kind": "ERROR"}}) is not None]
