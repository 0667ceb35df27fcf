"""What is wrong with a cluster, by what its hosts have found: pure, and in words with remedies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from hocket.deploy.probing import Probe

__all__ = ["Finding", "Severity", "diagnose"]

#: Clocks that differ by more mislead people who read logs and dashboards.
_SKEW_S_MAX: Final = 1.0
#: Fewer open files than this, and a cluster of some hundred workers fails in odd ways.
_OPEN_FILES_MIN: Final = 4096


class Severity(Enum):
    """How bad a finding is."""

    FINE = "fine"
    WARNING = "warning"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    severity: Severity
    text: str


def diagnose(probes: Mapping[str, Probe], skews_s: Mapping[str, float]) -> list[Finding]:
    """Return what was found, the worst first.

    Parameters
    ----------
    probes
        By who has found it: this host, and each worker.
    skews_s
        By the same names, how far their clocks are ahead of ours.
    """
    found = [
        *_links(probes),
        *_versions(probes),
        *_clocks(skews_s),
        *_limits(probes),
    ]
    order = [Severity.BROKEN, Severity.WARNING, Severity.FINE]
    return sorted(found, key=lambda one: order.index(one.severity))


def _links(probes: Mapping[str, Probe]) -> Iterator[Finding]:
    links_count = 0
    for source, own in probes.items():
        for target, ways in own.ways.items():
            links_count += 1
            if any(not reason for reason in ways.values()):
                continue
            tried = "; ".join(f"{at}: {reason}" for at, reason in ways.items())
            at_host = f" (on {own.host})" if own.host not in source else ""
            yield Finding(
                Severity.BROKEN,
                f"{source}{at_host} does not reach {target}: {tried}. Open the way there, or have"
                " them listen on another network with --interface or --host, or another --port",
            )
    if links_count:
        yield Finding(Severity.FINE, f"{links_count} links were tried")


def _versions(probes: Mapping[str, Probe]) -> Iterator[Finding]:
    (ours_name, ours), *others = probes.items()
    same = True
    for name, probe in others:
        differing = [
            f"{package} {probe.versions.get(package, 'missing')} there,"
            f" {ours.versions.get(package, 'missing')} here"
            for package in sorted({*ours.versions, *probe.versions})
            if probe.versions.get(package) != ours.versions.get(package)
        ]
        if differing:
            same = False
            yield Finding(
                Severity.WARNING,
                f"{name} has other versions than {ours_name}: {', '.join(differing)}; pickled"
                " values and functions may not be understood",
            )
    if same and others:
        yield Finding(Severity.FINE, "versions are the same everywhere")


def _clocks(skews_s: Mapping[str, float]) -> Iterator[Finding]:
    wrong = {name: skew_s for name, skew_s in skews_s.items() if abs(skew_s) > _SKEW_S_MAX}
    for name, skew_s in wrong.items():
        side = "ahead of" if skew_s > 0 else "behind"
        yield Finding(
            Severity.WARNING,
            f"the clock of {name} is {abs(skew_s):.1f} s {side} ours; let its host keep time (NTP)",
        )
    if skews_s and not wrong:
        yield Finding(Severity.FINE, "clocks agree")


def _limits(probes: Mapping[str, Probe]) -> Iterator[Finding]:
    tight = {
        name: probe.open_files_max
        for name, probe in probes.items()
        if 0 < probe.open_files_max < _OPEN_FILES_MIN
    }
    for name, limit in tight.items():
        yield Finding(
            Severity.WARNING,
            f"{name} may open {limit} files, which hundreds of connections need more of; raise it"
            f" with ulimit -n {_OPEN_FILES_MIN}",
        )
    if not tight:
        yield Finding(Severity.FINE, "limits are wide enough")
