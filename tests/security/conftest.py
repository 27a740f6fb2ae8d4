"""One secured broker for all tests of this folder."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = str(Path(__file__).parents[2])
if ROOT not in sys.path:
    sys.path.insert(0, ROOT)

from tests.faults.cluster import available  # noqa: E402 - ROOT first
from tests.security import broker, certificates  # noqa: E402
from tests.security.programs import khabar  # noqa: E402


@pytest.fixture(scope="session")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[broker.Secured]:
    """A real broker with SCRAM, mTLS, OAUTHBEARER, an expired and a wrong-host certificate, ACLs, and the three topics."""
    if not available() or shutil.which("openssl") is None:
        pytest.skip("needs Apache Kafka (KAFKA_HOME), Java and openssl")
    folder = tmp_path_factory.mktemp("certificates")
    made = broker.make(tmp_path_factory.mktemp("kafka"), certificates.make(folder))
    try:
        done = khabar("topics", "create", "--partitions", "2", "--replication-factor", "1", settings=made.scram("operator"))
        assert done.code == 0, done.err
        yield made
    finally:
        made.cluster.stop()
