"""The door to a batch system: what it asks beside the one poll, and what it makes of failures."""

from __future__ import annotations

import asyncio
import stat

import pytest

from hocket.deploy.backends.sge import SgeBackend
from hocket.deploy.job_script import JobFiles
from hocket.deploy.job_spec import JobSpec
from hocket.deploy.queue_door import QueueDoor
from hocket.deploy.reconcile.jobs import Phase

pytestmark = pytest.mark.slow

PROGRAMS = {
    "qsub": "echo 7",
    "qstat": 'if [ "$1" = -j ]; then echo broken >&2; exit 1; fi; cat "$QUEUE/listing"',
    "qacct": 'echo "$@" >> "$QUEUE/asked"; cat "$QUEUE/account" || exit 1',
}
EMPTY = "<job_info><queue_info></queue_info><job_info></job_info></job_info>"
WAITING = (
    "<job_info><job_info><job_list><JB_job_number>7</JB_job_number><state>qw</state></job_list>"
    "</job_info></job_info>"
)


@pytest.fixture
def queue(tmp_path, monkeypatch):
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, text in PROGRAMS.items():
        (programs / name).write_text(f"#!/bin/bash\n{text}\n")
        (programs / name).chmod(stat.S_IRWXU)
    monkeypatch.setenv("QUEUE", str(tmp_path))
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    return tmp_path


class Eager(SgeBackend):
    """Asks at once why jobs wait."""

    explain_after_s = 0.0


@pytest.fixture
def looks(queue):
    """Return what is seen after one submission, for each of these contents of the queue."""

    def look(*listings, staying=("7",)):
        async def use():
            door = QueueDoor(Eager("ada"), JobFiles(queue), {"workers": JobSpec()})
            assert await door.submit("workers", "workers-1") == "7"
            seen = []
            for listing in listings:
                (queue / "listing").write_text(listing)
                seen.append(await door.look(["7"], ["7"], list(staying)))
            return seen

        return asyncio.run(use())

    return look


def test_how_a_vanished_job_ended_is_asked_for(looks, queue):
    (queue / "account").write_text("jobnumber 7\nfailed 0\nexit_status 3\n")
    waiting, gone = looks(WAITING, EMPTY)
    assert waiting["7"].phase is Phase.PENDING
    assert (gone["7"].phase, gone["7"].reason) == (Phase.ENDED, "exit status 3")
    (asked,) = (queue / "asked").read_text().splitlines()
    assert asked.startswith("-b 20")
    assert asked.endswith(" -j 7")


def test_nobody_asks_how_a_job_ended_that_was_to_end(looks, queue):
    assert looks(EMPTY, staying=()) == [{}]
    assert not (queue / "asked").exists()


def test_where_accounts_or_explanations_fail_the_poll_is_good_all_the_same(looks):
    waiting, gone = looks(WAITING, EMPTY)
    assert waiting["7"].phase is Phase.PENDING
    assert gone == {}
