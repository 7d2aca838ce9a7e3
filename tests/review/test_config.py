"""review.toml: what counts, and what is refused in one line that says where."""

from __future__ import annotations

import hashlib
from datetime import date
from pathlib import Path

import pytest

from mmverify.errors import UsageError
from mmverify.review.config import Attestation, NotApplicable, ReviewConfig, Waiver, read_config

EVIDENCE = b"minutes of the drill of 3 March\n"
#: SHA-256 of those 32 bytes, by sha256sum.
SHA256 = "806db78248a6a281ba5391372cbf541e7b3c4de879640f2ac1fbb6c2b159d6e3"

WAIVER = '[[waiver]]\nitem = "1.3.2"\nreason = "known"\nowner = "A. Person"\nexpires = 2026-12-31\n'
ATTESTATION = (
    f'[[attestation]]\nitem = "7.1"\nperson = "B. Person"\ndate = 2026-03-03\nfile = "drill.txt"\nsha256 = "{SHA256}"\n'
)
BESIDE = '[[not_applicable]]\nitem = "1.3.5"\nreason = "one currency"\nperson = "C. Person"\ndate = 2026-03-03\n'


def write(folder: Path, text: str) -> Path:
    (folder / "drill.txt").write_bytes(EVIDENCE)
    path = folder / "review.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_kind_of_entry(tmp_path: Path) -> None:
    finding = WAIVER.replace('item = "1.3.2"', 'finding = "1.3.3:fee_rate:BTC-USDT"').replace(
        "2026-12-31", '"2026-12-31"'
    )
    source = '[source]\nhot_path = ["pkg:on_book"]\n'
    assert read_config(write(tmp_path, WAIVER + finding + ATTESTATION + BESIDE + source)) == ReviewConfig(
        waivers=(
            Waiver("1.3.2", "known", "A. Person", date(2026, 12, 31)),
            Waiver("1.3.3:fee_rate:BTC-USDT", "known", "A. Person", date(2026, 12, 31)),
        ),
        attestations=(Attestation("7.1", "B. Person", date(2026, 3, 3), "drill.txt"),),
        not_applicable=(NotApplicable("1.3.5", "one currency", "C. Person", date(2026, 3, 3)),),
    )


def test_an_empty_file_states_nothing(tmp_path: Path) -> None:
    assert read_config(write(tmp_path, "")) == ReviewConfig()


def test_the_sha256_may_be_in_capitals(tmp_path: Path) -> None:
    assert read_config(write(tmp_path, ATTESTATION.replace(SHA256, SHA256.upper()))).attestations


def test_the_sum_is_the_one_that_another_program_gives() -> None:
    assert hashlib.sha256(EVIDENCE).hexdigest() == SHA256


REFUSED = {
    "not TOML": ("[[waiver]", "should be valid TOML"),
    "not UTF-8": ("\udcff", "should be valid TOML"),
    "a section that nobody knows": ("[waivers]\n", "'waivers' is no section"),
    "one table for a list": ('[waiver]\nitem = "1.3.2"\n', "waiver is dict; should be [[waiver]] tables"),
    "an item that is none": (WAIVER.replace("1.3.2", "1.3.9"), "'1.3.9'; should be one of the 96 items"),
    "a section for an item": (BESIDE.replace("1.3.5", "1.3"), "'1.3'; should be one of the 96 items"),
    "a finding of no item": (WAIVER.replace('item = "1.3.2"', 'finding = "9.9:x:y"'), "should be the id of a finding"),
    "no item": (WAIVER.replace('item = "1.3.2"\n', ""), "has no item"),
    "no reason": (WAIVER.replace('reason = "known"\n', ""), "1.3.2 has no reason"),
    "an empty reason": (WAIVER.replace('"known"', '" "'), "1.3.2 has no reason"),
    "no owner": (WAIVER.replace('owner = "A. Person"\n', ""), "1.3.2 has no owner"),
    "no expiry": (WAIVER.replace("expires = 2026-12-31\n", ""), "1.3.2 has no expires; should be a day"),
    "an expiry that is no day": (WAIVER.replace("2026-12-31", '"2026-02-30"'), "has no expires; should be a day"),
    "a waiver of a CRITICAL item": (WAIVER.replace("1.3.2", "1.3.1"), "1.3.1, which is CRITICAL; there is no waiver"),
    "an attestation of another file": (ATTESTATION.replace(SHA256, "0" * 64), f"the SHA-256 of drill.txt is {SHA256}"),
    "an attestation without a sum": (ATTESTATION.replace(f'sha256 = "{SHA256}"\n', ""), "has no sha256"),
    "an attestation of no file": (ATTESTATION.replace("drill.txt", "gone.txt"), "'gone.txt', which cannot be read"),
    "an attestation of a folder": (ATTESTATION.replace("drill.txt", "."), "'.', which cannot be read"),
    "an attestation of nobody": (ATTESTATION.replace("B. Person", ""), "7.1 has no person"),
    "not applicable for no reason": (BESIDE.replace('reason = "one currency"\n', ""), "1.3.5 has no reason"),
    "not applicable, undated": (BESIDE.replace("date = 2026-03-03\n", ""), "1.3.5 has no date"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_hold_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    text, words = REFUSED[name]
    path = write(tmp_path, "")
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(UsageError) as caught:
        read_config(path)
    assert str(caught.value).startswith("review.toml: ")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^gone\.toml: cannot be read"):
        read_config(tmp_path / "gone.toml")
