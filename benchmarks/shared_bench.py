"""An adapter that runs hocket under the comparison in ``../shared/bench``, if it is there.

``python benchmarks/shared_bench.py --workload tree [--n N]``: arguments go on as they are, with
``--engine hocket``. The comparison's own adapter is kept; this adds how its neutral graphs become
ours, and which process is the scheduler.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

from hocket.graph import Graph, Ref, Task

BENCH = Path(__file__).resolve().parents[2] / "shared" / "bench"


def main() -> None:
    """Run one workload."""
    if not (BENCH / "engines.py").exists():
        raise SystemExit(f"left out: there is no {BENCH.name}/engines.py beside this repository")
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(BENCH))
    # (By name, since this folder has an engines.py, too; the path puts theirs first.)
    engines: Any = importlib.import_module("engines")

    class Hocket(engines.Hocket):  # type: ignore[misc]
        def prepare(self, graph: dict[Any, Any]) -> Graph:
            def ours(argument: Any) -> Any:
                return Ref(argument.key) if type(argument) is engines.Ref else argument

            return Graph(
                {
                    key: Task(function, tuple(map(ours, args)))
                    for key, (function, args) in graph.items()
                }
            )

        def roles(self) -> dict[str, list[int]]:
            return {
                "scheduler": [self.cluster.scheduler_pid],
                "workers": list(self.cluster.worker_pids.values()),
            }

    engines.ENGINES["hocket"] = Hocket
    sys.argv[1:1] = ["--engine", "hocket"]
    engines.main()


if __name__ == "__main__":
    main()
