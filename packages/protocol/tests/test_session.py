"""A session delivers every payload once and in order, wherever its connections are cut."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hocket.core.errors import LimitExceeded, LocalProtocolError, RemoteProtocolError
from hocket.protocol.framing import Frame, FrameKind, FrameReader, encode_header
from hocket.protocol.session import Session, SessionLimits

ID = b"0123456789abcdef"


def new_session(**limits: int) -> Session:
    return Session(ID, SessionLimits(**limits))


def read(*pieces: bytes) -> list[Frame]:
    return FrameReader(1 << 20).feed(b"".join(pieces))


def pass_on(receiver: Session, *pieces: bytes) -> list[bytes]:
    payloads = [receiver.receive(frame) for frame in read(*pieces)]
    return [bytes(payload) for payload in payloads if payload is not None]


def test_payloads_are_numbered_from_one():
    session = new_session()
    frames = read(*session.send(b"a"), *session.send(b"b"))
    assert [(frame.sequence, frame.payload) for frame in frames] == [(1, b"a"), (2, b"b")]
    assert all(frame.kind == FrameKind.MESSAGES for frame in frames)


def test_every_frame_acknowledges_what_was_received():
    ours, theirs = new_session(), new_session()
    pass_on(theirs, *ours.send(b"a"), *ours.send(b"b"))
    assert ours.retained_nbytes == 2
    pass_on(ours, *theirs.send(b"x"))
    assert (ours.retained_nbytes, ours.acknowledged) == (0, 2)


def test_an_acknowledgement_is_due_after_so_many_frames():
    ours, theirs = new_session(), new_session(ack_frames=3)
    due = []
    for _ in range(3):
        pass_on(theirs, *ours.send(b""))
        due.append(theirs.ack_due())
    assert due == [False, False, True]
    assert pass_on(ours, theirs.acknowledge()) == []
    assert ours.acknowledged == 3
    assert not theirs.ack_due()


def test_an_acknowledgement_is_due_after_so_many_bytes():
    ours, theirs = new_session(), new_session(ack_nbytes=10)
    pass_on(theirs, *ours.send(b"123456789"))
    assert not theirs.ack_due()
    pass_on(theirs, *ours.send(b"0"))
    assert theirs.ack_due()
    theirs.send(b"it rides on this")
    assert not theirs.ack_due()


def test_acknowledgements_are_not_acknowledged():
    ours, theirs = new_session(ack_frames=1), new_session(ack_frames=1)
    pass_on(theirs, *ours.send(b"a"))
    pass_on(ours, theirs.acknowledge())
    assert not ours.ack_due()


def test_what_was_received_before_is_not_delivered_again():
    ours, theirs = new_session(), new_session()
    pieces = ours.send(b"a")
    assert pass_on(theirs, *pieces) == [b"a"]
    assert pass_on(theirs, *pieces) == []
    assert theirs.seen == 1


@pytest.mark.parametrize(
    ("kind", "sequence", "acknowledged", "payload"),
    [
        (FrameKind.MESSAGES, 2, 0, b""),  # a gap
        (FrameKind.MESSAGES, 0, 0, b""),  # no number
        (FrameKind.MESSAGES, 1, 2, b""),  # acknowledges what was never sent
        (FrameKind.ACKNOWLEDGEMENT, 0, 1 << 63, b""),
        (FrameKind.ACKNOWLEDGEMENT, 1, 0, b""),
        (FrameKind.ACKNOWLEDGEMENT, 0, 0, b"x"),
        (FrameKind.HELLO, 0, 0, b""),
        (FrameKind.DATA, 0, 0, b""),
    ],
)
def test_what_cannot_be_is_refused(kind, sequence, acknowledged, payload):
    session = new_session()
    session.send(b"one")
    with pytest.raises(RemoteProtocolError):
        session.receive(Frame(kind, 0, sequence, acknowledged, payload))
    assert session.seen == 0


def test_a_stale_acknowledgement_changes_nothing():
    ours, theirs = new_session(), new_session()
    early = theirs.acknowledge()
    pass_on(theirs, *ours.send(b"a"))
    pass_on(ours, theirs.acknowledge())
    pass_on(ours, early)
    assert ours.acknowledged == 1


def test_a_peer_that_acknowledges_nothing_is_noticed():
    session = new_session(unacknowledged_nbytes_max=10)
    session.send(b"12345678")
    with pytest.raises(LimitExceeded) as caught:
        session.send(b"123")
    assert (caught.value.limit, caught.value.asked) == (10, 11)
    assert (session.sent, session.retained_nbytes) == (1, 8)
    session.send(b"12")


def test_resuming_sends_again_what_the_peer_has_not():
    ours, theirs = new_session(), new_session()
    pass_on(theirs, *ours.send(b"a"))
    ours.send(b"b")
    ours.send(b"c")
    ours.resume(theirs.seen)
    again = [piece for pieces in ours.frames_after(ours.acknowledged) for piece in pieces]
    assert pass_on(theirs, *again) == [b"b", b"c"]


def test_frames_can_be_had_from_any_number_on():
    session = new_session()
    for payload in (b"a", b"b", b"c"):
        session.send(payload)
    session.receive(Frame(FrameKind.ACKNOWLEDGEMENT, 0, 0, 1, b""))
    assert [payload for _, payload in session.frames_after(0)] == [b"b", b"c"]
    assert [payload for _, payload in session.frames_after(2)] == [b"c"]
    assert list(session.frames_after(3)) == []


@pytest.mark.parametrize("seen", [0, 4])
def test_a_peer_that_forgot_or_invents_cannot_resume(seen):
    session = new_session()
    for payload in (b"a", b"b", b"c"):
        session.send(payload)
    session.receive(Frame(FrameKind.ACKNOWLEDGEMENT, 0, 0, 1, b""))
    assert not session.can_resume(seen)
    with pytest.raises(RemoteProtocolError):
        session.resume(seen)
    assert session.can_resume(1)
    assert session.can_resume(3)


def test_a_session_id_has_sixteen_bytes():
    with pytest.raises(LocalProtocolError):
        Session(b"short", SessionLimits())


class TwoSessions(RuleBasedStateMachine):
    """Two sessions and the bytes between them; the connection may be cut after any byte."""

    def __init__(self) -> None:
        super().__init__()
        limits = SessionLimits(ack_frames=3, ack_nbytes=50, unacknowledged_nbytes_max=1 << 20)
        self.sides = [Session(ID, limits), Session(ID, limits)]
        self.sent: list[list[bytes]] = [[], []]
        self.received: list[list[bytes]] = [[], []]
        self.readers: list[FrameReader] = []
        #: To each side: bytes on their way.
        self.pipes = [bytearray(), bytearray()]
        self.connected = False
        self.written = [0, 0]

    @initialize()
    def begin(self) -> None:
        self.connect()

    def connect(self) -> None:
        self.readers = [FrameReader(1 << 20), FrameReader(1 << 20)]
        self.pipes = [bytearray(), bytearray()]
        seen = [side.seen for side in self.sides]
        self.connected = True
        for who in (0, 1):
            self.sides[who].resume(seen[1 - who])
            self.written[who] = self.sides[who].acknowledged
            self.write_waiting(who)

    def write_waiting(self, who: int) -> None:
        for header, payload in self.sides[who].frames_after(self.written[who]):
            self.pipes[1 - who] += header + payload
            self.written[who] += 1

    def deliver(self, who: int, nbytes: int) -> None:
        pipe = self.pipes[who]
        piece = bytes(pipe[:nbytes])
        del pipe[:nbytes]
        side = self.sides[who]
        for frame in self.readers[who].feed(piece):
            payload = side.receive(frame)
            if payload is not None:
                self.received[who].append(bytes(payload))
        if side.ack_due():
            self.pipes[1 - who] += side.acknowledge()

    @rule(who=st.sampled_from([0, 1]), size=st.integers(0, 40), written=st.booleans())
    def send(self, who, size, written):
        payload = bytes([len(self.sent[who]) % 256]) * size
        self.sent[who].append(payload)
        header, payload = self.sides[who].send(payload)
        if self.connected and written and self.written[who] == self.sides[who].sent - 1:
            self.pipes[1 - who] += header + payload
            self.written[who] += 1

    @precondition(lambda self: self.connected)
    @rule(who=st.sampled_from([0, 1]))
    def resume_writing(self, who):
        self.write_waiting(who)

    @precondition(lambda self: self.connected)
    @rule(who=st.sampled_from([0, 1]), nbytes=st.integers(1, 200))
    def arrive(self, who, nbytes):
        self.deliver(who, nbytes)

    @precondition(lambda self: self.connected)
    @rule(first=st.integers(0, 100), second=st.integers(0, 100))
    def cut(self, first, second):
        # Some of what is on its way still arrives, up to any byte; the rest is gone.
        self.deliver(0, first)
        self.deliver(1, second)
        self.connected = False

    @precondition(lambda self: not self.connected)
    @rule()
    def reconnect(self):
        self.connect()

    @precondition(lambda self: self.connected)
    @rule()
    def supersede(self):
        # A new connection before the end of the old one was noticed.
        self.connect()

    @invariant()
    def nothing_is_lost_doubled_or_out_of_order(self):
        for who in (0, 1):
            sent = self.sent[1 - who]
            assert self.received[who] == sent[: len(self.received[who])]

    @invariant()
    def what_is_kept_is_what_may_be_needed(self):
        for side, sent in zip(self.sides, self.sent, strict=True):
            kept = [payload for _, payload in side.frames_after(side.acknowledged)]
            assert kept == sent[side.acknowledged :]
            assert side.retained_nbytes == sum(map(len, kept))

    def teardown(self):
        if not self.connected:
            self.connect()
        for who in (0, 1):
            self.write_waiting(who)
        while any(self.pipes):
            for who in (0, 1):
                self.deliver(who, 1000)
        assert self.received[0] == self.sent[1]
        assert self.received[1] == self.sent[0]
        for who in (0, 1):
            self.deliver(1 - who, 0)
            self.pipes[1 - who] += self.sides[who].acknowledge()
            self.deliver(1 - who, 1000)
        assert [side.retained_nbytes for side in self.sides] == [0, 0]


TestTwoSessions = TwoSessions.TestCase
TestTwoSessions.settings = settings(max_examples=150, stateful_step_count=40)


def test_an_old_connections_bytes_after_a_gap_are_refused():
    session = new_session()
    with pytest.raises(RemoteProtocolError, match="frame 5 came where 1 was expected"):
        session.receive(read(encode_header(FrameKind.MESSAGES, 5, 0, 0))[0])
