"""Graphs of any shape on a simulated cluster have the results that they have here and now."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hocket.client.batches import TaskOptions
from hocket.graph import Graph, Ref, Task
from hocket.graph import compute as compute_graph
from hocket.testing.clock import Timeline
from hocket.testing.cluster import Cluster
from hocket.testing.deeds import CrashWorker, Cut, Hang, LeaveWorker, Recall, Stall, Submit
from hocket.testing.network import Network
from hocket.testing.programs import FUNCTIONS, Behaviour, Spec, compute
from hocket.testing.simulation import _check_rest, _rest
from hocket.testing.swarm import Faults, Swarm
from hocket.testing.trace import Trace

TASKS_MAX = 40
#: All that may be on while every task still gets its value.
HARMLESS = (
    "slow_links",
    "fragments",
    "address_reuse",
    "data_failures",
    "busy_peers",
    "big_values",
)


def chain(draw):
    length = draw(st.integers(1, TASKS_MAX))
    return [[row - 1] if row else [] for row in range(length)]


def tree(draw):
    fan_in = draw(st.integers(2, 4))
    row = list(range(draw(st.integers(1, TASKS_MAX // 2))))
    shape = [[] for _ in row]
    while len(row) > 1:
        groups = [row[start : start + fan_in] for start in range(0, len(row), fan_in)]
        row = list(range(len(shape), len(shape) + len(groups)))
        shape += groups
    return shape


def fan(draw):
    width = draw(st.integers(1, TASKS_MAX - 2))
    return [[], *([0] for _ in range(width)), list(range(1, width + 1))]


def grid(draw):
    width, height = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    shape = []
    for row in range(width * height):
        left = [row - 1] if row % width else []
        above = [row - width] if row >= width else []
        shape.append(left + above)
    return shape


def shuffle(draw):
    """All that is made on one side is split, and each reader puts together a part of each."""
    left, right = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    shape = [[] for _ in range(left)]
    for source in range(left):
        shape += [[source]] * right
    for target in range(right):
        shape.append([left + source * right + target for source in range(left)])
    return shape


def any_graph(draw):
    shape = []
    for row in range(draw(st.integers(1, TASKS_MAX))):
        count = draw(st.integers(0, min(row, 4)))
        shape.append(draw(st.permutations(range(row)))[:count] if row < 8 else nearby(draw, row))
    return shape


def nearby(draw, row):
    return draw(st.lists(st.integers(row - 8, row - 1), max_size=4, unique=True))


SHAPES = {one.__name__: one for one in (chain, tree, fan, grid, shuffle, any_graph)}


@st.composite
def programs(draw, shape):
    """Draw tasks in this shape, with values of all sizes."""
    nbytes = st.sampled_from([8, 200, 2000, 50_000])
    functions = st.sampled_from(sorted(FUNCTIONS))
    return [
        Spec(
            f"t{row}",
            draw(functions),
            draw(st.integers(0, 10**6)),
            tuple(f"t{one}" for one in inputs),
            Behaviour.PLAIN,
            draw(nbytes),
        )
        for row, inputs in enumerate(SHAPES[shape](draw))
    ]


@st.composite
def swarms(draw):
    """Draw sizes, and what is unusual about the network."""
    return Swarm(
        workers_count=draw(st.integers(1, 4)),
        threads_max=draw(st.integers(1, 3)),
        clients_count=1,
        fault_interval_s=1.0,
        user_interval_s=1.0,
        latency_s=draw(st.sampled_from([0.0002, 0.01])),
        duration_s=draw(st.sampled_from([0.0005, 0.05])),
        graph_tasks_max=1,
        silence_s=0.5,
        bandwidth_nbytes_per_s=draw(st.sampled_from([1e6, 1e9])),
        held_inputs_part=0.0,
        faults=Faults(**{name: draw(st.booleans()) for name in HARMLESS}),
    )


def start(seed, swarm):
    """Return a cluster whose client's values are gathered, and those values."""
    timeline = Timeline()
    cluster = Cluster(Network(timeline, seed, Trace(timeline), swarm))
    values = {}
    see = cluster.results.saw_value

    def saw_value(client, key, value):
        values[key] = value
        see(client, key, value)

    cluster.results.saw_value = saw_value
    cluster.start()
    return cluster, values


def reference(specs, keys):
    """Compute keys in the calling thread."""
    graph = Graph(
        {
            spec.key: Task(compute, (spec.function, spec.number, [Ref(one) for one in spec.inputs]))
            for spec in specs
        }
    )
    return dict(zip(keys, compute_graph(graph, keys, executor="sync"), strict=True))


def finish(cluster):
    cluster.heal()
    _rest(cluster)
    _check_rest(cluster)


seeds = st.integers(0, 2**32)


@pytest.mark.parametrize("shape", SHAPES)
@given(data=st.data(), seed=seeds, swarm=swarms(), parts=st.integers(1, 3))
@settings(max_examples=40, deadline=None)
def test_results_equal_those_of_the_sync_executor(shape, data, seed, swarm, parts):
    specs = data.draw(programs(shape))
    cluster, values = start(seed, swarm)
    wanted = sorted({specs[-1].key, data.draw(st.sampled_from(specs)).key})
    size = -(-len(specs) // parts)
    kept = set(wanted)
    cut = [specs[first : first + size] for first in range(0, len(specs), size)]
    for number, part in enumerate(cut):
        # (What a later part reads is held, as a client holds it while it submits.)
        inside = {spec.key for spec in part}
        later = {key for other in cut[number + 1 :] for spec in other for key in spec.inputs}
        kept |= inside & later
    for number, part in enumerate(cut):
        names = tuple(spec.key for spec in part if spec.key in kept)
        options = TaskOptions(priority=data.draw(st.integers(-2, 2)))
        cluster.do(Submit(0.01 * number, "c1", tuple(part), names, options))
        for _ in range(data.draw(st.integers(0, 50))):
            cluster.timeline.step()
    finish(cluster)
    assert {key: values[key] for key in wanted} == reference(specs, wanted)
    assert values.keys() == kept


@pytest.mark.parametrize("shape", SHAPES)
@given(data=st.data(), seed=seeds, swarm=swarms())
@settings(max_examples=25, deadline=None)
def test_results_are_the_same_whatever_happens_to_workers(shape, data, seed, swarm):
    specs = data.draw(programs(shape))
    cluster, values = start(seed, swarm)
    cluster.do(Submit(0.0, "c1", tuple(specs), (specs[-1].key,)))
    for _ in range(data.draw(st.integers(0, 4))):
        for _ in range(data.draw(st.integers(1, 60))):
            cluster.timeline.step()
        now_s = cluster.timeline.now_s
        name = f"w{data.draw(st.integers(0, swarm.workers_count - 1))}"
        deed = data.draw(
            st.sampled_from(
                [
                    CrashWorker(now_s, name),
                    LeaveWorker(now_s, name),
                    Hang(now_s, name, 0.2),
                    Cut(now_s, name, 0.05),
                    Stall(now_s, name, 0.05),
                    Recall(now_s, data.draw(st.sampled_from(specs)).key),
                ]
            )
        )
        cluster.do(deed)
    finish(cluster)
    key = specs[-1].key
    # A task that was running on three workers that died is given up, and with it what reads it.
    if values or cluster.results.seen["WORKER_DIED"] == 0:
        assert values == reference(specs, [key])
