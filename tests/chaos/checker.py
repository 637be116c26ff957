"""The invariants of a run, asked of the database, the agency's ledger and the citizens' history once it is over.

Each looks at everything there is and names what breaks it. I16 needs a second copy: tests/faults/test_f21_restore.py.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg
import msgspec

from app.audit.anchor_file import anchor_file
from app.cases.states import ARROWS, FINAL
from app.database import driver_url
from app.settings import Settings
from tests.chaos.evidence import Answer, Check, Evidence, Found, all_cases
from tests.chaos.history import Told
from tests.chaos.watched import audit_is_whole, ended_is_ended, looks_are_audited, nothing_sings

MOST_NAMED = 5
# Of one invariant: one that is asked for longer is not asked rightly.
MOST_ASKED_S = 120.0
_PENDING = ("queued", "delivering")


class Verdict(msgspec.Struct, frozen=True):
    """`looked_at`: how many things an invariant was asked of; `broken`: those that break it."""

    name: str
    says: str
    looked_at: int
    broken: Sequence[str]


async def check(settings: Settings, found: Found) -> list[Verdict]:
    """Every invariant, on what stands now."""
    connection = await asyncpg.connect(driver_url(settings.database_url), command_timeout=MOST_ASKED_S)
    try:
        whole = {name: getattr(found, name) for name in found.__struct_fields__}
        cases, anchors = await all_cases(connection), await anchor_file(settings).anchored()
        return await judge(Evidence(**whole, connection=connection, cases=cases, anchors=anchors))
    finally:
        await connection.close()


async def judge(evidence: Evidence) -> list[Verdict]:
    """The same of what is given."""
    return [await _verdict(name, invariant, evidence) for name, invariant in INVARIANTS.items()]


async def _verdict(name: str, invariant: Check, evidence: Evidence) -> Verdict:
    looked_at, broken = await invariant(evidence)
    says = (invariant.__doc__ or "").strip()
    return Verdict(name, says, looked_at, [*broken[:MOST_NAMED], *(["..."] if len(broken) > MOST_NAMED else [])])


async def accepted_exist(evidence: Evidence) -> Answer:
    """Every accepted case exists, under its number and id."""
    accepted = evidence.history.accepted()
    lost = [
        f"{told.number} of key {key}"
        for key, told in accepted.items()
        if str(evidence.cases.get(told.number, {}).get("id")) != told.case_id
    ]
    withdrawn = {str(row["id"]) for row in evidence.cases.values() if row["status"] == "withdrawn"}
    gone = [f"the withdrawal of {case_id}" for case_id in evidence.history.withdrawn if case_id not in withdrawn]
    return len(accepted) + len(evidence.history.withdrawn), lost + gone


async def reached_once(evidence: Evidence) -> Answer:
    """Each reached the agency exactly once in effect, or is visibly pending or an officer's."""
    broken, effects = [], evidence.effects
    numbers = {
        str(e.reference): str(e.data.get("no_pendaftaran")) for e in evidence.ledger if e.operation == "register"
    }
    for number, row in evidence.cases.items():
        times, state = effects[number], row["state"]
        if times > 1:
            broken.append(f"{number}: {times} times at the agency")
        elif state == "delivered" and (times != 1 or numbers[number] != row["agency_reference"]):
            broken.append(f"{number}: delivered as {row['agency_reference']}, at the agency {numbers.get(number)}")
        elif state == "rejected" and times:
            broken.append(f"{number}: {row['reason']}, yet at the agency")
        elif state in _PENDING and not (row["next_try_at"] or row["lease_until"] or row["job"]):
            broken.append(f"{number}: {state}, and nobody will ever try")
    return len(evidence.cases), broken


async def unknown_resolve(evidence: Evidence) -> Answer:
    """Each unanswered request, asked again, got an answer."""
    unknown = list(evidence.history.unknown())
    silent = sum(any(told.status == 0 for told in all_told) for all_told in evidence.history.told.values())
    return silent, [asked.key for asked in unknown]


async def refused_did_nothing(evidence: Evidence) -> Answer:
    """What was refused had no effect: no case that nobody was told of, here or at the agency."""
    accepted = evidence.history.accepted()
    told = {one.number for one in accepted.values()}
    here = [f"{number} exists, and nobody was told" for number in evidence.cases if number not in told]
    there = [f"{number} is at the agency, and nobody was told" for number in evidence.effects if number not in told]
    refused = [key for key, asked in evidence.history.asked.items() if asked[0].intent == "refused"]
    taken = [f"{key} was to be refused" for key in refused if key in accepted]
    return len(refused), here + there + taken


async def written_together(evidence: Evidence) -> Answer:
    """Case, first line, delivery, audit row, key and file stand together, or not at all."""
    rows = await evidence.connection.fetch(_TOGETHER)
    broken = [f"{row['number']}: {row['what']} is missing or doubled" for row in rows]
    broken += [f"{row['what']} {row['id']} without its case" for row in await evidence.connection.fetch(_ORPHANS)]
    return len(evidence.cases), broken


async def one_answer_a_key(evidence: Evidence) -> Answer:
    """One key has one answer to the byte, however often it is asked; for another body it is refused."""
    broken = []
    for key, told in evidence.history.told.items():
        answers = {one.digest for one in told if _is_final(one) and 200 <= one.status < 300}
        refusals = {one.status for one in told if _is_final(one) and not 200 <= one.status < 300}
        if len(answers) > 1 or len(refusals) > 1 or (answers and refusals):
            broken.append(f"{key}: {len(answers)} answers, refusals {sorted(refusals)}")
    broken += [f"another body got {status}" for status in evidence.otherwise if status != 422]
    return len(evidence.history.told) + len(evidence.otherwise), broken


async def timeline_goes_forward(evidence: Evidence) -> Answer:
    """Timelines have no gap and no doubled line; a status moves along its arrows and never leaves its end."""
    broken = [f"{row['number']}: {row['lines']} lines" for row in await evidence.connection.fetch(_GAPS)]
    moves = await evidence.connection.fetch("SELECT * FROM witness.moves ORDER BY seq")
    for move in moves:
        legal = move["before"] == move["after"] or move["after"] in ARROWS[move["before"]]
        if not legal or move["event_after"] < move["event_before"] or move["before"] in FINAL:
            broken.append(f"{move['case_id']}: {move['before']} to {move['after']}")
    endings = await evidence.connection.fetch("SELECT * FROM witness.endings")
    broken += [f"delivery {row['delivery_id']} left its end {row['before']} for {row['after']}" for row in endings]
    return len(evidence.cases) + len(moves), broken


async def own_writes_are_read(evidence: Evidence) -> Answer:
    """A citizen sees an accepted case at once."""
    told = {key: one.number for key, one in evidence.history.accepted().items()}
    answered = [seen for seen in evidence.history.seen if 0 < seen.status < 500]
    return len(answered), [
        f"{seen.key}: {seen.status} {seen.number}"
        for seen in answered
        if seen.status != 200 or seen.number != told.get(seen.key)
    ]


async def leases_hold(evidence: Evidence) -> Answer:
    """No two workers held one delivery at once; fences rise by one with each claim."""
    claims = await evidence.connection.fetch("SELECT * FROM witness.claims ORDER BY seq")
    broken = []
    for claim in claims:
        if claim["fence"] != claim["fence_before"] + 1:
            broken.append(f"{claim['delivery_id']}: fence {claim['fence_before']} to {claim['fence']}")
        if claim["lease_before"] is not None and claim["lease_before"] >= claim["at"]:
            broken.append(f"{claim['delivery_id']}: claimed while leased")
    doubled = Counter((claim["delivery_id"], claim["fence"]) for claim in claims)
    broken += [f"{delivery}: fence {fence} twice" for (delivery, fence), times in doubled.items() if times > 1]
    return len(claims), broken


async def queue_conserves(evidence: Evidence) -> Answer:
    """Accepted = delivered + pending + parked, the case says what its delivery says, and what is open has a job."""
    broken = [
        f"{number}: the case says {row['delivery_state']}, its delivery {row['state']}"
        for number, row in evidence.cases.items()
        if row["state"] is None
        or (row["delivery_state"] != row["state"] and not (row["reason"] == "withdrawn" and not row["delivery_state"]))
    ]
    broken += [f"{number}: open, without a job" for number, row in evidence.cases.items() if _is_forgotten(row)]
    return len(evidence.cases), broken


async def order_is_kept(evidence: Evidence) -> Answer:
    """Of one case, nothing was settled before what came before it."""
    rows = await evidence.connection.fetch(_ORDER)
    return len(rows), [f"{row['number']}: {row['operations']}" for row in rows if not row["right"]]


async def counters_agree(evidence: Evidence) -> Answer:
    """What is counted is what a recount gives: lines of a timeline, and one message of each delivery."""
    rows = await evidence.connection.fetch(_COUNTERS)
    return len(evidence.cases), [f"{row['number']}: {row['what']}" for row in rows]


INVARIANTS: Mapping[str, Check] = {
    "I1": accepted_exist,
    "I2": reached_once,
    "I3": unknown_resolve,
    "I4": refused_did_nothing,
    "I5": written_together,
    "I6": one_answer_a_key,
    "I7": timeline_goes_forward,
    "I8": audit_is_whole,
    "I9": looks_are_audited,
    "I10": own_writes_are_read,
    "I11": leases_hold,
    "I12": queue_conserves,
    "I13": order_is_kept,
    "I14": ended_is_ended,
    "I15": counters_agree,
    "I18": nothing_sings,
}


def _is_final(told: Told) -> bool:
    return 0 < told.status < 500 and told.status not in (409, 429)


def _is_forgotten(row: Mapping[str, Any]) -> bool:
    return row["state"] in _PENDING and not row["job"] and not row["lease_until"]


# Counted once over each table and then joined: asked for case by case, 20,000 cases took longer than their storm.
_TOGETHER = """
SELECT number, what FROM cases
LEFT JOIN (SELECT case_id, count(*) AS lines FROM case_events WHERE seq = 1 AND kind = 'submitted' GROUP BY 1)
    AS line ON line.case_id = cases.id
LEFT JOIN (SELECT case_id, count(*) AS deliveries FROM deliveries WHERE operation = 'submit' GROUP BY 1)
    AS delivery ON delivery.case_id = cases.id
LEFT JOIN (SELECT object_id, count(*) AS rows FROM audit_rows
    WHERE object_kind = 'case' AND action = 'case.submit' GROUP BY 1) AS audit ON object_id = cases.id::text
LEFT JOIN (SELECT headers->>'Location' AS place, count(*) AS keys FROM idempotency_keys GROUP BY 1)
    AS keyed ON place = '/v1/cases/' || cases.id::text
LEFT JOIN (SELECT case_id, count(*) AS files FROM attachments GROUP BY 1) AS file ON file.case_id = cases.id
CROSS JOIN LATERAL (VALUES
    ('its first line', lines), ('its delivery', deliveries), ('its audit row', rows), ('its key', keys),
    ('its file', files)
) AS found (what, times) WHERE coalesce(times, 0) <> 1
"""
_ORPHANS = """
SELECT 'audit row' AS what, object_id AS id FROM audit_rows
WHERE action = 'case.submit' AND NOT EXISTS (SELECT 1 FROM cases WHERE cases.id::text = object_id)
UNION ALL
SELECT 'key', key FROM idempotency_keys
WHERE NOT EXISTS (SELECT 1 FROM cases WHERE headers->>'Location' = '/v1/cases/' || cases.id::text)
UNION ALL
SELECT 'job', id::text FROM pgqueuer WHERE entrypoint LIKE 'deliver.%'
    AND NOT EXISTS (SELECT 1 FROM deliveries WHERE deliveries.id::text = dedupe_key)
"""
_GAPS = """
SELECT number, count(seq) AS lines FROM cases LEFT JOIN case_events ON case_id = cases.id
GROUP BY cases.id HAVING count(seq) <> coalesce(max(seq), 0) OR coalesce(min(seq), 0) <> 1
"""
_ORDER = """
SELECT number, string_agg(operation || ' ' || state, ', ' ORDER BY deliveries.id) AS operations,
    array_agg(finished_at ORDER BY deliveries.id) IS NOT DISTINCT FROM array_agg(finished_at ORDER BY finished_at)
    AS right
FROM deliveries JOIN cases ON cases.id = case_id GROUP BY number HAVING count(*) > 1
"""
_COUNTERS = """
SELECT number, 'its last line is no ' || last_event AS what
FROM cases LEFT JOIN (SELECT case_id, count(*) AS lines FROM case_events GROUP BY 1) AS counted ON case_id = cases.id
WHERE last_event <> coalesce(lines, 0)
UNION ALL
SELECT number, 'told of its delivery ' || coalesce(times, 0) || ' times'
FROM cases LEFT JOIN (
    SELECT case_id, count(*) AS times FROM messages WHERE key LIKE 'inbox.case_delivered%' GROUP BY 1
) AS told ON case_id = cases.id
WHERE coalesce(times, 0) <> (coalesce(delivery_state, '') = 'delivered')::int
"""
