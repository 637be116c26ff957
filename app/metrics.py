"""This process's counters for operators, in Prometheus' text form, on a port of their own: never on the public one."""

import errno
import logging

from prometheus_client import start_http_server

from app.settings import Settings

log = logging.getLogger("loket")

# As many processes of one machine share the setting: each takes the next free port, and says which.
PORTS = 16


def serve_metrics(settings: Settings) -> None:
    """Serve them until the process ends, if LOKET_METRICS_PORT is set."""
    if not settings.metrics_port:
        return
    for port in range(settings.metrics_port, settings.metrics_port + PORTS):
        try:
            start_http_server(port, settings.metrics_host)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
        else:
            log.info("metrics of this process on %s:%d", settings.metrics_host, port)
            return
    log.warning("no port is free for metrics from %d on", settings.metrics_port)
