"""The AsyncAPI 3.0 document: the three topics, what stands on them, who sends and who receives.

Source: https://www.asyncapi.com/docs/reference/specification/v3.0.0 and its Kafka bindings 0.5.0. Payloads refer to the
JSON Schemas beside it. Addresses are the default settings; a deployment may name its topics otherwise.
"""

from typing import Any

from worker import __version__
from worker.errors import REASONS
from worker.settings import Settings

BINDING = "0.5.0"
JSON_SCHEMA = "application/schema+json;version=draft-2020-12"

Node = dict[str, Any]


def document() -> Node:
    """The whole document."""
    topics = Settings()
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Khabar",
            "version": __version__,
            "description": "Reads raw news articles, adds language, named entities and a summary, publishes them. What can never "
            "succeed becomes a dead letter. Delivery is at least once, in order per key; `ce_id` tells copies. Values are JSON; "
            "where a deployment says Avro (`KHABAR_INPUT_FORMAT`, `KHABAR_OUTPUT_FORMAT`) they are in the Confluent wire format, enriched "
            "articles by `enriched-article.v1.avsc` with the content type `application/avro`, and dead letters are still JSON.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"kafka": {"host": topics.broker_list[0], "protocol": "kafka", "description": "`KHABAR_BROKERS`."}},
        "channels": {
            "raw": _channel(topics.input_topic, "Articles as their senders publish them.", "RawArticle", "PlainText", "Tombstone"),
            "enriched": _channel(topics.output_topic, "Enriched articles, under the raw record's key.", "EnrichedArticle", "Tombstone"),
            "deadLetter": _channel(topics.dead_letter_topic, "What can never succeed, with its original bytes.", "DeadLetter"),
        },
        "operations": {
            "readRaw": _operation("receive", "raw", "Reads raw articles; acks one when what came of it is published.", topics.group),
            "publishEnriched": _operation("send", "enriched", "Publishes each enriched article and passes tombstones on."),
            "publishDeadLetter": _operation("send", "deadLetter", "Publishes a dead letter; `khabar replay` puts its record back."),
        },
        "components": {"messages": _messages()},
    }


def _channel(topic: str, description: str, *messages: str) -> Node:
    return {
        "address": topic,
        "description": description,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
        "bindings": {"kafka": {"topic": topic, "bindingVersion": BINDING}},
    }


def _operation(action: str, channel: str, description: str, group: str | None = None) -> Node:
    node: Node = {"action": action, "channel": {"$ref": f"#/channels/{channel}"}, "description": description}
    if group:
        node["bindings"] = {"kafka": {"groupId": {"type": "string", "const": group}, "bindingVersion": BINDING}}
    return node


def _messages() -> Node:
    key = "The raw record's key, byte for byte; without one the article's id."
    return {
        "RawArticle": _message(
            "A raw article", "raw-article", key="Any bytes, or none: the article's id where it has no member `id`.", headers=_raw_headers()
        ),
        "PlainText": {
            "summary": "A bare body: the header `content-type` says text/plain, the key is the id.",
            "contentType": "text/plain",
            "headers": _object({"content-type": _text("Names the form.", pattern="^text/plain")}, required=["content-type"]),
            "payload": {"type": "string", "minLength": 1, "description": "The article's running text, UTF-8."},
            "bindings": _key("The article's id."),
        },
        "Tombstone": {
            "summary": "A null value: passed on as a null value under the same key.",
            "payload": {"type": "null"},
            "bindings": _key("The key whose article is gone."),
        },
        "EnrichedArticle": _message(
            "An enriched article, CloudEvents 1.0 in binary mode", "enriched-article", key=key, headers=_event_headers()
        ),
        "DeadLetter": _message("A dead letter", "dead-letter", key="The raw record's key, byte for byte.", headers=_error_headers()),
    }


def _message(summary: str, record: str, *, key: str, headers: Node) -> Node:
    return {
        "summary": summary,
        "contentType": "application/json",
        "headers": headers,
        "payload": {"schemaFormat": JSON_SCHEMA, "schema": {"$ref": f"./{record}.v1.json"}},
        "bindings": _key(key),
    }


def _key(description: str) -> Node:
    return {"kafka": {"key": {"type": "string", "format": "binary", "description": description}, "bindingVersion": BINDING}}


def _raw_headers() -> Node:
    return _object(
        {
            "content-type": _text("`application/json`, or absent."),
            "traceparent": _text("W3C trace context. This and every other header is carried on."),
        }
    )


def _event_headers() -> Node:
    return _object(
        {
            "ce_specversion": _text("CloudEvents version.", const="1.0"),
            "ce_id": _text("Deterministic: the same record enriched twice by the same models has the same id.", pattern="^[0-9a-f]{64}$"),
            "ce_source": _text("`/khabar/` and the input topic.", pattern="^/khabar/"),
            "ce_type": _text("What happened.", const="khabar.article.enriched.v1"),
            "ce_subject": _text("The article's id."),
            "ce_time": _text("The raw record's timestamp, RFC 3339.", format="date-time"),
            "content-type": _text("Form of the value.", const="application/json"),
            "traceparent": _text(
                "W3C trace context, carried on from the raw record; where it has none and traces are on, that of the sending."
            ),
        },
        required=["ce_specversion", "ce_id", "ce_source", "ce_type", "content-type"],
    )


def _error_headers() -> Node:
    return _object(
        {
            "khabar.error.reason": {"type": "string", "enum": list(REASONS), "description": "Why it can never succeed."},
            "khabar.error.stage": _text("Where it failed."),
            "khabar.error.source": _text("Topic, partition and offset of the raw record, `/` between.", pattern="/[0-9]+/[0-9]+$"),
            "content-type": _text("Form of the value.", const="application/json"),
            "traceparent": _text("W3C trace context of the sending, where traces are on. The raw record's own stands in the letter."),
        },
        required=["content-type", "khabar.error.reason", "khabar.error.stage", "khabar.error.source"],
    )


def _object(properties: Node, *, required: list[str] | None = None) -> Node:
    return {"type": "object", "properties": properties, **({"required": required} if required else {})}


def _text(description: str, **keywords: str) -> Node:
    return {"type": "string", "description": description, **keywords}
