"""A real broker with every kind of secured listener, ACLs on, and the users of the tests."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
)

from tests.faults.cluster import Cluster, free_ports
from tests.security.certificates import Certificates

USERS = {"operator": "s3cret-operator", "khabar": "s3cret-khabar", "stranger": "s3cret-stranger"}
"""SCRAM user to password. ``operator`` may do everything, ``khabar`` what an ACL allows, ``stranger`` nothing."""
MTLS_USER = "CN=client"
OAUTH_USER = "oauth-khabar"
UNSIGNED_TOKENS = "org.apache.kafka.common.security.oauthbearer.internals.unsecured.OAuthBearerUnsecuredValidatorCallbackHandler"
LISTENERS = ("SCRAM", "MTLS", "EXPIRED", "ELSEWHERE", "OAUTH")

TOPICS = ("articles.raw", "articles.enriched", "articles.dead-letter")

Right = tuple[ResourceType, str, ACLOperation]
"""Kind of resource, its name, and what may be done with it."""

WORKER_RIGHTS: dict[str, Right] = {
    "read the input topic": (ResourceType.TOPIC, "articles.raw", ACLOperation.READ),
    "read as the group": (ResourceType.GROUP, "khabar", ACLOperation.READ),
    "write the output topic": (ResourceType.TOPIC, "articles.enriched", ACLOperation.WRITE),
    "write the dead-letter topic": (ResourceType.TOPIC, "articles.dead-letter", ACLOperation.WRITE),
}
"""Everything ``khabar worker`` needs. READ and WRITE imply DESCRIBE."""

COMMAND_RIGHTS: dict[str, list[Right]] = {
    "publish": [(ResourceType.TOPIC, "articles.raw", ACLOperation.WRITE)],
    "tail": [(ResourceType.TOPIC, "articles.enriched", ACLOperation.READ)],
    "replay": [
        (ResourceType.TOPIC, "articles.dead-letter", ACLOperation.READ),
        (ResourceType.TOPIC, "articles.raw", ACLOperation.READ),
        (ResourceType.TOPIC, "articles.raw", ACLOperation.WRITE),
        (ResourceType.GROUP, "khabar-replay", ACLOperation.READ),
    ],
    "topics check": [(ResourceType.TOPIC, name, ACLOperation.DESCRIBE_CONFIGS) for name in TOPICS]
    + [(ResourceType.TOPIC, name, ACLOperation.DESCRIBE) for name in TOPICS],
    "topics create": [(ResourceType.TOPIC, name, ACLOperation.CREATE) for name in TOPICS]
    + [(ResourceType.TOPIC, name, ACLOperation.DESCRIBE) for name in TOPICS],
}
"""Everything each command needs, and nothing more."""


@dataclass(frozen=True)
class Secured:
    """The broker, and how to reach it.

    Args:
        cluster: with its plain DIRECT listener, whose user may do everything.
        ports: listener to port.
        certificates: the files.
    """

    cluster: Cluster
    ports: dict[str, int]
    certificates: Certificates

    def scram(self, user: str, *, password: str | None = None, mechanism: str = "SCRAM-SHA-512") -> dict[str, str]:
        """Settings for SASL_SSL with SCRAM."""
        return {
            "KHABAR_BROKERS": f"localhost:{self.ports['SCRAM']}",
            "KHABAR_SECURITY_PROTOCOL": "SASL_SSL",
            "KHABAR_SASL_MECHANISM": mechanism,
            "KHABAR_SASL_USERNAME": user,
            "KHABAR_SASL_PASSWORD": password if password is not None else USERS[user],
            "KHABAR_SSL_CAFILE": self.certificates.path("ca.pem"),
        }

    def tls(self, listener: str = "MTLS", *, client: str | None = "client", authority: str = "ca.pem") -> dict[str, str]:
        """Settings for SSL, with the client's certificate unless told otherwise."""
        mine = (
            {}
            if client is None
            else {
                "KHABAR_SSL_CERTFILE": self.certificates.path(f"{client}.pem"),
                "KHABAR_SSL_KEYFILE": self.certificates.path(f"{client}.key"),
            }
        )
        return {
            "KHABAR_BROKERS": f"localhost:{self.ports[listener]}",
            "KHABAR_SECURITY_PROTOCOL": "SSL",
            "KHABAR_SSL_CAFILE": self.certificates.path(authority),
            **mine,
        }

    def oauth(self, *, subject: str = OAUTH_USER) -> dict[str, str]:
        """Settings for SASL_SSL with OAUTHBEARER; the token is unsigned, as Kafka's own test handler takes it."""
        return {
            **self.scram("khabar"),
            "KHABAR_BROKERS": f"localhost:{self.ports['OAUTH']}",
            "KHABAR_SASL_MECHANISM": "OAUTHBEARER",
            "KHABAR_SASL_PASSWORD": unsigned_token(subject),
        }

    def oauth_function(self) -> dict[str, str]:
        """The same with a function that gives the token."""
        return {**self.oauth(), "KHABAR_SASL_PASSWORD": "", "KHABAR_SASL_TOKEN": "tests.security.broker:token"}

    def allow(self, principal: str, rights: Sequence[Right]) -> None:
        """Let ``User:principal`` do these things, and no others."""
        with self.cluster.admin() as admin:
            admin.delete_acls([_all_of(principal)])
            if rights:
                admin.create_acls([_acl(principal, right) for right in rights])


def make(folder: Path, certificates: Certificates) -> Secured:
    """Start it."""
    ports = dict(zip(LISTENERS, free_ports(len(LISTENERS)), strict=True))
    kinds = {"SCRAM": "SASL_SSL", "MTLS": "SSL", "EXPIRED": "SSL", "ELSEWHERE": "SSL", "OAUTH": "SASL_SSL"}
    stores = {"SCRAM": "broker", "MTLS": "broker", "EXPIRED": "expired", "ELSEWHERE": "elsewhere", "OAUTH": "broker"}
    extra = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS;User:operator",
        "listener.name.scram.sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "listener.name.scram.scram-sha-512.sasl.jaas.config": "org.apache.kafka.common.security.scram.ScramLoginModule required;",
        "listener.name.oauth.sasl.enabled.mechanisms": "OAUTHBEARER",
        "listener.name.oauth.oauthbearer.sasl.jaas.config": "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;",
        "listener.name.oauth.oauthbearer.sasl.server.callback.handler.class": UNSIGNED_TOKENS,
        "listener.name.mtls.ssl.client.auth": "required",
        "listener.name.mtls.ssl.truststore.type": "PEM",
        "listener.name.mtls.ssl.truststore.location": certificates.path("ca.pem"),
    }
    for listener, store in stores.items():
        extra[f"listener.name.{listener.lower()}.ssl.keystore.type"] = "PEM"
        extra[f"listener.name.{listener.lower()}.ssl.keystore.location"] = certificates.path(f"{store}.store.pem")
    scram = [part for user, password in USERS.items() for part in ("--add-scram", f"SCRAM-SHA-512=[name={user},password={password}]")]
    cluster = Cluster(folder, extra=extra, listeners={name: (ports[name], kinds[name]) for name in LISTENERS}, format_options=scram)
    cluster.start()
    return Secured(cluster, ports, certificates)


def unsigned_token(subject: str) -> str:
    """A JSON web token without a signature, good until the year 2099."""
    parts = ({"alg": "none"}, {"sub": subject, "iat": 1_700_000_000, "exp": 4_070_908_800})
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + "."


def token() -> str:
    """What an operator's own function would fetch."""
    return unsigned_token(OAUTH_USER)


def _acl(principal: str, right: Right) -> ACL:
    kind, name, operation = right
    return ACL(
        principal=f"User:{principal}",
        host="*",
        operation=operation,
        permission_type=ACLPermissionType.ALLOW,
        resource_pattern=ResourcePattern(kind, name),
    )


def _all_of(principal: str) -> ACLFilter:
    anything = ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY)
    return ACLFilter(f"User:{principal}", None, ACLOperation.ANY, ACLPermissionType.ANY, anything)
