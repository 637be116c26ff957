"""The usual way: FastAPI as its own tutorial teaches it, pydantic, SQLAlchemy's async ORM, httpx, redis-py.

`python -m bench.fastapi_yardstick SETTINGS`. One HTTP client and one engine for the process, made in the lifespan.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID, uuid4

import httpx
import jwt
import msgspec
import uvicorn
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.security import OAuth2PasswordBearer
from pydantic import BaseModel, ConfigDict, Field
from redis.asyncio import BlockingConnectionPool, Redis
from sqlalchemy import DateTime, ForeignKey, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, selectinload

from app.database import sqlalchemy_url
from bench.ground import AUDIENCE, POOL_SIZE, Settings


class Base(DeclarativeBase):
    type_annotation_map: ClassVar[dict[Any, Any]] = {datetime: DateTime(timezone=True), dict[str, Any]: JSONB()}


class Case(Base):
    __tablename__ = "cases"
    __table_args__ = {"schema": "bench"}  # noqa: RUF012 - as SQLAlchemy declares it

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    number: Mapped[str]
    citizen_id: Mapped[UUID]
    service: Mapped[str]
    status: Mapped[str]
    delivery: Mapped[str]
    form: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    timeline: Mapped[list["Event"]] = relationship(order_by="Event.seq")


class Event(Base):
    __tablename__ = "events"
    __table_args__ = {"schema": "bench"}  # noqa: RUF012 - as SQLAlchemy declares it

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    case_id: Mapped[UUID] = mapped_column(ForeignKey("bench.cases.id"))
    seq: Mapped[int]
    kind: Mapped[str]
    label: Mapped[str]
    at: Mapped[datetime]


class FromRow(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class CasePublic(FromRow):
    id: UUID
    number: str
    service: str
    status: str
    delivery: str
    created_at: datetime
    updated_at: datetime


class CaseList(BaseModel):
    items: list[CasePublic]
    next_cursor: str | None = None


class EventPublic(FromRow):
    seq: int
    kind: str
    label: str
    at: datetime


class CaseWithTimeline(CasePublic):
    timeline: list[EventPublic]


class Opened(FromRow):
    id: UUID
    number: str
    status: str


class Me(BaseModel):
    id: UUID
    assurance_level: int


class AgencyRow(BaseModel):
    """The agency's own names, as its answer has them."""

    n_pemohon: str
    n_perizinan: str
    no_surat: str
    tgl_surat: str
    d_berlaku_izin: str


class Licence(BaseModel):
    number: str
    permit: str
    holder: str
    issued_on: str
    valid_until: str


class ResearchForm(BaseModel):
    model_config = ConfigDict(extra="forbid")

    kind: Literal["new", "renewal"]
    purpose: Annotated[str, Field(min_length=3, max_length=500)]
    applicant_address: Annotated[str, Field(min_length=3, max_length=300)]
    applicant_village_code: Annotated[str, Field(pattern=r"^[0-9]{2}\.[0-9]{2}\.[0-9]{2}\.[0-9]{4}$")]
    researcher_type: Literal["individual", "university", "company", "organisation"]
    business_name: Annotated[str, Field(min_length=2, max_length=120)]
    business_address: Annotated[str, Field(min_length=3, max_length=300)]
    business_phone: Annotated[str, Field(pattern=r"^(\+62|62|0)[0-9]{7,13}$")]
    supervisor: Annotated[str, Field(min_length=2, max_length=120)]
    topic: Annotated[str, Field(min_length=3, max_length=300)]
    field: Literal["social", "health", "education", "economy", "engineering", "agriculture", "law", "other"]
    method: Annotated[str, Field(min_length=3, max_length=500)]
    location: Annotated[str, Field(min_length=3, max_length=300)]
    team_size: Annotated[int, Field(ge=1, le=200)]
    starts_on: date
    ends_on: date
    requirements_met: Annotated[list[Annotated[str, Field(max_length=40)]], Field(min_length=1, max_length=10)]
    documents: UUID
    declaration: bool


class Submission(BaseModel):
    model_config = ConfigDict(extra="forbid")

    service: Annotated[str, Field(max_length=63)]
    form: ResearchForm


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    engine = create_async_engine(sqlalchemy_url(settings.database_url), pool_size=POOL_SIZE, max_overflow=0)
    app.state.sessions = async_sessionmaker(engine, expire_on_commit=False)
    app.state.valkey = Redis(connection_pool=BlockingConnectionPool.from_url(settings.valkey_url))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{settings.agency_port}") as app.state.agency:
        yield
    await app.state.valkey.aclose()
    await engine.dispose()


app = FastAPI(lifespan=lifespan)
bearer = OAuth2PasswordBearer(tokenUrl="token")


async def get_session(request: Request) -> AsyncIterator[AsyncSession]:
    async with request.app.state.sessions() as session:
        yield session


async def get_me(request: Request, token: Annotated[str, Depends(bearer)]) -> Me:
    try:
        claims = jwt.decode(token, request.app.state.settings.public_key, algorithms=["ES256"], audience=AUDIENCE)
    except jwt.InvalidTokenError:
        raise HTTPException(401, "Could not validate credentials") from None
    if await request.app.state.valkey.exists(f"ended:{claims['sid']}"):
        raise HTTPException(401, "Could not validate credentials")
    return Me(id=UUID(claims["sub"]), assurance_level=int(claims["acr"]))


SessionDep = Annotated[AsyncSession, Depends(get_session)]
MeDep = Annotated[Me, Depends(get_me)]


@app.get("/me")
async def read_me(me: MeDep) -> Me:
    return me


@app.get("/cases", response_model=CaseList)
async def read_cases(session: SessionDep, me: MeDep, limit: int = 20) -> object:
    found = await session.scalars(select(Case).where(Case.citizen_id == me.id).order_by(Case.id.desc()).limit(limit))
    return {"items": found.all()}


@app.get("/cases/{case_id}", response_model=CaseWithTimeline)
async def read_case(case_id: UUID, session: SessionDep, me: MeDep) -> object:
    case = await session.scalar(
        select(Case).where(Case.id == case_id, Case.citizen_id == me.id).options(selectinload(Case.timeline))
    )
    if case is None:
        raise HTTPException(404, "Case not found")
    return case


@app.get("/licence")
async def read_licence(request: Request, me: MeDep, number: str) -> Licence:
    answer = await request.app.state.agency.get("/cekperizinan", params={"no_izin": number})
    answer.raise_for_status()
    row = AgencyRow.model_validate(answer.json()[0])
    return Licence(
        number=row.no_surat,
        permit=row.n_perizinan,
        holder=row.n_pemohon,
        issued_on=row.tgl_surat,
        valid_until=row.d_berlaku_izin,
    )


@app.post("/cases", status_code=201, response_model=Opened)
async def create_case(submission: Submission, session: SessionDep, me: MeDep) -> object:
    now = datetime.now(UTC)
    case = Case(
        id=uuid4(),
        number=f"KDR-{uuid4().hex[:12]}",
        citizen_id=me.id,
        service=submission.service,
        status="submitted",
        delivery="queued",
        form=submission.form.model_dump(mode="json"),
        created_at=now,
        updated_at=now,
    )
    case.timeline.append(Event(id=uuid4(), seq=0, kind="submitted", label="Permohonan diterima", at=now))
    session.add(case)
    await session.commit()
    return case


if __name__ == "__main__":
    app.state.settings = msgspec.json.decode(sys.argv[1], type=Settings)
    uvicorn.run(app, host="127.0.0.1", port=app.state.settings.port, access_log=False, log_level="warning")
