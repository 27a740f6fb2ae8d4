"""Settings to client options, refusals to lines: what needs no broker."""

import logging
from typing import Any

import pytest
from kafka import errors as kafka_errors

from worker import kafka, kafka_access
from worker.commands import topics
from worker.errors import BrokerError
from worker.settings import Settings

SECRET = "hunter2"  # noqa: S105 - a test's


def test_plaintext_asks_for_nothing_more() -> None:
    """Addresses and a name."""
    options = kafka.security(Settings(brokers="a:1, b:2", sasl_password=SECRET))
    assert options["bootstrap_servers"] == ["a:1", "b:2"]
    assert not [name for name in options if name.startswith(("ssl", "sasl"))]


def test_tls_and_passwords_are_handed_on() -> None:
    """Files, mechanism, user and password; the host name of the certificate stays checked."""
    settings = Settings(
        security_protocol="SASL_SSL", sasl_username="u", sasl_password=SECRET, ssl_cafile="ca", ssl_certfile="cert", ssl_keyfile="key"
    )
    options = kafka.security(settings)
    assert (options["ssl_cafile"], options["ssl_certfile"], options["ssl_keyfile"]) == ("ca", "cert", "key")
    assert (options["sasl_mechanism"], options["sasl_plain_username"], options["sasl_plain_password"]) == ("SCRAM-SHA-512", "u", SECRET)
    assert options.get("ssl_check_hostname", True)
    assert kafka.security(Settings(security_protocol="SSL"))["ssl_cafile"] is None


def test_a_bearer_token_is_the_password() -> None:
    """OAUTHBEARER takes the token from the settings."""
    options = kafka.security(Settings(security_protocol="SASL_PLAINTEXT", sasl_mechanism="OAUTHBEARER", sasl_password=SECRET))
    provider = options["sasl_oauth_token_provider"]
    assert provider.token() == SECRET
    assert provider.extensions() == {}
    assert "sasl_plain_password" not in options


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (kafka_errors.TopicAuthorizationFailedError("articles.raw"), "b:1: this user lacks the right: "),
        (kafka_errors.InvalidReplicationFactorError("3 of 1"), "b:1: [Error 38] InvalidReplicationFactorError: 3 of 1"),
        (kafka_errors.KafkaTimeoutError("late\nvery"), "no broker can be used at b:1 over PLAINTEXT: KafkaTimeoutError: late very"),
        (FileNotFoundError(2, "No such file", "ca.pem"), "b:1: [Errno 2] No such file: 'ca.pem'"),
        (ValueError(), "b:1: ValueError"),
    ],
)
def test_refusals_are_one_line(error: Exception, line: str) -> None:
    """Who refused, and what."""
    with pytest.raises(BrokerError) as caught, kafka.refusals(Settings(brokers="b:1")):
        raise error
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


def test_a_timeout_is_explained_by_what_the_library_only_logged(capfd: pytest.CaptureFixture[str]) -> None:
    """The last failure in its log is the reason; nothing of the log is printed."""
    kafka_access.quiet()  # what every client does first

    def connect() -> None:
        log = logging.getLogger("kafka.net")
        late = kafka_errors.KafkaTimeoutError("Unable to bootstrap")
        log.error("Connection failed: %s", kafka_errors.KafkaConnectionError("certificate verify failed"))
        log.warning("no exception %s", "here")
        log.error("Bootstrap failed: %s", late)
        raise late

    with pytest.raises(BrokerError, match="certificate verify failed"), kafka.refusals(Settings(brokers="b:1")):
        connect()
    captured = capfd.readouterr()
    assert captured.out + captured.err == ""


class Answers:
    """A client that answers with what it is given."""

    def __init__(self, answer: Any) -> None:  # noqa: ANN401 - an answer or an exception
        """Keep the answer."""
        self.answer = answer

    def partitions_for(self, _topic: str) -> Any:  # noqa: ANN401 - as above
        """Give it, or raise it."""
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def describe_configs(self, _resources: object, *, config_filter: str) -> Any:  # noqa: ANN401 - as above
        """Give it."""
        assert config_filter == "all"
        return self.answer


@pytest.mark.parametrize("answer", [None, set(), kafka_errors.KafkaTimeoutError("late")])
def test_a_missing_topic_says_how_to_make_it(answer: object) -> None:
    """However the library puts it."""
    with pytest.raises(BrokerError, match=r"there is no topic t; `khabar topics create`"):
        kafka.require(Answers(answer), "t")


@pytest.mark.parametrize("answer", [{}, {"topic": {}}, {"topic": {"t": {}}}, {"topic": {"t": {"max.message.bytes": {"value": None}}}}])
def test_a_broker_that_does_not_tell_sizes_is_no_fault(answer: object) -> None:
    """Without the right to ask, the size is unknown, and said to be."""
    assert kafka.largest_record(Answers(answer), "t") is None
    assert topics._size(None) == "an unknown size"  # noqa: SLF001 - what people read then
    assert topics._size(500) == "500 bytes"  # noqa: SLF001 - as above


def test_a_reader_that_has_gone_is_no_broker_error() -> None:
    """`khabar tail | head`: the command line ends quietly, so the pipe's error has to reach it."""
    with pytest.raises(BrokenPipeError), kafka.refusals(Settings()):
        raise BrokenPipeError
