"""The error tree: every error says its facts, keeps them as fields, and survives pickling."""

from __future__ import annotations

import pickle

import pytest

from hocket.core import errors
from hocket.core.errors import GraphCycle, HocketError, UnknownKey

EXAMPLES: list[HocketError] = [
    errors.ConnectFailed(address="tcp://a:1", waited_s=2.0, reason="refused"),
    errors.DuplicateKey(key="k"),
    errors.GraphCycle(path=["a", "b", "a"]),
    errors.HandshakeRefused(address="tcp://a:1", reason="the secrets differ"),
    errors.InvalidGraph(what="a key", value=[], reason="it cannot be hashed"),
    errors.InvariantBroken(rule="r", detail="d"),
    errors.KeyLost(key="k", reason="gone"),
    errors.LimitExceeded(what="a frame", limit=1, asked=2),
    errors.LocalProtocolError(reason="r"),
    errors.NoCapacity(needs={"GPU": 2}, best_offer="the best has 1"),
    errors.OtherCluster(what="the future 'k'", cluster="tcp://a:1 (id 1)", here="tcp://b:1 (id 2)"),
    errors.PeerLost(address="tcp://a:1", reason="silent"),
    errors.RemoteProtocolError(reason="r"),
    errors.SerializationError(what="argument 1", type_name="lock", reason="no"),
    errors.SettingsError(name="n", value=1, allowed="text", source="code"),
    errors.TaskCancelled(key="k"),
    errors.TaskFailed(key="k", cause="c"),
    errors.TaskTimedOut(key="k", limit_s=2.5, outcome="it was interrupted"),
    errors.Reschedule(reason="the licence is in use"),
    errors.UnknownKey(key="k", wanted_by=["a", "b"]),
    errors.VersionsDiffer(differences={"numpy": {"client": "2.4", "tcp://a:1": ""}}),
    errors.WorkerDied(key="k", causes=["exit code 3"]),
]
ABSTRACT = {"HocketError", "UserError", "GraphError", "PeerError", "InternalError"}


def test_every_error_has_an_example_here() -> None:
    assert {type(one).__name__ for one in EXAMPLES} == set(errors.__all__) - ABSTRACT


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda one: type(one).__name__)
def test_facts_are_fields_words_and_pickled(error: HocketError) -> None:
    for name, value in error.fields.items():
        assert getattr(error, name) == value
    first = next(iter(error.fields.values()))
    assert str(first if isinstance(first, str) else "") in str(error)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert again.fields == error.fields
    assert str(again) == str(error)


def test_the_middle_of_a_long_path_is_left_out() -> None:
    path = list(range(1_000_000))
    for error in (GraphCycle(path=path), UnknownKey(key="k", wanted_by=path)):
        assert len(str(error)) < 500
        assert "999,980 more" in str(error)
    assert GraphCycle(path=path).path == path
