"""SIGHUP to a real worker under load: models change, then a broken directory does not, and no article notices."""

import contextlib
import json
import os
import shutil
import signal
import time
from collections import Counter
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

import psutil
import pytest
from jsonschema import Draft202012Validator

from tests.integration.brokers import SETTINGS
from tests.integration.mixed import MAX_ARTICLE_BYTES, Case, cases
from tests.integration.test_worker import Reader, check_metrics, check_order, check_record, send, source, wait_idle
from tests.integration.workers import ROOT, Topics, Worker
from worker.errors import REASONS

BUNDLED = ROOT / "worker" / "bundled" / "models"
MOST = 3000


class Story:
    """A worker whose models' directory is a link, its topics, and what has been sent."""

    def __init__(self, topics: Topics, link: Path, worker: Worker) -> None:
        """Nothing sent yet."""
        self.topics, self.link, self.worker = topics, link, worker
        self.placed: dict[tuple[int, int], Case] = {}
        self._todo = iter(cases(MOST))

    def send(self, number: int) -> None:
        """Publish the next cases."""
        self.placed |= send(self.topics, [next(self._todo) for _ in range(number)])

    def point(self, directory: Path) -> None:
        """Let the link point somewhere else, at once."""
        fresh = self.link.with_name("fresh")
        fresh.symlink_to(directory)
        fresh.replace(self.link)

    def reload(self) -> None:
        """SIGHUP."""
        self.worker.process.send_signal(signal.SIGHUP)

    def events(self, name: str) -> list[dict[str, Any]]:
        """Log lines of that event."""
        lines = [line for line in self.worker.logged().splitlines() if f'"event": "{name}"' in line]
        return [json.loads(line) for line in lines]

    def send_until(self, event: str, times: int) -> None:
        """Keep articles coming until the worker has logged it that often."""
        deadline = time.monotonic() + 120
        for _ in count():
            self.send(20)
            time.sleep(0.2)
            if len(self.events(event)) >= times:
                return
            assert time.monotonic() < deadline, self.worker.logged()[-3000:]


def broken_copy(directory: Path, to: Path) -> Path:
    """A copy with one wrong byte in the network."""
    shutil.copytree(directory, to)
    content = bytearray((to / "model.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (to / "model.onnx").write_bytes(content)
    return to


def entity_model(record: Any) -> str:  # noqa: ANN401 - kafka-python's record
    """Name of the entity model that an enriched article says it was made by; empty for what has none."""
    body = json.loads(record.value) if record.value else {}
    return next((model["name"] for model in body.get("provenance", {}).get("models", ()) if model["stage"] == "entities"), "")


@pytest.fixture(scope="module")
def story(embedded: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Story, list[Any], dict[str, float]]:
    """Run it once: from ``fast`` to ``accurate`` under load, then a broken directory, then on."""
    folder = tmp_path_factory.mktemp("reload")
    topics = Topics(embedded, "reload")
    link = folder / "current"
    link.symlink_to(BUNDLED / "fast")
    settings = {
        **topics.environ(),
        **SETTINGS["embedded"],
        "KHABAR_MODELS": str(link),
        "KHABAR_PROCESSES": "2",
        "KHABAR_BATCH_ARTICLES": "4",
        "KHABAR_MAX_ARTICLE_BYTES": str(MAX_ARTICLE_BYTES),
    }
    with Worker(settings, log=folder / "log") as worker:
        worker.wait_ready()
        told = Story(topics, link, worker)
        reader = Reader(topics)
        told.send(30)
        reader.wait(10)
        told.point(BUNDLED / "accurate")
        told.reload()
        told.send_until("models_reloaded", 1)
        told.point(broken_copy(BUNDLED / "fast", folder / "broken"))
        told.reload()
        told.send_until("models_reload_failed", 1)
        told.send(30)
        reader.wait(len(told.placed))
        reader.stop()
        wait_idle(worker)
        counted = worker.metrics()
        assert worker.get("/ready")[0] == worker.get("/live")[0] == 200
        assert worker.terminate() == 0
    return told, reader.records, counted


def test_every_article_comes_out_once_and_as_it_should(story: tuple[Story, list[Any], dict[str, float]]) -> None:
    """None lost, none twice, none dead-lettered for the reload's sake, order per key, metrics add up."""
    told, records, counted = story
    validators = {
        name: Draft202012Validator(json.loads((ROOT / "schemas" / f"{name}.v1.json").read_text()))
        for name in ("enriched-article", "dead-letter")
    }
    assert Counter(map(source, records)) == Counter(told.placed.keys())
    for record in records:
        check_record(record, told.placed[source(record)], validators)
    check_order(records, told.placed)
    check_metrics(counted)
    expected = Counter(case.expected for case in told.placed.values() if case.expected in REASONS)
    assert counted["khabar_articles_dead_lettered_total"] == expected.total()
    assert counted["khabar_pool_restarts_total"] == 0


def test_each_article_says_which_models_made_it(story: tuple[Story, list[Any], dict[str, float]]) -> None:
    """First the old, both while processes were swapped, the new from then on, also after the broken directory."""
    told, records, _ = story
    made = {source(record): entity_model(record) for record in records if entity_model(record)}
    first, last = ({partition: pick(offset for p, offset in made if p == partition) for partition, _ in made} for pick in (min, max))
    assert {made[place] for place in first.items()} == {"khabar-fast"}
    assert {made[place] for place in last.items()} == {"khabar-accurate"}
    cards = {name: json.loads((BUNDLED / name / "card.json").read_text()) for name in ("fast", "accurate")}
    [reloaded] = told.events("models_reloaded")
    ended = datetime.fromisoformat(reloaded["timestamp"]).timestamp() * 1000 + 1000
    late = {entity_model(record) for record in records if entity_model(record) and record.timestamp > ended}
    assert late == {cards["accurate"]["name"]}, "a second after the reload nothing comes from the old model"


def test_articles_flow_while_models_load(story: tuple[Story, list[Any], dict[str, float]]) -> None:
    """Between the signal and the end of the reload outputs kept coming."""
    told, records, _ = story
    begin, end = (
        datetime.fromisoformat(told.events(name)[0]["timestamp"]).timestamp() * 1000 for name in ("models_reloading", "models_reloaded")
    )
    during = [record.timestamp for record in records if begin < record.timestamp < end]
    assert len(during) > 20
    gaps = [later - earlier for earlier, later in zip(sorted(during), sorted(during)[1:], strict=False)]
    assert max(gaps) < (end - begin) / 2


def test_a_broken_directory_is_one_line_and_a_count(story: tuple[Story, list[Any], dict[str, float]]) -> None:
    """The line names file and checksum; the metrics show the models at work and none of before."""
    told, _, counted = story
    [failed] = told.events("models_reload_failed")
    assert "model.onnx: sha256 is" in failed["error"]
    assert failed["level"] == "error"
    assert [name.split()[0] for name in failed["at_work"]] == ["lid.176", "khabar-accurate"]
    assert counted["khabar_model_reloads_total{outcome=done}"] == counted["khabar_model_reloads_total{outcome=failed}"] == 1
    assert counted["khabar_model_info{name=khabar-accurate}"] == counted["khabar_model_info{stage=language}"] == 1
    assert counted["khabar_model_info"] == 2
    assert "Traceback" not in told.worker.logged()


def test_a_signal_while_models_load_is_remembered_and_one_while_stopping_ignored(embedded: str, tmp_path: Path) -> None:
    """SIGHUP at the wrong moment ends nobody: the worker comes up and reloads, and drains and ends with 0."""
    topics = Topics(embedded, "reload-start")
    named = tmp_path / "model"
    named.write_text("first", encoding="utf-8")
    settings = {**topics.environ(), **SETTINGS["embedded"], "KHABAR_MODELS": str(named), "KHABAR_PROCESSES": "1"}
    with Worker(settings, log=tmp_path / "log", factory="tests.unit.stream.standin:load_named") as worker:
        told = Story(topics, named, worker)
        deadline = time.monotonic() + 120
        while not _has_forkserver(worker.process.pid):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        told.reload()  # the first enricher process is on its way
        worker.wait_ready()
        while not told.events("models_reloaded"):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        os.kill(worker.process.pid, signal.SIGTERM)
        while not told.events("stopping"):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        told.reload()
        assert worker.process.wait(30) == 0
        assert len(told.events("models_reloading")) == 1


def _has_forkserver(pid: int) -> bool:
    """Whether a worker has begun to start its enricher processes; other children of its come and go."""
    with contextlib.suppress(psutil.Error):
        return any("forkserver" in " ".join(child.cmdline()) for child in psutil.Process(pid).children())
    return False
