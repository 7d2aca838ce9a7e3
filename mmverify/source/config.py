"""The configuration files of a tree: which they are, and what they hold."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from mmverify.source.tree import File, Tree

_ENDS = (".toml", ".yaml", ".yml", ".json", ".json5", ".jsonc", ".env", ".ini", ".cfg", ".conf")
#: Files of a tree that configure tools, not the bot.
_TOOLS = (
    "pyproject.toml", "package*.json", "cargo.toml", "tsconfig*.json", "*.lock", "mkdocs.y*ml", "docker-compose*",
    ".pre-commit*", "codecov*", "*.schema.json", "renovate*", "poetry.toml", "ruff.toml", "mypy.ini", "setup.cfg",
    "tox.ini", "pytest.ini", "rust-toolchain*", "clippy.toml", "rustfmt.toml", "deny.toml", "environment.y*ml",
    "readthedocs*", ".readthedocs*", "review.toml", "conda*.y*ml", "alembic.ini",
)  # fmt: skip
_FOLDERS = ("config", "configs", "conf", "settings", "configuration", "config_examples")
_NAMES = re.compile(r"(^|[._-])(config|settings|params|parameters|limits|risk|strategy|bot|live|prod)([._-]|$)|^\.?env")
#: Folders of what is no configuration of the bot.
AWAY = re.compile(r"(^|/)(tests?|testing|test_data|fixtures|docs?|examples?/data|\.github|ci|docker|locales?)/")


def config_files(tree: Tree) -> tuple[list[File], str]:
    """Return the configuration files of a tree, and a note where they were guessed."""
    listed = tree.settings.get("config")
    if listed is not None:
        return [tree.by_path[path] for path in listed if path in tree.by_path], ""
    code = {file.path.rpartition(".")[0] for file in tree.code}
    found = [file for file in tree.files if _is_config(file) and file.path.rpartition(".")[0] not in code]
    if not found:
        return [], "no configuration file was found by its name; list them under [source] config in review.toml"
    return found, f"taken for the configuration, by name: {', '.join(file.path for file in found)}"


def _is_config(file: File) -> bool:
    name = file.path.rpartition("/")[2].lower()
    if file.suffix not in _ENDS or AWAY.search(file.path) or any(fnmatchcase(name, tool) for tool in _TOOLS):
        return False
    folders = file.path.lower().split("/")[:-1]
    return bool(_NAMES.search(name.rpartition(".")[0] or name)) or any(folder in _FOLDERS for folder in folders)


def parsed(file: File) -> tuple[Any, Mapping[tuple[str, ...], int]]:
    """Return the content of a configuration file, and the line of each path of names.

    Raises
    ------
    ValueError
        If it cannot be read.
    """
    if file.suffix == ".toml":
        return tomllib.loads(file.text), dict(_toml_lines(file))
    if file.suffix in (".yaml", ".yml", ".json", ".json5", ".jsonc"):
        return _yaml(file)
    data, lines, section = dict[str, Any](), dict[tuple[str, ...], int](), ""
    for n, line in enumerate(file.lines, 1):
        if head := re.fullmatch(r"\s*\[(.+)\]\s*", line):
            section = head[1]
            data.setdefault(section, {})
        elif told := re.match(r"\s*(?:export\s+)?([A-Za-z_][\w.-]*)\s*[=:]\s*(.*?)\s*(?:[#;].*)?$", line):
            (data[section] if section else data)[told[1]] = told[2].strip("\"'")
            lines[(*filter(None, [section]), told[1])] = n
    return data, lines


def _toml_lines(file: File) -> Iterator[tuple[tuple[str, ...], int]]:
    above: tuple[str, ...] = ()
    for n, line in enumerate(file.lines, 1):
        if head := re.match(r"\s*\[\[?([^\]]+)\]\]?", line):
            above = tuple(part.strip("\"' ") for part in re.findall(r'"[^"]*"|[^.]+', head[1]))
            yield above, n
        elif told := re.match(r"\s*([\w.\"'-]+)\s*=", line):
            yield (*above, *(part.strip("\"'") for part in told[1].split("."))), n


def _yaml(file: File) -> tuple[Any, Mapping[tuple[str, ...], int]]:
    import yaml

    text = file.text
    if file.suffix not in (".yaml", ".yml"):
        text = re.sub(r"(?m)^\s*//.*$|(?<=[\s,{\[])//[^\"\n]*$", "", text).replace("\t", "    ")
    loader = yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader
    try:
        node = yaml.compose(text, Loader=loader)
        data = yaml.load(text, Loader=loader)
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(error) from None
    return data, dict(_yaml_lines(node, ())) if node is not None else {}


def _yaml_lines(node: Any, above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], int]]:
    if isinstance(node.value, list):
        for each in node.value:
            if isinstance(each, tuple):
                path = (*above, str(each[0].value))
                yield path, each[0].start_mark.line + 1
                yield from _yaml_lines(each[1], path)
