"""The machine code between C and Python: locks, exceptions that are on their way, and answers."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from hocket.parquet.kernels.library import KERNEL, address

C_FUNCTION = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * 3)
#: Where `release` is, as a number of 64-bit words.
RELEASE = {"release_schema": 7, "release_array": 8, "release_stream": 3}
GET = {"get_schema": 9, "get_next": 10}
FUNCTIONS = (*RELEASE, "release_capsule", *GET)


class Interpreter:
    """Stands for what C calls of Python, and tells what was called."""

    def __init__(self, act=lambda *_: None, *, is_initialized=1, raised=(0, 0, 0)):
        self.calls = []
        self._functions = [
            # Only the lower half of an int is its value.
            self._told("initialized", lambda *_: is_initialized | 7 << 32),
            self._told("ensure", lambda *_: 1),
            self._told("fetch", lambda *at: self._fetch(at, raised)),
            self._told("restore", lambda *_: None),
            self._told("unlock", lambda *_: None),
            *(self._told(name, act) for name in FUNCTIONS),
        ]
        at = [ctypes.cast(each, ctypes.c_void_p).value for each in self._functions]
        self.table = np.array(at, np.int64)
        self.block = np.array([address(self.table), 0, 0, 0, 77, 78], np.int64)

    def _told(self, name, act):
        def called(*arguments):
            self.calls.append((name, arguments))
            return act(*arguments) or 0

        return C_FUNCTION(called)

    def _fetch(self, at, raised):
        for each, value in zip(at, raised, strict=True):
            ctypes.c_int64.from_address(each).value = value

    @property
    def names(self):
        return [name for name, _ in self.calls]


def structure_of(interpreter, at):
    structure = np.zeros(12, np.int64)
    structure[at : at + 2] = 1, address(interpreter.block)
    return structure


AROUND = ["initialized", "ensure", "fetch", "restore", "unlock"]


@pytest.mark.parametrize("name", RELEASE)
def test_an_exception_is_put_aside_while_python_releases(name):
    def act(at, *_):
        # What Python releases is gone: nothing may be read from there afterwards.
        interpreter.block[:] = -1
        ctypes.c_int64.from_address(at + 8 * RELEASE[name]).value = 0

    interpreter = Interpreter(act, raised=(11, 22, 33))
    structure = structure_of(interpreter, RELEASE[name])
    assert getattr(KERNEL, name)(address(structure)) == 0
    assert interpreter.names == [*AROUND[:3], name, *AROUND[3:]]
    calls = dict(interpreter.calls)
    assert calls[name][0] == address(structure)
    assert calls["restore"] == (11, 22, 33)
    assert calls["unlock"][0] == 1
    interpreter.calls.clear()
    # Released already.
    assert getattr(KERNEL, name)(address(structure)) == 0
    assert interpreter.calls == []


@pytest.mark.parametrize("name", RELEASE)
@pytest.mark.parametrize("interruptions", [1, 2])
def test_python_that_is_interrupted_is_called_again(name, interruptions):
    def act(at, *_):
        if interpreter.names.count(name) > interruptions:
            ctypes.c_int64.from_address(at + 8 * RELEASE[name]).value = 0

    interpreter = Interpreter(act)
    structure = structure_of(interpreter, RELEASE[name])
    assert getattr(KERNEL, name)(address(structure)) == 0
    assert interpreter.names.count(name) == 2
    assert structure[RELEASE[name]] == 0


@pytest.mark.parametrize("name", RELEASE)
def test_after_the_interpreter_has_ended_nothing_is_released(name):
    interpreter = Interpreter(is_initialized=0)
    structure = structure_of(interpreter, RELEASE[name])
    assert getattr(KERNEL, name)(address(structure)) == 0
    assert set(interpreter.names) == {"initialized"}
    assert structure[RELEASE[name]] == 0


def test_a_capsule_leads_to_what_is_in_it():
    interpreter = Interpreter()
    box = np.zeros(11, np.int64)
    box[10] = address(interpreter.block)
    capsule = np.array([1, 2, address(box), 4], np.int64)
    assert KERNEL.release_capsule(address(capsule)) == 0
    assert dict(interpreter.calls)["release_capsule"][0] == address(capsule)


@pytest.mark.parametrize(("name", "words"), GET.items())
def test_an_answer_is_handed_on(name, words):
    def act(_stream, into, _):
        ctypes.c_int64.from_address(into + 8).value = 99
        interpreter.block[4] = 0

    interpreter = Interpreter(act)
    stream = structure_of(interpreter, RELEASE["release_stream"])
    into = np.full(words + 1, -1, np.int64)
    assert getattr(KERNEL, name)(address(stream), address(into)) == 0
    assert dict(interpreter.calls)[name][:2] == (address(stream), address(into))
    assert into.tolist() == [0, 99, *[0] * (words - 2), -1]


@pytest.mark.parametrize(("name", "words"), GET.items())
@pytest.mark.parametrize("is_initialized", [0, 1])
def test_no_answer_is_an_error(name, words, is_initialized):
    interpreter = Interpreter(is_initialized=is_initialized)
    stream = structure_of(interpreter, RELEASE["release_stream"])
    into = np.full(words + 1, -1, np.int64)
    assert getattr(KERNEL, name)(address(stream), address(into)) == 5
    assert into.tolist() == [*[0] * words, -1]
    assert KERNEL.get_last_error(address(stream)) == 0


def test_where_an_errors_words_are():
    interpreter = Interpreter()
    stream = structure_of(interpreter, RELEASE["release_stream"])
    assert KERNEL.get_last_error(address(stream)) == 78
    assert interpreter.calls == []
