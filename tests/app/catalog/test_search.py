"""Search over the real catalogue of Kediri, in PostgreSQL."""

import pytest
from sqlalchemy import text

from app.catalog.catalog import Catalog
from app.catalog.search import Search, SearchCursor, search
from app.catalog.sync import sync
from app.database import Database

PRACTICE = {"nurse-practice-licence", "midwife-practice-licence", "pharmacist-practice-licence"}


async def found(database: Database, question: str, **narrowed: str | None) -> list[str]:
    async with database.transaction() as session:
        return list((await search(session, Search(question, **narrowed))).slugs)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("question", "first"),
    [
        ("bikin ktp", "identity-card"),
        ("e-KTP", "identity-card"),
        ("kartu tanda penduduk", "identity-card"),
        ("cara mengurus KTP hilang", "identity-card"),
        ("izin reklame", "outdoor-advertising"),
        ("ijin reklame", "outdoor-advertising"),
        ("pasang papan iklan", "outdoor-advertising"),
        ("pemasangan papan iklan", "outdoor-advertising"),
        ("reklme", "outdoor-advertising"),
        ("izin rekla", "outdoor-advertising"),
        ("put up a billboard", "outdoor-advertising"),
        ("outdoor advertisements", "outdoor-advertising"),
        ("perpanjang sip prawat", "nurse-practice-licence"),
        ("perpanjangan SIP perawat", "nurse-practice-licence"),
        ("nursing licence", "nurse-practice-licence"),
        ("surat ijin praktek bidan", "midwife-practice-licence"),
        ("SIPA", "pharmacist-practice-licence"),
        ("meneliti untuk skripsi", "research-permit"),
        ("IMB", "building-approval"),
        ("izin mendirikan bangunan", "building-approval"),
        ("SIUP", "business-identification-number"),
        ("tdp", "business-identification-number"),
        ("izin usaha", "business-identification-number"),
        ("akte kelahiran", "birth-certificate"),
        ("bayar pbb", "land-and-building-tax"),
        ("pembayaran pajak bumi dan bangunan", "land-and-building-tax"),
        ("mengadukan jalan rusak", "complaint"),
        ("kartu kuning", "job-seeker-card"),
    ],
)
async def test_finds_what_is_meant(database: Database, question: str, first: str) -> None:
    assert (await found(database, question))[0] == first


async def test_a_name_of_several_services_finds_them_first(database: Database) -> None:
    assert set((await found(database, "surat ijin praktek"))[:3]) == PRACTICE
    assert set(await found(database, "sip")) == PRACTICE


@pytest.mark.parametrize(
    "question", ["xyzzy", "qwertyuiop asdf", "!!!", "  ", "`^~", "🙂", "zzzz qqqq", "\x00", "'); DROP TABLE"]
)
async def test_nonsense_finds_nothing(database: Database, question: str) -> None:
    assert await found(database, question) == []


@pytest.mark.parametrize(
    "question", ["ktp & | ! ( ) :* <->", "ktp'", "ktp\\", "ktp:A", "a" * 5000, "ktp " * 500, "%_%"]
)
async def test_no_question_breaks_the_query(database: Database, question: str) -> None:
    answer = await found(database, question)
    assert ("ktp" in question) == bool(answer)


async def test_some_of_the_words_are_enough_where_no_service_has_all(database: Database) -> None:
    answer = await found(database, "kia bansos")
    aid = {"social-aid-status", "aid-household-proposal", "aid-objection"}
    assert set(answer) == {"child-identity-card", "puskesmas-queue-ticket", *aid}


async def test_narrowed_by_agency_and_life_event(database: Database) -> None:
    assert await found(database, "kartu", agency="bapenda") == []
    assert "family-card" in await found(database, "kartu", agency="disdukcapil")
    assert set(await found(database, "izin", life_event="working-in-health")) == PRACTICE


async def test_pages_follow_each_other_without_gap_or_double(database: Database) -> None:
    for question, limit in (("kartu", 2), ("kia bansos", 1)):
        whole = await found(database, question)
        pages: list[str] = []
        after: SearchCursor | None = None
        async with database.transaction() as session:
            while len(pages) <= len(whole):
                hits = await search(session, Search(question, limit=limit, after=after))
                pages += hits.slugs
                if hits.after is None:
                    break
                after = hits.after
        assert len(whole) >= 2 * limit
        assert pages == whole


async def test_sync_writes_once_and_removes_what_is_gone(database: Database, kediri: Catalog) -> None:
    async with database.transaction() as session:
        assert await sync(session, kediri) == 0
        await session.execute(text("UPDATE catalog_entries SET slug = 'gone', digest = 'x' WHERE slug = 'complaint'"))
        await session.execute(text("INSERT INTO catalog_words VALUES ('leftover', 'leftover', 'leftover')"))
        assert await sync(session, kediri) == 2
        slugs = set((await session.execute(text("SELECT slug FROM catalog_entries"))).scalars())
        assert slugs == {service.slug for service in kediri.services()}
        assert await session.scalar(text("SELECT count(*) FROM catalog_words WHERE word = 'leftover'")) == 0
