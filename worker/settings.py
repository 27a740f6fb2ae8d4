"""Every setting, read once from ``KHABAR_*`` variables; frozen afterwards.

One row of `Settings` is one variable: its name is the field's name in capitals behind ``KHABAR_``, its meaning the
field's description; the table in the README is generated from here and held to it by a test.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin
from urllib.parse import urlsplit

from worker.errors import SettingsError

PREFIX = "KHABAR_"
MASK = "*****"
SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_SSL", "SASL_PLAINTEXT"]
SaslMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"]
ValueFormat = Literal["json", "avro"]
LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["json", "text"]
TraceExport = Literal["off", "otlp"]


def _model_dir() -> Path:
    """In the home of whoever runs it; where there is none, in the working directory."""
    try:
        home = Path.home()
    except RuntimeError:
        home = Path()
    return home / ".khabar" / "models"


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _row(default: Any, doc: str, *, low: float | None = None, secret: bool = False, shown: str | None = None) -> Any:  # noqa: ANN401 - a dataclass field stands for any type
    metadata = {"doc": doc, "low": low, "secret": secret, "shown": shown}
    if callable(default):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the worker and every command run with."""

    brokers: str = _row("localhost:9092", "Kafka brokers, `host:port`, comma between.")
    input_topic: str = _row("articles.raw", "Topic of raw articles.")
    output_topic: str = _row("articles.enriched", "Topic of enriched articles.")
    dead_letter_topic: str = _row("articles.dead-letter", "Topic of dead letters.")
    group: str = _row("khabar", "Consumer group.")
    processes: int = _row(_cores, "Enricher processes.", low=1, shown="cores")
    http_host: str = _row("127.0.0.1", "Address of `/`, `/metrics`, `/live` and `/ready`.")
    http_port: int = _row(8080, "Its port; 0 takes a free one.", low=0)
    http_token: str = _row(
        "",
        "Opens the live page as `/?token=…`; without one it is served on loopback only. `KHABAR_HTTP_TOKEN_FILE` names its file.",
        secret=True,
    )
    models: str = _row("accurate", "`accurate`, `fast`, `official` (Stanza's own packages) or a directory of Stanza models.")
    model_dir: Path = _row(_model_dir, "Where `khabar models pull` puts Stanza's packages.", shown="~/.khabar/models")
    max_article_bytes: int = _row(1_048_576, "Largest record value taken; a larger one is dead-lettered `too_large`.", low=1)
    max_output_bytes: int = _row(33_554_432, "Largest record the worker tries to publish; the topic's own limit counts too.", low=1024)
    summary_sentences: int = _row(3, "Sentences of a summary at most.", low=1)
    summary_characters: int = _row(400, "Code points of a summary at most.", low=1)
    article_timeout: float = _row(30.0, "Seconds one article may take; long articles get more in proportion.", low=0.1)
    batch_articles: int = _row(8, "Articles of one micro-batch at most.", low=1)
    lane_articles: int = _row(64, "Articles in flight per partition at most.", low=1)
    process_memory_mb: int = _row(2048, "An enricher process above this (MiB, resident) is replaced.", low=64)
    brake_share: float = _row(
        0.5, "Share of recent articles that may fail for causes not their own before the worker holds instead of dead-lettering.", low=0
    )
    brake_articles: int = _row(50, "How many recent articles that share is of; a fifth of them must have been seen.", low=5)
    group_instance: str = _row("", "Static membership: an id no other running worker has (a StatefulSet's pod name); empty: none.")
    session_timeout: float = _row(10.0, "Seconds until a silent member leaves the group.", low=1)
    rebalance_timeout: float = _row(60.0, "Seconds a member may take to hand over its partitions.", low=1)
    drain_timeout: float = _row(25.0, "Seconds a stopping worker may take to finish; then it ends un-acked (exit code 75).", low=1)
    stall_timeout: float = _row(300.0, "Seconds of lag without progress after which `/live` fails.", low=1)
    security_protocol: SecurityProtocol = _row("PLAINTEXT", "How to talk to the brokers.")
    sasl_mechanism: SaslMechanism = _row("SCRAM-SHA-512", "SASL mechanism, with `SASL_SSL` and `SASL_PLAINTEXT`.")
    sasl_username: str = _row("", "SASL user.")
    sasl_password: str = _row("", "SASL password; `KHABAR_SASL_PASSWORD_FILE` names a file that holds it.", secret=True)
    sasl_token: str = _row(
        "", "OAUTHBEARER: `module:function` that returns the token, asked for every connection; without it the password is the token."
    )
    ssl_cafile: str = _row("", "PEM file of the authorities that signed the brokers' certificates; empty: the system's.")
    ssl_certfile: str = _row("", "PEM file of this client's certificate (mTLS).")
    ssl_keyfile: str = _row("", "PEM file of its private key.")
    input_format: ValueFormat = _row("json", "Raw articles: `json`, or `avro` as the schema registry has it (needs the extra `avro`).")
    output_format: ValueFormat = _row("json", "Enriched articles, likewise. Dead letters are always JSON.")
    registry_url: str = _row("", "Schema registry (Confluent's API), path included: `http://registry:8081`. `avro` needs it.")
    registry_username: str = _row("", "Its user, for basic authentication.")
    registry_password: str = _row("", "Its password; `KHABAR_REGISTRY_PASSWORD_FILE` names a file that holds it.", secret=True)
    registry_cafile: str = _row("", "PEM file of the authorities that signed its certificate; empty: the system's.")
    log_level: LogLevel = _row("info", "`debug`, `info`, `warning` or `error`.")
    log_format: LogFormat = _row("json", "`json` or `text`.")
    traces: TraceExport = _row("off", "`otlp` sends OpenTelemetry spans where the `OTEL_*` variables say; it needs the extra `otel`.")

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> "Settings":
        """Read the settings from a mapping of variables.

        Raises:
            SettingsError: a variable is malformed or contradicts another; the message is one line.
        """
        values: dict[str, Any] = {}
        for row in fields(cls):
            variable = PREFIX + row.name.upper()
            text = environ.get(variable)
            path = environ.get(variable + "_FILE") if row.metadata["secret"] else None
            if path:
                text = _read_secret(variable + "_FILE", path)
            if text is not None and text != "":
                values[row.name] = _parse(variable, text, row.type, row.metadata["low"])
        settings = cls(**values)
        _check(settings)
        return settings

    def rows(self) -> Iterator[tuple[str, str]]:
        """Variable and value of every setting, secrets masked."""
        for row in fields(self):
            value = getattr(self, row.name)
            yield PREFIX + row.name.upper(), MASK if row.metadata["secret"] and value else str(value)

    @property
    def uses_avro(self) -> bool:
        """Whether records of one topic at least are Avro."""
        return "avro" in (self.input_format, self.output_format)

    @property
    def broker_list(self) -> list[str]:
        """The brokers, one ``host:port`` each."""
        return [broker.strip() for broker in self.brokers.split(",") if broker.strip()]


def reference() -> Iterator[tuple[str, str, str]]:
    """Variable, default as shown to people, and meaning of every setting."""
    for row in fields(Settings):
        default = row.metadata["shown"] or ("" if row.default is MISSING else str(row.default))
        yield PREFIX + row.name.upper(), default, row.metadata["doc"]


def page_url(host: str, port: int) -> str:
    """Where a person finds what is served at this address: ``http://host:port/``."""
    shown = "localhost" if host in {"0.0.0.0", "::"} else f"[{host}]" if ":" in host else host  # noqa: S104 - compared, not bound
    return f"http://{shown}:{port}/"


def unknown(environ: Mapping[str, str]) -> list[str]:
    """Variables that look like settings but are none: a typing error, or Kubernetes' own (a Service called khabar)."""
    known = {variable for variable, _, _ in reference()}
    known |= {variable + "_FILE" for variable in known}
    return sorted(name for name in environ if name.startswith(PREFIX) and name not in known)


def _read_secret(variable: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        message = f"{variable}: cannot read {path}: {error}"
        raise SettingsError(message) from error


def _parse(variable: str, text: str, kind: Any, low: float | None) -> Any:  # noqa: ANN401 - the field's type decides
    if get_origin(kind) is Literal:
        return _parse_choice(variable, text, get_args(kind))
    if kind in (int, float):
        try:
            number = kind(text)
        except ValueError as error:
            message = f"{variable}={text!r} is not {'a whole' if kind is int else 'a'} number"
            raise SettingsError(message) from error
        if low is not None and not number >= low:
            message = f"{variable}={text} is below {low:g}"
            raise SettingsError(message)
        return number
    return _parse_path(variable, text) if kind is Path else text


def _parse_path(variable: str, text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError as error:  # ~ of a user that is not there
        message = f"{variable}={text!r}: {error}"
        raise SettingsError(message) from error


def _parse_choice(variable: str, text: str, choices: tuple[str, ...]) -> str:
    for choice in choices:
        if text.casefold() == choice.casefold():
            return choice
    message = f"{variable}={text!r}: choose one of {', '.join(choices)}"
    raise SettingsError(message)


def _check(settings: Settings) -> None:
    """Refuse what can never work together."""
    if not settings.broker_list:
        message = "KHABAR_BROKERS is empty"
        raise SettingsError(message)
    for broker in settings.broker_list:
        host, _, port = broker.rpartition(":")
        if not host or not port.isdecimal():
            message = f"KHABAR_BROKERS: {broker!r} is not host:port"
            raise SettingsError(message)
    topics = {settings.input_topic, settings.output_topic, settings.dead_letter_topic}
    if len(topics) != len(fields(Settings)[1:4]):
        message = "input, output and dead-letter topic must differ"
        raise SettingsError(message)
    if settings.drain_timeout >= settings.rebalance_timeout:
        message = "KHABAR_DRAIN_TIMEOUT must be below KHABAR_REBALANCE_TIMEOUT"
        raise SettingsError(message)
    if bool(settings.ssl_certfile) != bool(settings.ssl_keyfile):
        message = "KHABAR_SSL_CERTFILE and KHABAR_SSL_KEYFILE go together"
        raise SettingsError(message)
    if settings.security_protocol.startswith("SASL") and settings.sasl_mechanism != "OAUTHBEARER" and not settings.sasl_username:
        message = f"KHABAR_SECURITY_PROTOCOL={settings.security_protocol} needs KHABAR_SASL_USERNAME"
        raise SettingsError(message)
    _check_registry(settings)


def _check_registry(settings: Settings) -> None:
    """Refuse an address that is none, and credentials inside it: it is logged."""
    if settings.uses_avro and not settings.registry_url:
        message = "KHABAR_INPUT_FORMAT=avro and KHABAR_OUTPUT_FORMAT=avro need KHABAR_REGISTRY_URL"
        raise SettingsError(message)
    if not settings.registry_url:
        return
    try:
        url = urlsplit(settings.registry_url)
        usable = url.scheme in {"http", "https"} and bool(url.hostname) and url.port != 0
    except ValueError:  # a port that is no number, half an IPv6 address
        usable = False
    if not usable or url.query or url.fragment:
        message = "KHABAR_REGISTRY_URL is no http:// or https:// address"
        raise SettingsError(message)
    if "@" in url.netloc:
        message = "KHABAR_REGISTRY_URL holds credentials: put them into KHABAR_REGISTRY_USERNAME and KHABAR_REGISTRY_PASSWORD_FILE"
        raise SettingsError(message)
    if settings.registry_password and not settings.registry_username:
        message = "KHABAR_REGISTRY_PASSWORD needs KHABAR_REGISTRY_USERNAME"
        raise SettingsError(message)
