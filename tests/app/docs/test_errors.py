"""The list of errors: every stable code, its status, and its words in both languages."""

from html import escape

from app.texts import LANGUAGES, error_statuses, text, text_keys
from tests.harness.product import Api


async def test_every_code_is_there_with_its_status_and_words(api: Api) -> None:
    async with api.client() as client:
        page = await client.get("/docs/errors")
    assert page.headers["content-type"].startswith("text/html")
    for code, status in error_statuses().items():
        section = page.text.split(f'<section id="{code}">')[1].split("</section>")[0]
        assert f"<small>{status}</small>" in section, code
        for language in LANGUAGES:
            assert escape(text(f"error.{code}", language)) in section, code
    for key in text_keys("field."):
        assert f'id="field-{key.removeprefix("field.")}"' in page.text


async def test_the_page_runs_nothing(api: Api) -> None:
    async with api.client() as client:
        page = await client.get("/docs/errors")
        style = await client.get("/docs/errors.css")
    assert "<script" not in page.text
    assert "style=" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert style.headers["content-type"].startswith("text/css")


async def test_a_problem_points_there(api: Api) -> None:
    async with api.client() as client:
        problem = (await client.get("/v1/cases")).json()
        page = await client.get(problem["type"].split("#")[0])
    assert problem["type"] == "/docs/errors#token_missing"
    assert page.status_code == 200
    assert 'id="token_missing"' in page.text
