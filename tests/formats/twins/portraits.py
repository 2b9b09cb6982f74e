"""Twins to be written, drawn by Hypothesis: any names, any values, anything that happened."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from twincli.formats.twins import portrait
from twincli.formats.twins.portrait import Happening, Part, Portrait
from twincli.model.template import Field

DID = "did:bdb:0011223344556677:" + "ab" * 32
OWNERS = tuple(f"did:key:z6Mk{letter}" for letter in "CAB")
AT = "2024-01-20T09:00:00.000Z"

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
MEMBERS = st.dictionaries(TEXTS.filter(bool), VALUES, max_size=5)
FIELDS = {
    "km": Field("km", "number", unit="km", low=0.0, high=9.5),
    "count": Field("count", "integer"),
    "on": Field("on", "boolean"),
    "label": Field("label", "text"),
    "made": Field("made", "datetime"),
    "took": Field("took", "duration"),
    "mode": Field("mode", "enum", values=("eco", "turbo boost", "Eco")),
    "place": Field("place", "coordinates", real_time=True),
    "box": Field(
        "box", "object", fields={"w": Field("w", "number", unit="mm"), "x y": Field("x y", "text")}
    ),
    "free": Field("free", "object"),
    "tags": Field("tags", "list", items=Field("", "text")),
    "any": Field("any", "list"),
}


def happening(kind: str, **changes: Any) -> Happening:
    made = Happening(kind, AT, "", None, "cd" * 32, OWNERS[:1])
    return made._replace(**changes)


@st.composite
def happenings(draw: st.DrawFn) -> Happening:
    kind = draw(
        st.sampled_from(
            (
                portrait.CREATED,
                portrait.TRANSFERRED,
                portrait.BURNED,
                portrait.STAGE,
                portrait.STATE,
                portrait.EVENT,
                portrait.MAINTENANCE,
            )
        )
    )
    is_transfer = kind == portrait.TRANSFERRED
    return happening(
        kind,
        what=draw(TEXTS | st.sampled_from(("shipping", "design"))),
        location=draw(st.none() | TEXTS),
        owners_before=draw(st.permutations(OWNERS))[:2] if is_transfer else (),
        owners=tuple(draw(st.permutations(OWNERS))) if is_transfer else (),
    )


def sample(**changes: Any) -> Portrait:
    """Return a twin with a declared field of every type."""
    made = Portrait(
        did=DID,
        id="ab" * 32,
        name="pump",
        kind="pump",
        template="pump-v2",
        facts={"serial": "007", "box": {"w": 5}},
        state={
            "km": 5,
            "place": {"latitude": 1.5, "longitude": 2},
            "tags": ["a"],
            "nested": {"a": {"b": None}},
        },
        declared=FIELDS,
        streams=frozenset({"place"}),
        events=("serviced",),
        owners=OWNERS[:1],
        created=AT,
        changed="2024-02-01T00:00:00.000Z",
        parts=(Part(DID.replace("ab", "ef"), AT, "ef" * 32, present=True),),
        happenings=(
            happening(portrait.CREATED, owners=OWNERS[:1]),
            happening(portrait.STAGE, what="shipping", location="Port of Guatemala"),
            happening(portrait.TRANSFERRED, owners_before=OWNERS[:1], owners=OWNERS[1:]),
            happening(portrait.MAINTENANCE, what="oil"),
            happening(portrait.BURNED),
        ),
    )
    return made._replace(**changes)


@st.composite
def portraits(draw: st.DrawFn) -> Portrait:
    return sample(
        name=draw(TEXTS.filter(bool)),
        kind=draw(st.none() | TEXTS),
        template=draw(st.none() | TEXTS.filter(bool) | st.just("x-v3")),
        facts=draw(MEMBERS),
        state=draw(MEMBERS),
        declared=draw(st.sampled_from(({}, FIELDS))),
        events=tuple(draw(st.lists(TEXTS.filter(bool), max_size=2, unique=True))),
        parts=draw(st.sampled_from(((), sample().parts))),
        happenings=tuple(draw(st.lists(happenings(), max_size=4))),
    )
