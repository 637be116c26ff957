"""What an export says of each case adds up to what the figures say of all."""

from collections import Counter
from datetime import UTC, date, datetime
from typing import Any

from app.assembly import Product
from app.dashboards.exports.tables import Table
from app.dashboards.figures.counting import Counting

_TIMELY = """
SELECT value, sum(count)::int AS count FROM figure_cells
WHERE measure = 'on_time' AND grain = 'month' AND agency = '' AND service = '' GROUP BY value
"""
_ASKED = {
    "kind": "cases",
    "language": "id",
    "agency": "",
    "service": "",
    "from_on": date(2000, 1, 1),
    "until_on": date(2100, 1, 1),
}


async def test_on_time_case_by_case_is_on_time_in_sum(owner: Any, product: Product) -> None:
    catalog = product.cases.catalog
    await Counting(product.database, catalog).run(everything=True)
    table = Table(product.database, catalog, {**_ASKED, "created_at": datetime.now(UTC)}, batch=5000)
    place = list(table.heading()).index("Tepat waktu")
    told = Counter(row[place] for row in (await table.piece(None)).rows)
    counted = {row["value"]: row["count"] for row in await owner.fetch(_TIMELY)}
    assert counted["yes"] > counted["no"] > 0
    assert (told["ya"], told["tidak"]) == (counted["yes"], counted["no"])
    # Tickets, what was withdrawn, and what is open say nothing of it.
    assert told[None] > 0
