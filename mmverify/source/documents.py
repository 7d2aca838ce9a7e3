"""The documents of a source tree: which they are, their sections, and what a README promises."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from mmverify.source.tree import TESTS, File, Tree

_ENDS = (".md", ".rst", ".txt", ".adoc", ".markdown")
_LOGS = re.compile(
    r"(?i)(^|/)(changelog|changes|history|news|licen[sc]e|authors|contributors|security|code_of_conduct|"
    r"requirements[\w-]*|release[\w-]*|cmakelists)(\.|$)|(^|/)(tests?|\.github|node_modules|[\w.-]+\.egg-info)/"
)


@dataclass(frozen=True)
class Part:
    """A section of a page: the line of its heading, the heading, the text below it, and its level, 1 the highest."""

    line: int
    heading: str
    text: str
    level: int

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
        ends = [line for line, _, _, _ in heads[1:]] + [len(self.file.lines) + 1] * bool(heads)
        return tuple(
            Part(line, heading, "\n".join(self.file.lines[below - 1 : end - 1]), level)
            for (line, heading, below, level), end in zip(heads, ends, strict=True)
        )

    def named(self, name: str, heading: str) -> tuple[Part, ...]:
        """Return all sections of a page whose file's name or title says so, else those below a heading that does."""
        if re.search(name, self.file.path.rpartition("/")[2]):
            return self.parts
        out, within = list[Part](), 0
        for part in self.parts:
            if within and part.level <= within:
                within = 0
            if not within and re.search(heading, part.heading):
                within = part.level
            if within:
                out.append(part)
        return tuple(out)

    def _headings(self) -> Iterator[tuple[int, str, int, int]]:
        """Yield the headings: line, text, the line below, level."""
        fenced, lines, marks = False, self.file.lines, ""
        for n, line in enumerate(lines, 1):
            fenced ^= line.lstrip().startswith(("```", "~~~"))
            if fenced:
                continue
            if told := re.match(r"(#{1,6})\s+(.*?)\s*#*$", line):
                yield n, told[2], n + 1, len(told[1])
            elif n < len(lines) and line.strip() and re.fullmatch(r"(=|-|~|\^|\"){3,}", lines[n].strip()) and len(
                lines[n].strip()
            ) >= len(line.strip()) - 2:  # fmt: skip
                marks += lines[n].strip()[0] * (lines[n].strip()[0] not in marks)
                yield n, line.strip(), n + 2, marks.index(lines[n].strip()[0]) + 1

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
    found = [
        file
        for file in tree.files
        if file.suffix in _ENDS and not _LOGS.search(file.path) and not TESTS.search(file.path)
    ]
    few = ", ".join(file.path for file in found[:6]) + (f" and {len(found) - 6} more" if len(found) > 6 else "")
    return [Page(file) for file in found], f"taken for the documents, by name: {few}" if found else ""


def readme(tree: Tree) -> Page | None:
    """Return the README at the top of a tree, None if it has none."""
    found = [file for file in tree.files if re.fullmatch(r"(?i)readme(\.(md|rst|txt|adoc|markdown))?", file.path)]
    return Page(found[0]) if found else None
