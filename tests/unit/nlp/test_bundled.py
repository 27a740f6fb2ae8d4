"""The models that ship, as they are installed: loaded from their directories, checksums first, without the network."""

import shutil
import socket
from pathlib import Path

import pytest

from worker.errors import ModelError
from worker.nlp import models, pipeline
from worker.settings import Settings

LARGEST_BUNDLE = 50_000_000

TEXTS = [
    ("ar", "وصل وزير الخارجية أنتوني بلينكن إلى القاهرة يوم الثلاثاء.\nوقال بلينكن إن الأمم المتحدة تدعم لبنان."),
    ("fa", "علی باقری روز شنبه در تهران با وزیر خارجه ترکیه دیدار کرد."),
    ("en", "Antony Blinken met Keir Starmer in London on Monday; the United Nations welcomed it."),
]
NAMES = [
    [("أنتوني بلينكن", "PER"), ("القاهرة", "LOC"), ("بلينكن", "PER"), ("الأمم المتحدة", "ORG"), ("لبنان", "LOC")],
    [("علی باقری", "PER"), ("تهران", "LOC"), ("ترکیه", "LOC")],
    [("Antony Blinken", "PER"), ("Keir Starmer", "PER"), ("London", "LOC"), ("United Nations", "ORG")],
]


@pytest.fixture(scope="module", params=models.BUNDLES)
def loaded(request: pytest.FixtureRequest) -> pipeline.Models:
    """Each bundled model, loaded with every socket refused."""

    def refused(*_: object, **__: object) -> None:
        message = "the network was used"
        raise AssertionError(message)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "socket", refused)
        patch.setattr(socket, "getaddrinfo", refused)
        return pipeline.load(Settings(models=request.param))


def test_plain_names_are_found_in_three_languages_at_once(loaded: pipeline.Models) -> None:
    """People, places and organisations that everybody knows, exact to the code point."""
    found = [
        [(text[span.start : span.end], span.type) for span in analysis.spans]
        for (_, text), analysis in zip(TEXTS, loaded.analyse(TEXTS), strict=True)
    ]
    assert found == NAMES


def test_neighbours_do_not_matter(loaded: pipeline.Models) -> None:
    """Alone, in another order, beside a long text: the same analysis."""
    together = loaded.analyse(TEXTS)
    long = ("ar", TEXTS[0][1] * 60)
    assert loaded.analyse([long, *reversed(TEXTS)])[:0:-1] == together
    assert [loaded.analyse([text])[0] for text in TEXTS] == together


def test_words_given_are_tagged(loaded: pipeline.Models) -> None:
    """What `khabar evaluate` measures is what enriches."""
    words = ["Antony", "Blinken", "met", "Keir", "Starmer", "in", "London", "."]
    assert loaded.tag([[words]], language="en") == [[["B-PER", "I-PER", "O", "B-PER", "I-PER", "O", "B-LOC", "O"]]]


def test_together_they_fit() -> None:
    """All that is bundled is at most 50 MB, and its checksums are right."""
    rows = [row for row in models.listing(Settings()) if row.where == "bundled"]
    assert [row.path.name for row in rows] == list(models.BUNDLES)
    assert sum(row.bytes for row in rows) <= LARGEST_BUNDLE
    assert [check for row in rows for check in models.verify(Settings()) if check.problem and check.path.parent == row.path] == []


def test_a_changed_byte_is_refused(tmp_path: Path) -> None:
    """A damaged network is one line before anything reads it."""
    directory = tmp_path / "copy"
    shutil.copytree(models.BUNDLED / "fast", directory)
    content = bytearray((directory / "model.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (directory / "model.onnx").write_bytes(content)
    with pytest.raises(ModelError, match=r"model\.onnx: sha256 is") as raised:
        pipeline.load(Settings(models=str(directory)))
    assert "\n" not in str(raised.value)
