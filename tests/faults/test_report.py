"""A run's report must say no when a promise is broken, and carry the names that others rely on."""

import random

import pytest

from tests.faults import menu
from tests.faults.articles import BAD, ENRICHED, POISONED, make
from tests.faults.run import WINDOW, Cycle, Report
from tests.faults.soak import Sample
from tests.faults.verify import Verdict

GOOD_END = {"name": "w", "code": 0, "wanted": True, "seconds": 2.0}


def _report(**changes: object) -> Report:
    good = {"cycles": [Cycle(1, ["worker SIGKILL"], 11.0, 15.0, 0.0)], "verdict": Verdict(published=1000, duplicates=9), "ends": [GOOD_END]}
    return Report(**(good | changes))  # type: ignore[arg-type] # fields by name


def test_a_good_run_has_no_problems() -> None:
    """Recovered in time, few duplicates, exit codes 0 and the rig's own kills."""
    assert _report(ends=[GOOD_END, {**GOOD_END, "code": -9}]).problems() == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"cycles": [Cycle(1, ["leader SIGKILL"], 15.1, 15.0, 0.0)]}, "15.1 s to recover"),
        ({"cycles": [Cycle(1, ["leader SIGKILL"], None, 15.0, 0.0)]}, "None s to recover"),
        ({"cycles": [Cycle(1, ["leader SIGKILL", "clock jump"], None, 15.0, 0.0)]}, "None s to recover"),
        ({"ends": [{**GOOD_END, "code": 75}]}, "ended badly"),
        ({"ends": [{**GOOD_END, "wanted": False}]}, "ended badly"),
        ({"verdict": Verdict(published=1000, duplicates=11)}, "11 duplicates, 10 allowed"),
        ({"stuck": "no outputs"}, "stuck: no outputs"),
        ({"verdict": Verdict(published=1000, lost=["article 7"])}, "lost: article 7"),
        ({"samples": [Sample(10.0 * n, "w", 80.0, 100.0 + n) for n in range(40)]}, "w: all memory climbs from 114.5 to 134.5 MiB"),
    ],
)
def test_every_broken_promise_is_a_problem(changes: dict[str, object], says: str) -> None:
    """One thing wrong is one problem that names it."""
    (problem,) = _report(**changes).problems()
    assert says in problem


def test_two_faults_at_once_may_take_longer() -> None:
    """Only single faults have a promised time."""
    assert _report(cycles=[Cycle(1, ["leader SIGKILL", "clock jump"], 40.0, 15.0, 0.0)]).problems() == []


def test_each_kill_may_double_one_window() -> None:
    """One article in a hundred, and what was in flight for each kill."""
    assert _report(kills=2).duplicates_allowed == 10 + 2 * WINDOW


def test_the_summary_has_the_names_others_rely_on() -> None:
    """``build/faults.json`` as the interface says."""
    summary = _report().summary()
    wanted = {"cycles": 1, "published": 1000, "lost": 0, "duplicates": 9, "dead_lettered_wrongly": 0, "recovery_seconds_max": 11.0}
    assert {name: summary[name] for name in wanted} == wanted


def _dice() -> random.Random:
    return random.Random(1)  # noqa: S311 - reproducible on purpose


def test_a_deck_holds_every_possible_fault_once_in_seeded_order() -> None:
    """Three brokers can have every fault, one broker fewer; the seed decides the order."""
    three = menu.deck(_dice(), brokers=3)
    assert sorted(three) == sorted(menu.MENU)
    assert three == menu.deck(_dice(), brokers=3)
    assert "leaders moved" not in {fault.name for fault in menu.deck(_dice(), brokers=1)}
    embedded = {fault.name for fault in menu.deck(_dice(), brokers=1, apache=False)}
    assert "leader SIGSTOP" in embedded
    assert not {"leader SIGKILL", "disk full", "partitions added"} & embedded, "it would forget everything, or cannot"


def test_articles_are_numbered_seeded_and_mixed() -> None:
    """The same seed gives the same articles: good ones, every kind of bad one, tombstones and some that cannot be published."""
    first = [make(number, seed=3) for number in range(4000)]
    assert first == [make(number, seed=3) for number in range(4000)]
    outcomes = {outcome for article in first for outcome in article.expect}
    assert outcomes == {"enriched", "tombstone", "output_too_large", *BAD}
    assert make(7, seed=3, poison="once").expect == ENRICHED
    assert all(f"-{kind}-7".encode() in (make(7, seed=3, poison=kind).value or b"") for kind in POISONED)
