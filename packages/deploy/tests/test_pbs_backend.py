"""PBS's words in its dialects: what is asked for, and what its answers mean."""

from __future__ import annotations

import contextlib
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given

from hocket.core.errors import SettingsError
from hocket.deploy.backends.backend import Output
from hocket.deploy.backends.pbs import PbsBackend
from hocket.deploy.backends.pbs_listing import parse_full_listing
from hocket.deploy.errors import UnreadableOutput
from hocket.deploy.job_spec import JobSpec
from hocket.deploy.reconcile.jobs import Phase, Sighting

openpbs = PbsBackend("openpbs")
torque = PbsBackend("torque")

#: As OpenPBS 23.06 prints it (shortened).
OPENPBS_LISTING = """Job Id: 0.h1
    Job_Name = t1
    job_state = R
    queue = workq
    exec_host = h1/0*2
    Resource_List.select = 1:ncpus=2:mem=100mb:ngpus=1
    Variable_List = PBS_O_HOME=/u/tester,PBS_O_LANG=C.UTF-8,
\tPBS_O_LOGNAME=tester,
\tPBS_O_SHELL=/bin/bash,job_state = Q
    comment = Job run at Mon Nov 23 at 01:23 on (h1:ncpus=2:mem=102400kb)

Job Id: 4.h1
    job_state = Q
    comment = Can Never Run: Insufficient amount of resource: ncpus (R: 64 A: 4
\t T: 4)

Job Id: 3.h1
    job_state = Q
    comment = Not Running: Not enough free nodes available

"""

#: As TORQUE prints it (shortened).
TORQUE_LISTING = """Job Id: 1.h1
    Job_Name = term.pbs
    job_state = C
    queue = batch
    exec_host = h1/0-1
    comment = Job started on Mon Nov 23 at 01:55
    exit_status = 271

Job Id: 2.h1
    job_state = R
    exec_host = h1/2+h2/0-1
"""

#: As Slurm's commands for PBS print it (shortened).
SLURM_LISTING = "Job Id:\t1\n\tJob_Name = workers-1\n\tjob_state = R\n\texec_host = n1/2\n\n"

ALL = {"1", "2", "1.h1"}


def said(out="", err="", exit_code=0):
    return Output(["qstat"], exit_code, out, err)


SPEC = JobSpec(cores=4, memory="2 GiB", walltime="1:00:00", gpus=1, queue="long", account="p")


def test_directives_of_openpbs():
    lines = openpbs.directives(SPEC, "workers-1", "/logs/workers-1.log")
    assert "-l select=1:ncpus=4:mem=2048mb:ngpus=1" in lines
    assert "-l walltime=01:00:00" in lines
    assert "-q long" in lines
    assert "-A p" in lines
    # What PBS delivers at the end must not take the place of the worker's own log.
    assert "-o /logs/workers-1.out" in lines


def test_directives_of_torque():
    lines = torque.directives(SPEC, "workers-1", "/logs/workers-1.log")
    assert "-l nodes=1:ppn=4:gpus=1" in lines
    # (As a part of `nodes=` it is a syntax error.)
    assert "-l mem=2048mb" in lines
    assert not [line for line in lines if "select" in line]


def test_the_dialect_has_to_be_known():
    with pytest.raises(SettingsError, match="qstat --version"):
        PbsBackend("pbs")


@pytest.mark.parametrize(
    ("printed", "id_"),
    [("0.h1\n", "0.h1"), ("17\n", "17"), ("Welcome.\n12.pbs-01.site.org\n", "12.pbs-01.site.org")],
)
def test_the_id_is_found(printed, id_):
    assert openpbs.submitted_id(said(printed)) == id_


def test_states_of_openpbs():
    assert openpbs.sightings(said(OPENPBS_LISTING), ["0.h1", "3.h1", "4.h1", "5.h1"]) == {
        "0.h1": Sighting(Phase.RUNNING, hosts="h1"),
        "3.h1": Sighting(Phase.PENDING, "Not Running: Not enough free nodes available"),
        "4.h1": Sighting(
            Phase.PENDING,
            "Can Never Run: Insufficient amount of resource: ncpus (R: 64 A: 4 T: 4)",
            never=True,
        ),
    }


def test_states_of_torque():
    assert torque.sightings(said(TORQUE_LISTING), ["1.h1", "2.h1"]) == {
        "1.h1": Sighting(
            Phase.ENDED,
            "killed by signal 15; Job started on Mon Nov 23 at 01:55",
            hosts="h1",
            exit_code=271,
        ),
        "2.h1": Sighting(Phase.RUNNING, hosts="h1+h2"),
    }


def test_states_of_slurm_in_torques_clothes():
    assert torque.sightings(said(SLURM_LISTING), ["1", "2"]) == {
        "1": Sighting(Phase.RUNNING, hosts="n1")
    }


def test_where_pbs_is_slurm_that_says_why_jobs_wait():
    front = PbsBackend("torque")
    assert front.explain_command(["1"]) is None
    front.sightings(said(TORQUE_LISTING), ["1.h1"])
    assert front.explain_command(["1"]) is None
    front.sightings(said(SLURM_LISTING), ["1"])
    assert front.explain_command(["1", "2"])[0] == "squeue"
    told = said("1|PENDING||PartitionConfig\n2|PENDING||Priority\n3|RUNNING|n1|None\n")
    assert front.explanations(told, ["1", "2", "3"]) == {
        "1": ("PartitionConfig", True),
        "2": ("Priority", False),
    }


@pytest.mark.parametrize(
    "answer",
    [
        said("", "qstat: Unknown Job Id 9999.h1\n", 153),
        said("", "qstat: Unknown Job Id Error 9999.h1\n", 153),
        said("", "qstat: 1.h1 Job has finished, use -x or -H to obtain historical job", 35),
        said("", "", 153),
    ],
)
def test_jobs_that_are_not_there_are_gone(answer):
    assert openpbs.sightings(answer, ["1.h1"]) == {}


def test_a_server_that_does_not_answer_is_an_error():
    with pytest.raises(UnreadableOutput, match="cannot connect"):
        torque.sightings(said("", "qstat: cannot connect to server h1 (errno=111)", 111), ["1.h1"])


@pytest.mark.parametrize(
    ("complaint", "permanent"),
    [
        ("qsub: Unknown queue", True),
        ("qsub: submit error (Unknown queue MSG=requested queue not found)", True),
        ("qsub: submit error (Job exceeds queue resource limits MSG=cannot locate feasible", True),
        ("qsub can not be run as root", True),
        ("qsub: Maximum number of jobs already in queue", False),
        ("qsub: cannot connect to server h1 (errno=111) Connection refused", False),
    ],
)
def test_which_refusals_pass(complaint, permanent):
    assert torque.is_permanent(complaint) is permanent


@given(st.text())
def test_whatever_is_printed_is_read_or_refused(text):
    for answer in (said(text), said("Job Id: 1.h1\n" + text, "", 1)):
        with contextlib.suppress(UnreadableOutput):
            assert set(torque.sightings(answer, ["1.h1"])) <= ALL


@given(
    st.dictionaries(
        st.from_regex(r"[A-Za-z_][A-Za-z0-9_.]{0,20}", fullmatch=True),
        st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=200),
    ),
    st.integers(8, 80),
)
def test_folded_lines_are_whole_again(attributes, width):
    lines = ["Job Id: 1.h1"]
    for name, value in attributes.items():
        text = f"    {name} = {value}"
        lines.append(text[: width + len(name)])
        lines += ["\t" + text[at : at + width] for at in range(width + len(name), len(text), width)]
    assert parse_full_listing("\n".join(lines)) == {"1.h1": attributes}


TRANSCRIPTS = Path(__file__).parents[4] / "shared" / "fixtures"


@pytest.mark.skipif(
    not TRANSCRIPTS.is_dir(), reason="no transcripts of real servers beside the checkout"
)
@pytest.mark.parametrize(
    "path", sorted(TRANSCRIPTS.glob("*/*.txt")), ids=lambda path: path.parent.name
)
def test_transcripts_of_real_servers_are_read(path):
    text = path.read_text()
    dialect = torque if "torque" in path.parent.name else openpbs
    listing = parse_full_listing(text)
    seen = dialect.sightings(said(text), list(listing))
    assert set(seen) == set(listing)
