"""Authority: whose statements about an asset count."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from twincli.crypto.ed25519 import KeyPair
from twincli.model import did, owners, record, times
from twincli.model import transaction as _transaction
from twincli.rules import authority
from twincli.rules.authority import (
    LAST,
    WRITER,
    Authority,
    Granted,
    Place,
    Scope,
    Topic,
    Verdict,
    granted,
    revoked,
    topic_of,
)

PAIRS = {name: KeyPair.from_seed(name.encode() * 8) for name in ("anna", "bert", "carl", "dora")}
ANN, BEN, CAR, DEV = (pair.public_key for pair in PAIRS.values())
NAMES = {"ann": ANN, "ben": BEN, "car": CAR, "dev": DEV}
BY_KEY = {pair.public_key: pair for pair in PAIRS.values()}
EVENT = Topic("event")


def _details(expression: str) -> dict[str, Any]:
    return owners.to_details(owners.parse(expression), NAMES.__getitem__)


def dids(*names: str) -> list[str]:
    return [did.key_did(NAMES[name]) for name in names]


class World:
    """A twin, what is done to it, and what others would say. A block and a second a step."""

    def __init__(
        self, owner: str = "ann", *, signer: str = "ann", timed: bool = True, **more: Any
    ) -> None:
        self.height = 0
        self.timed = timed
        self.found = Authority()
        data = {"twin": more.pop("twin", record.envelope("asset", entity=CAR))}
        outputs = [_transaction.Output(_details(part), 1) for part in more.pop("shares", [owner])]
        made = _transaction.create([NAMES[signer]], outputs, data, None)
        self.create = _transaction.sign(made, [BY_KEY[NAMES[signer]]])
        self.tips = [(self.create, index) for index in range(len(outputs))]
        self.found.add(self.create, self.place())

    def place(self, number: int = 0) -> Place:
        return Place(self.height, number, self.now if self.timed else None)

    @property
    def now(self) -> int:
        return self.height * 1000

    def write(
        self,
        kind: Any,
        body: Any = None,
        *,
        to: str | None = None,
        share: int = 0,
        v: int = 1,
        **more: Any,
    ) -> str:
        """Append, or give away; return the transaction's id."""
        self.height += 1
        tip, index = self.tips[share]
        held = tip["outputs"][index]
        details = held["condition"]["details"] if to is None else _details(to)
        envelope = {"v": v, "kind": kind, "body": body, "n": self.height, **more}
        spend = _transaction.Spend.of(tip, index)
        tx = _transaction.transfer(
            [spend], [_transaction.Output(details, 1)], self.create["id"], {"twin": envelope}
        )
        tx["id"] = f"{self.height:064x}"  # it need not be signed
        self.found.add(tx, self.place())
        self.tips[share] = (tx, 0)
        return str(tx["id"])

    def grant(self, *to: str, share: int = 0, **more: Any) -> str:
        body = {"to": dids(*to), "role": WRITER, **more}
        return self.write("grant", body, share=share)

    def child(self, signer: str, kind: str = "asset") -> str:
        self.height += 1
        envelope = record.envelope(kind, parent=self.create["id"], nonce=str(self.height))
        made = _transaction.create(
            [NAMES[signer]], [_transaction.Output(_details("dev"), 1)], {"twin": envelope}, None
        )
        tx = _transaction.sign(made, [BY_KEY[NAMES[signer]]])
        self.found.add_child(tx, self.place(LAST - 1))
        return str(tx["id"])

    def judge(self, *names: str, topic: Topic = EVENT, height: int | None = None) -> Verdict:
        """Judge a statement: in the present block, or an earlier one, after all else in it."""
        at = self.height if height is None else height
        time_ms = at * 1000 if self.timed else None
        keys = [NAMES[name] for name in names]
        return self.found.judge(keys, Place(at, LAST, time_ms), topic, at * 1000)

    def by_child(self, child: str, *names: str, control: str = "dev") -> Verdict:
        keys = [NAMES[name] for name in names]
        wanted = _details(control)
        return self.found.judge(
            keys,
            self.place(LAST),
            EVENT,
            self.now,
            [child],
            lambda _, able: authority.standing(able, [wanted], None) == "authorised",
        )


# --- Owners ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "held", "entity", "standing"),
    [
        ([ANN], ["ann"], CAR, "authorised"),
        ([BEN], ["ann"], CAR, "unauthorised"),
        ([BEN], ["ann", "ben"], None, "authorised"),
        ([ANN], ["all:ann,ben"], None, "unauthorised"),
        ([ANN, BEN], ["all:ann,ben"], None, "authorised"),
        ([BEN], ["any:ann,ben"], None, "authorised"),
        ([CAR], ["ann"], CAR, "claimed_by_entity"),
        ([CAR, ANN], ["ann"], CAR, "authorised"),
        ([CAR], ["ann"], None, "unauthorised"),
        ([CAR], [], CAR, "claimed_by_entity"),
        ([ANN], [], None, "unauthorised"),
        ([], ["ann"], None, "unauthorised"),
    ],
)
def test_the_standing(keys: list[str], held: list[str], entity: str | None, standing: str) -> None:
    assert authority.standing(keys, map(_details, held), entity) == standing
    if held:
        world = World(shares=held, twin=record.envelope("asset", entity=entity))
        names = [name for name, key in NAMES.items() if key in keys]
        assert world.judge(*names).standing == standing


def test_what_counts_is_who_owned_it_then() -> None:
    world = World()
    world.write("transfer", to="ben")
    world.write("transfer", {"entity": DEV}, to="all:ann,ben")
    found = [[world.judge(name, height=at).standing for name in NAMES] for at in range(3)]
    assert found == [
        ["authorised", "unauthorised", "claimed_by_entity", "unauthorised"],
        ["unauthorised", "authorised", "claimed_by_entity", "unauthorised"],
        ["unauthorised", "unauthorised", "unauthorised", "claimed_by_entity"],
    ]
    assert world.judge("ann", "ben").standing == "authorised"


def test_before_the_twin_there_is_no_word_about_it() -> None:
    world = World()
    assert world.found.judge([ANN, CAR], Place(0, 0, 0), EVENT) == Verdict(
        "unauthorised", None, "stranger"
    )


def test_every_holder_of_a_share_speaks_and_gives() -> None:
    world = World(shares=["ann", "ben"])
    assert [world.judge(name).standing for name in ("ann", "ben")] == ["authorised"] * 2
    world.grant("dev", share=1)
    world.write("transfer", to="car", share=0)
    assert world.judge("dev").standing == "authorised"  # ben has not sold
    world.write("transfer", to="car", share=1)
    assert world.judge("dev") == Verdict("unauthorised", world.found.given[0].tx_id, "ended")


def test_who_has_left_over_shares_still_gives() -> None:
    world = World(shares=["ann", "ann"])
    world.grant("dev")
    world.write("transfer", to="ben", share=1)
    assert world.judge("dev").standing == "authorised"
    assert world.judge("ann").standing == "authorised"
    world.write("transfer", to="ben", share=0)
    assert world.judge("dev").standing == "unauthorised"
    assert world.judge("ann").standing == "unauthorised"


# --- Grants ------------------------------------------------------------------------------------


def test_a_grant_counts_from_the_next_word_on() -> None:
    world = World()
    granted_by = world.grant("dev", "ben")
    assert world.judge("dev") == Verdict("authorised", granted_by, "grant")
    assert world.judge("dev", height=0) == Verdict("unauthorised", None, "stranger")
    assert world.judge("ben", "dev").standing == "authorised"
    assert world.judge("car").standing == "claimed_by_entity"
    world.grant("car")
    assert world.judge("car").why == "grant"


def test_a_grant_gives_no_power_to_grant() -> None:
    """A grant is a transaction of the twin; a statement that grants gives nothing."""
    world = World()
    world.grant("dev")
    assert world.judge("dev", topic=Topic("grant")).standing == "authorised"
    assert world.judge("ben").standing == "unauthorised"


@pytest.mark.parametrize(
    ("scope", "topic", "inside"),
    [
        ({}, Topic("event"), True),
        ({"kinds": ["event"]}, Topic("event"), True),
        ({"kinds": ["event"]}, Topic("file"), False),
        ({"kinds": []}, Topic("event"), False),
        ({"streams": ["gps"]}, Topic("reading", stream="gps"), True),
        ({"streams": ["gps"]}, Topic("reading", stream="obd"), False),
        ({"streams": ["gps"]}, Topic("reading"), False),
        ({"kinds": ["event"], "streams": ["gps"]}, Topic("reading", stream="gps"), True),
        ({"fields": ["km"]}, Topic("append", frozenset({"km"})), True),
        ({"fields": ["km"]}, Topic("append", frozenset({"km", "vin"})), False),
        ({"fields": ["km"]}, Topic("append"), False),
        ({"fields": ["km"], "kinds": ["event"]}, Topic("event", frozenset({"vin"})), True),
    ],
)
def test_the_scope(scope: dict[str, Any], topic: Topic, inside: bool) -> None:
    world = World()
    via = world.grant("dev", **scope)
    wanted = ("authorised", "grant") if inside else ("unauthorised", "scope")
    assert world.judge("dev", topic=topic) == Verdict(wanted[0], via, wanted[1])


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {"to": dids("dev")},
        {"to": dids("dev"), "role": "viewer"},
        {"to": dids("dev"), "role": ["writer"]},
        {"to": "did", "role": WRITER},
        {"to": [7, None, "did:web:x", "x" * 5000, f"did:bdb:{'0' * 64}"], "role": WRITER},
        {"to": dids("dev"), "role": WRITER, "until": "soon"},
        {"to": dids("dev"), "role": WRITER, "until": None},
        {"to": dids("dev"), "role": WRITER, "kinds": "event"},
        {"to": dids("dev"), "role": WRITER, "fields": [1]},
    ],
)
def test_a_malformed_grant_grants_nothing(body: Any) -> None:
    world = World()
    world.write("grant", body)
    assert world.judge("dev") == Verdict("unauthorised", None, "stranger")


def test_a_grant_ends_exactly_at_its_bound() -> None:
    world = World()
    via = world.grant("dev", until=times.to_text(5000))
    keys, expired = [DEV], Verdict("unauthorised", via, "expired")

    def at(time_ms: int | None, claimed_ms: int | None = 0) -> Verdict:
        return world.found.judge(keys, Place(9, LAST, time_ms), EVENT, claimed_ms)

    assert at(4999).standing == "authorised"
    assert at(4999, 5000).standing == "authorised"  # the block's time is what counts
    assert at(5000) == expired
    assert at(5001) == expired
    doubtful = Verdict("undetermined", via, "no_block_time")
    assert at(None, 4999) == doubtful
    assert at(None, None) == doubtful
    assert at(None, 5000) == expired


def test_without_an_end_no_time_is_needed() -> None:
    world = World(timed=False)
    world.grant("dev")
    assert world.judge("dev").standing == "authorised"


# --- Readers -----------------------------------------------------------------------------------

RECIPE = Topic("reading", stream="recipe")


def test_readers_read_and_writers_write() -> None:
    world = World("any:ann,ben", shares=["all:ann,ben"])
    world.grant("dev")
    via = world.grant("car", role="viewer", streams=["recipe"], until=times.to_text(9000))

    def reads(name: str, topic: Topic = RECIPE, time_ms: int = 8999) -> Verdict:
        return world.found.may_read(NAMES[name], Place(LAST, LAST, time_ms), topic, time_ms)

    assert reads("ann").why == reads("ben").why == "owner"  # each of several
    assert reads("dev") == Verdict("unauthorised", None, "stranger")
    assert reads("car") == Verdict("authorised", via, "grant")
    assert world.judge("car", topic=RECIPE).standing != "authorised"  # it may not write
    assert reads("car", Topic("reading", stream="gps")) == Verdict("unauthorised", via, "scope")
    assert reads("car", time_ms=9000) == Verdict("unauthorised", via, "expired")
    world.grant("car", role="auditor")
    assert reads("car", Topic("file"), 9000).standing == "authorised"
    world.write("revoke", {"from": dids("car")})
    assert reads("car").standing == "revoked"


def test_a_private_scope_holds_nothing_until_it_was_opened() -> None:
    world = World()
    stated: dict[str, Any] = {"hashes": [], "wraps": []}
    # A stream beside it says nothing, and what is malformed is private all the same.
    private = world.grant("car", role="viewer", private=stated, streams=["recipe"])
    world.grant("dev", private=stated)

    def reads(name: str, opened: dict[str, Scope] | None = None, *, time_ms: int = 8999) -> Verdict:
        place = Place(LAST, LAST, time_ms)
        return world.found.may_read(NAMES[name], place, RECIPE, time_ms, opened=opened)

    assert reads("car") == Verdict("undetermined", private, "private")
    assert reads("car", {"0" * 64: Scope()}).why == "private"
    assert reads("car", {private: Scope()}) == Verdict("authorised", private, "grant")
    recipe = {private: Scope(frozenset(), frozenset(), frozenset({"recipe"}))}
    assert reads("car", recipe).standing == "authorised"
    others = {private: Scope(frozenset(), frozenset({"file"}), frozenset())}
    assert reads("car", others) == Verdict("unauthorised", private, "scope")
    assert reads("dev").why == "stranger"
    assert world.judge("dev").standing == "authorised"  # of a writer it says nothing
    world.write("revoke", {"from": dids("car")})
    assert reads("car") == reads("car", recipe) == Verdict("revoked", private, "revoked")
    again = world.grant("car", role="auditor", private=7, until=times.to_text(9000))
    assert reads("car") == Verdict("undetermined", again, "private")
    assert reads("car", {again: Scope()}, time_ms=9000).standing == "revoked"
    assert {given.is_private for given in world.found.grants_to(NAMES["car"])} == {True}


def test_a_grant_may_deny_downloads() -> None:
    world = World()
    denied = world.grant("car", role="viewer", deny=["download", "what comes later"])

    def reads(*, download: bool) -> Verdict:
        place = Place(LAST, LAST, 8999)
        return world.found.may_read(NAMES["car"], place, RECIPE, download=download)

    assert reads(download=False) == Verdict("authorised", denied, "grant")
    assert reads(download=True) == Verdict("unauthorised", denied, "download")
    malformed: list[Any] = ["download", [1], {}, None]
    for deny in malformed:
        world.grant("dev", role="viewer", deny=deny)
    assert not world.found.grants_to(NAMES["dev"])
    allowed = world.grant("car", role="viewer", streams=["recipe"])
    assert reads(download=True) == Verdict("authorised", allowed, "grant")


_STEPS = st.lists(
    st.one_of(
        st.fixed_dictionaries(
            {"role": st.sampled_from(["writer", "viewer", "auditor", "owner"])},
            optional={
                "streams": st.lists(st.sampled_from(["recipe", "gps"]), max_size=2),
                "kinds": st.lists(st.sampled_from(["reading", "file"]), max_size=2),
                "until": st.integers(1, 30).map(lambda number: times.to_text(number * 1000)),
                "deny": st.just(["download"]),
            },
        ),
        st.none(),  # a revocation
    ),
    max_size=8,
)


@settings(max_examples=100, deadline=None)
@given(_STEPS, st.sampled_from(["recipe", "gps", None]), st.integers(1, 30), st.booleans())
def test_nothing_is_read_past_an_end_or_out_of_scope(
    steps: list[dict[str, Any] | None], stream: str | None, seconds: int, download: bool
) -> None:
    world, open_ones = World(), list[dict[str, Any]]()
    for step in steps:
        if step is None:
            world.write("revoke", {"from": dids("car")})
            open_ones.clear()
        else:
            world.grant("car", **step)
            open_ones.append(step)
    topic = Topic("file") if stream is None else Topic("reading", stream=stream)

    def opens(grant: dict[str, Any], now: str) -> bool:
        is_all = "streams" not in grant and "kinds" not in grant
        holds = stream in grant.get("streams", ()) or topic.kind in grant.get("kinds", ())
        is_over = "until" in grant and now >= grant["until"]
        is_denied = download and "deny" in grant
        reads = grant["role"] in {"viewer", "auditor"}
        return reads and (is_all or holds) and not is_over and not is_denied

    for now_ms in (seconds * 1000 - 1, seconds * 1000):
        place = Place(LAST, LAST, now_ms)
        found = world.found.may_read(NAMES["car"], place, topic, now_ms, download=download)
        wanted = any(opens(grant, times.to_text(now_ms)) for grant in open_ones)
        assert (found.standing == "authorised") == wanted


# --- Revocations -------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["grant", "from", "all", "child"])
def test_a_revocation_ends_what_was_given_before_it(how: str) -> None:
    world = World()
    first = world.grant("dev", "ben")
    body = {"grant": {"grant": first}, "from": {"from": dids("dev")}, "all": {"all": True}}
    world.write("revoke", body.get(how, {"grant": "0" * 64}))
    wanted = "authorised" if how == "child" else "revoked"
    assert world.judge("dev").standing == wanted
    assert world.judge("ben").standing == ("authorised" if how in {"from", "child"} else "revoked")
    assert world.judge("dev", height=1).standing == "authorised"
    assert world.judge("car").standing == "claimed_by_entity"
    again = world.grant("dev")
    assert world.judge("dev") == Verdict("authorised", first if how == "child" else again, "grant")


def test_what_was_judged_before_is_judged_again() -> None:
    """The longer of two grants has answered; when it is revoked, the other one does."""
    world = World()
    longer = world.grant("dev")
    shorter = world.grant("dev", until=times.to_text(60_000))
    assert world.judge("dev") == Verdict("authorised", longer, "grant")
    world.write("revoke", {"grant": longer})
    assert world.judge("dev") == Verdict("authorised", shorter, "grant")


def test_since_reaches_back_by_the_blocks_time() -> None:
    world = World()
    via = world.grant("dev")
    for _ in range(5):
        world.write("append")
    world.write("revoke", {"from": dids("dev"), "since": times.to_text(4000)})
    world.write("revoke", {"all": True, "since": times.to_text(5000)})
    found = [world.judge("dev", height=at).standing for at in range(9)]
    assert found == ["unauthorised", *["authorised"] * 3, *["revoked"] * 5]
    world.timed = False
    keys = [DEV]

    def claimed(moment: int | None) -> Verdict:
        return world.found.judge(keys, Place(4, LAST), EVENT, moment)

    assert claimed(3999) == Verdict("undetermined", via, "no_block_time")
    assert claimed(None) == Verdict("undetermined", via, "no_block_time")
    assert claimed(4000) == Verdict("revoked", via, "revoked")
    assert world.judge("dev").standing == "revoked"


def test_the_earliest_since_of_several_counts() -> None:
    world = World()
    world.grant("dev")
    for _ in range(5):
        world.write("append")
    for since in (5000, 3000, None):
        more = {} if since is None else {"since": times.to_text(since)}
        world.write("revoke", {"all": True, **more})
    assert world.judge("dev", height=2).standing == "authorised"
    assert world.judge("dev", height=3).standing == "revoked"


@pytest.mark.parametrize(
    "body",
    [
        None,
        {},
        {"all": False},
        {"all": 1.5},
        {"all": 1},
        {"all": []},
        {"all": {"a": 1}},
        {"grant": 7},
        {"from": "x"},
        {"from": [7]},
        {"from": ["did:web:x"]},
        {"from": ["nonsense"]},
        {"all": True, "since": "soon"},
        {"all": True, "since": None},
        {"from": []},
        {"grant": "0" * 64, "verb": 7},
        {"verb": "part"},
    ],
)
def test_a_revocation_that_is_not_understood_leaves_doubt(body: Any) -> None:
    world = World()
    via = world.grant("dev")
    world.write("revoke", body)
    assert world.judge("dev") == Verdict("undetermined", via, "unknown_record")
    assert world.judge("dev", height=1).standing == "authorised"
    assert world.judge("ann").standing == "authorised"


def test_a_did_of_a_child_revokes_its_link() -> None:
    world = World()
    child = world.child("ann")
    world.write("revoke", {"from": [did.asset_did(child)]})
    assert world.by_child(child, "dev").standing == "revoked"


@pytest.mark.parametrize(("verb", "standing"), [("part", "revoked"), ("stream", "authorised")])
def test_a_revocation_may_name_the_verb_of_a_link(verb: str, standing: str) -> None:
    world = World()
    child = world.child("ann")
    world.write("revoke", {"grant": child, "verb": verb})
    assert world.by_child(child, "dev").standing == standing


# --- Unknown records ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "v"), [("grant2", 1), ("append", 2), ("append", 0), (None, 1), (7, 1), ("asset", 1)]
)
def test_an_unknown_record_leaves_doubt_about_what_others_say(kind: Any, v: int) -> None:
    world = World()
    via = world.grant("dev")
    world.write(kind, v=v)
    assert world.judge("dev") == Verdict("undetermined", via, "unknown_record")
    assert world.judge("ben") == Verdict("undetermined", None, "unknown_record")
    assert world.judge("ann").standing == "authorised"
    assert world.judge("dev", height=1).standing == "authorised"
    later = world.grant("ben")
    assert world.judge("ben") == Verdict("undetermined", later, "unknown_record")
    world.write(kind, v=v)
    assert world.judge("ben").standing == "undetermined"


def test_the_doubt_ends_with_its_author_but_for_what_is_kept() -> None:
    world = World()
    kept = world.grant("dev")
    world.grant("car")
    world.write("moon")
    world.write("transfer", to="ben", keeps=[kept])
    assert world.judge("dev") == Verdict("undetermined", kept, "unknown_record")
    assert world.judge("car").standing == "claimed_by_entity"
    assert world.judge("dev", height=3).standing == "undetermined"
    world.grant("car")
    assert world.judge("car").standing == "authorised"


def test_a_transfer_of_an_unknown_kind_leaves_doubt() -> None:
    world = World()
    world.grant("dev")
    world.write("transfer", to="ben", v=2)
    assert world.judge("dev").standing == "undetermined"
    assert world.judge("ann").standing == "undetermined"
    assert world.judge("ben").standing == "authorised"
    world.write("transfer", to="car")
    assert world.judge("dev").standing == "unauthorised"


@pytest.mark.parametrize(("signer", "standing"), [("ann", "undetermined"), ("ben", "unauthorised")])
def test_an_unknown_create_leaves_doubt_where_its_signer_controls_the_twin(
    signer: str, standing: str
) -> None:
    world = World(signer=signer, twin={"v": 1, "kind": "moon"})
    assert world.judge("dev").standing == standing


def test_what_is_not_an_envelope_is_the_users() -> None:
    world = World(twin="my other car")
    world.write("append", v=True)
    world.grant("dev")
    assert world.judge("dev").standing == "authorised"


def test_an_unknown_kind_of_link_is_not_a_link() -> None:
    world = World()
    for body in (
        {"verb": "replaces", "to": "0" * 64},
        {"verb": ["part"], "to": "0" * 64},
        {"verb": "part", "to": 7},
    ):
        world.write("link", body)
    assert not world.found.children


# --- Links -------------------------------------------------------------------------------------


def test_who_controls_a_linked_child_speaks_for_the_twin() -> None:
    world = World()
    child = world.child("ann")
    assert world.by_child(child, "dev") == Verdict("authorised", child, "link")
    assert world.by_child(child, "ben").standing == "unauthorised"
    other = "1" * 64
    tx = world.write("link", {"verb": "stream", "to": other})
    assert world.by_child(other, "dev") == Verdict("authorised", tx, "link")
    assert [given.verb for given in world.found.given] == ["part", "stream"]
    stream = world.child("ann", "stream")
    assert [given.verb for given in world.found.children[stream]] == ["stream"]


@pytest.mark.parametrize("signer", ["ben", "dev", "car"])
def test_a_child_that_the_controller_did_not_sign_is_not_linked(signer: str) -> None:
    world = World()
    child = world.child(signer)
    world.write("append")
    assert not world.found.children
    assert world.by_child(child, "dev").standing == "unauthorised"


def test_a_revoked_key_does_not_count_towards_the_control_of_a_child() -> None:
    world = World()
    child = world.child("ann")
    world.write("revoke", {"from": dids("dev")})
    assert world.by_child(child, "dev", control="dev").standing == "revoked"
    assert world.by_child(child, "dev", "ben", control="all:dev,ben").standing == "revoked"
    assert world.by_child(child, "dev", "ben", control="any:dev,ben").standing == "authorised"


def test_grants_and_links_end_with_a_transfer_unless_it_keeps_them() -> None:
    world = World()
    gone, kept = world.grant("dev"), world.grant("car")
    lost, child = world.child("ann"), world.child("ann")
    linked = world.write("link", {"verb": "part", "to": "1" * 64})
    world.write("transfer", to="ben", keeps=[kept, child, linked, 7])
    assert world.judge("dev") == Verdict("unauthorised", gone, "ended")
    assert world.judge("car").standing == "authorised"
    assert world.by_child(lost, "dev").why == "ended"
    assert world.by_child(child, "dev").standing == "authorised"
    assert world.by_child("1" * 64, "dev").standing == "authorised"
    assert world.judge("dev", height=4).standing == "authorised"
    world.write("transfer", to="ann", keeps="all")
    assert world.judge("car").standing == "claimed_by_entity"
    world.grant("dev")
    assert world.judge("dev").standing == "authorised"


def test_revoked_wins_over_ended() -> None:
    world = World()
    via = world.grant("dev")
    world.write("revoke", {"grant": via})
    world.write("transfer", to="ben")
    assert world.judge("dev") == Verdict("revoked", via, "revoked")


def test_a_transfer_can_keep_everything() -> None:
    world = World()
    first, child = world.grant("dev", "ben"), world.child("ann")
    assert world.found.kept_by_all() == [first, child]
    world.write("transfer", to="car")
    assert world.found.kept_by_all() == []


def test_grants_are_found_by_their_key() -> None:
    world = World()
    tx = world.grant("dev", "ben")
    assert [held.tx_id for held in world.found.grants_to(DEV)] == [tx]
    assert not world.found.grants_to(CAR)


def test_what_a_departing_owner_gives_ends_with_the_next_transfer_but_his() -> None:
    world = World(shares=["ann", "ben"])
    via = world.write("grant", {"to": dids("dev"), "role": WRITER}, to="car")
    assert world.judge("dev") == Verdict("authorised", via, "grant")
    world.write("transfer", to="ann", share=1)
    assert world.judge("dev").standing == "authorised"  # ann is back
    world.write("transfer", to="car", share=1)
    assert world.judge("dev") == Verdict("unauthorised", via, "ended")


@pytest.mark.parametrize("few", ["ann", "ben"])
def test_what_several_gave_goes_on_together(few: str) -> None:
    """An unknown transfer may keep all; then it is the new owner's, as what he gave himself."""
    world = World(shares=["ann", "ben"])
    linked = "1" * 64
    for share, owner in enumerate(("ann", "ben")):
        for _ in range(1 if owner == few else 3):
            world.write("link", {"verb": "part", "to": linked}, share=share)
            world.grant("dev", share=share)
    made = world.found.kept_by_all()
    world.write("transfer", to="ben", share=0, v=2)
    assert world.found.kept_by_all() == made
    assert world.judge("dev").standing == world.by_child(linked, "dev").standing == "undetermined"
    world.write("transfer", to="car", share=0, keeps=[linked])
    assert world.found.kept_by_all() == made  # ben has the other share
    world.write("transfer", to="car", share=1, keeps=[linked])
    assert len(world.found.kept_by_all()) == 4
    world.write("transfer", to="ben", share=0)
    world.write("transfer", to="ben", share=1, keeps=[world.found.given[0].tx_id])
    assert world.found.kept_by_all() == [world.found.given[0].tx_id]


def test_what_was_not_given_yet_does_not_hold() -> None:
    world = World()
    world.grant("dev", kinds=["event"])
    given = world.found.given[0]
    stranger = Verdict("unauthorised", None, "stranger")
    assert world.found.held(given, DEV, given.place) == stranger
    assert world.judge("dev", topic=Topic("file"), height=0) == stranger


def test_what_is_kept_to_judge_by_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authority, "MOST_SPANS", 0)
    world = World()
    every, events = world.grant("dev"), world.grant("ben", kinds=["event"])
    for _ in range(3):
        assert world.judge("dev").via == every
        assert world.judge("ben").via == events


@pytest.mark.parametrize(
    "more",
    [{}, {"kinds": ["event"]}, {"kinds": ["file"]}, {"until": times.to_text(1)}, {"role": "x"}],
)
@pytest.mark.parametrize("end", ["revoke", "grant2", "transfer"])
def test_many_grants_of_one_key_are_not_walked_for_each_word(
    end: str, more: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def counted(function: Any) -> Any:
        def count(*arguments: Any) -> Any:
            asked.append(function.__name__)
            return function(*arguments)

        return count

    monkeypatch.setattr(Authority, "held", counted(Authority.held))
    monkeypatch.setattr(authority.Holders, "holds", counted(authority.Holders.holds))
    world = World(shares=["ann", "ann"])
    for _ in range(100):
        world.grant("dev", **more)
    world.child("ann")
    for number in range(60):
        body = {"all": True} if end == "revoke" else None
        to = ["ann", "ben"][number % 2] if end == "transfer" else None
        world.write(end, body, to=to, share=1)
    for height in range(world.height):
        world.judge("dev", height=height)
        world.judge("dev", topic=Topic("file"), height=height)
    assert len(asked) < 15 * world.height


# --- Any order ---------------------------------------------------------------------------------

ACTS = st.lists(
    st.tuples(
        st.sampled_from(["grant", "revoke", "all", "sell", "keep", "moon", "append", "until"]),
        st.sampled_from(["ben", "dev"]),
        st.integers(0, 12),
    ),
    max_size=10,
)


def _expected(acts: list[tuple[str, str, int]], who: str, said: int) -> str:
    """Say by plain reading what a statement in block ``said`` of ``who``, not an owner, is."""
    grants: list[dict[str, Any]] = []
    cloud = False
    for height, (act, name, number) in enumerate(acts, 1):
        past = height <= said
        if act in {"grant", "until"} and past:
            until = number * 1000 if act == "until" else None
            grants.append({"to": name, "until": until, "end": None, "doubt": cloud, "made": height})
        elif act in {"revoke", "all"}:
            for held in grants:
                if held["to"] == name or act == "all":
                    if past:
                        held["end"] = "revoked"
                    if said * 1000 >= number * 1000:
                        held["since"] = True
        elif act in {"sell", "keep"} and past:
            cloud = False
            for held in grants:
                if act == "sell" and held["end"] is None:
                    held["end"] = "ended"
        elif act == "moon" and past:
            cloud = True
            for held in grants:
                held["doubt"] = True
    if cloud:
        return "undetermined"
    found = ["unauthorised"]
    for held in grants:
        if held["to"] != who:
            continue
        if held["end"] == "revoked":
            found.append("revoked")
        elif held["end"] == "ended" or (held["until"] is not None and said * 1000 >= held["until"]):
            continue
        elif held.get("since"):
            found.append("revoked")
        else:
            found.append("undetermined" if held["doubt"] else "authorised")
    order = ["authorised", "undetermined", "revoked", "unauthorised"]
    return min(found, key=order.index)


@settings(max_examples=300, deadline=None)
@given(ACTS)
@example([("until", "ben", 0), ("grant", "ben", 0), ("revoke", "ben", 0)])
def test_any_interleaving_is_judged_as_by_plain_reading(acts: list[tuple[str, str, int]]) -> None:
    world = World(twin=record.envelope("asset"))
    owner = "ann"
    for act, name, number in acts:
        if act == "grant":
            world.grant(name)
        elif act == "until":
            world.grant(name, until=times.to_text(number * 1000))
        elif act in {"revoke", "all"}:
            whom = {"from": dids(name)} if act == "revoke" else {"all": True}
            world.write("revoke", {**whom, "since": times.to_text(number * 1000)})
        elif act in {"sell", "keep"}:
            owner = "car" if owner == "ann" else "ann"
            keeps = [held.tx_id for held in world.found.given] if act == "keep" else []
            world.write("transfer", to=owner, keeps=keeps)
        else:
            world.write(act)
    for who in ("ben", "dev"):
        for said in (*range(len(acts) + 1), *reversed(range(len(acts) + 1))):
            assert world.judge(who, height=said).standing == _expected(acts, who, said), said


# --- Bodies ------------------------------------------------------------------------------------


def test_the_body_of_a_grant() -> None:
    body = {"to": dids("dev", "ben", "dev"), "role": WRITER, "kinds": ["event"], "more": 1}
    scope = Scope(None, frozenset({"event"}), None)
    assert list(granted(body)) == [Granted(key, WRITER, scope, None) for key in (DEV, BEN)]


def test_the_body_of_a_revocation() -> None:
    body = {"from": dids("dev"), "grant": "g", "all": True, "since": times.to_text(5)}
    found = revoked(body)
    assert found is not None
    assert found.what == [("all", ""), ("given", "g"), ("key", DEV)]
    assert found.since_ms == 5


def test_the_topic_of_a_body() -> None:
    assert topic_of("reading", {"stream": "gps", "data": {"a": 1}}) == Topic(
        "reading", frozenset({"a"}), "gps"
    )
    assert topic_of("event", {"stream": 7, "data": [1]}) == Topic("event")


def test_an_unsigned_transaction_has_no_signers() -> None:
    unsigned = {"type": "ed25519-sha-256", "public_key": ANN}
    assert _transaction.signers_of({"inputs": [{"fulfillment": unsigned}]}) == []
