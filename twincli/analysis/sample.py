"""Samples: fewer readings that show the same shape. They are rows, so all columns stay."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twincli.analysis import buckets
from twincli.model.batch import load_numpy

if TYPE_CHECKING:
    from twincli.model.batch import Array


def minmax(values: Array, begins: Array) -> Array:
    """Return the rows of the lowest and the highest value of each bucket, in order.

    Of equal values the first one counts; a bucket of equal values has one row.
    """
    np = load_numpy()
    if len(values) == 0:
        return np.zeros(0, dtype=np.int64)
    starts = buckets.starts_of(begins)
    order = np.lexsort((values, begins))
    lowest = order[starts]
    # Sorted again with the highest first, so that of equal ones the first counts, too.
    rank = np.empty(len(values), dtype=np.int64)
    rank[order] = np.cumsum(np.append(0, values[order][1:] != values[order][:-1]))
    highest = np.lexsort((-rank, begins))[starts]
    return np.unique(np.concatenate([lowest, highest]))


def lttb(time: Array, values: Array, points: int) -> Array:
    """Return the rows of the largest triangles in three buckets, in order.

    Source: Sveinn Steinarsson, Downsampling Time Series for Visual Representation, 2013.

    Args:
        time: Ascending.
        values: float64 or int64.
        points: How many rows at most, at least 3.
    """
    np = load_numpy()
    count = len(time)
    if count <= points:
        return np.arange(count)
    across = (time - time[0]).astype(np.float64)
    up = values.astype(np.float64)
    # The first and the last row stay; the others are cut into equal parts, one row of each.
    edges = (np.arange(points - 1) * (count - 2) / (points - 2)).astype(np.int64) + 1
    edges[-1] = count - 1
    means = (
        np.append(np.add.reduceat(across[: count - 1], edges[:-1]) / np.diff(edges), across[-1]),
        np.append(np.add.reduceat(up[: count - 1], edges[:-1]) / np.diff(edges), up[-1]),
    )
    chosen = np.empty(points, dtype=np.int64)
    chosen[0], chosen[-1] = 0, count - 1
    at = 0
    for part in range(points - 2):
        begin, end = int(edges[part]), int(edges[part + 1])
        right, above = means[0][part + 1], means[1][part + 1]
        areas = np.abs(
            (across[at] - right) * (up[begin:end] - up[at])
            - (across[at] - across[begin:end]) * (above - up[at])
        )
        at = begin + int(areas.argmax())
        chosen[part + 1] = at
    return chosen
