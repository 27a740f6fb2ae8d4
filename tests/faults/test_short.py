"""The short form of the fault run: a few minutes, one broker, the faults that matter most, on every test run."""

from pathlib import Path

import pytest

from tests.faults import run
from tests.faults.cluster import UNCLOSED, available
from tests.faults.rig import Options

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(400), pytest.mark.filterwarnings(UNCLOSED)]

SHORT = frozenset(
    {
        "worker SIGKILL",
        "all workers SIGTERM",
        "pool process SIGKILL",
        "leader SIGKILL",
        "connections cut",
        "article kills its process",
        "article kills its process once",
        "article raises",
    }
)
MINUTES = 2.5
"""No cycle begins later; starting, the last cycle and reading everything take the rest of four minutes."""


@pytest.mark.skipif(not available(), reason="needs Apache Kafka (KAFKA_HOME) and Java")
def test_no_article_is_lost_whatever_dies(tmp_path: Path) -> None:
    """Workers, their processes, the broker and connections die under load: everything comes out once at least, in order, as it should."""
    options = Options(cycles=len(SHORT), seed=6, brokers=1, minutes=MINUTES, partitions=3, rate=10, names=SHORT, folder=tmp_path)
    report = run.run(options)
    assert len(report.cycles) > 3
    assert report.verdict.published > 300
    assert not report.stuck
    assert list(report.verdict.findings()) == []
    assert report.verdict.duplicates <= report.duplicates_allowed
    assert report.bad_ends == []
