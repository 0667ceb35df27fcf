"""What hosts have found becomes words: the broken link, whose clock, versions and limits."""

from __future__ import annotations

import socket
import time

from hocket.deploy.diagnosis import Severity, diagnose
from hocket.deploy.probing import Probe, probe


def probed(host="h1", ways=None, versions=None, files=65536):
    return Probe(
        host=host,
        time_s=0.0,
        ways=ways or {},
        versions=versions or {"python": "3.11.7"},
        open_files_max=files,
    )


def texts(severity, probes, skews_s=None):
    return [one.text for one in diagnose(probes, skews_s or {}) if one.severity is severity]


def test_all_is_well():
    ways = {"the scheduler": {"tls://10.0.0.1:1": "", "tls://10.1.0.1:1": "no answer"}}
    probes = {"this host": probed(ways=ways), "worker w": probed(ways=ways)}
    assert texts(Severity.BROKEN, probes) == texts(Severity.WARNING, probes, {"w": 0.2}) == []
    fine = texts(Severity.FINE, probes, {"worker w": 0.2})
    assert fine == [
        "2 links were tried",
        "versions are the same everywhere",
        "clocks agree",
        "limits are wide enough",
    ]


def test_the_broken_link_is_named_with_every_address_and_its_reason():
    ways = {
        "worker b": {"unix:///x": "No such file", "tls://10.0.0.2:1": "Connection refused"},
        "worker c": {"unix:///y": "No such file", "tls://10.0.0.3:1": ""},
    }
    (text,) = texts(Severity.BROKEN, {"this host": probed(), "worker a": probed("h7", ways)})
    assert text.startswith("worker a (on h7) does not reach worker b: unix:///x: No such file;")
    assert "tls://10.0.0.2:1: Connection refused. Open the way there" in text


def test_what_differs_is_named_and_the_worst_comes_first():
    probes = {
        "this host": probed(versions={"python": "3.11.7", "numpy": "2.0"}),
        "worker a": probed(versions={"python": "3.12.1"}, files=1024),
        "worker b": probed(ways={"the scheduler": {"tcp://h:1": "no answer"}}),
    }
    findings = diagnose(probes, {"worker a": -7.3, "worker b": 7.2})
    assert [one.severity for one in findings].index(Severity.BROKEN) == 0
    warnings = texts(Severity.WARNING, probes, {"worker a": -7.3, "worker b": 7.2})
    told = "\n".join(warnings)
    assert "numpy missing there, 2.0 here, python 3.12.1 there, 3.11.7 here" in told
    assert "the clock of worker a is 7.3 s behind ours" in told
    assert "the clock of worker b is 7.2 s ahead of ours" in told
    assert "worker a may open 1024 files" in told


def test_a_probe_knocks_at_every_address(tmp_path):
    with socket.socket() as open_, socket.socket() as closed:
        for each in (open_, closed):
            each.bind(("127.0.0.1", 0))
        open_.listen()
        at, nowhere = (f"tls://127.0.0.1:{each.getsockname()[1]}" for each in (open_, closed))
        found = probe(
            [
                ("a", f"{at},{nowhere}", ""),
                ("b", f"unix://{tmp_path}/no,inproc://x", socket.gethostname()),
                ("c", f"unix://{tmp_path}/no,{at}", "elsewhere"),
            ],
            10.0,
        )
    assert found.ways["a"][at] == ""
    assert "refused" in found.ways["a"][nowhere]
    assert "No such file" in found.ways["b"][f"unix://{tmp_path}/no"]
    assert found.ways["b"]["inproc://x"]
    # Another host's files are not ours, whatever lies there.
    assert found.ways["c"] == {at: ""}
    assert found.took_s["a"][at] < 10
    assert found.host == socket.gethostname()
    assert abs(found.time_s - time.time()) < 60
    assert found.versions["python"]


def test_a_port_that_does_not_answer_is_perhaps_behind_a_firewall():
    with socket.socket() as deaf, socket.socket() as filler:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        filler.setblocking(False)
        filler.connect_ex(deaf.getsockname())
        at = f"tcp://127.0.0.1:{deaf.getsockname()[1]}"
        found = probe([("a", at, "")], 0.05)
    assert "no answer in 0.05 s; a firewall" in found.ways["a"][at]
