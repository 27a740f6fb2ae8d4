"""A run of fault cycles, and what it gives: ``build/faults.json`` and the verifier's last line."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from kafka.errors import KafkaError

from tests.faults import menu, soak, topics
from tests.faults.rig import DRAIN_SECONDS, Options, Rig, StuckError
from tests.faults.verify import Verdict, verify
from tests.hostile.checks import invalid

TOGETHER = 0.25
"""Share of the cycles in which a second fault comes on top of the first."""
TRIES = 6
TRY_AGAIN_SECONDS = 4.0
WINDOW = 64
"""Articles in flight per partition at most: what one kill may double (``KHABAR_LANE_ARTICLES``)."""


@dataclass
class Cycle:
    """One cycle.

    Args:
        number: from 1.
        faults: their names.
        seconds: to recover; None when it never did.
        limit: what is promised; None where nothing is.
        at: seconds since the run began.
        missing: acknowledged articles without an outcome when the cycle ended.
        memory: resident MiB of each worker with its processes when the cycle ended.
    """

    number: int
    faults: list[str]
    seconds: float | None
    limit: float | None
    at: float
    missing: int = 0
    memory: list[int] = field(default_factory=list)

    @property
    def late(self) -> bool:
        """Not recovered, or later than promised. Two faults at once promise nothing but to recover."""
        return self.seconds is None or (len(self.faults) == 1 and self.limit is not None and self.seconds > self.limit)


@dataclass
class Report:
    """The result of a run."""

    cycles: list[Cycle] = field(default_factory=list)
    verdict: Verdict = field(default_factory=Verdict)
    ends: list[dict[str, Any]] = field(default_factory=list)
    stuck: str = ""
    kills: int = 0
    memory: list[float] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    samples: list[soak.Sample] = field(default_factory=list)

    @property
    def duplicates_allowed(self) -> int:
        """One article in a hundred, and one window in flight for each kill."""
        return self.verdict.published // 100 + WINDOW * self.kills

    @property
    def bad_ends(self) -> list[dict[str, Any]]:
        """Workers that ended by themselves, or not with 0 after SIGTERM (-9 is the rig's own SIGKILL)."""
        return [end for end in self.ends if not end["wanted"] or end["code"] not in {0, -9}]

    def problems(self) -> list[str]:
        """Everything that breaks a promise."""
        found = [f"stuck: {self.stuck}"] if self.stuck else []
        found += [f"cycle {one.number} {one.faults}: {one.seconds} s to recover, {one.limit} promised" for one in self.cycles if one.late]
        found += [f"soak: {line}" for line in soak.problems(self.samples)]
        found += [f"a worker ended badly: {end}" for end in self.bad_ends]
        if self.verdict.duplicates > self.duplicates_allowed:
            found.append(f"{self.verdict.duplicates} duplicates, {self.duplicates_allowed} allowed")
        return found + list(self.verdict.findings())

    def summary(self) -> dict[str, Any]:
        """What stands in ``build/faults.json``."""
        alone = [one for one in self.cycles if len(one.faults) == 1]
        return {
            "cycles": len(self.cycles),
            "published": self.verdict.published,
            "lost": len(self.verdict.lost),
            "duplicates": self.verdict.duplicates,
            "duplicates_allowed": self.duplicates_allowed,
            "dead": self.verdict.dead,
            "dead_lettered_wrongly": len(self.verdict.dead_lettered_wrongly),
            "disorder": len(self.verdict.disorder),
            "recovery_seconds_max": max((one.seconds for one in alone if one.limit is not None and one.seconds is not None), default=0.0),
            "recoveries": _recoveries(alone),
            "memory_mib": [round(one) for one in self.memory],
            "memory_mib_max": max((one for cycle in self.cycles for one in cycle.memory), default=0),
            "soak": soak.summary(self.samples),
            "workers_ended": self.ends,
            "problems": self.problems(),
            "log": [asdict(one) for one in self.cycles],
        }


def _recoveries(cycles: Sequence[Cycle]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for cycle in cycles:
        if cycle.seconds is not None:
            found.setdefault(cycle.faults[0], []).append(round(cycle.seconds, 1))
    return {name: sorted(found[name]) for name in sorted(found)}


def run(options: Options, *, say: Callable[[str], None] = print) -> Report:
    """Let faults happen and verify that nothing was lost; ``say`` takes a line of progress."""
    rig = Rig(options)
    report = Report()
    say(f"logs in {rig.folder}")
    with rig.running():
        try:
            report.cycles.append(Cycle(0, ["topics missing at start"], rig.wait(time.time()), None, 0.0))
            say(f"topics missing at start: {report.cycles[0].seconds:.1f} s")
            if options.soak:
                report.samples = soak.run(rig, minutes=options.minutes or soak.MINUTES, say=say)
            else:
                _cycles(rig, report, say=say)
        except (StuckError, KafkaError, OSError) as error:  # whatever ended it: what was fed is verified
            report.stuck = f"{type(error).__name__}: {error}"
            say(f"STUCK: {report.stuck}")
        rig.feeder.stop()
        rig.settle()
        report.memory = [worker.resident_mib() for worker in rig.workers]
        for worker in rig.workers:
            worker.close(seconds=DRAIN_SECONDS + 10)
        report.refused = rig.feeder.refused
        report.verdict = _verdict(rig)
    report.ends = [asdict(end) for worker in [*rig.workers, *rig.guests] for end in worker.ended]
    return report


def _cycles(rig: Rig, report: Report, *, say: Callable[[str], None]) -> None:
    options = rig.options
    began = time.time()
    cards: list[menu.Fault] = []
    for number in range(1, options.cycles + 1):
        if options.minutes is not None and time.time() - began > 60 * options.minutes:
            return
        cards = cards or menu.deck(rig.dice, brokers=options.brokers, apache=not options.embedded, names=options.names)
        faults = [cards.pop()]
        if rig.dice.random() < TOGETHER and cards:
            faults.append(cards.pop())
        cycle = Cycle(number, [fault.name for fault in faults], None, faults[0].limit, time.time() - began)
        report.cycles.append(cycle)
        report.kills += sum(fault.kills for fault in faults)
        _cycle(rig, cycle, faults)
        late = " LATE" if cycle.late else ""
        state = f"fed {len(rig.feeder.acknowledged)} missing {cycle.missing}"
        say(f"{number:4d} {' + '.join(cycle.faults):60s} {cycle.seconds:5.1f} s{late}   {state}")
        time.sleep(rig.dice.uniform(0, 2))


def _cycle(rig: Rig, cycle: Cycle, faults: Sequence[menu.Fault]) -> None:
    heals = [_do(rig, fault) for fault in faults]
    cycle.seconds = rig.wait(time.time())
    for heal in heals:
        if heal is not None:
            heal()
    rig.wait(time.time())
    if not rig.options.hurry:
        rig.wait_for_workers()
    cycle.missing = rig.missing()
    cycle.memory = [round(worker.resident_mib()) for worker in rig.workers]


def _do(rig: Rig, fault: menu.Fault) -> menu.Heal | None:
    """Let a fault happen; the rig's own questions to the brokers may meet one that is down or stopped, and are asked again.

    Raises:
        KafkaError: it could not be done in `TRIES` tries.
    """
    for attempt in range(TRIES):
        try:
            return fault.do(rig)
        except (KafkaError, OSError):
            if attempt == TRIES - 1:
                raise
            time.sleep(TRY_AGAIN_SECONDS)
    return None


def _verdict(rig: Rig) -> Verdict:
    read = {topic: topics.read(rig.cluster.direct, topic) for topic in (topics.INPUT, topics.OUTPUT, topics.DEAD)}
    return verify(
        fed=read[topics.INPUT],
        enriched=read[topics.OUTPUT],
        dead=read[topics.DEAD],
        expected=rig.feeder.expected,
        validate=invalid,
        numbers=[fed.number for fed in rig.feeder.acknowledged],
    )


def write(report: Report, path: Path) -> None:
    """Write the summary as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report.summary(), ensure_ascii=False, indent=1), encoding="utf-8")
