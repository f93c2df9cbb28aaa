"""What is due to leave, against a plain reading of the rules."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pitwall.log.retention import NO_CLOCK_NS, Held, Policy, due

NOW = 1_800_000_000 * 10**9
DAY = 86_400 * 10**9

held = st.lists(
    st.builds(
        Held,
        session=st.uuids().map(str),
        state=st.sampled_from(["ended", "ended", "recording", "interrupted"]),
        pinned=st.booleans(),
        rested_at_ns=st.integers(0, 60).map(lambda days: NOW - days * DAY) | st.integers(0, NO_CLOCK_NS - 1),
        bytes=st.integers(0, 10**9),
    ),
    max_size=8,
    unique_by=lambda one: one.session,
)
policies = st.builds(
    Policy,
    keep_s=st.none() | st.integers(0, 60).map(lambda days: days * 86_400.0),
    keep_free=st.none() | st.integers(0, 5 * 10**9),
)


@given(held=held, policy=policies, free=st.integers(0, 5 * 10**9))
def test_what_leaves_is_what_the_rules_say(held: list[Held], policy: Policy, free: int) -> None:
    leaving = [one.session for one in due(held, policy, free=free, now_ns=NOW)]
    expected, room = [], free
    for one in held[:-1]:
        if one.state == "ended" and not one.pinned:
            known = one.rested_at_ns >= NO_CLOCK_NS
            old = policy.keep_s is not None and known and NOW - one.rested_at_ns > policy.keep_s * 1e9
            crowded = policy.keep_free is not None and room < policy.keep_free
            if old or crowded:
                expected.append(one.session)
                room += one.bytes
    assert leaving == expected


@given(held=held, policy=policies, free=st.integers(0, 5 * 10**9))
def test_a_live_a_pinned_and_the_newest_session_stay(held: list[Held], policy: Policy, free: int) -> None:
    leaving = {one.session for one in due(held, policy, free=free, now_ns=NOW)}
    stay = {one.session for one in held[-1:]} | {one.session for one in held if one.pinned or one.state != "ended"}
    assert not leaving & stay


def test_no_policy_lets_nothing_go() -> None:
    old = Held("old", "ended", False, NOW - 900 * DAY, 1)
    assert due([old, old], Policy(), free=0, now_ns=NOW) == []


def test_a_session_of_a_clock_that_was_never_set_is_not_old() -> None:
    unset, newest = Held("unset", "ended", False, 5 * DAY, 10), Held("newest", "ended", False, NOW, 10)
    assert due([unset, newest], Policy(keep_s=1.0), free=0, now_ns=NOW) == []
    assert [one.session for one in due([unset, newest], Policy(keep_free=1), free=0, now_ns=NOW)] == ["unset"]


def test_each_that_leaves_has_its_reason() -> None:
    ages = [Held(str(i), "ended", False, NOW - days * DAY, 10**9) for i, days in enumerate((40, 20, 10, 0))]
    why = {one.session: one.why for one in due(ages, Policy(30 * 86_400.0, 2 * 10**9), free=0, now_ns=NOW)}
    assert why == {"0": "older than 30 days", "1": "less than 2 GB free"}
