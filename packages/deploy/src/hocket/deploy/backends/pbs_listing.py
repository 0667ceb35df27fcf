"""What `qstat -f` prints: attributes of jobs, one a line, long ones folded."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["parse_full_listing"]

_JOB: Final = re.compile(r"^Job Id:\s*(\S{1,300})\s*$")
#: PBS indents with spaces, so that a tab shows a folded line; Slurm's front for it with a tab.
_ATTRIBUTE: Final = re.compile(r"^( {1,8}|\t)([A-Za-z_][A-Za-z0-9_.]{0,99}) = ?(.*)$")
#: Of one job; PBS has about 80.
_ATTRIBUTES_MAX: Final = 500
_VALUE_LENGTH_MAX: Final = 10_000


def parse_full_listing(text: str) -> dict[str, dict[str, str]]:
    """Return by job id the attributes of each job; lines that are neither are passed over."""
    jobs: dict[str, dict[str, str]] = {}
    attributes: dict[str, str] = {}
    name = indent = ""
    for line in text.splitlines():
        job = _JOB.match(line)
        if job is not None:
            attributes = jobs.setdefault(job[1], {})
            name = indent = ""
            continue
        if line.startswith("\t") and name and indent != "\t":
            # A folded line goes on where it was cut, without a sign.
            attributes[name] = (attributes[name] + line[1:])[:_VALUE_LENGTH_MAX]
            continue
        found = _ATTRIBUTE.match(line)
        name = ""
        if found is not None and jobs and len(attributes) < _ATTRIBUTES_MAX:
            indent, name = found[1], found[2]
            attributes[name] = found[3][:_VALUE_LENGTH_MAX]
    return jobs
