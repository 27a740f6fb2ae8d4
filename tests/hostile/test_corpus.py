"""The hostile corpus through the very function that the enricher processes run."""

from dataclasses import replace

import pytest

from tests.faults.light import LightAnalyser
from tests.hostile import checks
from tests.hostile.cases import MAX_BYTES, Case, Dead, Enriched, Tombstone
from tests.hostile.corpus import CASES
from worker.enrich.enricher import Enricher
from worker.enrich.job import Done, Failed, Job, run
from worker.settings import Settings

SETTINGS = replace(Settings(), max_article_bytes=MAX_BYTES)
RECORDS = [case for case in CASES if not isinstance(case.expect, Tombstone)]
CLASSES = sorted({case.kind for case in CASES})


def _job(case: Case) -> Job:
    return Job(
        value=case.value or b"",
        key=case.key,
        headers=list(case.headers),
        topic="articles.raw",
        partition=0,
        offset=7,
        timestamp_ms=case.timestamp_ms,
    )


@pytest.fixture(scope="module")
def enricher() -> Enricher:
    """One real enricher over light models."""
    return Enricher(LightAnalyser(), summary_sentences=SETTINGS.summary_sentences, summary_characters=SETTINGS.summary_characters)


def test_the_corpus_is_large_and_named_once() -> None:
    """At least 300 cases, each under a name of its own, in all nine classes."""
    assert len(CASES) >= 300
    assert len({(case.kind, case.name) for case in CASES}) == len(CASES)
    assert CLASSES == ["bytes", "headers", "json", "keys", "size", "structure", "text", "timestamps", "unicode"]


@pytest.mark.parametrize("case", RECORDS, ids=[f"{case.kind}-{case.name}" for case in RECORDS])
def test_every_record_comes_out_as_expected(case: Case, enricher: Enricher) -> None:
    """Enriched with the expected language, id and key, or dead-lettered under the expected reason."""
    (outcome,) = run([_job(case)], enricher=enricher, settings=SETTINGS)
    if isinstance(case.expect, Dead):
        assert isinstance(outcome, Failed), f"came out enriched: {outcome}"
        assert outcome.reason == case.expect.reason, outcome.error
        assert list(checks.error_line(outcome.error)) == []
        return
    assert isinstance(outcome, Done), f"{outcome}"
    assert isinstance(case.expect, Enriched)
    wrong = checks.enriched(case, value=outcome.value, key=outcome.key, headers=outcome.headers, expect=case.expect)
    assert list(wrong) == []


@pytest.mark.parametrize("kind", CLASSES)
def test_neighbours_in_a_batch_change_nothing(kind: str, enricher: Enricher) -> None:
    """A class run as one batch gives what each record gives alone: same outcome, same ids, same enrichment."""
    jobs = [_job(case) for case in RECORDS if case.kind == kind and len(case.value or b"") < MAX_BYTES // 2]
    together = run(jobs, enricher=enricher, settings=SETTINGS)
    assert len(together) == len(jobs)
    for job, batched in zip(jobs, together, strict=True):
        (alone,) = run([job], enricher=enricher, settings=SETTINGS)
        if isinstance(alone, Failed):
            assert batched == alone
        else:
            assert isinstance(batched, Done)
            assert (batched.ce_id, batched.key, batched.headers) == (alone.ce_id, alone.key, alone.headers)
            assert checks.differences(batched.value, alone.value) == []
