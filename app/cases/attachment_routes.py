"""HTTP of attachments: sending one, and reading one's own back."""

import asyncio
from urllib.parse import quote
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.openapi.spec.enums import OpenAPIFormat
from litestar.params import FromPath, MultipartBody

from app.answers import CONTENT_DISPOSITION, LOCATION, REPLAYED, representations
from app.cases import attachments
from app.cases.once import once
from app.cases.photos import PHOTO_TYPES, PhotoFacts, photo_facts
from app.cases.schemas import AttachmentView, PhotoView
from app.cases.tools import CaseTools
from app.database import Connection
from app.errors import NotFound
from app.idempotency import FirstAnswer, read_key
from app.login.guards import Caller, CitizenRequest, citizen
from app.parameters import NeededKey
from app.problems import problems
from app.storable import refuse_texts

BYTES = "application/octet-stream"
MAX_REQUEST_BYTES = attachments.MAX_BYTES + 64 * 1024


class Upload(msgspec.Struct):
    """One file: JPEG, PNG or PDF, at most 10 MB."""

    file: UploadFile


@post(
    "/v1/attachments",
    opt=citizen(acting="services"),
    operation_id="send_attachment",
    summary="Send a file",
    description="JPEG, PNG or PDF up to 10 MB, its type proven by content. Needs an Idempotency-Key.",
    request_max_body_size=MAX_REQUEST_BYTES,
    tags=["attachments"],
    response_headers=[LOCATION, REPLAYED],
    response_description="Stored; a form names it by its id",
    responses=problems(
        409,
        413,
        "attachment_too_large",
        "attachment_too_many_pixels",
        415,
        "attachment_type_unsupported",
        422,
        "attachment_empty",
        "attachment_unsafe",
        "attachments_too_many",
    ),
)
async def send_attachment(
    data: MultipartBody[Upload],
    request: CitizenRequest,
    idempotency_key: NeededKey,
) -> Response[AttachmentView]:
    read_key(idempotency_key, required=True)
    refuse_texts([data.file.filename])
    content = await data.file.read()
    write = once(request)
    vault = write.tools.vault

    async def work(connection: Connection) -> FirstAnswer:
        values = await asyncio.to_thread(attachments.describe, content, data.file.filename, write.caller.id, vault)
        row = await attachments.insert(connection, values)
        await write.tools.files.put(row["id"], content)
        view = attachments.view(row, vault)
        return FirstAnswer(201, msgspec.json.encode(view), {"Location": f"/v1/attachments/{view.id}"})

    return await write.answer(work, data.file.filename.encode() + b"\0" + content)


@get(
    "/v1/attachments/{attachment_id:uuid}",
    opt=citizen(acting="attachment"),
    operation_id="read_attachment",
    summary="One of my files",
    media_type=BYTES,
    tags=["attachments"],
    operation_class=representations(*attachments.MEDIA_TYPES, form=OpenAPIFormat.BINARY, also=False),
    response_headers=[CONTENT_DISPOSITION],
    response_description="The file, as it was sent",
    responses=problems("attachment_not_found"),
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


@get(
    "/v1/attachments/{attachment_id:uuid}/photo",
    opt=citizen(acting="attachment"),
    operation_id="read_photo",
    summary="Where and when one of my photos says it was taken",
    description="Read from the photo's own data, to fill a form in with. Null is what the photo does not say.",
    tags=["attachments"],
    responses=problems("attachment_not_found"),
)
async def read_photo(
    attachment_id: FromPath[UUID], caller: NamedDependency[Caller], cases: NamedDependency[CaseTools]
) -> PhotoView:
    async with cases.database.connection() as connection:
        row = await attachments.own(connection, attachment_id, caller.id)
    if row is None:
        raise NotFound("attachment_not_found")
    facts = PhotoFacts()
    if row["media_type"] in PHOTO_TYPES:
        content = await cases.files.get(attachment_id)
        facts = await asyncio.to_thread(photo_facts, content, cases.catalog.timezone)
    return PhotoView(attachment_id, facts.latitude, facts.longitude, facts.taken_at)


ATTACHMENT_ROUTES = [send_attachment, read_attachment, read_photo]
