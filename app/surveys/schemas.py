"""What the survey's routes take and give."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec

# Choices, not a range: to JSON Schema 3.0 is an integer too, and to msgspec it is not.
Answer = Annotated[Literal[1, 2, 3, 4], msgspec.Meta(examples=[4])]


class SurveyAnswers(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All nine, from 1 (worst) to 4 (best), in the regulation's order: U1 requirements to U9 facilities."""

    requirements: Answer
    procedure: Answer
    time: Answer
    fee: Answer
    product: Answer
    competence: Answer
    conduct: Answer
    complaints: Answer
    facilities: Answer


class Choice(msgspec.Struct, frozen=True):
    value: int
    text: str


class Question(msgspec.Struct, frozen=True):
    """`element`: the name its answer has; `code`: the regulation's, U1 to U9."""

    element: str
    code: str
    text: str
    choices: list[Choice]


class SurveyView(msgspec.Struct):
    """`state`: `open` once the case has ended, until it is answered. It is answered once, and not changed after."""

    case_id: UUID
    state: Literal["not_ended", "open", "answered"]
    questions: list[Question]
    answered_at: datetime | None
    answers: SurveyAnswers | None
