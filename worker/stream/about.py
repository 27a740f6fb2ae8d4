"""What log lines and spans say of an article: which one it is and where it lies, never what it says."""

import re
from typing import TYPE_CHECKING

from worker.enrich.job import Job, unread_id

if TYPE_CHECKING:
    from worker.stream.lane import Record

MOST_CHARACTERS = 200
"""Code points of an id or a key: both are the sender's, and may be of any length."""
_UNSHOWN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def about(source: "Job | Record", article_id: str | None = None) -> dict[str, object]:
    """Fields of a log line about one article.

    Args:
        source: the record it came in.
        article_id: its id, where somebody has read it; else it is called by its key or its position.
    """
    topic, partition, offset = source.topic, source.partition, source.offset
    name = article_id or unread_id(source.key, topic=topic, partition=partition, offset=offset)
    return {"article_id": shown(name), "topic": topic, "partition": partition, "offset": offset}


def shown(text: str) -> str:
    """A sender's words, cut short, with nothing in them that breaks a line, moves a cursor or turns the writing round."""
    return _UNSHOWN.sub("\N{REPLACEMENT CHARACTER}", text[:MOST_CHARACTERS])
