"""Grid Engine's words: what is asked for, and what its answers mean."""

from __future__ import annotations

import contextlib
import datetime as dt

import hypothesis.strategies as st
import pytest
from hypothesis import given

from hocket.deploy.backends.backend import Output
from hocket.deploy.backends.sge import SgeBackend
from hocket.deploy.errors import UnreadableOutput
from hocket.deploy.job_spec import JobSpec
from hocket.deploy.reconcile.jobs import Phase, Sighting

backend = SgeBackend("ada", memory_resource="h_vmem")

#: As SGE 8.1.9 prints it.
LISTING = """<?xml version='1.0'?>
<job_info  xmlns:xsd="http://arc.liv.ac.uk/repos/darcs/sge/source/dist/util/resources/schemas/qstat/qstat.xsd">
  <queue_info>
    <job_list state="running">
      <JB_job_number>1</JB_job_number>
      <JAT_prio>0.25794</JAT_prio>
      <JB_name>workers-1</JB_name>
      <JB_owner>ada</JB_owner>
      <state>r</state>
      <JAT_start_time>2026-11-23T17:46:02</JAT_start_time>
      <queue_name>all.q@h1</queue_name>
      <slots>2</slots>
    </job_list>
    <job_list state="running">
      <JB_job_number>4</JB_job_number>
      <state>dr</state>
      <queue_name>all.q@h2</queue_name>
    </job_list>
  </queue_info>
  <job_info>
    <job_list state="pending">
      <JB_job_number>2</JB_job_number>
      <JB_name>workers-2</JB_name>
      <state>qw</state>
      <queue_name></queue_name>
      <slots>64</slots>
    </job_list>
    <job_list state="pending">
      <JB_job_number>8</JB_job_number>
      <state>Eqw</state>
      <queue_name></queue_name>
    </job_list>
    <job_list state="pending">
      <JB_job_number>9</JB_job_number>
      <state>hqw</state>
      <queue_name></queue_name>
    </job_list>
  </job_info>
</job_info>
"""

DETAILS = """==============================================================
job_number:                 2
owner:                      ada
job_name:                   workers-2
parallel environment:  smp range: 64
scheduling info:            cannot run in PE "smp" because it only offers 0 slots
==============================================================
job_number:                 3
hard resource_list:         gpu=9
scheduling info:            (-l gpu=9) cannot run at host "h2" because it offers only hc:gpu=2
                            (-l gpu=9) cannot run at host "h3" because it offers only hc:gpu=2
==============================================================
job_number:                 8
error reason    1:          can't open output file "/nonexistent/j.log"
scheduling info:            Job is in error state
"""

ALL = {"1", "2", "1.h1"}


def said(out="", err="", exit_code=0):
    return Output(["qstat"], exit_code, out, err)


def test_directives_say_what_a_job_is():
    spec = JobSpec(cores=4, memory="2 GiB", walltime="1:00:00", gpus=1, queue="long.q", account="p")
    lines = backend.directives(spec, "workers-1", "/logs/workers-1.log")
    assert "-S /bin/bash" in lines
    assert "-notify" in lines
    assert "-pe smp 4" in lines
    # (Counted for each slot.)
    assert "-l h_vmem=512M" in lines
    assert "-l h_rt=01:00:00,s_rt=00:57:00" in lines
    assert "-l gpu=1" in lines
    assert "-q long.q" in lines
    assert "-P p" in lines


def test_memory_is_asked_for_only_by_its_name():
    lines = SgeBackend("ada").directives(JobSpec(memory="2 GiB"), "workers-1", "/logs/w.log")
    assert not [line for line in lines if "G" in line or "M" in line]


@pytest.mark.parametrize("printed", ["3\n", "3.1-6:1\n", "a greeting of the site\n3\n"])
def test_the_id_is_found(printed):
    assert backend.submitted_id(said(printed)) == "3"


def test_states():
    assert backend.sightings(said(LISTING), ["1", "2", "4", "8", "9", "77"]) == {
        "1": Sighting(Phase.RUNNING, hosts="h1"),
        "2": Sighting(Phase.PENDING),
        "4": Sighting(Phase.RUNNING, hosts="h2"),
        "8": Sighting(Phase.PENDING, "it is in the error state Eqw", never=True),
        "9": Sighting(Phase.PENDING, "it is held"),
    }


def test_why_jobs_wait():
    told = backend.explanations(said(DETAILS), ["2", "3", "8"])
    assert told["2"] == ('cannot run in PE "smp" because it only offers 0 slots', False)
    assert told["3"][0].endswith('host "h3" because it offers only hc:gpu=2')
    assert told["8"][0].startswith("can't open output file")
    assert told["8"][1]


@pytest.mark.parametrize(
    "answer",
    [
        said("", "error: commlib error: can't connect to service", 1),
        said("job-ID prior name"),
        said('<!DOCTYPE a [<!ENTITY b "c">]><a/>'),
        said("<job_info><job_list><state>r</state></job_list></job_info>"),
    ],
)
def test_what_makes_no_sense_is_an_error(answer):
    with pytest.raises(UnreadableOutput):
        backend.sightings(answer, ["1"])


@pytest.mark.parametrize(
    ("complaint", "permanent"),
    [
        ('Unable to run job: Job was rejected because job requests unknown queue "x"', True),
        ("Unable to run job: error: no suitable queues", True),
        ("error: commlib error: can't connect to service (Connection refused)", False),
        ("Unable to run job: job rejected: only 100 jobs are allowed per user (job limit)", False),
    ],
)
def test_which_refusals_pass(complaint, permanent):
    assert backend.is_permanent(complaint) is permanent


@given(st.text())
def test_whatever_is_printed_is_read_or_refused(text):
    assert isinstance(backend.explanations(said(text), ["1"]), dict)
    with contextlib.suppress(UnreadableOutput):
        assert set(backend.sightings(said(text), ["1"])) <= ALL


#: As SGE 8.1.9 prints it (and many more lines); numbers are given anew some day.
ACCOUNTS = """==============================================================
qname        all.q
hostname     h1
jobname      workers-2
jobnumber    2
failed       0
exit_status  0
maxvmem      136.609MB
==============================================================
qname        all.q
hostname     h2
owner        ada
jobname      workers-2
jobnumber    2
failed       37  : qmaster enforced h_rt, h_cpu, or h_vmem limit
exit_status  137                  (Killed)
ru_wallclock 5.090
maxvmem      20.258MB
category     -l h_rt=5
"""


@pytest.mark.parametrize(
    ("text", "reason", "code"),
    [
        (
            ACCOUNTS,
            (
                "failed 37: qmaster enforced h_rt, h_cpu, or h_vmem limit; exit status 137"
                " (Killed); it had 20.258MB of memory at most"
            ),
            137,
        ),
        ("jobnumber 2\nhostname h2\nfailed 0\nexit_status 0\nmaxvmem 1MB\n", "exit status 0", 0),
        ("jobnumber 2\nhostname h2\nfailed 0\nexit_status 3\n", "exit status 3", 3),
        (
            (
                "jobnumber 2\nhostname h2\nfailed 100 : assumedly after job\nexit_status 140"
                "                  (User defined signal 2)\n"
            ),
            "failed 100: assumedly after job; exit status 140 (User defined signal 2)",
            140,
        ),
    ],
)
def test_how_a_job_ended(text, reason, code):
    told = backend.account(Output(["qacct"], 0, text, ""), "2")
    assert told == Sighting(Phase.ENDED, reason, hosts="h2", exit_code=code)


def test_of_a_job_that_ended_just_now_nothing_is_known():
    missing = Output(["qacct"], 1, "", "error: job id 2 not found\n")
    assert backend.account(missing, "2") is None
    assert backend.account(Output(["qacct"], 0, ACCOUNTS, ""), "3") is None


def test_only_jobs_of_late_are_asked_after():
    since = dt.datetime(2026, 11, 23, 12, 2).astimezone()
    command = backend.account_command("2", since)
    assert command == ["qacct", "-b", "202611231202", "-j", "2"]


@given(st.text())
def test_whatever_the_accounting_prints_is_read(text):
    for printed in (text, f"jobnumber 2\n{text}", f"jobnumber 2\nexit_status {text}"):
        told = backend.account(Output(["qacct"], 0, printed, ""), "2")
        assert told is None or told.phase is Phase.ENDED
