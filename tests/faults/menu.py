"""Every fault the rig knows: a function that does it, and may hand back what ends it.

A fault returns when it has happened and the clock of the recovery may start: a broker that comes back, when it answers
again; one of three that is gone, when it is gone.
"""

import contextlib
import random
import shutil
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from kafka import TopicPartition

from tests.faults import topics
from tests.faults.cluster import REPOSITORY, Broker
from tests.faults.rig import Rig

Heal = Callable[[], None]
JOIN_SECONDS = 120.0
MOST_PARTITIONS = 12
ASSIGNED = "partitions_assigned"
SOON, HUNG = 15.0, 30.0
"""Seconds within which the first article must be out: after what is killed or returns, and when something hangs."""


class Fault(NamedTuple):
    """A fault.

    Args:
        name: as reported.
        do: lets it happen; what it returns ends it.
        limit: seconds to recover, None where the fault itself takes time that has no bound set.
        brokers: how many brokers it needs at least.
        apache: needs Apache Kafka. The embedded broker forgets everything when it ends, cannot grow a topic, and now and then
            lets nobody into a group again that all members have left at once (bare aiokafka clients meet that too).
        kills: how many workers, enricher processes or brokers it ends, each with its window of articles in flight.
    """

    name: str
    do: Callable[[Rig], Heal | None]
    limit: float | None
    brokers: int = 1
    kills: int = 0
    apache: bool = False


def _worker_sigkill(rig: Rig) -> None:
    rig.dice.choice(rig.workers).signal(signal.SIGKILL)


def _worker_sigterm(rig: Rig) -> None:
    """Once, or again while it drains, or killed while it drains."""
    worker = rig.dice.choice(rig.workers)
    worker.signal(signal.SIGTERM)
    then = rig.dice.choice([None, signal.SIGTERM, signal.SIGKILL])
    if then is not None:
        time.sleep(rig.dice.uniform(0.1, 0.6))
        worker.signal(then, again=True)


def _workers_sigterm_together(rig: Rig) -> None:
    for worker in rig.workers:
        worker.signal(signal.SIGTERM)
        time.sleep(rig.dice.choice([0.0, 0.4]))


def _workers_sigkill_together(rig: Rig) -> None:
    for worker in rig.workers:
        worker.signal(signal.SIGKILL)


def _pool_signal(number: signal.Signals) -> Callable[[Rig], None]:
    def send(rig: Rig) -> None:
        children = rig.dice.choice(rig.workers).children()
        if children:
            with contextlib.suppress(Exception):
                rig.dice.choice(children).send_signal(number)

    return send


def _worker_sigstop(rig: Rig) -> Heal:
    worker = rig.dice.choice(rig.workers)
    worker.signal(signal.SIGSTOP)
    return _after(rig.dice.uniform(5, 40), lambda: worker.signal(signal.SIGCONT))


def _worker_joins_and_leaves(rig: Rig) -> None:
    """Two more workers join one after the other and leave as quickly, so that partitions go and come back with articles in flight."""
    guests = [rig.worker(f"guest-{len(rig.guests) + number}") for number in range(2)]
    rig.guests += guests
    for guest in guests:
        guest.start()
    for guest in guests:
        guest.wait_for(ASSIGNED, seconds=JOIN_SECONDS)
    for guest in guests:
        time.sleep(rig.dice.uniform(0, 2))
        if rig.dice.random() < 0.5:
            guest.kill()
        else:
            guest.close(seconds=40)


def _leader_sigkill(rig: Rig) -> Heal:
    return _broker_sigkill(rig, rig.leader(topics.INPUT, rig.dice.randrange(rig.partitions)))


def _coordinator_sigkill(rig: Rig) -> Heal:
    return _broker_sigkill(rig, rig.coordinator())


def _broker_sigkill(rig: Rig, broker: Broker) -> Heal:
    """One broker: it comes back before the clock starts. Three: the clock starts at once."""
    broker.kill()
    if len(rig.cluster.brokers) > 1:
        return _after(rig.dice.uniform(8, 20), lambda: _launch(rig, broker))
    time.sleep(rig.dice.uniform(1, 8))
    _launch(rig, broker)
    return lambda: None


def _leader_sigstop(rig: Rig) -> Heal:
    return _broker_sigstop(rig, rig.leader(topics.INPUT, rig.dice.randrange(rig.partitions)))


def _coordinator_sigstop(rig: Rig) -> Heal:
    return _broker_sigstop(rig, rig.coordinator())


def _broker_sigstop(rig: Rig, broker: Broker) -> Heal:
    broker.signal(signal.SIGSTOP)
    if len(rig.cluster.brokers) > 1:
        return _after(rig.dice.choice([25, 40, 60]), lambda: broker.signal(signal.SIGCONT))
    time.sleep(rig.dice.uniform(5, 60))
    broker.signal(signal.SIGCONT)
    return lambda: None


def _leaders_moved(rig: Rig) -> None:
    """Every partition of the three topics prefers another of its replicas, which then leads it."""
    names = [topics.INPUT, topics.OUTPUT, topics.DEAD]
    with rig.cluster.admin() as admin:
        nodes = [broker.node for broker in rig.cluster.brokers]
        orders = {TopicPartition(name, number): rig.dice.sample(nodes, len(nodes)) for name in names for number in range(rig.partitions)}
        admin.alter_partition_reassignments(orders)
        time.sleep(1)
        admin.elect_leaders(0, {name: list(range(rig.partitions)) for name in names}, raise_errors=False)


def _connection_cut(rig: Rig) -> None:
    rig.proxy.cut(seconds=rig.dice.choice([0, 1, 5, 12]))


def _connection_slowed(rig: Rig) -> None:
    with rig.proxy.slowed(delay=rig.dice.choice([0.05, 0.3, 1.0])):
        time.sleep(10)


def _connection_stalled(rig: Rig) -> None:
    with rig.proxy.stalled():
        time.sleep(rig.dice.uniform(3, 25))


def _disk_full(rig: Rig) -> Heal:
    """No file of the broker may grow beyond what is there: it answers with a storage error and goes down."""
    broker = rig.leader(topics.OUTPUT, rig.dice.randrange(rig.partitions))
    broker.limit_files(0.01)
    deadline = time.monotonic() + 20
    while broker.alive and time.monotonic() < deadline:
        time.sleep(0.2)
    broker.limit_files(None)

    def back() -> None:
        broker.kill()
        _launch(rig, broker)

    if len(rig.cluster.brokers) > 1:
        return _after(rig.dice.uniform(5, 10), back)
    back()
    return lambda: None


def _clock_jump(rig: Rig) -> Heal:
    rig.feeder.clock_jump = rig.dice.choice([-1, 1]) * rig.dice.choice([3600.0, 86400.0 * 365 * 20])

    def back() -> None:
        rig.feeder.clock_jump = 0.0

    return back


def _partitions_added(rig: Rig) -> None:
    """The input topic grows by one partition while it is read; keys move, so order per key holds on each side of the change."""
    with rig.cluster.admin() as admin:
        (described,) = admin.describe_topics([topics.INPUT])
        count = len(described["partitions"])
        if count < MOST_PARTITIONS:
            admin.create_partitions({topics.INPUT: count + 1})


def _rolling_upgrade(rig: Rig) -> None:
    """Every worker in turn is replaced by one of the next build: the same program under another version."""
    build = next_build(rig.folder / f"build-{len(list(rig.folder.glob('build-*')))}")
    for worker in rig.workers:
        before = worker.log.read_text(encoding="utf-8", errors="replace").count(ASSIGNED)
        worker.upgrade(build)
        worker.wait_for(ASSIGNED, more_than=before, seconds=JOIN_SECONDS)


def next_build(folder: Path) -> Path:
    """A copy of the program with another version number."""
    shutil.copytree(REPOSITORY / "tests", folder / "tests", ignore=shutil.ignore_patterns("data", "__pycache__"))
    shutil.copytree(REPOSITORY / "worker", folder / "worker", ignore=shutil.ignore_patterns("bundled", "__pycache__"))
    (folder / "worker" / "bundled").symlink_to(REPOSITORY / "worker" / "bundled")
    init = folder / "worker" / "__init__.py"
    init.write_text(init.read_text(encoding="utf-8").replace('__version__ = "', '__version__ = "9.'), encoding="utf-8")
    return folder


def _poison(kind: str) -> Callable[[Rig], None]:
    def feed(rig: Rig) -> None:
        for _ in range(rig.dice.choice([1, 1, 2])):
            rig.feeder.poison(kind)

    return feed


MENU = (
    Fault("worker SIGKILL", _worker_sigkill, SOON, kills=1),
    Fault("worker SIGTERM", _worker_sigterm, SOON, kills=1),
    Fault("all workers SIGTERM", _workers_sigterm_together, None, kills=2, apache=True),
    Fault("all workers SIGKILL", _workers_sigkill_together, None, kills=2),
    Fault("pool process SIGKILL", _pool_signal(signal.SIGKILL), SOON, kills=1),
    Fault("pool process SIGTERM", _pool_signal(signal.SIGTERM), SOON, kills=1),
    Fault("worker SIGSTOP 5-40 s", _worker_sigstop, HUNG, kills=1),
    Fault("worker joins and leaves twice", _worker_joins_and_leaves, SOON, kills=2),
    Fault("leader SIGKILL", _leader_sigkill, SOON, kills=1, apache=True),
    Fault("coordinator SIGKILL", _coordinator_sigkill, SOON, kills=1, apache=True),
    Fault("leader SIGSTOP", _leader_sigstop, HUNG),
    Fault("coordinator SIGSTOP", _coordinator_sigstop, HUNG),
    Fault("leaders moved", _leaders_moved, SOON, brokers=3),
    Fault("connections cut", _connection_cut, SOON),
    Fault("connections slowed", _connection_slowed, None),
    Fault("connections stalled", _connection_stalled, HUNG),
    Fault("disk full", _disk_full, HUNG, kills=1, apache=True),
    Fault("partitions added", _partitions_added, HUNG, apache=True),
    Fault("rolling upgrade", _rolling_upgrade, SOON),
    Fault("clock jump", _clock_jump, SOON),
    Fault("article kills its process", _poison("kill"), None, kills=3),
    Fault("article hangs", _poison("hang"), None, kills=3),
    Fault("article raises", _poison("raise"), SOON),
    Fault("article leaks memory", _poison("leak"), SOON),
    Fault("article takes all memory", _poison("burst"), None, kills=3),
    Fault("article kills its process once", _poison("once"), SOON, kills=1),
)


def deck(dice: random.Random, *, brokers: int, apache: bool = True, names: frozenset[str] | None = None) -> list[Fault]:
    """Every fault that this cluster can have, once, in random order."""
    able = [fault for fault in MENU if fault.brokers <= brokers and apache >= fault.apache]
    possible = [fault for fault in able if names is None or fault.name in names]
    dice.shuffle(possible)
    return possible


def _after(seconds: float, act: Callable[[], object]) -> Heal:
    """Do something later on a thread; the returned function waits until it is done."""
    timer = threading.Timer(seconds, act)
    timer.daemon = True
    timer.start()
    return timer.join


def _launch(rig: Rig, broker: Broker) -> None:
    """Start a broker again and wait until it has returned: it listens long before it answers."""
    rig.cluster.launch(broker)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not rig.cluster.answers(broker):
        time.sleep(0.1)
