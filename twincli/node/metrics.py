"""Counting what a node does, in Prometheus's text form.

Source: the text-based exposition format of Prometheus, version 0.0.4.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class Histogram:
    """Counts values in buckets.

    Args:
        bounds: Upper bounds, ascending.
    """

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def lines(self, name: str, labels: str = "") -> Iterator[str]:
        """Yield the lines of this histogram."""
        so_far = 0
        comma = "," if labels else ""
        for bound, number in zip((*self.bounds, "+Inf"), self.counts, strict=True):
            so_far += number
            yield f'{name}_bucket{{{labels}{comma}le="{bound}"}} {so_far}'
        around = f"{{{labels}}}" if labels else ""
        yield f"{name}_sum{around} {self.total:.6f}"
        yield f"{name}_count{around} {so_far}"


class Metrics:
    """Counts what happened since the node started."""

    def __init__(self) -> None:
        self._requests: dict[tuple[str, str, int], int] = {}
        self._latency: dict[str, Histogram] = {}
        self._batches = Histogram(SIZES)
        self._accepted = 0
        self._refused = 0

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request.

        Args:
            route: As in the table of routes, so clients cannot invent labels.
            method: HTTP method, as allowed there.
            status: Of the answer.
            seconds: From the head of the request to the end of the answer.
        """
        key = (route, method, status)
        self._requests[key] = self._requests.get(key, 0) + 1
        histogram = self._latency.get(route)
        if histogram is None:
            histogram = self._latency[route] = Histogram(SECONDS)
        histogram.add(seconds)

    def committed(self, accepted: int, refused: int) -> None:
        """Count a batch of the writer."""
        self._accepted += accepted
        self._refused += refused
        if accepted:
            self._batches.add(accepted)

    def text(self, gauges: Mapping[str, tuple[str, int]]) -> str:
        """Return everything.

        Args:
            gauges: By name a description and the current value.
        """
        return "\n".join(self._lines(gauges)) + "\n"

    def _lines(self, gauges: Mapping[str, tuple[str, int]]) -> Iterator[str]:
        yield from _head("twin_node_requests_total", "counter", "Requests answered.")
        for (route, method, status), number in sorted(self._requests.items()):
            labels = f'route="{route}",method="{method}",status="{status}"'
            yield f"twin_node_requests_total{{{labels}}} {number}"
        yield from _head("twin_node_request_seconds", "histogram", "Time to answer a request.")
        for route, histogram in sorted(self._latency.items()):
            yield from histogram.lines("twin_node_request_seconds", f'route="{route}"')
        yield from _head(
            "twin_node_transactions_total", "counter", "Transactions committed or refused."
        )
        yield f'twin_node_transactions_total{{verdict="committed"}} {self._accepted}'
        yield f'twin_node_transactions_total{{verdict="refused"}} {self._refused}'
        yield from _head("twin_node_block_transactions", "histogram", "Transactions in a block.")
        yield from self._batches.lines("twin_node_block_transactions")
        for name, (what, value) in gauges.items():
            yield from _head(name, "gauge", what)
            yield f"{name} {value}"


def _head(name: str, kind: str, what: str) -> tuple[str, str]:
    return f"# HELP {name} {what}", f"# TYPE {name} {kind}"
