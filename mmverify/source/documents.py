"""The documents of a source tree: which they are, their sections, and what a README promises."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from mmverify.source.tree import File, Tree

_ENDS = (".md", ".rst", ".txt", ".adoc", ".markdown")
_LOGS = re.compile(r"(?i)(^|/)(changelog|changes|history|news|licen[sc]e|authors|contributors|security|"
                   r"code_of_conduct|requirements[\w-]*|release[\w-]*|cmakelists)(\.|$)|(^|/)(tests?|\.github|node_modules)/")  # fmt: skip


@dataclass(frozen=True)
class Part:
    """A section of a page: the line of its heading, the heading, the text below it."""

    line: int
    heading: str
    text: str

    @property
    def words(self) -> int:
        """How many words stand below the heading."""
        return len(re.findall(r"\w+", self.text))


@dataclass(frozen=True)
class Span:
    """A piece of code in a page: its line, its text, whether it stands in a block, the line around it."""

    line: int
    text: str
    block: bool
    around: str


@dataclass(frozen=True, eq=False)
class Page:
    """A document."""

    file: File

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """Its sections; text before the first heading is none."""
        heads = list(self._headings())
        ends = [line for line, _, _ in heads[1:]] + [len(self.file.lines) + 1] * bool(heads)
        return tuple(
            Part(line, heading, "\n".join(self.file.lines[below - 1 : end - 1]))
            for (line, heading, below), end in zip(heads, ends, strict=True)
        )

    def _headings(self) -> Iterator[tuple[int, str, int]]:
        fenced, lines = False, self.file.lines
        for n, line in enumerate(lines, 1):
            fenced ^= line.lstrip().startswith(("```", "~~~"))
            if fenced:
                continue
            if told := re.match(r"#{1,6}\s+(.*?)\s*#*$", line):
                yield n, told[1], n + 1
            elif n < len(lines) and line.strip() and re.fullmatch(r"(=|-|~|\^|\"){3,}", lines[n].strip()) and len(
                lines[n].strip()
            ) >= len(line.strip()) - 2:  # fmt: skip
                yield n, line.strip(), n + 2

    @cached_property
    def spans(self) -> tuple[Span, ...]:
        """Its pieces of code: spans in the text, and the lines of blocks."""
        out, fence = list[Span](), ""
        for n, line in enumerate(self.file.lines, 1):
            mark = re.match(r"\s*(```|~~~)\s*(\w*)", line)
            if mark:
                fence = "" if fence else mark[2].lower() or "text"
            elif fence:
                out.append(Span(n, re.sub(r"^\s*[$>%]\s+", "", line).strip(), True, fence))
            else:
                out += [Span(n, text.strip(), False, line) for text in re.findall(r"`+([^`]+)`+", line)]
        return tuple(out)

    @cached_property
    def links(self) -> tuple[tuple[int, str], ...]:
        """The places that it links to: line and target."""
        return tuple(
            (n, target) for n, line in enumerate(self.file.lines, 1)
            for target in re.findall(r"\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)", line)
        )  # fmt: skip


def pages(tree: Tree) -> tuple[list[Page], str]:
    """Return the documents of a tree, and a note where they were guessed."""
    listed = tree.settings.get("docs")
    if listed is not None:
        return [Page(tree.by_path[path]) for path in listed if path in tree.by_path], ""
    found = [file for file in tree.files if file.suffix in _ENDS and not _LOGS.search(file.path)]
    few = ", ".join(file.path for file in found[:6]) + (f" and {len(found) - 6} more" if len(found) > 6 else "")
    return [Page(file) for file in found], f"taken for the documents, by name: {few}" if found else ""


def readme(tree: Tree) -> Page | None:
    """Return the README at the top of a tree, None if it has none."""
    found = [file for file in tree.files if re.fullmatch(r"(?i)readme(\.(md|rst|txt|adoc|markdown))?", file.path)]
    return Page(found[0]) if found else None
