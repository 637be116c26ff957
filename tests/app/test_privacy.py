"""The vault: what it wrote only it reads, in its own column; keys rotate; masks leave nothing to guess from."""

import base64
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.privacy import CannotDecrypt, mask_name, mask_nik, mask_phone, open_vault
from app.settings import ROOT, Settings, SettingsError
from tests.harness.keys import vault_of

OLD, NEW, INDEX = (bytes([n]) * 32 for n in (1, 2, 3))
NIK = "3571024505909001"


def test_reads_back_what_it_wrote() -> None:
    vault = vault_of(NEW, INDEX)
    blob = vault.encrypt(NIK.encode(), "citizens.nik")
    assert vault.decrypt(blob, "citizens.nik") == NIK.encode()
    assert NIK.encode() not in blob
    assert blob != vault.encrypt(NIK.encode(), "citizens.nik"), "two equal values must not look equal"


def test_value_moved_to_another_column_is_refused() -> None:
    vault = vault_of(NEW, INDEX)
    with pytest.raises(CannotDecrypt):
        vault.decrypt(vault.encrypt(b"x", "citizens.nik"), "citizens.name")


@given(st.integers(min_value=0, max_value=10_000), st.integers(min_value=1, max_value=255))
def test_any_changed_byte_is_refused(position: int, flip: int) -> None:
    vault = vault_of(NEW, INDEX)
    blob = bytearray(vault.encrypt(NIK.encode(), "citizens.nik"))
    blob[position % len(blob)] ^= flip
    with pytest.raises(CannotDecrypt):
        vault.decrypt(bytes(blob), "citizens.nik")


@given(st.binary(max_size=80))
def test_foreign_bytes_are_refused(blob: bytes) -> None:
    with pytest.raises(CannotDecrypt):
        vault_of(NEW, INDEX).decrypt(blob, "citizens.nik")


def test_rotation_reads_the_old_and_writes_the_new() -> None:
    old = vault_of(OLD, INDEX).encrypt(b"secret", "t.c")
    rotated = vault_of(NEW, INDEX, OLD)
    assert rotated.decrypt(old, "t.c") == b"secret"
    assert not rotated.is_current(old)
    assert rotated.is_current(rotated.encrypt(b"secret", "t.c"))
    with pytest.raises(CannotDecrypt):
        vault_of(NEW, INDEX).decrypt(old, "t.c")


def test_index_depends_on_kind_value_and_key() -> None:
    vault = vault_of(NEW, INDEX)
    assert vault.index("nik", NIK) == vault_of(OLD, INDEX).index("nik", NIK), "must survive a rotation of the data key"
    assert len({vault.index("nik", NIK), vault.index("phone", NIK), vault.index("nik", NIK[::-1])}) == 3
    assert vault.index("nik", NIK) != vault_of(NEW, OLD).index("nik", NIK)


def test_demo_makes_its_keys_once(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    blob = open_vault(settings).encrypt(b"x", "t.c")
    assert open_vault(settings).decrypt(blob, "t.c") == b"x"
    for name in ("data.key", "index.key"):
        assert stat.S_IMODE((tmp_path / "secrets" / name).stat().st_mode) == 0o600
    assert sorted(path.name for path in (tmp_path / "secrets").iterdir()) == ["data.key", "index.key"]


def test_processes_starting_together_agree_on_the_keys(tmp_path: Path) -> None:
    code = (
        "import pathlib,sys;from app.privacy import open_vault;from app.settings import Settings;"
        "print(open_vault(Settings(data_dir=pathlib.Path(sys.argv[1]))).index('k','v').hex())"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "fresh")]
    running = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    answers = {process.communicate(timeout=60)[0] for process in running}
    assert len(answers) == 1
    assert len(answers.pop().strip()) == 64


def test_several_data_keys_in_the_setting(tmp_path: Path) -> None:
    old, new, index = (base64.b64encode(key).decode() for key in (OLD, NEW, INDEX))
    before = open_vault(Settings(data_dir=tmp_path, data_key=old, index_key=index))
    after = open_vault(Settings(data_dir=tmp_path, data_key=f"{new},{old}", index_key=index))
    assert after.decrypt(before.encrypt(b"x", "t.c"), "t.c") == b"x"
    assert not (tmp_path / "secrets").exists()


@pytest.mark.parametrize("key", ["short", "not base64!", "QUFB", "," + "A" * 44])
def test_unusable_key_is_named(key: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="LOKET_DATA_KEY"):
        open_vault(Settings(data_dir=tmp_path, data_key=key))


def test_masks() -> None:
    assert mask_nik(NIK) == "357102********01"
    assert mask_phone("+628123456789") == "+62*******789"
    assert mask_name("Siti Aminah") == "S*** A*****"
    assert mask_nik("3571") == "****"
    assert mask_phone("") == ""
