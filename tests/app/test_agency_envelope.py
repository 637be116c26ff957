"""What a backend's answer without an envelope means, by its HTTP status and by whether the call was safe."""

from collections.abc import Mapping

import pytest

from app.agency_client import AgencyClient, Call
from app.agency_envelope import Access, EnvelopeClient
from app.errors import AgencyError, AgencyRejected, AgencyUnavailable, OutcomeUnknown
from app.manifest import IntegrationManifest, OperationPolicy
from app.settings import BackendSettings
from tests.harness.listener import Behaviour, answering, listening

TOKEN = b'{"metadata": {"code": 200, "message": "Ok"}, "response": {"token": "t1"}}'
TRACE = b"<h1>A PHP Error was encountered</h1>"
MANIFEST = IntegrationManifest(
    name="untidy",
    title="Untidy",
    agency="dinkes",
    serves=["health"],
    protocol="",
    operations={
        "token": OperationPolicy(safe=True, budget_s=2),
        "read": OperationPolicy(safe=True, budget_s=2),
        "write": OperationPolicy(budget_s=2),
    },
)


async def failing(operation: str, behaviours: Mapping[str, Behaviour]) -> AgencyError:
    """The error of a call to a backend that answers the login and everything else as told."""
    replies = list(behaviours.values())

    async def behave(reader: object, writer: object) -> None:
        await (replies.pop(0) if len(replies) > 1 else replies[0])(reader, writer)  # type: ignore[arg-type] # as given

    async with listening(behave) as server:
        client = AgencyClient(MANIFEST, BackendSettings("untidy", f"http://127.0.0.1:{server.port}", {}))
        envelopes = EnvelopeClient(client, Access(Call(operation="token", path="/auth"), "x-token"))
        with pytest.raises(AgencyError) as failed:
            await envelopes.ask(Call(operation=operation, method="POST", path="/doing", json={}))
        await client.close()
    return failed.value


@pytest.mark.parametrize(
    ("status", "operation", "kind", "code"),
    [
        ("200 OK", "read", AgencyUnavailable, "unreadable"),
        ("200 OK", "write", OutcomeUnknown, ""),
        ("500 Broken", "read", AgencyUnavailable, "backend_failed"),
        ("500 Broken", "write", OutcomeUnknown, ""),
        # A script's answer to a form that it has taken, or what turns away whoever is not logged in.
        ("302 Found", "write", OutcomeUnknown, ""),
        ("303 See Other", "write", OutcomeUnknown, ""),
        ("302 Found", "read", AgencyUnavailable, "not_reached"),
        ("307 Temporary Redirect", "write", AgencyUnavailable, "not_reached"),
        ("404 Not Found", "write", AgencyUnavailable, "not_reached"),
        ("405 Method Not Allowed", "write", AgencyUnavailable, "not_reached"),
        ("401 Unauthorized", "write", AgencyUnavailable, "token_refused"),
        ("403 Forbidden", "write", AgencyUnavailable, "token_refused"),
        ("400 Bad Request", "write", AgencyRejected, "refused"),
        ("422 Unprocessable", "write", AgencyRejected, "refused"),
    ],
)
async def test_an_answer_without_envelope(status: str, operation: str, kind: type[AgencyError], code: str) -> None:
    login, answer = answering(body=TOKEN), answering(status, TRACE)
    # A refused token is asked for once more.
    told = {"login": login, "answer": answer, "again": login if "40" in status else answer, "then": answer}
    failed = await failing(operation, told)
    assert (type(failed), failed.code) == (kind, code)
    assert "PHP" not in str(failed)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        TRACE,
        b'{"metadata": {"code": 201, "message": "Username salah"}}',
        b'{"metadata": {"code": 200}, "response": {}}',
        b'{"metadata": {"code": 200}, "response": {"token": ""}}',
        b'{"metadata": {"code": 200}, "response": {"token": "a\\r\\nx: y"}}',
        b'{"metadata": {"code": 200}, "response": {"token": 7}}',
    ],
    ids=repr,
)
async def test_a_login_that_gives_no_token(body: bytes) -> None:
    failed = await failing("write", {"login": answering(body=body)})
    assert (type(failed), failed.code) == (AgencyUnavailable, "login_refused")
