"""The verifier: what went in against what came out. Pure: lists of records in, a verdict out, so that it can itself be tested.

The input topic as the broker kept it is what counts, not what the feeder remembers: every record of it must have come out
at least once, the way it should, in order per key, and all copies of one must carry one ``ce_id``.
"""

import base64
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

FEED_HEADER = "feed"
"""Carries the article's number: through enrichment, and inside the dead letter."""
Place = tuple[int, int]
"""Partition and offset of a record of the input topic."""


class Kept(NamedTuple):
    """A record as a topic holds it. ``timestamp`` in milliseconds."""

    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


class Copy(NamedTuple):
    """One output record, traced back to its input record.

    Args:
        place: the input record.
        outcome: ``enriched``, ``tombstone`` or a dead letter's reason.
        ce_id: of an enriched article, else None.
        record: where it stands.
    """

    place: Place
    outcome: str
    ce_id: str | None
    record: Kept


@dataclass
class Verdict:
    """What the verifier found; `lost` and the other lists hold one line a finding."""

    published: int = 0
    duplicates: int = 0
    dead: int = 0
    lost: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    dead_lettered_wrongly: list[str] = field(default_factory=list)
    disorder: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    invalid: list[str] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Nothing lost, wrong, out of order, with two ids or invalid."""
        return not any(self.findings())

    def findings(self) -> Iterator[str]:
        """Every finding, the worst first."""
        for name in ("lost", "dead_lettered_wrongly", "wrong", "disorder", "ids", "invalid"):
            for line in getattr(self, name):
                yield f"{name}: {line}"

    def line(self) -> str:
        """The last line of a run."""
        if self.sound:
            return f"ALL-RECORDS-DELIVERED n={self.published} duplicates={self.duplicates} dead={self.dead}"
        return f"NOT-DELIVERED n={self.published} lost={len(self.lost)} findings={len(list(self.findings()))}"


Validate = Callable[[str, object], Iterator[str]]
"""Name of a schema and a document to what is wrong with it."""


def verify(  # noqa: PLR0913 - three topics and what to hold them to
    *,
    fed: Sequence[Kept],
    enriched: Sequence[Kept],
    dead: Sequence[Kept],
    expected: Mapping[int, frozenset[str]],
    validate: Validate,
    numbers: Sequence[int] = (),
) -> Verdict:
    """Compare the three topics.

    Args:
        fed: every record of the input topic.
        enriched: every record of the output topic.
        dead: every record of the dead-letter topic.
        expected: number to the outcomes that are right.
        validate: an independent schema validator.
        numbers: articles whose sending was acknowledged to the feeder: they must be in the input topic.
    """
    verdict = Verdict(published=len(fed))
    inputs = {(record.partition, record.offset): record for record in fed}
    copies: dict[Place, list[Copy]] = defaultdict(list)
    for copy in [*_enriched(enriched, inputs, verdict, validate), *_dead(dead, verdict, validate)]:
        copies[copy.place].append(copy)
    held = {number_of(record.headers) for record in fed}
    verdict.lost += [
        f"article {number} was acknowledged to the feeder and is not in the input topic" for number in numbers if number not in held
    ]
    for place, record in inputs.items():
        _judge(place, record, copies.pop(place, []), expected, verdict)
    verdict.wrong += [f"output of {place}, which nobody fed" for place in copies]
    verdict.dead = len({(copy.place) for copy in _dead(dead, Verdict(), _silent)})
    for name, topic in (("enriched", _enriched(enriched, inputs, Verdict(), _silent)), ("dead", _dead(dead, Verdict(), _silent))):
        verdict.disorder += [f"{name}: {line}" for line in _disorder(topic, inputs)]
    return verdict


def number_of(headers: Sequence[tuple[str, bytes | None]]) -> int:
    """The article's number from its feed header; -1 without one."""
    values = [value for name, value in headers if name == FEED_HEADER and value is not None]
    return int(values[0]) if values else -1


def _judge(place: Place, record: Kept, copies: Sequence[Copy], expected: Mapping[int, frozenset[str]], verdict: Verdict) -> None:
    number = number_of(record.headers)
    what = f"article {number} at {place[0]}/{place[1]}"
    right = expected.get(number)
    if not copies:
        verdict.lost.append(what)
        return
    verdict.duplicates += len(copies) - 1
    outcomes = {copy.outcome for copy in copies}
    if right is not None and not outcomes <= right:
        wrongly = verdict.dead_lettered_wrongly if right & {"enriched", "tombstone"} else verdict.wrong
        wrongly.append(f"{what}: {sorted(outcomes)}, not {sorted(right)}: {_error(copies)}")
    if len({copy.ce_id for copy in copies if copy.outcome == "enriched"}) > 1:
        verdict.ids.append(f"{what}: copies with different ce_id")
    if any(copy.record.key != record.key for copy in copies):
        verdict.wrong.append(f"{what}: came out under another key")


def _error(copies: Sequence[Copy]) -> str:
    values = [copy.record.value for copy in copies if copy.outcome not in {"enriched", "tombstone"}]
    return str(json.loads(values[0]).get("error", ""))[:200] if values and values[0] else ""


def _enriched(records: Sequence[Kept], inputs: Mapping[Place, Kept], verdict: Verdict, validate: Validate) -> list[Copy]:
    found: list[Copy] = []
    places = {number_of(record.headers): place for place, record in inputs.items() if record.value is None}
    for record in records:
        if record.value is None:
            place = places.get(number_of(record.headers), (-1, record.offset))
            found.append(Copy(place, "tombstone", None, record))
            continue
        document = json.loads(record.value)
        place = (document["provenance"]["source"]["partition"], document["provenance"]["source"]["offset"])
        verdict.invalid += [f"enriched {place}: {line}" for line in validate("enriched-article", document)]
        ids = [value for name, value in record.headers if name == "ce_id" and value]
        if number_of(record.headers) != document["article"].get("number", -1):
            verdict.wrong.append(f"enriched {place}: header {FEED_HEADER} is not the article's")
        found.append(Copy(place, "enriched", ids[0].decode() if len(ids) == 1 else f"{len(ids)} ce_id headers", record))
    return found


def _dead(records: Sequence[Kept], verdict: Verdict, validate: Validate) -> list[Copy]:
    found: list[Copy] = []
    for record in records:
        document: dict[str, Any] = json.loads(record.value or b"{}")
        place = (document["source"]["partition"], document["source"]["offset"])
        verdict.invalid += [f"dead {place}: {line}" for line in validate("dead-letter", document)]
        shown = dict(record.headers)
        if (shown.get("khabar.error.reason") or b"").decode() != document["reason"]:
            verdict.wrong.append(f"dead {place}: header khabar.error.reason is not its reason")
        key = None if document["key"] is None else base64.b64decode(document["key"])
        if key != record.key:
            verdict.wrong.append(f"dead {place}: member key is not the record's key")
        found.append(Copy(place, document["reason"], None, record))
    return found


def _disorder(copies: Sequence[Copy], inputs: Mapping[Place, Kept]) -> Iterator[str]:
    """First copies of one key must come in the order of the input."""
    seen: set[Place] = set()
    last: dict[tuple[bytes | None, int], int] = {}
    for copy in sorted(copies, key=lambda one: (one.record.partition, one.record.offset)):
        if copy.place in seen or copy.place not in inputs:
            continue
        seen.add(copy.place)
        lane = (inputs[copy.place].key, copy.place[0])
        if copy.place[1] < last.get(lane, -1):
            yield f"key {lane[0]!r}: input offset {copy.place[1]} came out behind {last[lane]}"
        last[lane] = max(last.get(lane, -1), copy.place[1])


def _silent(_name: str, _document: object) -> Iterator[str]:
    return iter(())
