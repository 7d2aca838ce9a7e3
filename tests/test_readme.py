"""Every command of the README runs and prints what stands there; every path, target and count in it is right."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from mmverify.checks import items
from mmverify.review.config import read_config
from mmverify.review.engine import checks

pytestmark = pytest.mark.readme


@pytest.fixture(scope="module")
def readme(root: Path) -> str:
    return (root / "README.md").read_text(encoding="utf-8")


def sessions_of(text: str) -> list[tuple[str, str]]:
    """Return command and output of every console block, in order."""
    found: list[tuple[str, str]] = []
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            found.append((command, output))
    return found


def test_console_blocks_print_what_they_say(root: Path, readme: str, tmp_path: Path) -> None:
    shims = tmp_path / "bin"
    shims.mkdir()
    shim = shims / "mmverify"
    shim.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m mmverify "$@"\n')
    shim.chmod(0o755)
    environment = os.environ | {"PATH": f"{shims}:{os.environ['PATH']}", "PYTHONPATH": str(root)}
    commands = sessions_of(readme)
    assert len(commands) >= 4
    for command, output in commands:
        ran = subprocess.run(command, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert ran.returncode in (0, 1), (command, ran.stderr)
        assert ran.stdout == output, command


def test_it_says_how_many_items_have_a_check(readme: str) -> None:
    checked = sum(bool(item.checks) for item in items().values())
    words = " ".join(readme.split())
    assert f"{checked} of the {len(items())} items have" in words
    kinds = Counter(kind for item in items().values() for kind in {check.evidence for check in checks(item)})
    told = f"{kinds['session']} look at the recorded session, {kinds['target']} try the bot's own functions, "
    assert f"{told}{kinds['source']} read its source tree" in words


def test_links_and_paths_lead_somewhere(root: Path, readme: str) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", readme):
        assert (root / target).exists(), target
    for path in re.findall(r"`((?:mmverify|notebooks|tests|data)/[\w/.]+)`", readme):
        if not re.search(r"NAME|STEM|FORMAT", path):
            assert (root / path).exists(), path


def test_make_targets_exist(root: Path, readme: str) -> None:
    makefile = (root / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"`make (\w+)`", readme))
    assert {"report", "test", "lab"} <= named
    for target in named:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_the_review_toml_is_one(readme: str, tmp_path: Path) -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", readme, re.DOTALL)
    (tmp_path / "runbook.pdf").write_bytes(b"")
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"  # SHA-256 of no bytes
    path = tmp_path / "review.toml"
    path.write_text(block.replace("…", empty), encoding="utf-8")
    config = read_config(path)
    data = tomllib.loads(block)
    assert [waiver.target for waiver in config.waivers] == [entry["item"] for entry in data["waiver"]]
    assert len(config.attestations) == len(config.not_applicable) == 1
