"""``python -m hocket.testing``: tell the story of one seed, or run many.

    python -m hocket.testing --seed 7 [--shrink] [--steps 500] [--workers 3]
    python -m hocket.testing --seeds 1000 [--start 0] [--shrink] [--steps 500] [--workers 3]

The first prints each event of one run; the second runs many, counts what was seen in them, and
stops at the first seed that fails. With --shrink a history that fails is cut down to a short one
that breaks the same rule, and printed as a program that replays it. Both exit with 1 when a rule is
broken.
"""

from __future__ import annotations

import argparse
import os
import sys

from hocket.testing.campaign import Tally, run_seeds
from hocket.testing.shrink import EVENTS_MAX, shrink
from hocket.testing.simulation import STEPS_DEFAULT, Report, simulate

__all__ = ["describe_shrunk", "main"]

#: Lines of the story that stand before what is wrong.
_ENDING_LINES = 5


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m hocket.testing", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--seed", type=int, help="tell the story of this one seed")
    which.add_argument("--seeds", type=int, help="run this many seeds (default: 100)")
    parser.add_argument("--start", type=int, default=0, help="the first of many seeds")
    parser.add_argument("--shrink", action="store_true", help="cut a failing history down")
    parser.add_argument("--effort", type=int, default=EVENTS_MAX, help="events to cut it down by")
    parser.add_argument("--steps", type=int, default=STEPS_DEFAULT, help="events before all heals")
    parser.add_argument("--workers", type=int, default=None, help="number of workers")
    options = parser.parse_args(arguments)
    if options.seed is not None:
        report = simulate(
            options.seed, steps=options.steps, workers_count=options.workers, listener=_say
        )
        tally = Tally()
        tally.add(report)
        _say(tally.totals())
    else:
        seeds = range(options.start, options.start + (options.seeds or 100))
        began_s = _processor_s()
        tally = run_seeds(seeds, options.steps, options.workers)
        rate = tally.histories_count / max(_processor_s() - began_s, 1e-3) * 60
        _say(tally.totals())
        _say(f"{rate:,.0f} histories a minute of processor time")
        _say(tally.coverage())
    failed = tally.failed
    if failed is None:
        return 0
    lines = failed.describe().splitlines()
    # (Where the whole story was told, its end stands above.)
    _say("\n".join(lines if options.seed is None else lines[-_ENDING_LINES:]))
    if options.shrink:
        _say(describe_shrunk(failed, options.effort))
    else:
        _say(f"shorter: python -m hocket.testing --seed {failed.seed} --shrink")
    return 1


def describe_shrunk(failed: Report, events_max: int = EVENTS_MAX) -> str:
    """Return a failing history, cut down, as a program."""
    short = shrink(failed, events_max=events_max)
    assert short.finding is not None
    return "\n".join(
        [
            "",
            f"# {len(short.deeds)} of {len(failed.deeds)} deeds break the same rule:",
            f"# {short.finding.rule}: {short.finding.detail}",
            short.script.text(),
        ]
    )


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def _processor_s() -> float:
    """Return the processor time that was used: it tells more of a simulator than a clock does."""
    return os.times().user


if __name__ == "__main__":
    sys.exit(main())
