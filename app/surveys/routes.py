"""HTTP of the satisfaction survey."""

from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from app.answers import REPLAYED
from app.cases.once import language_asked, once
from app.cases.tools import CaseTools
from app.database import Connection
from app.idempotency import FirstAnswer
from app.login.guards import CITIZEN, CitizenRequest
from app.parameters import Key
from app.problems import problems
from app.surveys.actions import answer_survey, questions, read_survey
from app.surveys.schemas import SurveyAnswers, SurveyView
from app.texts import Language

TAGS = ["cases"]


@get(
    "/v1/cases/{case_id:uuid}/survey",
    opt=CITIZEN,
    operation_id="read_survey",
    summary="The nine questions about a case that has ended, and my answers",
    tags=TAGS,
    responses=problems("case_not_found"),
)
async def read_case_survey(
    case_id: FromPath[UUID],
    request: CitizenRequest,
    cases: NamedDependency[CaseTools],
    language: NamedDependency[Language],
) -> SurveyView:
    async with cases.database.connection() as connection:
        return await read_survey(connection, request.user.id, case_id, language)


@post(
    "/v1/cases/{case_id:uuid}/survey",
    opt=CITIZEN,
    operation_id="answer_survey",
    summary="Answer the nine questions about a case that has ended, once",
    description="The survey of regulation PANRB 14/2017. Officers see sums of all answers, never whose they are.",
    tags=TAGS,
    response_headers=[REPLAYED],
    responses=problems("case_not_found", "case_not_ended", "case_already_surveyed", 413, 415, 422),
)
async def answer_case_survey(
    case_id: FromPath[UUID], data: JSONBody[SurveyAnswers], request: CitizenRequest, idempotency_key: Key = None
) -> Response[SurveyView]:
    write = once(request)

    async def work(connection: Connection) -> FirstAnswer:
        at = await answer_survey(connection, write.caller.id, case_id, data)
        view = SurveyView(case_id, "answered", questions(language_asked(request)), at, data)
        return FirstAnswer(201, msgspec.json.encode(view))

    return write.waking(await write.answer(work), case_id)


ROUTES = [read_case_survey, answer_case_survey]
