"""A group of workers over a day or a week: arrivals, lag a partition, rebalances, autoscaling on lag. Knows no Kafka.

Time goes in steps; what a worker does in a step is shared among its partitions by their lag. The autoscaler is
Kubernetes' (HPA v2, behaviour policies) fed by KEDA's Kafka scaler, with the numbers of ``deploy/kubernetes``.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import yaml
from numpy.typing import NDArray

TOLERANCE = 0.1
"""Kubernetes leaves the replicas alone while the metric is this near to its target."""
SYNC_SECONDS = 15.0
"""Between two looks of Kubernetes' autoscaler."""


class Policy(NamedTuple):
    """How fast the replicas may change.

    Args:
        window: seconds over which the most cautious recommendation counts.
        pods: replicas at most …
        percent: … or share of the replicas in hundredths, whichever allows more …
        period: … in so many seconds.
    """

    window: float
    pods: float
    percent: float
    period: float

    def allowed(self, replicas: int) -> int:
        """Replicas that may come or go in one period."""
        return int(max(self.pods, math.ceil(replicas * self.percent / 100)))


@dataclass(frozen=True)
class Rule:
    """When the group grows and shrinks.

    Args:
        threshold: articles waiting per replica.
        least: replicas at least.
        most: replicas at most, no more than partitions.
        up: how fast it grows.
        down: how fast it shrinks.
        sync: seconds between two looks.
    """

    threshold: float
    least: int
    most: int
    up: Policy
    down: Policy
    sync: float = SYNC_SECONDS

    @classmethod
    def read(cls, file: Path) -> "Rule":
        """From a KEDA ScaledObject."""
        spec = yaml.safe_load(file.read_text(encoding="utf-8"))["spec"]
        behaviour = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
        threshold = float(spec["triggers"][0]["metadata"]["lagThreshold"])
        up, down = _policy(behaviour["scaleUp"]), _policy(behaviour["scaleDown"])
        return cls(threshold, spec["minReplicaCount"], spec["maxReplicaCount"], up, down)


def _policy(behaviour: dict[str, object]) -> Policy:
    found = {"Pods": 0.0, "Percent": 0.0}
    period = 60.0
    policies = behaviour["policies"]
    for policy in policies if isinstance(policies, list) else ():
        found[policy["type"]] = float(policy["value"])
        period = float(policy["periodSeconds"])
    window = behaviour["stabilizationWindowSeconds"]
    return Policy(float(str(window)), found["Pods"], found["Percent"], period)


class Autoscaler:
    """Replicas from lag."""

    def __init__(self, rule: Rule, *, replicas: int) -> None:
        """Start with so many replicas."""
        self._rule = rule
        self.replicas = replicas
        self._recommended: deque[tuple[float, int]] = deque()
        self._changes: deque[tuple[float, int]] = deque()

    def look(self, now: float, lag: float) -> int:
        """Replicas from now on."""
        rule = self._rule
        wanted = math.ceil(lag / rule.threshold)
        if abs(lag / (rule.threshold * self.replicas) - 1) <= TOLERANCE:
            wanted = self.replicas
        self._recommended.append((now, min(max(wanted, rule.least), rule.most)))
        while self._recommended[0][0] < now - max(rule.up.window, rule.down.window):
            self._recommended.popleft()
        up = min(count for at, count in self._recommended if at >= now - rule.up.window)
        down = max(count for at, count in self._recommended if at >= now - rule.down.window)
        goal = min(max(self.replicas, up), max(down, up))
        changed = self._limited(now, goal) - self.replicas
        if changed:
            self._changes.append((now, changed))
            self.replicas += changed
        return self.replicas

    def _limited(self, now: float, goal: int) -> int:
        """No faster than the policies allow."""
        rule = self._rule
        while self._changes and self._changes[0][0] < now - max(rule.up.period, rule.down.period):
            self._changes.popleft()
        came = sum(change for at, change in self._changes if change > 0 and at > now - rule.up.period)
        went = -sum(change for at, change in self._changes if change < 0 and at > now - rule.down.period)
        ceiling = self.replicas - came + rule.up.allowed(self.replicas - came)
        ground = self.replicas + went - rule.down.allowed(self.replicas + went)
        return min(max(goal, ground), max(ceiling, self.replicas)) if goal > self.replicas else max(goal, min(ground, self.replicas))


class Worker(NamedTuple):
    """What one replica is like.

    Args:
        rates: articles a second of one replica when there is one, two, …; the last one holds for more.
        start: seconds from the autoscaler's word to a member that consumes.
        rebalance: seconds in which nobody in the group delivers when its members change.
        leave: seconds from the autoscaler's word until a replica has drained and left.
    """

    rates: Sequence[float]
    start: float
    rebalance: float
    leave: float = 2.0


class Course(NamedTuple):
    """What happened, a value a step.

    Args:
        step: seconds of one.
        lag: articles waiting, all partitions together, at the end of the step.
        members: replicas that consume.
        replicas: replicas that are paid for.
        delays: seconds that the articles arriving in the step waited, the slowest partition's.
        arrived: articles that came.
    """

    step: float
    lag: NDArray[np.float64]
    members: NDArray[np.int64]
    replicas: NDArray[np.int64]
    delays: NDArray[np.float64]
    arrived: NDArray[np.float64]

    def delay(self, share: float) -> float:
        """Seconds that this share of the articles waited at most."""
        order = np.argsort(self.delays)
        passed = np.cumsum(self.arrived[order]) / max(self.arrived.sum(), 1e-9)
        return float(self.delays[order][min(int(np.searchsorted(passed, share)), len(order) - 1)])


def run(arrivals: NDArray[np.float64], *, step: float, rule: Rule, worker: Worker, replicas: int) -> Course:
    """Let the group work.

    Args:
        arrivals: (steps, partitions) articles.
        step: seconds of one.
        rule: the autoscaler's.
        worker: one replica.
        replicas: at the beginning.
    """
    steps, partitions = arrivals.shape
    scaler = Autoscaler(rule, replicas=replicas)
    waiting = np.zeros(partitions)
    served = np.zeros((steps, partitions))
    lag, members, paid = np.zeros(steps), np.zeros(steps, np.int64), np.zeros(steps, np.int64)
    working, paused, coming, next_look = replicas, 0.0, deque[tuple[float, int]](), rule.sync
    for number in range(steps):
        now = (number + 1) * step
        if now >= next_look:
            next_look += rule.sync
            before = scaler.replicas
            change = scaler.look(now, float(waiting.sum())) - before
            if change:
                coming.append((now + (worker.start if change > 0 else worker.leave), change))
        while coming and coming[0][0] <= now:
            working, paused = max(working + coming.popleft()[1], 1), now + worker.rebalance
        waiting += arrivals[number]
        share = min(max(now - paused, 0.0), step) / step
        if share:
            served[number] = _served(waiting, working, worker.rates[min(working, len(worker.rates)) - 1] * step * share)
            waiting -= served[number]
        lag[number], members[number], paid[number] = waiting.sum(), working, max(scaler.replicas, working)
    return Course(step, lag, members, paid, _delays(arrivals, served, step), arrivals.sum(axis=1))


def _served(waiting: NDArray[np.float64], members: int, capacity: float) -> NDArray[np.float64]:
    """What each partition gets done: partitions are dealt out in turn, a member shares its time among its own by their lag."""
    owner = np.arange(len(waiting)) % members
    load = np.bincount(owner, waiting, minlength=members)
    part = np.minimum(1.0, capacity / np.maximum(load, 1e-12))
    done: NDArray[np.float64] = waiting * part[owner]
    return done


def _delays(arrivals: NDArray[np.float64], served: NDArray[np.float64], step: float) -> NDArray[np.float64]:
    """Seconds until as many were served as had arrived, of each step the slowest partition; what never was counts to the end."""
    came, went = np.cumsum(arrivals, axis=0), np.cumsum(served, axis=0)
    slowest = np.zeros(len(arrivals))
    for partition in range(arrivals.shape[1]):
        done = np.searchsorted(went[:, partition] + 1e-6, came[:, partition])
        slowest = np.maximum(slowest, (done - np.arange(len(arrivals))) * step)
    return slowest
