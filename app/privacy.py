"""Personal data at rest and on screen: encryption with rotating keys, blind indexes to look it up by, and masks."""

import base64
import binascii
import hashlib
import hmac
import os
import secrets
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.settings import Settings, SettingsError

KEY_BYTES = 32
_FORMAT = b"\x01"
_KEY_ID_BYTES = 4
_NONCE_BYTES = 12
# People's own words stand as text among other values (a question, an answer, a reason): sealed, they begin with this.
SEALED = "sealed:"
WORDS = "words.any"
# The names they have there. What stands under another, such as an agency's number, is never taken for one.
WORD_NAMES = frozenset({"question", "answer", "comment", "reason", "label"})
# How soon a running process writes with a key that took another's place in the file.
KEYS_EVERY_S = 2.0
HEAD_BYTES = len(_FORMAT) + _KEY_ID_BYTES + _NONCE_BYTES


class CannotDecrypt(Exception):
    """The bytes are not ours, were changed, stand in another column, or their key is gone."""


class Keys(msgspec.Struct, frozen=True):
    """What a vault works with. The first of `data` writes, and what the others wrote is read; by the first of `index`
    all is found, and the others serve `loket keys rotate-index` alone.

    `names` is for good: agencies' applications, passkeys and papers outside know people and things by what it made.
    """

    data: Sequence[bytes]
    index: Sequence[bytes]
    names: bytes

    def __post_init__(self) -> None:
        for key in (*self.data, *self.index, self.names):
            if len(key) != KEY_BYTES:
                raise ValueError(f"a key has {len(key)} bytes, not {KEY_BYTES}")


class Vault:
    """Encrypts and indexes what is personal, and names what others are to know lastingly.

    A blob is: format (1 byte), key id (4), nonce (12), AES-256-GCM ciphertext with tag. The context ("table.column") is
    authenticated with it, so a value copied into another column does not decrypt.

    `source` gives the keys anew: so a running process follows a rotation.
    """

    def __init__(self, keys: Keys, source: Callable[[], Keys] | None = None) -> None:
        self._source = source
        self._look_at = time.monotonic() + KEYS_EVERY_S
        self._use(keys)

    @property
    def key_id(self) -> bytes:
        """Of the key that writes now."""
        self._look_again()
        return self._key_id

    def encrypt(self, plaintext: bytes, context: str) -> bytes:
        self._look_again()
        head = _FORMAT + self._key_id + secrets.token_bytes(_NONCE_BYTES)
        sealed = self._ciphers[self._key_id].encrypt(head[-_NONCE_BYTES:], plaintext, _bound(head, context))
        return head + sealed

    def decrypt(self, blob: bytes, context: str) -> bytes:
        """Raises CannotDecrypt."""
        head, sealed = blob[:HEAD_BYTES], blob[HEAD_BYTES:]
        cipher = self._ciphers.get(head[1:-_NONCE_BYTES])
        if cipher is None and head[:1] == _FORMAT:
            self._look_again(now=True)
            cipher = self._ciphers.get(head[1:-_NONCE_BYTES])
        if head[:1] != _FORMAT or cipher is None:
            raise CannotDecrypt(f"{context}: unknown format or key")
        try:
            return cipher.decrypt(head[-_NONCE_BYTES:], sealed, _bound(head, context))
        except (InvalidTag, ValueError):
            raise CannotDecrypt(f"{context}: changed, or from another column") from None

    def seal(self, words: str) -> str:
        """Words as text that only `unseal` can read."""
        return SEALED + base64.b64encode(self.encrypt(words.encode(), WORDS)).decode()

    def unseal(self, text: str) -> str:
        """The words again; text that was stored before words were sealed stays as it is. Raises CannotDecrypt."""
        if not text.startswith(SEALED):
            return text
        try:
            blob = base64.b64decode(text[len(SEALED) :])
        except binascii.Error:
            raise CannotDecrypt(f"{WORDS}: no base64") from None
        return self.decrypt(blob, WORDS).decode()

    def unseal_all(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The values with people's words among them readable."""
        return {
            name: self.unseal(value) if name in WORD_NAMES and isinstance(value, str) else value
            for name, value in values.items()
        }

    def is_current(self, blob: bytes) -> bool:
        """False for what a former key wrote: a rotation writes such a value anew."""
        return blob[1 : 1 + _KEY_ID_BYTES] == self._key_id

    def is_sealed(self, text: str) -> bool:
        """Whether words are sealed, with the key that writes now."""
        return text.startswith(SEALED) and self.is_current(base64.b64decode(text[len(SEALED) :]))

    def index(self, kind: str, value: str) -> bytes:
        """The same 32 bytes for the same value, to find it by without storing it; useless without the key."""
        return _digest(self._keys.index[0], kind, value)

    def former_index(self, kind: str, value: str) -> bytes:
        """What it was under the index key before: only where a rotation was given one."""
        return _digest(self._keys.index[1], kind, value)

    def lasting_name(self, kind: str, value: str) -> bytes:
        """The same 32 bytes for the same value for good, whatever key is rotated: what others know it by.

        Never of a NIK, a phone or anything else that could be guessed by somebody who has come by the key.
        """
        return _digest(self._keys.names, kind, value)

    @property
    def standing(self) -> Mapping[str, Sequence[str]]:
        """The ids, which are no secret, of the keys that rows stand under: by kind, the writing one first."""
        return {
            "data": [_key_id(key).hex() for key in self._keys.data],
            "index": [_key_id(key).hex() for key in self._keys.index],
            "names": [_key_id(self._keys.names).hex()],
        }

    def _look_again(self, *, now: bool = False) -> None:
        if self._source is None or (time.monotonic() < self._look_at and not now):
            return
        self._look_at = time.monotonic() + KEYS_EVERY_S
        self._use(self._source())

    def _use(self, keys: Keys) -> None:
        self._keys = keys
        self._ciphers = {_key_id(key): AESGCM(key) for key in keys.data}
        self._key_id = _key_id(keys.data[0])


def open_vault(settings: Settings) -> Vault:
    """The vault of LOKET_DATA_KEY, LOKET_INDEX_KEY and LOKET_NAMES_KEY (base64, 32 bytes each).

    The first two may name several, separated by commas. A demo without keys makes its own once, in data_dir/secrets.
    Raises SettingsError for a key that cannot be used.
    """
    index = index_keys(settings)
    # Until they had a key of their own, lasting names were made with the index key.
    names_key = read_key("LOKET_NAMES_KEY", settings.names_key) if settings.names_key else index[0]
    source = None if settings.data_key else lambda: Keys(data_keys(settings), index, names_key)
    return Vault(Keys(data_keys(settings), index, names_key), source)


def index_keys(settings: Settings) -> list[bytes]:
    """The index key, and behind it the former one where it is named. Raises SettingsError."""
    named = settings.index_key or own_key(settings.data_dir / "secrets" / "index.key")
    return [read_key("LOKET_INDEX_KEY", part) for part in named.split(",")]


def data_keys(settings: Settings) -> list[bytes]:
    """The keys as they stand now, the writing one first. Raises SettingsError."""
    named = settings.data_key or own_key(own_data_keys(settings))
    return [read_key("LOKET_DATA_KEY", part) for part in named.split(",")]


def own_data_keys(settings: Settings) -> Path:
    """The file of a demo's own data keys."""
    return settings.data_dir / "secrets" / "data.key"


def keep_data_keys(settings: Settings, keys: Sequence[bytes]) -> None:
    """Put the demo's own data keys, the writing one first, in the place of those before."""
    path = own_data_keys(settings)
    Path(_draft(path.parent, b",".join(base64.b64encode(key) for key in keys))).replace(path)


def read_key(variable: str, value: str) -> bytes:
    """A key of 32 bytes from base64. Raises SettingsError naming the variable."""
    try:
        key = base64.b64decode(value.strip().replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError):
        raise SettingsError(f"{variable} is not base64") from None
    if len(key) != KEY_BYTES:
        raise SettingsError(f"{variable} must be {KEY_BYTES} bytes in base64, it has {len(key)}")
    return key


def own_key(path: Path) -> str:
    """The key in `path`, made if there is none. Several processes start at once: the first whole file wins."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        draft = _draft(path.parent, base64.b64encode(secrets.token_bytes(KEY_BYTES)))
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            Path(draft).unlink()
    return path.read_text("ascii").strip()


def mask_nik(nik: str) -> str:
    """First six digits (the region) and last two: 357102********01."""
    return _masked(nik, first=6, last=2)


def mask_phone(phone: str) -> str:
    """Country code and last three digits: +62********901."""
    return _masked(phone, first=3, last=3)


def mask_name(name: str) -> str:
    """The first letter of each word: S*** A*****."""
    return " ".join(word[:1] + "*" * (len(word) - 1) for word in name.split())


def _masked(value: str, first: int, last: int) -> str:
    hidden = len(value) - first - last
    return value[:first] + "*" * hidden + value[-last:] if hidden > 0 else "*" * len(value)


def _digest(key: bytes, kind: str, value: str) -> bytes:
    return hmac.digest(key, f"{kind}\0{value}".encode(), hashlib.sha256)


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"loket key id\0" + key).digest()[:_KEY_ID_BYTES]


def _bound(head: bytes, context: str) -> bytes:
    return head + context.encode()


def _draft(folder: Path, content: bytes) -> str:
    """A new file that only we may read, on the disk."""
    descriptor, draft = tempfile.mkstemp(dir=folder)  # mode 0600
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return draft
