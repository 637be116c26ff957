"""Anchors in a signed file of the data folder: each line holds the hash of the one before it, so that the signature of
the last stands for all. The key lies beside, never in the database."""

import asyncio
import fcntl
import hashlib
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.audit.port import AnchorBroken, AnchorPort, Head
from app.database import utc_now
from app.privacy import own_key, read_key
from app.settings import Settings

# More than any line has.
_TAIL_BYTES = 4096


class _Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    position: int
    digest: bytes
    at: datetime
    previous: bytes
    signature: bytes = b""


class SignedFile(AnchorPort):
    """`key`: the 32 bytes of an Ed25519 private key."""

    def __init__(self, path: Path, key: bytes) -> None:
        self._path = path
        self._key = Ed25519PrivateKey.from_private_bytes(key)

    async def anchor(self, head: Head) -> None:
        await asyncio.to_thread(self._anchor, head)

    async def newest(self) -> Head | None:
        return await asyncio.to_thread(self._newest)

    async def anchored(self) -> Sequence[Head]:
        return await asyncio.to_thread(self._anchored)

    async def newest_line(self) -> bytes:
        """The last head kept, as the signed line it stands in; b"" where there is none."""
        return await asyncio.to_thread(self._newest_line)

    @property
    def public_key(self) -> bytes:
        """What the lines' signatures are checked with, by anybody."""
        return self._key.public_key().public_bytes_raw()

    def proven(self, line: bytes) -> Head:
        """The head that a line signed by us names. Raises AnchorBroken."""
        read = _read(line)
        self._prove(read)
        return _head(read)

    def _anchor(self, head: Head) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._path.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            before = _last_line(file)
            _cut_torn(file)
            if before and _head(_read(before)) == head:
                return
            line = _Line(head.position, head.digest, utc_now(), hashlib.sha256(before).digest())
            signed = msgspec.structs.replace(line, signature=self._key.sign(msgspec.json.encode(line)))
            file.write(msgspec.json.encode(signed) + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def _newest(self) -> Head | None:
        last = self._newest_line()
        return _head(_read(last)) if last else None

    def _newest_line(self) -> bytes:
        if not self._path.exists():
            return b""
        with self._path.open("rb") as file:
            return _last_line(file)

    def _anchored(self) -> list[Head]:
        if not self._path.exists():
            return []
        whole = self._path.read_bytes().rpartition(b"\n")[0]
        heads, before = [], b""
        for raw in whole.split(b"\n") if whole else []:
            line = _read(raw)
            if line.previous != hashlib.sha256(before).digest():
                raise AnchorBroken(f"the anchor of position {line.position} does not follow the one before it")
            heads.append(_head(line))
            before = raw
        if before:
            self._prove(_read(before))
        return heads

    def _prove(self, line: _Line) -> None:
        unsigned = msgspec.json.encode(msgspec.structs.replace(line, signature=b""))
        try:
            self._key.public_key().verify(line.signature, unsigned)
        except InvalidSignature:
            raise AnchorBroken(f"the anchor of position {line.position} is not signed by our key") from None


def anchor_file(settings: Settings) -> SignedFile:
    """The file of this data folder, signed with LOKET_ANCHOR_KEY or a key that is made once. Raises SettingsError."""
    key = settings.anchor_key or own_key(settings.data_dir / "secrets" / "anchor.key")
    return SignedFile(settings.data_dir / "audit" / "anchors.jsonl", read_key("LOKET_ANCHOR_KEY", key))


def _head(line: _Line) -> Head:
    return Head(line.position, line.digest)


def _read(raw: bytes) -> _Line:
    try:
        return msgspec.json.decode(raw, type=_Line)
    except msgspec.DecodeError:
        raise AnchorBroken("a line of the anchors is none") from None


def _last_line(file: BinaryIO) -> bytes:
    """The last whole line; a half-written one behind it was never told to anybody."""
    file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
    return file.read().rpartition(b"\n")[0].rpartition(b"\n")[2]


def _cut_torn(file: BinaryIO) -> None:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _TAIL_BYTES))
    file.truncate(size - len(file.read().rpartition(b"\n")[2]))
