"""``python -m tests.faults --cycles N --seed S [--brokers 1|3 | --embedded] [--minutes M] [--soak]``: the long run (``make faults``)."""

import argparse
import sys
from pathlib import Path

from tests.faults import cluster, menu, rig, run

OUT = Path("build/faults.json")


def main() -> int:
    """Run, write the result, end with the verifier's line. Exit code 1 when a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cycles", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--brokers", type=int, choices=(1, 3), default=3)
    parser.add_argument("--embedded", action="store_true", help="the embedded broker, and the faults that it can have")
    parser.add_argument("--minutes", type=float, help="begin no cycle after so long")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rate", type=float, default=15.0, help="articles a second")
    parser.add_argument("--models", choices=("light", "real"), default="light")
    parser.add_argument("--only", action="append", choices=[fault.name for fault in menu.MENU], help="only this fault; may be repeated")
    parser.add_argument("--hurry", action="store_true", help="the next fault need not wait until every worker is back")
    parser.add_argument("--soak", action="store_true", help="no faults: load for --minutes, memory watched")
    parser.add_argument("--folder", type=Path, help="for logs and data; a temporary one by default")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    if not options.embedded and not cluster.available():
        print(f"no Apache Kafka under {cluster.home()} (set KAFKA_HOME), or no java", file=sys.stderr)  # noqa: T201
        return 2
    wanted = rig.Options(
        cycles=options.cycles,
        seed=options.seed,
        brokers=1 if options.embedded else options.brokers,
        embedded=options.embedded,
        minutes=options.minutes,
        workers=options.workers,
        rate=options.rate,
        models=options.models,
        names=frozenset(options.only) if options.only else None,
        folder=options.folder,
        soak=options.soak,
        hurry=options.hurry,
    )
    report = run.run(wanted, say=lambda line: print(line, flush=True))  # noqa: T201
    run.write(report, options.out)
    for problem in report.problems()[:200]:
        print(problem)  # noqa: T201
    print(report.verdict.line())  # noqa: T201
    return 1 if report.problems() else 0


if __name__ == "__main__":
    sys.exit(main())
