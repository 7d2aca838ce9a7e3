"""The mistakes of a source tree: edits of its text, in source.toml."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from mmverify.defects import Defect, Planted
from mmverify.defects.words import random_word
from mmverify.errors import NotExercised, UsageError

_WORD = "{random word}"  # in an edit: where a secret goes


class Tree:
    """A bot's source tree that a mistake is made in.

    Parameters
    ----------
    folder : Path
        The tree; it is only read.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise UsageError(f"{folder}: no such folder; should be a source tree")
        self.folder = folder
        self._texts: dict[str, str] = {}

    def replace(self, path: str, find: str, text: str) -> int:
        """Put `text` where `find` stands in a file, and return the line.

        Raises
        ------
        NotExercised
            Unless it stands there once.
        """
        file = self.folder / path
        whole = self._texts.get(path) or (file.read_text(encoding="utf-8") if file.is_file() else "")
        if whole.count(find) != 1:
            raise NotExercised(f"{path} holds {find!r} {whole.count(find)} times; the edit needs it once")
        self._texts[path] = whole.replace(find, text.replace(_WORD, random_word()))
        return whole[: whole.index(find)].count("\n") + 1

    def append(self, path: str, text: str) -> int:
        """Put `text` at the end of a file, new or not, and return its first line."""
        file = self.folder / path
        whole = self._texts.get(path) or (file.read_text(encoding="utf-8") if file.is_file() else "")
        self._texts[path] = whole + text.replace(_WORD, random_word())
        return whole.count("\n") + 1

    def write(self, out: Path) -> None:
        """Write the whole tree with its edits."""
        shutil.copytree(self.folder, out, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        for path, text in self._texts.items():
            (out / path).parent.mkdir(parents=True, exist_ok=True)
            (out / path).write_text(text, encoding="utf-8")


def edits() -> list[Defect]:
    """Return the mistakes and oddities of source.toml."""
    listed = tomllib.loads(Path(__file__).with_name("source.toml").read_text(encoding="utf-8"))["defect"]
    return [
        Defect(
            id=each["id"], item=each.get("item", ""), grade=each["grade"], summary=each["summary"],
            consequences=tuple(each.get("consequences", ())), like=each.get("source", ""), evidence="source",
            plant=partial(_apply, each["edits"]),
        )
        for each in listed
    ]  # fmt: skip


def _apply(changes: Sequence[Mapping[str, str]], tree: Tree) -> Planted:
    where = []
    for change in changes:
        path = change["path"]
        if "find" in change:
            line = tree.replace(path, change["find"], change["replace"])
        else:
            line = tree.append(path, change.get("create") or change["append"])
        where.append(f"{path}:{line}")
    return Planted(tuple(where))
