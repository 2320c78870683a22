"""Numbers for Prometheus: requests, jobs, uploads, library, memory."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import Scope

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """Counts in a registry of its own, so that two servers in one process do not share them."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "taggram_requests", "Answers by route, method and status.",
            ["route", "method", "status"], registry=self.registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "taggram_request_seconds", "Time to the end of the answer, by route.",
            ["route"], buckets=_BUCKETS, registry=self.registry,
        )  # fmt: skip
        self._ended = Counter(
            "taggram_jobs_ended", "Jobs by kind and ending.", ["kind", "state"], registry=self.registry
        )
        self._job_seconds = Histogram(
            "taggram_job_seconds", "Time from request to end of a job that was done, by kind.",
            ["kind"], buckets=(1, 2, 5, 10, 20, 60, 120, 300, 900, 3600), registry=self.registry,
        )  # fmt: skip

    def add_gauge(self, name: str, help_: str, value: Callable[[], float]) -> None:
        """Show a number that is asked for when the metrics are."""
        Gauge(f"taggram_{name}", help_, registry=self.registry).set_function(value)

    def count_request(self, scope: Scope, status: int, seconds: float) -> None:
        """Count one answer; routes by their pattern, so that ids make no series of their own."""
        route = getattr(scope.get("route"), "path", "other")
        self._requests.labels(route, scope["method"], str(status or 499)).inc()
        if "events" not in route:
            self._seconds.labels(route).observe(seconds)

    def count_job(self, kind: str, state: str, seconds: float) -> None:
        """Count the end of a job."""
        self._ended.labels(kind, state).inc()
        if state == "done":
            self._job_seconds.labels(kind).observe(seconds)

    def render(self) -> bytes:
        """Return all numbers in Prometheus' text format."""
        return generate_latest(self.registry)


def memory_in_use() -> float:
    """Return the bytes of memory that this process holds; NaN where that is not known."""
    try:
        import os

        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123  # no path of a user
            return float(int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE"))
    except (OSError, ValueError, AttributeError, ImportError):
        return float("nan")
