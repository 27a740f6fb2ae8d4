"""`khabar topics` against a real broker, the embedded one: kafka-python on both sides."""

from dataclasses import replace

import pytest

from tests.integration.commands import PARTITIONS
from worker import kafka
from worker.commands import topics
from worker.errors import BrokerError
from worker.settings import Settings


def test_topics_are_made_once(settings: Settings) -> None:
    """A second run finds them; another number of partitions is an error that names them."""
    lines = topics.create(settings, partitions=PARTITIONS, replication_factor=1)
    assert lines == [f"{topic.name}: is there, 3 partitions" for topic in topics.wanted(settings)]
    with pytest.raises(BrokerError, match=f"4 partitions wanted, but {settings.input_topic} has 3"):
        topics.create(settings, partitions=4, replication_factor=1)


def test_topics_take_the_sizes_they_must(settings: Settings) -> None:
    """A raw record of 10 MiB may arrive, and its dead letter leave."""
    with kafka.admin(settings) as admin:
        limits = [kafka.largest_record(admin, topic.name) for topic in topics.wanted(settings)]
    assert limits == [16 * topics.MIB, 24 * topics.MIB, 32 * topics.MIB]


def test_check_tells_what_is_missing_and_what_is_too_small(settings: Settings) -> None:
    """All well is no fault; a missing topic is one, a topic smaller than the settings want is one."""
    facts, faults = topics.check(settings)
    assert len(facts) == 3
    assert faults == []
    _, faults = topics.check(replace(settings, input_topic="not.there"))
    assert faults == ["not.there: missing; `khabar topics create` makes it"]
    _, faults = topics.check(replace(settings, max_article_bytes=14 * topics.MIB))
    assert faults == [f"{settings.output_topic}: takes records up to 24.0 MiB, the settings want 28.0 MiB (max.message.bytes)"]


def test_a_password_for_a_broker_without_one_is_a_line(embedded: str) -> None:
    """A wrong way of talking ends in one line that names the way, not in a hang."""
    settings = Settings(brokers=embedded, security_protocol="SASL_PLAINTEXT", sasl_username="u", sasl_password="secret-word")  # noqa: S106 - a test's
    with pytest.raises(BrokerError) as caught:
        topics.check(settings)
    assert "SASL_PLAINTEXT" in str(caught.value)
    assert "secret-word" not in str(caught.value)
