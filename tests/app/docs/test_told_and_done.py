"""What the document says of parameters is what the running API holds them to: missing, empty, or in words of null."""

import re

import pytest

from tests.harness.cases import new_key
from tests.harness.people import Citizen

NO_ID = "0192f5d0-c0de-7000-8000-000000000001"
NO_CASE = f"/v1/cases/{NO_ID}"


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "code", "pointer"),
    [
        ("GET", "/v1/permits/check", {}, 400, "parameter_invalid", "/query/number"),
        ("GET", "/v1/cases?status=null", {}, 400, "parameter_invalid", "/query/status"),
        ("GET", "/v1/cases?status=", {}, 400, "parameter_invalid", "/query/status"),
        ("GET", "/v1/cases?limit=101", {}, 400, "parameter_invalid", "/query/limit"),
        ("GET", "/v1/cases?cursor=", {}, 400, "parameter_invalid", "/query/cursor"),
        ("POST", "/v1/cases", {}, 400, "idempotency_key_missing", None),
        ("POST", "/v1/cases", {"Idempotency-Key": ""}, 400, "idempotency_key_invalid", None),
        ("POST", f"{NO_CASE}/withdraw", {"Idempotency-Key": ""}, 400, "idempotency_key_invalid", None),
        ("PATCH", NO_CASE, {}, 428, "if_match_missing", None),
        ("GET", f"{NO_CASE}/events", {"Last-Event-ID": "-1"}, 400, "last_event_id_invalid", None),
    ],
)
async def test_a_parameter_that_cannot_be(
    citizen: Citizen, method: str, path: str, headers: dict[str, str], status: int, code: str, pointer: str | None
) -> None:
    body = {"service": "outdoor-advertising", "form": {}} if path == "/v1/cases" else {"form": {}}
    sent = body if method in ("POST", "PATCH") and not path.endswith("withdraw") else None
    answer = await citizen.client.request(method, path, json=sent, headers=headers)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code), problem
    assert [fault["pointer"] for fault in problem.get("errors", [])] == ([pointer] if pointer else [])


async def test_a_withdrawal_may_have_no_body_and_not_null(citizen: Citizen) -> None:
    without = await citizen.client.post(f"{NO_CASE}/withdraw")
    null = await citizen.client.post(
        f"{NO_CASE}/withdraw", content="null", headers={"Content-Type": "application/json"}
    )
    assert (without.status_code, without.json()["code"]) == (404, "case_not_found")
    assert (null.status_code, null.json()["code"]) == (422, "validation_failed")


async def test_another_method_is_refused_with_those_that_are_there(citizen: Citizen) -> None:
    answer = await citizen.client.put("/v1/cases")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert {"GET", "POST"} <= set(answer.headers["allow"].replace(" ", "").split(","))


async def test_what_is_not_there_is_refused_as_told(citizen: Citizen) -> None:
    document = (await citizen.client.get("/openapi.json")).json()
    untold = []
    for path, operations in document["paths"].items():
        names = [name for name in re.findall(r"{(\w+)}", path) if name.endswith("_id")]
        if not names or path.count("{") != len(names) or path.startswith("/v1/officer"):
            continue
        for method in operations.keys() - {"patch", "put"}:
            answer = await citizen.client.request(
                method, re.sub(r"{\w+}", NO_ID, path), json={} if "requestBody" in operations[method] else None
            )
            told = operations[method]["responses"].get(str(answer.status_code), {}).get("content", {})
            if answer.json()["code"] not in told.get("application/problem+json", {}).get("examples", ()):
                untold.append((operations[method]["operationId"], answer.status_code, answer.json()["code"]))
    assert untold == []


async def test_acting_where_nobody_may_is_refused_as_told(citizen: Citizen) -> None:
    document = (await citizen.client.get("/openapi.json")).json()
    refused, untold = 0, []
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if "X-Acting-For" in str(operation["parameters"]) or path in ("/healthz", "/readyz"):
                continue
            place = re.sub(r"{\w+}", NO_ID, path)
            answer = await citizen.client.request(method, place, headers={"X-Acting-For": NO_ID})
            told = operation["responses"].get("403", {}).get("content", {})
            refused += answer.status_code == 403
            if answer.status_code == 403 and answer.json()["code"] not in told["application/problem+json"]["examples"]:
                untold.append((operation["operationId"], answer.json()["code"]))
    assert refused > 100
    assert untold == []


async def test_a_list_is_too_short_in_words_of_lists(citizen: Citizen) -> None:
    asked = {"nik": "3571011708859002", "relation": "elder", "services": [], "days": 90}
    answer = await citizen.post("/v1/me/delegations", asked, key=new_key())
    [fault] = answer.json()["errors"]
    assert (fault["pointer"], fault["code"], fault["detail"]) == ("/services", "min_items", "Pilih paling sedikit 1.")


async def test_a_file_that_was_left_out_is_refused_as_told(citizen: Citizen) -> None:
    document = (await citizen.client.get("/openapi.json")).json()
    told = document["paths"]["/v1/attachments"]["post"]["responses"]
    answer = await citizen.client.post("/v1/attachments", headers={"Idempotency-Key": new_key()})
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert "validation_failed" in told["422"]["content"]["application/problem+json"]["examples"]
    assert "Retry-After" in told["409"]["headers"]


async def test_a_number_that_nothing_holds_is_a_fault_of_its_form(citizen: Citizen) -> None:
    body = b'{"service": "outdoor-advertising", "form": {"width_m": 1e999}}'
    headers = {"Content-Type": "application/json", "Idempotency-Key": new_key()}
    answer = await citizen.client.post("/v1/cases", content=body, headers=headers)
    assert [(fault["pointer"], fault["code"]) for fault in answer.json()["errors"]] == [("/form", "type")]
