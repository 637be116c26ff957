"""HTTP of attachments: sending one, and reading one's own back."""

import asyncio
from typing import Annotated
from urllib.parse import quote
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, HeaderParameter, MultipartBody

from app.cases import attachments
from app.cases.idempotency import KEY_HEADER, FirstAnswer, read_key
from app.cases.once import ONCE, Once
from app.cases.schemas import AttachmentView
from app.cases.tools import CaseTools
from app.errors import NotFound
from app.jobs import driver_connection
from app.login.guards import CITIZEN, Caller
from app.problems import problems

BYTES = "application/octet-stream"
MAX_REQUEST_BYTES = attachments.MAX_BYTES + 64 * 1024


class Upload(msgspec.Struct):
    """One file: JPEG, PNG or PDF, at most 10 MB."""

    file: UploadFile


@post(
    "/v1/attachments",
    opt=CITIZEN,
    operation_id="send_attachment",
    dependencies=ONCE,
    summary="Send a file",
    description="JPEG, PNG or PDF up to 10 MB, its type proven by content. Needs an Idempotency-Key.",
    request_max_body_size=MAX_REQUEST_BYTES,
    tags=["attachments"],
    responses=problems(409, 413, 415, 422),
)
async def send_attachment(
    data: MultipartBody[Upload],
    once: NamedDependency[Once],
    idempotency_key: Annotated[str | None, HeaderParameter(name=KEY_HEADER, required=False)] = None,
) -> Response[AttachmentView]:
    read_key(idempotency_key, required=True)
    content = await data.file.read()
    vault = once.tools.vault

    async def work() -> FirstAnswer:
        values = await asyncio.to_thread(attachments.describe, content, data.file.filename, once.caller.id, vault)
        await once.tools.files.put(values[0], content)
        row = await attachments.insert(await driver_connection(once.session), values)
        view = attachments.view(row, vault)
        return FirstAnswer(201, msgspec.json.encode(view), {"Location": f"/v1/attachments/{view.id}"})

    return await once.answer(work, data.file.filename.encode() + b"\0" + content)


@get(
    "/v1/attachments/{attachment_id:uuid}",
    opt=CITIZEN,
    operation_id="read_attachment",
    summary="One of my files",
    media_type=BYTES,
    tags=["attachments"],
    responses={
        **problems(404),
        200: ResponseSpec(bytes, generate_examples=False, media_type=BYTES, description="The file"),
    },
)
async def read_attachment(
    attachment_id: FromPath[UUID], caller: NamedDependency[Caller], cases: NamedDependency[CaseTools]
) -> Response[bytes]:
    async with cases.database.connection() as connection:
        row = await attachments.own(connection, attachment_id, caller.id)
    if row is None:
        raise NotFound("attachment_not_found")
    # Always a download, never rendered in our origin: what a citizen sent is not ours to show as a page.
    name = quote(attachments.name_of(row, cases.vault), safe="")
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}"}
    return Response(await cases.files.get(attachment_id), media_type=row["media_type"], headers=headers)


ATTACHMENT_ROUTES = [send_attachment, read_attachment]
