"""Secrets are seen and never printed, stand-ins are not, and the history of a hostile repository starts no program."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from source.reviewed import findings, source_of

from mmverify.checks.s6_source import secrets_in_source
from mmverify.source.secrets import history, kind_of, secrets

DRAWN = "q7Zt4Lw0xN8sVb2RkYp6Hd3Jf9Gm1CaE5uXo"
BODY = "MHcCAQEEIBX3Zq0o8vJmW7r2nT5yK1sLd9QeGhUcPfAiRkVbNwXt"
HEAD = "-----BEGIN RSA PRIVATE " + "KEY-----"


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (f'api_secret = "{DRAWN}"', "a value of api_secret"),
        (f"MM_API_SECRET={DRAWN}", "a value of MM_API_SECRET"),
        (f'        self._secret = "{DRAWN}"', "a value of self._secret"),
        (f'  "passphrase": "{DRAWN}",', "a value of passphrase"),
        (f'const API_KEY: &str = "{DRAWN}";', "a value of API_KEY"),
        (f'std::string secret_key_ = "{DRAWN}";', "a value of secret_key_"),
        ('api_key = "985d5b66-57ce-40fb-b714-afc0b9787083"', "a value of api_key"),
        (f"Authorization: Bearer {DRAWN}", "a bearer token"),
        (f"token ghp_{DRAWN}", "a GitHub Token"),
        ("key AKIAQ7ZT4LW0XN8SVB2R", "an AWS Access Key"),
        (f'KEY = "{HEAD}\\n{BODY}"', "a private key"),
    ],
)
def test_a_secret_is_seen(line: str, kind: str) -> None:
    assert kind_of(line) == kind


@pytest.mark.parametrize(
    "line",
    [
        'api_key = os.environ["BINANCE_API_KEY"]', "api_key: str = Field(default=...)", 'password: ""',
        'secret = "your-secret-key-goes-here"', "api_secret = config.exchange.api_secret", "secret_level = 5",
        "key=order.client_order_id", "MM_API_KEY=<the key of the desk>", '"api_key": "${BINANCE_API_KEY}"',
        f"sha256: {BODY.lower()}", "api_key = self._api_factory.get_rest_assistant()",
        "MM_API_KEY=changeme-in-the-store",
        "private_key = ed25519_private_key_from_bytes(raw)", "private_key: Ed25519PrivateKey",
        f'TEST_API_SECRET = "{DRAWN}"', f'api_secret="{DRAWN}",  # noqa: mock', f'secret = "{DRAWN}"  // a dummy',
        'token = "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"', HEAD, f'pem = f"{HEAD}\\n{{wrapped_key}}"',
    ],
)  # fmt: skip
def test_a_stand_in_a_name_or_a_reference_is_none(line: str) -> None:
    assert kind_of(line) == ""


def test_only_a_known_make_counts_where_it_is_not_strict() -> None:
    assert kind_of(f'api_secret = "{DRAWN}"', strict=False) == ""
    assert kind_of(f"ghp_{DRAWN}", strict=False) == "a GitHub Token"


def test_the_body_of_a_private_key_may_stand_on_the_lines_behind() -> None:
    assert [seen.line for seen in secrets(["a", HEAD, BODY, "b"])] == [2]
    assert list(secrets([HEAD, "reads the file", BODY[:10]])) == []


def test_a_finding_never_holds_the_secret(tmp_path: Path) -> None:
    files = {"bot/a.py": f'API_SECRET = "{DRAWN}"\n', "config/key.pem": f"{HEAD}\n{BODY}\n"}
    looked = secrets_in_source(source_of(files, tmp_path))
    assert [breach.where for breach in looked.breaches] == [("bot/a.py:1",), ("config/key.pem:1",)]
    assert DRAWN not in repr(looked) and BODY not in repr(looked)


def test_tests_hold_stand_ins_and_examples_only_keys_of_a_known_make(tmp_path: Path) -> None:
    files = {
        "bot/a.py": "x = 1\n",
        "tests/test_a.py": f'API_SECRET = "{DRAWN}"\n',
        "src/a.rs": f'#[cfg(test)]\nmod tests {{\n    const API_SECRET: &str = "{DRAWN}";\n}}\n',
        "config/live.env.example": f"API_SECRET={DRAWN}\n",
        "docs/a.md": f"ghp_{DRAWN}\n",
    }
    source_of(files, tmp_path)
    assert [each.where for each in findings(tmp_path) if each.item == "6.5"] == [("docs/a.md:1",)]


# --- the git history --------------------------------------------------------------------------------------------------


def git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@b.example", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", str(folder), *who, *words], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository that held a secret once."""
    git(tmp_path, "init", "-q")
    for n, text in enumerate((f'API_SECRET = "{DRAWN}"\n', 'API_SECRET = os.environ["API_SECRET"]\n')):
        (tmp_path / "a.py").write_text(text, encoding="utf-8")
        git(tmp_path, "add", "-A")
        git(tmp_path, "commit", "-q", "-m", str(n))
    return tmp_path


def test_a_secret_that_was_taken_out_is_found_in_the_history(repository: Path) -> None:
    first = subprocess.run(
        ["git", "-C", str(repository), "rev-list", "--max-parents=0", "HEAD"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout[:10]
    assert history(repository, 20) == ([(first, "a.py", "a value of API_SECRET")], "")


def test_nothing_that_a_repository_names_is_started(repository: Path, tmp_path: Path) -> None:
    marker, trap = tmp_path / "started", tmp_path / "trap.sh"
    trap.write_text(f"#!/bin/sh\ntouch {marker}\n", encoding="utf-8")
    trap.chmod(0o755)
    (repository / ".gitattributes").write_text("*.py diff=trap filter=trap\n", encoding="utf-8")
    (repository / ".git" / "hooks" / "post-index-change").write_text(f"#!/bin/sh\ntouch {marker}\n", encoding="utf-8")
    settings = {
        "core.fsmonitor": str(trap), "core.pager": str(trap), "pager.log": str(trap), "diff.external": str(trap),
        "diff.trap.command": str(trap), "diff.trap.textconv": str(trap), "filter.trap.clean": str(trap),
        "filter.trap.smudge": str(trap), "log.showSignature": "true", "gpg.program": str(trap),
        "core.sshCommand": str(trap), "remote.origin.url": f"ext::{trap}", "remote.origin.promisor": "true",
        "protocol.ext.allow": "always", "core.editor": str(trap), "alias.log": f"!{trap}",
    }  # fmt: skip
    for name, value in settings.items():
        git(repository, "config", name, value)
    marker.unlink(missing_ok=True)
    found, note = history(repository, 20)
    assert [(path, kind) for _, path, kind in found] == [("a.py", "a value of API_SECRET")]
    assert note == ""
    assert not marker.exists()


def test_a_folder_that_is_no_repository_has_no_history(tmp_path: Path) -> None:
    assert history(tmp_path, 20) == ([], "")
    (tmp_path / ".git").mkdir()
    assert history(tmp_path, 20) == ([], "the git history was not read: git refused it")
