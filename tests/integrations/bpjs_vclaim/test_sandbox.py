"""The sandbox speaks as VClaim does: signed in, sealed out, and a refusal in an envelope."""

import time
from typing import Any

import pytest

from app.sandbox.client import WorkbenchError
from integrations.bpjs_vclaim.sandbox import ACCOUNT, CLOCK_TOLERANCE_S
from integrations.bpjs_vclaim.sealing import sealing_key, signed_headers, unseal
from tests.integrations.bpjs_vclaim.conftest import RAHMAT, SITI, Register


async def ask(register: Register, path: str, headers: dict[str, str]) -> tuple[int, Any]:
    async with register.http.get(f"{register.url}{path}", headers=headers) as response:
        return response.status, await response.json()


def headers_at(timestamp: str, **changes: str) -> dict[str, str]:
    return {**signed_headers(ACCOUNT, timestamp), **changes}


def now() -> str:
    return str(int(time.time()))


async def test_the_answer_opens_with_this_requests_timestamp_alone(register: Register) -> None:
    timestamp = now()
    status, answer = await ask(register, f"/Peserta/nik/{SITI}/tglSEP/2026-11-23", headers_at(timestamp))
    assert (status, answer["metaData"]) == (200, {"code": "200", "message": "OK"})
    opened = unseal(answer["response"], sealing_key(ACCOUNT, timestamp), 10_000)
    assert f'"nik":"{SITI}"' in opened
    assert "SITI" not in str(answer)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"user_key": ""}, "Authentication failed: user_key"),
        ({"X-cons-id": "1"}, "Cons ID Tidak Terdaftar"),
        ({"X-signature": "AAAA"}, "Invalid Signature"),
        ({"X-timestamp": "now"}, "Invalid Timestamp"),
        ({"X-timestamp": "1795392600000"}, "Invalid Timestamp"),
        ({"X-timestamp": str(int(time.time()) - CLOCK_TOLERANCE_S - 60)}, "Service Timestamp Is Expired"),
    ],
)
async def test_nobody_else_is_answered(register: Register, changes: dict[str, str], message: str) -> None:
    path = f"/Peserta/nik/{SITI}/tglSEP/2026-11-23"
    status, answer = await ask(register, path, headers_at(now(), **changes))
    assert (status, answer) == (200, {"metaData": {"code": "401", "message": message}, "response": None})


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (f"/Peserta/nik/{RAHMAT}/tglSEP/2026-11-23", "Peserta Tidak Terdaftar"),
        ("/Peserta/nik/123/tglSEP/2026-11-23", "NIK Tidak Sesuai"),
        (f"/Peserta/nik/{SITI}/tglSEP/23-11-2026", "Format Tanggal Tidak Sesuai. Format : yyyy-MM-dd"),
        (f"/Peserta/nik/{SITI}/tglSEP/2026-02-30", "Format Tanggal Tidak Sesuai. Format : yyyy-MM-dd"),
    ],
)
async def test_refuses_in_its_envelope(register: Register, path: str, message: str) -> None:
    status, answer = await ask(register, path, headers_at(now()))
    assert (status, answer) == (200, {"metaData": {"code": "201", "message": message}, "response": None})


async def test_the_http_status_mirrors_the_code_where_it_is_so_installed(register: Register) -> None:
    await register.bench.quirks(http_status="mirrors_code", codes="number", envelope="metadata", unknown="code_404")
    status, answer = await ask(register, f"/Peserta/nik/{RAHMAT}/tglSEP/2026-11-23", headers_at(now()))
    assert (status, answer["metadata"]["code"]) == (404, 404)


async def test_a_lookup_changes_nothing_and_work_is_kept(register: Register) -> None:
    await ask(register, f"/Peserta/nik/{SITI}/tglSEP/2026-11-23", headers_at(now()))
    assert await register.bench.ledger() == []
    await register.bench.work(SITI)
    await register.bench.work(None, "active")
    moved = [(effect.reference, effect.data["status"]) for effect in await register.bench.ledger()]
    assert moved[0] == ("0002357190010", "in_arrears")
    assert moved[1:] == [(card, "active") for card in ("0002357190010", "0002357190021", "0002357190032")]


async def test_work_knows_its_steps_and_its_members(register: Register) -> None:
    with pytest.raises(WorkbenchError, match="no step 'granted'"):
        await register.bench.work(SITI, "granted")
    with pytest.raises(WorkbenchError, match="404"):
        await register.bench.work(RAHMAT)
