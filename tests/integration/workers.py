"""Real workers as subprocesses, and what one needs to talk to the topics around them. Also used by the fault rig."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import kafka
import kafka.admin
from prometheus_client.parser import text_string_to_metric_families

from worker.broker import free_port

ROOT = Path(__file__).resolve().parents[2]
MIB = 2**20
TOPIC_BYTES = {"raw": 16 * MIB, "enriched": 24 * MIB, "dead": 32 * MIB}


class Topics:
    """The three topics of one test, with names of their own."""

    def __init__(self, address: str, name: str, *, partitions: int = 3, replication: int = 1) -> None:
        """Create them on the broker at ``address``."""
        self.address = address
        self.raw, self.enriched, self.dead = f"{name}.raw", f"{name}.enriched", f"{name}.dead"
        self.group = f"{name}.group"
        sizes = {self.raw: TOPIC_BYTES["raw"], self.enriched: TOPIC_BYTES["enriched"], self.dead: TOPIC_BYTES["dead"]}
        admin = kafka.admin.KafkaAdminClient(bootstrap_servers=address.split(","))
        admin.create_topics(
            [
                kafka.admin.NewTopic(topic, partitions, replication, topic_configs={"max.message.bytes": str(size)})
                for topic, size in sizes.items()
            ]
        )
        admin.close()

    def environ(self) -> dict[str, str]:
        """The settings that name them."""
        return {
            "KHABAR_BROKERS": self.address,
            "KHABAR_INPUT_TOPIC": self.raw,
            "KHABAR_OUTPUT_TOPIC": self.enriched,
            "KHABAR_DEAD_LETTER_TOPIC": self.dead,
            "KHABAR_GROUP": self.group,
        }

    def producer(self) -> kafka.KafkaProducer:
        """kafka-python's producer, with room for the largest records."""
        return kafka.KafkaProducer(
            bootstrap_servers=self.address.split(","), enable_idempotence=False, acks="all", max_request_size=20 * MIB
        )

    def consumer(self) -> kafka.KafkaConsumer:
        """kafka-python's consumer of both output topics from the start, in no group."""
        return kafka.KafkaConsumer(
            self.enriched, self.dead, bootstrap_servers=self.address.split(","), auto_offset_reset="earliest", group_id=None
        )


class Worker:
    """A running worker."""

    def __init__(self, settings: Mapping[str, str], *, log: Path, factory: str | None = None, port: int = 0) -> None:
        """Start it.

        Args:
            settings: KHABAR_* variables.
            log: where its standard error goes.
            factory: ``module:function`` in place of the real enricher, in a worker that spares itself the import of Stanza and torch;
                None runs the `khabar worker` command.
            port: of its web server; 0 takes a free one.
        """
        self.port = port or free_port()
        self.log = log
        environ = {name: value for name, value in os.environ.items() if not name.startswith("KHABAR_")}
        environ |= {"PYTHONPATH": str(ROOT), **settings, "KHABAR_HTTP_PORT": str(self.port)}
        environ |= {} if factory is None else {"RIG_FACTORY": factory, "RIG_MODELS": "light"}
        program = ["-m", "worker.cli", "worker"] if factory is None else ["-m", "tests.faults.worker"]
        with log.open("ab") as output:
            self.process = subprocess.Popen([sys.executable, *program], env=environ, stdout=output, stderr=output, start_new_session=True)

    def __enter__(self) -> Self:
        """Nothing more to do."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Kill what is left of it."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def get(self, path: str) -> tuple[int, str]:
        """HTTP status and text of one of its pages; status 0 when it does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def metrics(self) -> dict[str, float]:
        """Every sample by name, labels added up, and by ``name{label=value}`` for each label."""
        samples: dict[str, float] = {}
        for family in text_string_to_metric_families(self.get("/metrics")[1]):
            for sample in family.samples:
                names = [sample.name, *(f"{sample.name}{{{label}={value}}}" for label, value in sample.labels.items())]
                for name in names:
                    samples[name] = samples.get(name, 0.0) + sample.value
        return samples

    def wait_ready(self, seconds: float = 120.0) -> None:
        """Wait until ``/ready`` says yes."""
        deadline = time.monotonic() + seconds
        while self.get("/ready")[0] != 200:
            if self.process.poll() is not None or time.monotonic() > deadline:
                message = f"worker not ready (exit code {self.process.poll()}): {self.get('/ready')[1]}\n{self.logged()[-3000:]}"
                raise AssertionError(message)
            time.sleep(0.1)

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait()

    def terminate(self, seconds: float = 60.0) -> int:
        """SIGTERM; return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def logged(self) -> str:
        """Everything it has logged."""
        return self.log.read_text(encoding="utf-8", errors="replace")
