"""Brokers that live as long as the test session."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration import brokers, commands, registries
from worker.broker import EmbeddedBroker
from worker.settings import Settings


@pytest.fixture(scope="session")
def embedded() -> Iterator[str]:
    """Address of the embedded broker."""
    with EmbeddedBroker() as broker:
        yield broker.address


@pytest.fixture(scope="session")
def apache_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of one real Kafka broker."""
    reason = brokers.missing()
    if reason:
        pytest.skip(reason)
    with brokers.Kafka(tmp_path_factory.mktemp("kafka") / "cluster") as cluster:
        yield cluster.address


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[registries.SchemaRegistry]:
    """A real schema registry."""
    reason = registries.missing()
    if reason:
        pytest.skip(reason)
    with registries.SchemaRegistry(tmp_path_factory.mktemp("registry") / "log") as running:
        yield running


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def broker(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Kind and address of either broker."""
    return request.param, request.getfixturevalue({"embedded": "embedded", "kafka": "apache_kafka"}[request.param])


@pytest.fixture
def models() -> str:
    """What KHABAR_MODELS is set to: the small Stanza models of the tests."""
    return str(Path(__file__).parents[1] / "data" / "stanza")


@pytest.fixture
def settings(embedded: str, request: pytest.FixtureRequest) -> Settings:
    """Topics on the embedded broker."""
    return commands.made(embedded, request)


@pytest.fixture
def real(apache_kafka: str, request: pytest.FixtureRequest) -> Settings:
    """Topics on Apache Kafka: the embedded broker tells the ends of partitions wrongly after a batch of records."""
    return commands.made(apache_kafka, request)
