"""A recorded feed comes back; a torn end is left out, and what does not fit is refused."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.core.errors import RemoteProtocolError, SerializationError
from hocket.protocol.feed import decode_plain, encode_plain
from hocket.protocol.feed.profile_tree import OTHERS, ProfileTree, frame_name, split_frame
from hocket.protocol.feed.recording import MAGIC, FeedDecoder, encode_frame
from hocket.protocol.messages import Events, ReleaseKeys, Snapshot
from hocket.protocol.messages.feed import LineLogged, ProfileSampled

SNAPSHOT = Snapshot(1, 0, 0, 1.5, "tcp://h:1", [], [], [], [])
EVENTS = Events(1, 0, 2, 0, [LineLogged(float(n), "w", "INFO", "x", "text") for n in range(2)])
FILE = MAGIC + encode_frame([SNAPSHOT]) + encode_frame([EVENTS, EVENTS])
ENDS = [len(MAGIC + encode_frame([SNAPSHOT])), len(FILE)]


@given(st.integers(0, len(FILE)), st.lists(st.integers(0, len(FILE))))
def test_what_is_whole_is_read_in_any_pieces(end, cuts):
    decoder = FeedDecoder()
    places = sorted({0, end, *(cut for cut in cuts if cut < end)})
    heard = []
    for begin, stop in pairwise(places):
        heard.extend(decoder.feed(FILE[begin:stop]))
    whole = [SNAPSHOT] * (end >= ENDS[0]) + [EVENTS, EVENTS] * (end >= ENDS[1])
    assert heard == whole
    assert (decoder.rest_nbytes == 0) == (end in (0, len(MAGIC), *ENDS))


@pytest.mark.parametrize(
    "data",
    [
        b"something else",
        MAGIC + b"\xff\xff\xff\xff",
        MAGIC + b"\x00\x00\x00\x01\xc1",
        MAGIC + encode_frame([ReleaseKeys(["k"])]),  # type: ignore[list-item]
    ],
)
def test_what_is_no_recording_is_refused(data):
    with pytest.raises(RemoteProtocolError):
        list(FeedDecoder().feed(data))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 63) - 1) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_plain_data_comes_back(value):
    assert decode_plain(encode_plain(value, "it")) == value


def test_what_is_not_plain_is_refused_with_the_remedy():
    with pytest.raises(SerializationError, match=r"repr\(value\)"):
        encode_plain(object(), "the event")
    with pytest.raises(SerializationError, match=r"client\.scatter"):
        encode_plain(b"x" * (2 << 20), "the event")
    with pytest.raises(SerializationError):
        decode_plain(b"\xc1")


STACKS = st.lists(
    st.tuples(st.sampled_from("fg"), st.lists(st.sampled_from("abc"), max_size=4)), max_size=30
)


@given(STACKS, STACKS)
def test_a_profile_counts_each_stack(first, second):
    trees = ProfileTree(), ProfileTree()
    for tree, stacks in zip(trees, (first, second), strict=True):
        for group, frames in stacks:
            tree.add(group, frames)
    merged = ProfileTree()
    for tree in trees:
        merged.merge(ProfileSampled(1.0, "w", 1.0, tree.samples, *tree.columns()))
    counted: dict[tuple[str, ...], int] = {}
    for group, frames in first + second:
        path = (group, *frames)
        counted[path] = counted.get(path, 0) + 1
    assert {tuple(path): count for path, count in merged.stacks()} == counted
    assert merged.samples == len(first + second)
    nested = merged.nested()
    assert nested["count"] == merged.samples
    assert sum(child["count"] for child in nested["children"]) == merged.samples


@given(STACKS)
def test_a_profile_is_bounded(stacks):
    tree = ProfileTree(4)
    for group, frames in stacks:
        tree.add(group, frames)
    assert len(tree) <= 4
    frames, parents, counts = tree.columns()
    tops = [count for parent, count in zip(parents, counts, strict=True) if parent < 0]
    assert sum(tops) == len(stacks)
    assert all(parent < node for node, parent in enumerate(parents))
    full = ProfileTree(2)
    for name in "abc":
        full.add(name, [])
    assert full.columns()[0] == ["a", OTHERS]


def test_names_of_frames():
    assert split_frame(frame_name("f", "a;b.py", 3)) == ("f", "a;b.py", 3)
    assert split_frame("inc") == ("inc", "", 0)
    assert len(frame_name("f" * 5000, "a" * 5000, 3)) < 1024
