"""Reports of RealtimeSanitizer: what a compiled bot did on its real-time path while it ran.

References
----------
The form is that of https://clang.llvm.org/docs/RealtimeSanitizer.html, as of November 2026.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from mmverify.source.tree import File, Tree

_HEAD = re.compile(r"==\d+==ERROR: RealtimeSanitizer: ([\w-]+)")
_CALL = re.compile(r"(?:unsafe|blocking) function `([^`]+)` in real-time context")
_FRAME = re.compile(r"\s*#\d+ 0x[0-9a-f]+ in (.+?) (\S+?):(\d+)(?::\d+)?\s*$")
_ALLOCATES = re.compile(
    r"^(malloc|calloc|realloc|reallocf|valloc|aligned_alloc|memalign|posix_memalign|pvalloc|free|mmap|munmap|"
    r"operator (new|delete).*)$"
)


@dataclass(frozen=True)
class Violation:
    """A call that is not real-time safe, as a sanitizer saw it.

    Attributes
    ----------
    report : str
        Where it stands in the report, ``file:line``.
    call : str
        What was called.
    at : str
        The innermost place of the tree on the stack, ``file:line``; the report's own where no frame is of the tree.
    stack : tuple of str
        The frames of the tree, innermost first.
    """

    report: str
    call: str
    at: str
    stack: tuple[str, ...]

    @property
    def allocates(self) -> bool:
        """Whether it asks for memory, or gives it back."""
        return bool(_ALLOCATES.match(self.call))


def reports(tree: Tree) -> list[File]:
    """Return the reports that review.toml lists."""
    return [tree.by_path[path] for path in tree.settings.get("reports", ()) if path in tree.by_path]


def violations(tree: Tree, report: File) -> Iterator[Violation]:
    """Yield what a report of RealtimeSanitizer holds."""
    heads = [n for n, line in enumerate(report.lines) if _HEAD.search(line)]
    for start, end in zip(heads, [*heads[1:], len(report.lines)], strict=False):
        block = report.lines[start:end]
        call = next((found[1] for line in block if (found := _CALL.search(line))), "an unknown function")
        frames = [found for line in block if (found := _FRAME.match(line))]
        own = [(place, found[1]) for found in frames if (place := _of_tree(tree, found[2], found[3]))]
        stack = tuple(f"{place} in {name}" for place, name in own)
        yield Violation(report.at(start + 1), call, own[0][0] if own else report.at(start + 1), stack)


def _of_tree(tree: Tree, path: str, line: str) -> str:
    """Return a frame's place in the tree, whatever folder it was built in; empty for a frame of another."""
    parts = path.replace("\\", "/").split("/")
    for n in range(len(parts)):
        name = "/".join(parts[n:])
        if name in tree.by_path:
            return f"{name}:{line}"
    return ""
