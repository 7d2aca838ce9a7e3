"""What a README promises: commands, options, paths and modules, and whether the tree has them. Nothing is run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath

from mmverify.source.documents import Page, Span
from mmverify.source.tree import Tree

_SHELL = ("bash", "sh", "shell", "console", "zsh", "text", "terminal", "cmd", "powershell", "shellsession")
_CODE_ENDS = (".py", ".rs", ".cpp", ".hpp", ".cc", ".h", ".md", ".sh", ".toml", ".yaml", ".yml", ".json", ".ipynb")
_OWN_ENDS = (".py", ".rs", ".cpp", ".hpp", ".sh", ".ipynb")  # of bare names that nobody makes by hand
_FREE = re.compile(
    r"[*<>{}$~]|\.\.\.|^/|://|path/to|your|example\.|^[A-Z_]+$|^-|^\.\./|[^\w./\-]|"
    r"(?<![A-Za-z])(NAME|STEM|FORMAT|FILE|DIR|ID|PATH|OUT|SESSION|MODULE|VERSION|DATE)(?![A-Za-z])"
)
_OTHERS = re.compile(
    r"(?i)\b(python3?|pip3?|docker|git|cargo|cmake|conda|npm|node|poetry|uv|pytest|apt|brew|systemctl|kubectl|curl|"
    r"make|ruff|mypy|jupyter|tmux|screen|gcc|clang|rustup|bazel)\b"
)
_WORD = re.compile(r"[a-z][\w-]*")


@dataclass(frozen=True)
class Broken:
    """Something that a README names and that is not there: its line, what, and of which kind."""

    line: int
    what: str
    kind: str


class Promises:
    """Holds a page against its tree."""

    def __init__(self, tree: Tree, page: Page) -> None:
        self.tree = tree
        self.page = page

    def broken(self) -> list[Broken]:
        """Return what the page names and the tree has not, each once."""
        found = [*self._links(), *(each for span in self.page.spans for each in self._of_span(span))]
        out: list[Broken] = []
        for each in sorted(found, key=lambda broken: (broken.line, -len(broken.what))):
            if not any(f"/{known.what}".endswith(f"/{each.what.removeprefix('./')}") for known in out):
                out.append(each)
        return out

    @cached_property
    def looked_at(self) -> int:
        """How many pieces of code and links there are to look at."""
        return len(self.page.spans) + len(self.page.links)

    def _links(self) -> Iterator[Broken]:
        for line, target in self.page.links:
            path = target.partition("#")[0].partition("?")[0]
            if path and not re.match(r"[a-z]+:|/|#|<", path) and not self._exists(path):
                yield Broken(line, path, "file")

    def _of_span(self, span: Span) -> Iterator[Broken]:
        if span.block and span.around not in _SHELL:
            return
        words = _split(span.text)
        if not words:
            return
        command, kind = self._command(words)
        if command:
            yield from self._of_command(span, words[command:], kind)
            if kind.startswith("missing"):
                yield Broken(span.line, words[command - 1], kind.partition(" ")[2])
        elif not span.block:
            yield from self._of_words(span, words)

    def _command(self, words: list[str]) -> tuple[int, str]:
        """Return how many words name a command of the tree's own, and what it is; 0 for another program's."""
        if words[0] in ("python", "python3") and len(words) > 2 and words[1] == "-m":
            top = words[2].partition(".")[0]
            if top not in self._packages:
                return 0, ""
            return 3, "own" if self._is_module(words[2]) else "missing module"
        if words[0] in ("python", "python3", "bash", "sh") and len(words) > 1 and _looks_like_path(words[1]):
            there = self._exists(words[1]) or _FREE.search(words[1])
            return 2, "own" if there else "missing file"
        if words[0] == "make" and len(words) > 1 and self._targets and _WORD.fullmatch(words[1]):
            return 2, "target" if words[1] in self._targets else "missing target of make"
        if words[0] in self._scripts:
            return 1, "own"
        if words[0].startswith("./") and _looks_like_path(words[0]) and not _FREE.search(words[0][2:]):
            built = words[0].startswith(("./build/", "./target/", "./bin/", "./dist/"))
            return 1, "own" if built or self._exists(words[0]) else "missing file"
        return 0, ""

    def _of_command(self, span: Span, words: list[str], kind: str) -> Iterator[Broken]:
        if kind != "own":
            return
        if words and self._subcommands and _WORD.fullmatch(words[0]) and words[0] not in self._subcommands:
            yield Broken(span.line, words[0], "command")
        for word in words:
            option = re.match(r"--[A-Za-z][\w-]*", word)
            if option and self._options and not self._has_option(option[0]):
                yield Broken(span.line, option[0], "option")

    def _of_words(self, span: Span, words: list[str]) -> Iterator[Broken]:
        if words[0].startswith("--"):
            option = re.match(r"--[A-Za-z][\w-]*", words[0])
            other = _OTHERS.search(re.sub(r"`[^`]*`", "", span.around)) or "http" in span.around
            if option and self._options and not other and not self._has_option(option[0]):
                yield Broken(span.line, option[0], "option")
        elif len(words) == 1 and not _FREE.search(words[0]):
            yield from self._of_name(span, words[0])

    def _of_name(self, span: Span, word: str) -> Iterator[Broken]:
        path = word.removeprefix("./").rstrip("/")
        first = path.partition("/")[0]
        if "/" in path:
            known = (self.tree.folder / first).is_dir() and path.endswith(_CODE_ENDS)
            if known and not self._exists(path) and not self._is_ignored(path):
                yield Broken(span.line, word, "file")
        elif path.endswith(_OWN_ENDS):
            if path not in self._file_names and not self._is_ignored(path):
                yield Broken(span.line, word, "file")
        elif self._is_of_a_package(path) and not self._is_module(path):
            yield Broken(span.line, word, "module")

    # --- what the tree has --------------------------------------------------------------------------------------------

    def _exists(self, path: str) -> bool:
        base = PurePosixPath(self.page.file.path).parent
        plain = path.removeprefix("./")
        return any((self.tree.folder / each).exists() for each in (plain, base / plain))

    @cached_property
    def _ignored(self) -> tuple[str, ...]:
        file = self.tree.by_path.get(".gitignore")
        lines = file.lines if file else ()
        return tuple(line.strip().strip("/") for line in lines if line.strip() and line[0] not in "#!")

    def _is_ignored(self, path: str) -> bool:
        pure = PurePosixPath(path)
        return any(pure.match(pattern) or path.startswith(f"{pattern}/") for pattern in self._ignored)

    @cached_property
    def _file_names(self) -> frozenset[str]:
        return frozenset(file.path.rpartition("/")[2] for file in self.tree.files)

    @cached_property
    def _packages(self) -> frozenset[str]:
        """The packages and modules of Python at the top of the tree or of a source folder."""
        out = set[str]()
        for file in self.tree.code:
            parts = file.path.removesuffix(".py").split("/")
            parts = parts[1:] if parts[0] in ("src", "lib", "python") and len(parts) > 1 else parts
            if file.language == "python" and parts[0] not in ("tests", "test", "setup", "docs", "scripts"):
                out.add(parts[0])
        return frozenset(out)

    @cached_property
    def _modules(self) -> frozenset[str]:
        out = set[str]()
        for file in self.tree.code:
            if file.language == "python":
                parts = file.path.removesuffix(".py").removesuffix("/__init__").split("/")
                out |= {".".join(parts[n:]) for n in range(len(parts))}
        return frozenset(out)

    def _is_of_a_package(self, name: str) -> bool:
        """Say whether a dotted name begins with a package of the tree."""
        dotted = re.fullmatch(r"[a-z_]\w*(\.[A-Za-z_]\w*)+", name)
        return dotted is not None and name.partition(".")[0] in self._packages

    def _is_module(self, name: str) -> bool:
        """Say whether a dotted name is a module, or a name that one defines."""
        if name in self._modules:
            return True
        for n in range(name.count("."), 0, -1):
            head, rest = ".".join(name.split(".")[:n]), name.split(".")[n]
            if head in self._modules:
                tail = head.replace(".", "/")
                return any(
                    re.search(rf"\b{re.escape(rest)}\b", file.text) for file in self.tree.code
                    if file.path.endswith((f"{tail}.py", f"{tail}/__init__.py"))
                )  # fmt: skip
        return False

    @cached_property
    def _scripts(self) -> frozenset[str]:
        """The commands that the tree installs."""
        out = set[str]()
        for name, pattern in (
            ("pyproject.toml", r"(?ms)^\[(?:project\.scripts|tool\.poetry\.scripts)\](.*?)(?=^\[|\Z)"),
            ("setup.cfg", r"(?ms)console_scripts\s*=(.*?)(?=^\S|\Z)"),
            ("setup.py", r"(?s)console_scripts[\"']?\s*:\s*\[(.*?)\]"),
        ):
            file = self.tree.by_path.get(name)
            found = re.search(pattern, file.text) if file else None
            out |= set(re.findall(r"[\"']?([A-Za-z][\w-]*)[\"']?\s*=", found[1])) if found else set()
        return frozenset(out)

    @cached_property
    def _targets(self) -> frozenset[str]:
        file = self.tree.by_path.get("Makefile")
        names = re.findall(r"(?m)^([\w. -]+):(?!=)", file.text) if file else []
        return frozenset(word for line in names for word in line.split())

    @cached_property
    def _subcommands(self) -> frozenset[str]:
        texts = [file.text for file in self.tree.code if file.language == "python"]
        found = {name for text in texts for name in re.findall(r"add_parser\(\s*[\"']([\w-]+)[\"']", text)}
        other = any(re.search(r"\b(click|typer|fire|docopt)\b", text) for text in texts)
        return frozenset() if other else frozenset(found)

    @cached_property
    def _options(self) -> frozenset[str]:
        """The options that the code spells out; of clap and typer, whose names are made of fields, none is known."""
        texts = [file.text for file in self.tree.files if file.language or file.suffix in (".sh", ".pyx")]
        made = any(
            re.search(r"\b(clap|structopt|typer|fire|docopt|gflags|absl\.flags|jsonargparse|tyro)\b", text)
            for text in texts
        )
        found = {option for text in texts for option in re.findall(r"[\"'`\s|(](--[A-Za-z][\w-]*)", text)}
        return frozenset() if made else frozenset(found)

    def _has_option(self, option: str) -> bool:
        return option in self._options or option in ("--help", "--version") or (
            option.startswith("--no-") and f"--{option[5:]}" in self._options
        )  # fmt: skip


def _split(text: str) -> list[str]:
    try:
        words = shlex.split(text, comments=True)
    except ValueError:
        words = text.split()
    while words and re.fullmatch(r"[A-Z_]+=.*|sudo|time|nohup", words[0]):
        words = words[1:]
    return words


def _looks_like_path(word: str) -> bool:
    return "/" in word or word.endswith((".py", ".sh"))
