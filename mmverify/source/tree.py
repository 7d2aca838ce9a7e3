"""The files of a source tree, and what review.toml says of them."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmverify.errors import UsageError

if TYPE_CHECKING:
    from ast_grep_py import SgNode

#: The languages whose syntax is read, by the ends of names.
LANGUAGES = {
    ".py": "python", ".c": "cpp", ".cc": "cpp", ".cpp": "cpp", ".cxx": "cpp", ".h": "cpp", ".hh": "cpp",
    ".hpp": "cpp", ".hxx": "cpp", ".ipp": "cpp", ".rs": "rust",
}  # fmt: skip
#: Code whose syntax is not read; a note counts such files.
UNREAD = {
    ".pyx", ".pxd", ".go", ".java", ".kt", ".scala", ".cs", ".js", ".jsx", ".ts", ".tsx", ".swift", ".zig", ".cu",
    ".rb", ".ex", ".ml", ".hs", ".f90",
}  # fmt: skip
LARGEST = 2 * 2**20  # bytes of a file that is read; longer ones are data
_OTHERS = {"node_modules", "__pycache__", "site-packages", "third_party", "thirdparty", "vendor"}
_GENERATED = ("CACHEDIR.TAG", "pyvenv.cfg")
_KEYS = ("hot_path", "config", "docs", "diagrams", "reports")
#: What the first lines of a file say that a program wrote; its syntax is not read.
_MADE = re.compile(
    r"(?im)^\W*(@generated\b|((this |the )?(file|code|source)( is| was| has been)? )?(auto(matically)?[- ]?)?"
    r"generated (by|from|with)\b)|DO NOT EDIT"
)
#: Tests, by folder and file.
TESTS = re.compile(
    r"(^|/)(tests?|testing|test_\w+|benches|mocks?|fixtures)/|(^|/)(test_[^/]*|conftest|[^/]*_tests?|tests?)\.\w+$"
)
#: A module of tests within a file of Rust, to the brace at its own depth.
_WITHIN = re.compile(r"(?ms)^([ \t]*)#\[cfg\((?:all\()?test\b[^\n]*\]\s*(?:#\[[^\n]*\]\s*)*(?:pub )?mod \w+ \{.*?^\1\}")
_FIRST = 400  # letters of a file that may say so


@dataclass(frozen=True, eq=False)
class File:
    """A text file of the tree.

    Attributes
    ----------
    path : str
        From the tree's folder on, with ``/``.
    text : str
    """

    path: str
    text: str = field(repr=False)

    @cached_property
    def language(self) -> str:
        """``python``, ``cpp``, ``rust``, or empty where the syntax is not read."""
        return "" if self.is_made else LANGUAGES.get(self.suffix, "")

    @cached_property
    def is_made(self) -> bool:
        """Whether a program wrote it, by its own first lines."""
        return self.suffix in LANGUAGES and _MADE.search(self.text, 0, _FIRST) is not None

    @cached_property
    def suffix(self) -> str:
        """The end of the name, such as ``.py``; of ``.env`` it is ``.env``."""
        name = self.path.rpartition("/")[2]
        return name[name.rindex(".") :].lower() if "." in name else ""

    @cached_property
    def lines(self) -> list[str]:
        """The lines, without their ends."""
        return self.text.splitlines()

    @cached_property
    def root(self) -> SgNode:
        """The syntax tree; of code alone."""
        from ast_grep_py import SgRoot

        return SgRoot(self.text, self.language).root()

    def at(self, line: int) -> str:
        """Return the place of a line, counted from 1."""
        return f"{self.path}:{line}"

    def is_test(self, line: int) -> bool:
        """Say whether a line is of a test, by its folder, its file, or the module of tests of Rust that it is in."""
        return TESTS.search(self.path) is not None or any(line in part for part in self._tests_within)

    @cached_property
    def _tests_within(self) -> tuple[range, ...]:
        found = _WITHIN.finditer(self.text) if self.suffix == ".rs" else ()
        return tuple(
            range(self.text.count("\n", 0, each.start()) + 1, self.text.count("\n", 0, each.end()) + 2)
            for each in found
        )


@dataclass(frozen=True, eq=False)
class Tree:
    """A source tree as it stands on disk.

    Attributes
    ----------
    folder : Path
    files : tuple of File
        By path.
    settings : mapping of str to tuple of str
        What ``[source]`` of review.toml lists: `hot_path`, `config`, `docs`, `diagrams`, `reports`; a key that it does
        not have is not there.
    notes : tuple of str
        What was not read, and why.
    """

    folder: Path
    files: tuple[File, ...]
    settings: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...]

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.resolve().name

    @cached_property
    def by_path(self) -> dict[str, File]:
        """The files by path."""
        return {file.path: file for file in self.files}

    @cached_property
    def code(self) -> tuple[File, ...]:
        """The files whose syntax is read."""
        return tuple(file for file in self.files if file.language)

    def narrowed(self, *focus: str) -> Tree:
        """Return the tree with the code of these files, folders or modules alone; what is no code stays.

        Raises
        ------
        UsageError
            If the tree has no such code.
        """
        kept = {file.path for name in focus for file in self._named(name)}
        files = tuple(file for file in self.files if not file.language or file.path in kept)
        told = f"of the code only {', '.join(sorted(kept))} is in focus"
        return Tree(self.folder, files, self.settings, (*self.notes, told))

    def _named(self, focus: str) -> list[File]:
        wanted = focus.replace("\\", "/").removeprefix("./").rstrip("/")
        module = wanted.replace("::", "/").replace(".", "/")
        found = [
            file for file in self.code
            if file.path == wanted or file.path.startswith(f"{wanted}/")
            or file.path.rpartition(".")[0] in (module, f"{module}/__init__")
        ]  # fmt: skip
        if not found:
            raise UsageError(f"--focus {focus}: no item, section or phase, and no code of {self.name} by that name")
        return found


def read_tree(folder: Path) -> Tree:
    """Read a source tree.

    Hidden folders, folders of installed or generated files, links, and what is too large or no text are left out.

    Raises
    ------
    UsageError
        If it is no folder, or its review.toml cannot be read.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder; should be a source tree")
    files, left = [], dict[str, list[str]]()
    for path in _walk(folder, left):
        name = path.relative_to(folder).as_posix()
        text, why = _text(path)
        if why:
            left.setdefault(why, []).append(name)
        else:
            files.append(File(name, text))
            if files[-1].language and TESTS.search(name):
                left.setdefault("are tests, not the bot", []).append(name)
            if files[-1].is_made:
                left.setdefault("were written by a program", []).append(name)
            if path.suffix.lower() in UNREAD:
                left.setdefault("are in a language whose syntax is not read", []).append(name)
    files.sort(key=lambda file: file.path)
    return Tree(folder, tuple(files), _settings(folder / "review.toml"), tuple(_told(why, left[why]) for why in left))


def _walk(folder: Path, left: dict[str, list[str]]) -> Iterator[Path]:
    for here, folders, names in os.walk(folder):
        kept = []
        for name in sorted(folders):
            path = Path(here) / name
            if name in _OTHERS or any((path / mark).is_file() for mark in _GENERATED):
                left.setdefault("are folders of installed or generated files", []).append(
                    path.relative_to(folder).as_posix()
                )
            elif not name.startswith(".") and not path.is_symlink():
                kept.append(name)
        folders[:] = kept
        yield from (path for name in sorted(names) if (path := Path(here) / name).is_file() and not path.is_symlink())


def _text(path: Path) -> tuple[str, str]:
    """Return a file's text, or why it is left out."""
    try:
        if path.stat().st_size > LARGEST:
            return "", f"are larger than {LARGEST // 2**20} MiB"
        data = path.read_bytes()
        if b"\0" in data:
            return "", "are no text"
        return data.decode("utf-8-sig"), ""
    except UnicodeDecodeError:
        return "", "are no text"
    except OSError:
        return "", "cannot be read"


def _told(why: str, names: list[str]) -> str:
    few = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return f"left out, since they {why}: {few}"


def _settings(path: Path) -> dict[str, tuple[str, ...]]:
    if not path.is_file():
        return {}
    try:
        source: Any = tomllib.loads(path.read_text(encoding="utf-8")).get("source", {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path.name}: {error}; should be valid TOML") from None
    if not isinstance(source, dict) or (unknown := sorted(set(source) - set(_KEYS))):
        raise UsageError(f"{path.name} [source]: {unknown[0] if isinstance(source, dict) else source!r}; "
                         f"should have {', '.join(_KEYS)} alone")  # fmt: skip
    for key, value in source.items():
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise UsageError(f"{path.name} [source] {key}: {value!r}; should be a list of texts")
    return {key: tuple(value) for key, value in source.items()}
