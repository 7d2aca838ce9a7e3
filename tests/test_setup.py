"""The environment files agree with each other, and the wheel carries what an installed mmverify needs."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
LOCKS = {"requirements.lock": ["test"], "requirements-lab.lock": ["test", "lab"]}
TARGETS = ["setup", "report", "test", "check", "fix", "lab", "notebooks", "lock", "clean"]


def requirements(lines: list[str]) -> dict[str, Requirement]:
    parsed = [Requirement(line) for line in lines]
    return {requirement.name: requirement for requirement in parsed}


def entries(lock: str) -> list[str]:
    """Each pinned requirement with the hashes that follow it, as one line."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / lock).read_text(), flags=re.MULTILINE)
    return text.replace("\\\n", " ").splitlines()


def pins(lock: str) -> dict[str, Requirement]:
    return requirements([entry.split("--hash")[0] for entry in entries(lock)])


def test_environment_yml_states_the_same_python_and_an_extra_that_exists():
    dependencies = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    python, pip, from_pip = dependencies
    assert python == "python" + PROJECT["requires-python"]
    assert pip == "pip"
    (editable,) = from_pip["pip"]
    assert re.fullmatch(r"-e \.\[(\w+)\]", editable)[1] in EXTRAS


@pytest.mark.parametrize("package", ["jupyterlab", "pandas", "numpy", "scipy", "matplotlib", "papermill", "nbval"])
def test_lab_environment_has_the_package(package: str):
    assert package in requirements(PROJECT["dependencies"] + EXTRAS["lab"])


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_is_exact_and_has_a_hash(lock: str):
    assert entries(lock)
    for entry in entries(lock):
        assert re.match(r"[a-z0-9-]+==\S+ .*--hash=sha256:[0-9a-f]{64}\b", entry), entry


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_names_no_registry_and_no_path(lock: str):
    address = re.compile(r".*(?:://|https?:|index-url|find-links|file:|/opt|/home|/root|/tmp|/usr).*")
    assert not address.findall((ROOT / lock).read_text())


@pytest.mark.parametrize(("lock", "extras"), LOCKS.items())
def test_lock_satisfies_pyproject(lock: str, extras: list[str]):
    pinned = pins(lock)
    wanted = requirements(PROJECT["dependencies"] + [line for extra in extras for line in EXTRAS[extra]])
    for name, requirement in wanted.items():
        (version,) = pinned[name].specifier
        assert requirement.specifier.contains(Version(version.version)), requirement


def test_both_locks_pin_the_same_versions():
    lab = pins("requirements-lab.lock")
    assert {name: pin.specifier for name, pin in pins("requirements.lock").items()} == {
        name: lab[name].specifier for name in pins("requirements.lock")
    }


def test_python_of_pyproject_is_the_one_the_tools_are_set_to():
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    assert PROJECT["requires-python"] == ">=" + tools["mypy"]["python_version"]
    assert tools["ruff"]["target-version"] == "py" + tools["mypy"]["python_version"].replace(".", "")
    assert SpecifierSet(PROJECT["requires-python"]).contains(".".join(map(str, sys.version_info[:3])))


def test_ci_script_can_be_executed():
    assert (ROOT / ".ci" / "run").stat().st_mode & stat.S_IXUSR


@pytest.mark.parametrize("target", TARGETS)
def test_make_knows_the_target(target: str):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(["make", "-n", target], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_import_is_light():
    code = "import mmverify, sys; print(*{'numpy', 'pandas', 'matplotlib', 'pyarrow', 'papermill'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_wheel_carries_the_notebooks_and_the_data(tmp_path: Path):
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    (wheel,) = tmp_path.glob("mmverify-*-py3-none-any.whl")
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("mmverify/_bundled/")}
    outside = {
        f"mmverify/_bundled/{path.relative_to(ROOT)}"
        for folder in ("notebooks", "data")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and not {"__pycache__", ".ipynb_checkpoints"} & {*path.parts}
    }
    assert inside == outside
