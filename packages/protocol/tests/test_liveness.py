"""A peer is taken for gone when it was silent for long enough, by a clock handed in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hocket.protocol.liveness import Liveness


def test_silence_is_noticed_at_the_first_look_after_the_limit():
    liveness = Liveness(silent_s=60.0, now_s=1000.0)
    assert [liveness.is_silent(1000.0 + 15 * look) for look in range(1, 7)] == [
        False,  # 15 s: heard since the start
        False,
        False,
        False,
        True,  # 75 s: silent since 15 s
        True,
    ]


def test_any_sign_starts_the_time_anew():
    liveness = Liveness(silent_s=60.0, now_s=0.0)
    assert not liveness.is_silent(15.0)
    assert not liveness.is_silent(74.0)
    liveness.heard = True
    assert not liveness.is_silent(200.0)
    assert not liveness.is_silent(259.0)
    assert liveness.is_silent(260.0)


@given(
    st.floats(1, 100),
    st.lists(st.tuples(st.floats(0.01, 50), st.booleans()), min_size=1, max_size=30),
)
def test_a_peer_that_was_heard_within_the_limit_is_never_silent(silent_s, looks):
    liveness = Liveness(silent_s, 0.0)
    now_s = heard_s = 0.0
    for pause_s, speaks in looks:
        if speaks:
            heard_s = now_s
            liveness.heard = True
        now_s += pause_s
        if now_s - heard_s < silent_s:
            assert not liveness.is_silent(now_s)
        else:
            liveness.is_silent(now_s)
