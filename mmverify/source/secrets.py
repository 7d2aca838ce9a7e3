"""Keys, secrets and tokens in text: by the makes that detect-secrets knows, and by names beside random words."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from detect_secrets.plugins.base import RegexBasedDetector

    from mmverify.source.tree import Tree

#: A line without any of these, in small letters, holds no secret that is looked for.
_HINTS = (
    "key", "secret", "token", "pass", "bearer", "auth", "akia", "asia", "eyj", "xox", "ghp_", "gho_", "ghu_", "ghs_",
    "ghr_", "glpat", "k_live_", "mnemonic", ":aa", "hooks.slack", "pypi-", "sg.",
)  # fmt: skip
#: A name that a secret goes by, and the word that it is given.
_NAMED = re.compile(
    r"""(?ix)
    (?<![\w.-])(?P<name>[\w.-]*(?:api[_-]?key|apikey|api[_-]?secret|secret|secret[_-]?key|private[_-]?key|passphrase|password|passwd|
       access[_-]?token|auth[_-]?token|bot[_-]?token|api[_-]?token|refresh[_-]?token|mnemonic)_?)
    ["'\])]*\s*(?::\s*[\w\[\]|&'<>: ]+\s*=|=>|:=|[:=])\s*(?:Some\(|std::string\(|String::from\(|[bru]{0,2})?
    (?P<quote>["'`]?)(?P<value>[A-Za-z0-9+/=_.\-]{12,})(?P=quote)
    """
)
_BEARER = re.compile(r"(?i)\b(bearer|authorization:?)\s+(?P<value>[A-Za-z0-9+/=_.\-]{20,})")
#: Words that stand in the place of a secret.
_STAND_IN = re.compile(
    r"(?i)your|example|placeholder|change[_-]?me|dummy|sample|redacted|masked|hidden|removed|insert|replace|xxx|\*\*\*|"
    r"test|fake|mock|none|null|secret|passw|api[_-]?key|token|lorem|todo|1234567|abcdef|(.)\1{5}|(\d{4}-){2}|undefined"
)
#: A comment, or a name, that says that what stands beside it is none.
_SAID = re.compile(r"(?i)(#|//|/\*).*\b(mock|dummy|fake|placeholder|example|invalid|not a real)\b")
_NO_NAME = re.compile(r"(?i)hash|(^|[_.-])(test|mock|dummy|fake|example|sample)([_.-]|$)")
_REFERENCE = re.compile(r"[a-z_]+(\.[a-z_]+)+|[A-Z][A-Z_]+|[a-z_]+|[A-Za-z]+|[\w]+\(|/.*|\d+")
#: A word without quotes that is a name of code: ``sha256_of_key``, ``Ed25519PrivateKey``, ``self.key2``.
_CODE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)+|[A-Z][A-Z0-9]*(_[A-Z0-9]+)+|([A-Z][a-z]+\d*)+|\w+(\.\w+)+")
#: The head of a private key with its body behind it; the head alone is code that handles such keys.
_PEM = re.compile(
    r"BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?:\\[nr]|[\s\"'+,\\])*[A-Za-z0-9+/=]{20}|PuTTY-User-Key-File-\d:"
)
_LEAST_BITS = 3.2  # of entropy a letter: below are words, above is what a machine drew
_LEAST_LETTERS = 16
_LONGEST = 2000  # letters of a line that are looked at
#: What git is told, so that nothing that a repository's own configuration names is started.
_GIT = ("core.fsmonitor=false", "core.hooksPath=/dev/null", "core.pager=cat", "gpg.program=false")
_ALONE = {
    "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": "none",
}  # fmt: skip
#: Below folders of tests and examples only keys of a known make count.
AWAY = re.compile(
    r"(^|/)(tests?|testing|test_\w+|fixtures|mocks?|benches|samples?|docs?)(/|$)|(^|/)test_|_tests?\.|example"
)


@dataclass(frozen=True)
class Secret:
    """A secret that was seen: the line, and what it is. The secret itself is not kept."""

    line: int
    kind: str


#: The makes of keys that detect-secrets knows by their form.
_MAKES = (
    "aws", "azure_storage_key", "discord", "github_token", "gitlab_token", "jwt", "mailchimp", "npm", "openai",
    "pypi_token", "sendgrid", "slack", "square_oauth", "stripe", "telegram_token", "twilio",
)  # fmt: skip


@cache
def _makes() -> tuple[RegexBasedDetector, ...]:
    from detect_secrets.plugins.base import RegexBasedDetector

    modules = [import_module(f"detect_secrets.plugins.{name}") for name in _MAKES]
    kinds = [kind for module in modules for kind in vars(module).values() if isinstance(kind, type)]
    return tuple(kind() for kind in kinds if issubclass(kind, RegexBasedDetector) and kind is not RegexBasedDetector)


def declared(tree: Tree) -> frozenset[str]:
    """Return the SHA-1 hashes of the words that ``.secrets.baseline`` of detect-secrets declares to be no secrets."""
    file = tree.by_path.get(".secrets.baseline")
    try:
        results = json.loads(file.text)["results"] if file else {}
        listed = [each for found in results.values() for each in found]
        return frozenset(each["hashed_secret"] for each in listed if each.get("is_secret") is False)
    except (ValueError, KeyError, TypeError, AttributeError):
        return frozenset()


def kind_of(line: str, *, strict: bool = True, after: str = "", aside: frozenset[str] = frozenset()) -> str:
    """Return what secret a line holds, empty if none.

    Parameters
    ----------
    line : str
    strict : bool
        Take a random word beside a name such as ``api_secret`` for one, not only a key of a known make.
    after : str
        The lines behind it, where the body of a private key stands.
    aside : frozenset of str
        SHA-1 hashes of words that are declared to be none.
    """
    small = line.lower()
    if not any(hint in small for hint in _HINTS) or _SAID.search(line):
        return ""
    for found in _NAMED.finditer(line) if strict else ():
        named = not _NO_NAME.search(found["name"]) and not _is_aside(found["value"], aside)
        if named and _is_random(found["value"], quoted=bool(found["quote"])):
            return f"a value of {found['name'].strip('.-')}"
    bearer = _BEARER.search(line) if strict else None
    if bearer and _is_random(bearer["value"], quoted=True) and not _is_aside(bearer["value"], aside):
        return "a bearer token"
    pem = _PEM.search(f"{line}\n{after}") if "private key" in small else None
    if pem and pem.start() < len(line) and not _is_aside(pem[0], aside):
        return "a private key"
    for make in _makes():
        words = [word for word in make.analyze_string(line) if not _STAND_IN.search(word)]
        if any(not _is_aside(word if len(word) >= _LEAST_LETTERS else line.strip(), aside) for word in words):
            return f"a {make.secret_type}".replace("a A", "an A")
    return ""


def _is_aside(word: str, aside: frozenset[str]) -> bool:
    return bool(aside) and hashlib.sha1(word.encode(), usedforsecurity=False).hexdigest() in aside


def _is_random(word: str, *, quoted: bool) -> bool:
    """Say whether a word is what a machine drew, not a stand-in, a name or a reference."""
    if len(word) < _LEAST_LETTERS or _STAND_IN.search(word) or _REFERENCE.fullmatch(word):
        return False
    if not (re.search(r"\d", word) and re.search(r"[A-Za-z]", word)) or (not quoted and _CODE.fullmatch(word)):
        return False
    counts = Counter(word)
    return -sum(n / len(word) * math.log2(n / len(word)) for n in counts.values()) >= _LEAST_BITS


def secrets(lines: Sequence[str], *, strict: bool = True, aside: frozenset[str] = frozenset()) -> Iterator[Secret]:
    """Yield the secrets of lines, numbered from 1."""
    for n, line in enumerate(lines, 1):
        if kind := kind_of(line[:_LONGEST], strict=strict, after="\n".join(lines[n : n + 2]), aside=aside):
            yield Secret(n, kind)


def history(
    folder: Path, seconds: int, *, aside: frozenset[str] = frozenset()
) -> tuple[list[tuple[str, str, str]], str]:
    """Return the secrets that lines added in the git history of a folder held.

    No program that the repository names is started: no filter, no text conversion, no monitor.

    Returns
    -------
    found : list of (commit, path, kind)
        A line a path and kind.
    note : str
        Why the history was not, or not wholly, read.
    """
    if not (folder / ".git").exists():
        return [], ""
    command = [
        "git", "-C", str(folder), *(part for each in _GIT for part in ("-c", each)), "log", "--all", "-p",
        "--unified=0", "--no-color", "--no-textconv", "--no-ext-diff", "--no-show-signature", "--format=%x00%H",
    ]  # fmt: skip
    alone = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | _ALONE
    try:
        done = subprocess.run(command, capture_output=True, timeout=seconds, check=False, env=alone)
    except (OSError, subprocess.TimeoutExpired) as error:
        return [], f"the git history was not read: {type(error).__name__}"
    if done.returncode:
        return [], "the git history was not read: git refused it"
    added, commit, path = dict[tuple[str, str], list[str]](), "", ""
    for line in done.stdout.decode("utf-8", "replace").splitlines():
        if line.startswith("\0"):
            commit = line[1:11]
        elif line.startswith("+++ "):
            path = line[4:].removeprefix("b/")
        elif line.startswith("+"):
            added.setdefault((commit, path), []).append(line[1:])
    found = {
        (path, seen.kind): commit
        for (commit, path), lines in added.items() for seen in secrets(lines, strict=not AWAY.search(path), aside=aside)
    }  # fmt: skip
    return [(commit, path, kind) for (path, kind), commit in found.items()], ""
