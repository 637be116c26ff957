"""Asking and answering the survey of one case."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from app.cases.states import FINAL
from app.cases.timeline import Line
from app.cases.writes import change_case, lock_own_case
from app.database import Connection
from app.errors import Conflict, NotFound
from app.surveys.elements import BEST, COLUMNS, ELEMENTS
from app.surveys.schemas import Choice, Question, SurveyAnswers, SurveyView
from app.texts import Language, text

_READ = f"""
SELECT cases.status, answered_at, {", ".join(COLUMNS)}
FROM cases LEFT JOIN surveys ON case_id = cases.id WHERE cases.id = $1 AND citizen_id = $2
"""  # noqa: S608 - constants of ours
_WRITE = f"""
INSERT INTO surveys (case_id, {", ".join(COLUMNS)}) VALUES ({", ".join(f"${place}" for place in range(1, 11))})
ON CONFLICT DO NOTHING RETURNING answered_at
"""  # noqa: S608 - constants of ours


async def read_survey(connection: Connection, citizen_id: UUID, case_id: UUID, language: Language) -> SurveyView:
    """The questions of a citizen's own case, and the answers where they were given. Raises NotFound."""
    row = await connection.fetchrow(_READ, case_id, citizen_id)
    if row is None:
        raise NotFound("case_not_found")
    return _view(case_id, row["status"], row, language)


async def answer_survey(connection: Connection, citizen_id: UUID, case_id: UUID, answers: SurveyAnswers) -> datetime:
    """Store them, once; when. The timeline says that there are some, and never which: officers read it.

    Raises NotFound, or Conflict before the case has ended and after it was answered.
    """
    held = await lock_own_case(connection, case_id, citizen_id)
    if held["status"] not in FINAL:
        raise Conflict("case_not_ended", params={"status": held["status"]})
    at: datetime | None = await connection.fetchval(_WRITE, case_id, *msgspec.structs.astuple(answers))
    if at is None:
        raise Conflict("case_already_surveyed")
    await change_case(connection, held, Line("surveyed", held["status"]))
    return at


def questions(language: Language) -> list[Question]:
    """All nine, in order."""
    return [
        Question(
            element,
            column.upper(),
            text(f"survey.{element}", language),
            [Choice(value, text(f"survey.{element}.{value}", language)) for value in range(1, BEST + 1)],
        )
        for element, column in zip(ELEMENTS, COLUMNS, strict=True)
    ]


def _view(case_id: UUID, status: str, row: Mapping[str, Any], language: Language) -> SurveyView:
    asked = questions(language)
    if row["answered_at"] is not None:
        given = SurveyAnswers(*(row[column] for column in COLUMNS))
        return SurveyView(case_id, "answered", asked, row["answered_at"], given)
    return SurveyView(case_id, "open" if status in FINAL else "not_ended", asked, None, None)
