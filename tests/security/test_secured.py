"""The worker and every command over SASL_SSL, mTLS and OAUTHBEARER, with no more rights than the documentation lists."""

import json
import re
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from kafka import KafkaProducer

from tests.faults.cluster import REPOSITORY, UNCLOSED
from tests.security.broker import COMMAND_RIGHTS, MTLS_USER, OAUTH_USER, USERS, WORKER_RIGHTS, Secured
from tests.security.programs import Ran, ended, khabar, wait_for, worker

pytestmark = [pytest.mark.kafka, pytest.mark.filterwarnings(UNCLOSED)]

USER_OF = {"scram": "khabar", "mtls": MTLS_USER, "oauth": OAUTH_USER, "function": OAUTH_USER}


def _settings(secured: Secured, way: str) -> dict[str, str]:
    ways = {"scram": lambda: secured.scram("khabar"), "mtls": secured.tls, "oauth": secured.oauth, "function": secured.oauth_function}
    return ways[way]()


def _publish(secured: Secured, identifier: str) -> None:
    article = json.dumps({"id": identifier, "body": "A delegation arrived in Lisbon on Sunday evening."})
    done = khabar("publish", "-", settings=secured.scram("operator"), stdin=article)
    assert done.code == 0, done.err


def _publish_bad(secured: Secured) -> None:
    producer = KafkaProducer(bootstrap_servers=secured.cluster.direct)
    producer.send("articles.raw", b"{").get(30)
    producer.close()


def _enriched(secured: Secured) -> set[str]:
    done = khabar("tail", "--json", "--from-beginning", "--exit", settings=secured.scram("operator"))
    assert done.code == 0, done.err
    return set(re.findall(r'"id":\s*"(s-[0-9a-f]+)"', done.out))


def _no_secrets(text: str) -> None:
    for password in USERS.values():
        assert password not in text
    assert "PRIVATE KEY" not in text


@pytest.mark.parametrize("way", ["scram", "mtls", "oauth", "function"])
def test_the_worker_needs_no_more_than_the_listed_rights(secured: Secured, way: str, tmp_path: Path) -> None:
    """With exactly the listed ACLs, one good and one bad article come through, and no secret is in the log."""
    secured.allow(USER_OF[way], list(WORKER_RIGHTS.values()))
    identifier = f"s-{uuid.uuid4().hex}"
    log = tmp_path / "worker.log"
    with worker(log, settings=_settings(secured, way)) as process:
        wait_for(log, "partitions_assigned")
        _publish(secured, identifier)
        _publish_bad(secured)
        wait_for(log, '"reason": "invalid_json"')
        for _ in range(20):
            if identifier in _enriched(secured):
                break
        else:
            pytest.fail(log.read_text()[-3000:])
    assert process.returncode == 0
    _no_secrets(log.read_text())


SAYS_WITHOUT = {
    "read the input topic": '"topics": ["articles.raw"]',
    "read as the group": "lacks the right to read as group khabar",
    "write the output topic": '"topics": ["articles.enriched"]',
    "write the dead-letter topic": '"topics": ["articles.dead-letter"]',
}


@pytest.mark.parametrize("withheld", sorted(WORKER_RIGHTS))
def test_every_listed_right_is_needed(secured: Secured, withheld: str, tmp_path: Path) -> None:
    """Without one of them the worker is not ready, and its log says what it lacks: a topic it may not see looks missing."""
    secured.allow("khabar", [right for name, right in WORKER_RIGHTS.items() if name != withheld])
    log = tmp_path / "worker.log"
    with worker(log, settings=secured.scram("khabar")):
        wait_for(log, SAYS_WITHOUT[withheld], seconds=180)
    _no_secrets(log.read_text())


NO_TLS = "no TLS at all"
"""A port that closes plain connections may be a broker that is starting: the worker waits for it, and says so."""
WRONG: dict[str, Callable[[Secured], dict[str, str]]] = {
    "wrong password": lambda secured: secured.scram("khabar", password="not-this-one"),  # noqa: S106
    "unknown user": lambda secured: {**secured.scram("khabar"), "KHABAR_SASL_USERNAME": "nobody"},
    "mechanism the broker has not": lambda secured: secured.scram("khabar", mechanism="PLAIN"),
    "expired certificate": lambda secured: secured.tls("EXPIRED", client=None),
    "certificate of another host": lambda secured: secured.tls("ELSEWHERE", client=None),
    "unknown authority": lambda secured: secured.tls("MTLS", authority="other-ca.pem"),
    "no client certificate": lambda secured: secured.tls("MTLS", client=None),
    NO_TLS: lambda secured: {"KHABAR_BROKERS": f"localhost:{secured.ports['MTLS']}"},
    "certificate file missing": lambda secured: {**secured.tls(), "KHABAR_SSL_CAFILE": "/nowhere/ca.pem"},
    "key of another certificate": lambda secured: {**secured.tls(), "KHABAR_SSL_KEYFILE": secured.certificates.path("broker.key")},
}
SAYS = {
    "wrong password": r"SASL|[Aa]uthentication",
    "unknown user": r"SASL|[Aa]uthentication",
    "mechanism the broker has not": r"[Mm]echanism|disconnected",  # kafka-python keeps the broker's answer to itself
    "expired certificate": r"expired",
    "certificate of another host": r"[Hh]ostname|not valid for|mismatch",
    "unknown authority": r"unable to get local issuer|self.signed|verify failed",
    "no client certificate": r"certificate",
    NO_TLS: r"PLAINTEXT|closes|closed",
    "certificate file missing": r"/nowhere/ca.pem|No such file",
    "key of another certificate": r"KEY_VALUES_MISMATCH|key values mismatch|mismatch",
}
COMMANDS = {
    "topics check": ["topics", "check"],
    "topics create": ["topics", "create"],
    "publish": ["publish", "-"],
    "tail": ["tail", "--exit"],
    "replay": ["replay", "--dry-run"],
}


def _one_clear_line(text: str, *, says: str) -> None:
    lines = [line for line in text.splitlines() if line.strip()]
    assert len(lines) == 1, text
    assert re.search(says, lines[0]), lines[0]
    assert "Traceback" not in text
    _no_secrets(text)
    assert "not-this-one" not in text


@pytest.mark.parametrize("wrong", sorted(WRONG.keys() - {NO_TLS}))
def test_a_refused_worker_ends_with_one_clear_line(secured: Secured, wrong: str, tmp_path: Path) -> None:
    """Exit code other than 0, the cause in the last line, no traceback, no secret anywhere in the log."""
    log = tmp_path / "worker.log"
    with worker(log, settings={**WRONG[wrong](secured), "KHABAR_LOG_LEVEL": "debug"}) as process:
        assert ended(process) not in {0, -9}
    text = log.read_text()
    last = [line for line in text.splitlines() if not line.startswith("{")]
    _one_clear_line("\n".join(last), says=SAYS[wrong])
    assert "Traceback" not in text
    _no_secrets(text)
    assert "not-this-one" not in text


def test_a_worker_without_tls_waits_and_says_why(secured: Secured, tmp_path: Path) -> None:
    """A plain client on a TLS port is not let in, and its log says that the connection is closed each time."""
    log = tmp_path / "worker.log"
    with worker(log, settings=WRONG[NO_TLS](secured)):
        wait_for(log, "broker_unreachable")
        wait_for(log, "closed")
    _no_secrets(log.read_text())


REFUSED = [
    (wrong, command)
    for wrong in sorted(WRONG)
    for command in sorted(COMMANDS)
    if command == "topics check" or wrong in {"wrong password", "expired certificate", "certificate of another host"}
]
"""Every mistake with one command, the commonest with all."""


@pytest.fixture(scope="module")
def refused(secured: Secured) -> Iterator[dict[tuple[str, str], "Future[Ran]"]]:
    """All of them, four at a time: each waits ten seconds for a broker that will have it, and does nothing meanwhile."""
    with ThreadPoolExecutor(4) as pool:
        yield {
            (wrong, command): pool.submit(khabar, *COMMANDS[command], settings=WRONG[wrong](secured), stdin='{"body": "x y"}')
            for wrong, command in REFUSED
        }


@pytest.mark.parametrize(("wrong", "command"), REFUSED)
def test_a_refused_command_ends_with_one_clear_line(refused: dict[tuple[str, str], "Future[Ran]"], wrong: str, command: str) -> None:
    """The same for every command that talks to the brokers."""
    done = refused[wrong, command].result()
    assert done.code != 0
    assert done.out == ""
    _one_clear_line(done.err, says=SAYS[wrong])


ARGUMENTS = {
    "topics create": ["topics", "create", "--partitions", "2", "--replication-factor", "1"],
    "topics check": ["topics", "check"],
    "publish": ["publish", "-"],
    "tail": ["tail", "--exit", "--from-beginning"],
    "replay": ["replay"],
}


@pytest.mark.parametrize("command", sorted(ARGUMENTS))
@pytest.mark.parametrize("way", ["scram", "mtls", "oauth", "function"])
def test_every_command_needs_no_more_than_the_listed_rights(secured: Secured, way: str, command: str) -> None:
    """Over each secured listener, with exactly the listed ACLs, every command does its work."""
    secured.allow(USER_OF[way], COMMAND_RIGHTS[command])
    done = khabar(*ARGUMENTS[command], settings=_settings(secured, way), stdin='{"id": "c1", "body": "The museum opened a new hall."}')
    assert done.code == 0, done.err
    _no_secrets(done.out + done.err)


def test_a_stranger_is_told_which_right_is_missing(secured: Secured) -> None:
    """A user without rights gets one line from a command, and exit code 2."""
    done = khabar("publish", "-", settings=secured.scram("stranger"), stdin='{"body": "x y"}')
    assert done.code == 2
    _one_clear_line(done.err, says=r"right|[Aa]uthoriz|no topic")


def test_no_pickle_is_read_anywhere() -> None:
    """Nothing in the worker loads pickles, or torch files without ``weights_only``, or numpy arrays with pickles in them."""
    sources = {path: path.read_text(encoding="utf-8") for path in (REPOSITORY / "worker").rglob("*.py")}
    assert len(sources) > 20
    for path, source in sources.items():
        assert not re.search(r"\bimport (?:pickle|cPickle|dill|shelve|marshal)\b|\bfrom (?:pickle|dill|shelve|marshal) import", source), (
            path
        )
        assert "allow_pickle=True" not in source, path
        for call in re.findall(r"torch\.load\([^)]*\)", source):
            assert "weights_only=True" in call, (path, call)


def test_the_page_is_only_for_this_machine_unless_told() -> None:
    """Page and metrics bind to loopback by default."""
    from worker.settings import Settings

    assert Settings.from_env({}).http_host == "127.0.0.1"
