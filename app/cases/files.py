"""The store of attachments' bytes, encrypted before they leave the process: a local folder, or S3 in production."""

import asyncio
from contextlib import suppress
from pathlib import Path
from uuid import UUID

from obstore.exceptions import NotFoundError as ObjectMissing
from obstore.store import LocalStore, ObjectStore, from_url

from app.errors import NotFound
from app.privacy import HEAD_BYTES, Vault

_CONTEXT = "attachments.content"
# Decrypted in less time than a thread takes to be asked.
_SMALL_BYTES = 128 * 1024


class FileStore:
    """Whole files by id. A file is at most 10 MB, so it is held in memory once."""

    def __init__(self, url: str, folder: Path, vault: Vault) -> None:
        self._vault = vault
        if url:
            self._store: ObjectStore = from_url(url)
        else:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._store = LocalStore(prefix=folder)

    async def put(self, file_id: UUID, content: bytes) -> None:
        """Store after the row that names it is in and before it commits: a refused row stores nothing, and a row never
        stands without its file."""
        sealed = await asyncio.to_thread(self._vault.encrypt, content, _CONTEXT)
        await self._store.put_async(_key(file_id), sealed)

    async def get(self, file_id: UUID) -> bytes:
        """Raises NotFound."""
        try:
            found = await self._store.get_async(_key(file_id))
            sealed = bytes(await found.bytes_async())
        except (ObjectMissing, FileNotFoundError):
            raise NotFound("attachment_not_found") from None
        if len(sealed) <= _SMALL_BYTES:
            return self._vault.decrypt(sealed, _CONTEXT)
        return await asyncio.to_thread(self._vault.decrypt, sealed, _CONTEXT)

    async def is_former(self, file_id: UUID) -> bool:
        """Whether a former key wrote it; False also where there is no such file."""
        try:
            head = bytes(await self._store.get_range_async(_key(file_id), start=0, length=HEAD_BYTES))
        except (ObjectMissing, FileNotFoundError):
            return False
        return not self._vault.is_current(head)

    async def reseal(self, file_id: UUID) -> bool:
        """Write a file anew that a former key wrote; False where there was nothing to do."""
        if not await self.is_former(file_id):
            return False
        try:
            await self.put(file_id, await self.get(file_id))
        except (ObjectMissing, FileNotFoundError, NotFound):
            return False
        return True

    async def delete(self, file_id: UUID) -> None:
        """Also of a file that is gone already."""
        with suppress(ObjectMissing, FileNotFoundError):
            await self._store.delete_async(_key(file_id))


def _key(file_id: UUID) -> str:
    # The last characters of a UUIDv7 are random: they spread files evenly over folders.
    return f"{file_id.hex[-2:]}/{file_id.hex}"
