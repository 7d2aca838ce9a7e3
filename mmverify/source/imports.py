"""What the names that a file imports stand for.

Names of all languages are held with dots: ``std::this_thread::sleep_for`` is ``std.this_thread.sleep_for``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mmverify.source.tree import File

if TYPE_CHECKING:
    from ast_grep_py import SgNode


def dotted(text: str) -> str:
    """Write a name with dots, without arguments of types."""
    plain = re.sub(r"<[^<>]*>", "", re.sub(r"<[^<>]*>", "", text))
    return re.sub(r"\s+", "", plain).replace("::", ".").removeprefix(".")


def module_of(file: File) -> str:
    """Return the dotted name of a file of Python."""
    return file.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def imports(node: SgNode, file: File) -> Iterator[tuple[str, str]]:
    """Yield each name that a statement imports, and what it stands for."""
    if file.language == "python":
        yield from _python_imports(node, file)
    elif file.language == "cpp":
        yield from _cpp_imports(node)
    elif (argument := node.field("argument")) is not None:
        yield from _used(argument.text(), "")


def _python_imports(node: SgNode, file: File) -> Iterator[tuple[str, str]]:
    if node.kind() == "import_statement":
        for name, alias in _aliased(node):
            yield (alias, name) if alias else (name.partition(".")[0], name.partition(".")[0])
        return
    source = node.field("module_name")
    module = _absolute(source.text(), file) if source is not None else ""
    for name, alias in _aliased(node):
        yield alias or name, f"{module}.{name}".removeprefix(".")


def _aliased(node: SgNode) -> Iterator[tuple[str, str]]:
    for each in node.field_children("name"):
        name, alias = each.field("name"), each.field("alias")
        yield (name.text(), alias.text()) if name is not None and alias is not None else (each.text(), "")


def _absolute(module: str, file: File) -> str:
    """Write a relative module in full."""
    ups = len(module) - len(module.lstrip("."))
    if not ups:
        return module
    here = module_of(file).split(".")
    package = here if file.path.endswith("__init__.py") else here[:-1]
    return ".".join([*package[: len(package) - ups + 1], *filter(None, [module.lstrip(".")])])


def _cpp_imports(node: SgNode) -> Iterator[tuple[str, str]]:
    text = node.text()
    if found := re.fullmatch(r"using\s+(?!namespace)(?:typename\s+)?([\w:]+)\s*;", text):
        yield dotted(found[1]).rpartition(".")[2], dotted(found[1])
    elif found := re.fullmatch(r"(?:namespace|using)\s+(\w+)\s*=\s*([\w:]+)[^;]*;", text):
        yield found[1], dotted(found[2])


def _used(text: str, before: str) -> Iterator[tuple[str, str]]:
    """Yield what a tree of ``use`` brings in."""
    text = text.strip()
    head, brace, rest = text.partition("{")
    if brace:
        prefix = before + dotted(head)
        prefix = prefix if prefix.endswith(".") or not prefix else prefix + "."
        for part in _split(rest.rstrip().removesuffix("}")):
            yield from _used(part, prefix)
        return
    name, _, alias = text.partition(" as ")
    path = (before + dotted(name)).removesuffix(".self")
    if path and not path.endswith("*"):
        yield alias.strip() or path.rpartition(".")[2], path


def _split(text: str) -> list[str]:
    """Split at the commas outside of braces."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter == "{") - (letter == "}")
        if letter == "," and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return [part for part in parts if part.strip()]
