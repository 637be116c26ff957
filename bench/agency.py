"""A tiny agency for the yardsticks: answers every GET with one licence row. `python -m bench.agency PORT DELAY_S`."""

import asyncio
import json
import sys
from typing import cast

import uvloop

ROW = {
    "n_pemohon": "Siti Aminah",
    "n_perizinan": "Izin Penyelenggaraan Reklame",
    "no_surat": "503/0001/REK/2026",
    "tgl_surat": "2026-03-02",
    "d_berlaku_izin": "2027-03-01",
}
BODY = json.dumps([ROW]).encode()
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)


class Agency(asyncio.Protocol):
    """Questions have no body, so each empty line ends one."""

    def __init__(self, delay_s: float) -> None:
        self._delay_s = delay_s
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        for _ in range(data.count(b"\r\n\r\n")):
            asyncio.get_running_loop().call_later(self._delay_s, self._answer)

    def _answer(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(ANSWER)


async def serve(port: int, delay_s: float) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: Agency(delay_s), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), float(sys.argv[2])))
