"""A model is checked on the CPU that is to run it, and runs in the first way that computes what it should."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import numpy_helper

from worker.errors import ModelError
from worker.nlp import models, pipeline, session
from worker.nlp.session import Check
from worker.nlp.tagger import Tagger
from worker.settings import Settings


def card(directory: Path) -> dict[str, object]:
    """A model's card."""
    return dict(json.loads((directory / "card.json").read_bytes()))


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The bundled fast model, to be spoilt."""
    return Path(shutil.copytree(models.BUNDLED / "fast", tmp_path / "fast"))


@pytest.mark.parametrize("preset", ["accurate", "fast"])
def test_the_bundled_models_hold_their_checks(preset: str) -> None:
    """Their cards have one, with every kind of name in it, and this CPU passes it."""
    described = card(models.BUNDLED / preset)
    check = Check.of_card(described)
    labels = {described["labels"][label] for label in check.labels}  # type: ignore[index]  # a list
    assert {"B-PER", "B-LOC", "B-ORG", "O"} <= labels
    Tagger.load(models.BUNDLED / preset)


def test_a_way_that_saturates_is_passed_over(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first way computes with coarser weights here, as a CPU without VNNI would add: the second is taken, tags as ever."""
    words = [[["Nadia", "Haddad", "met", "the", "World", "Bank", "in", "Aswan", "."]]]
    wanted, opened, plain = Tagger.load(copy).tag(words), [], session._session  # noqa: SLF001 - no CPU here saturates

    def saturating(graph: Path, threads: int, way: Mapping[str, str]) -> ort.InferenceSession:
        opened.append(way)
        return plain(_coarser(graph) if way == session.WAYS[0] else graph, threads, way)

    monkeypatch.setattr(session, "_session", saturating)
    assert Tagger.load(copy).tag(words) == wanted
    assert opened == list(session.WAYS)


def test_a_cpu_that_computes_otherwise_is_refused(copy: Path) -> None:
    """No way gives what the card says: one clear line instead of worse tags."""
    described = card(copy)
    described["check"]["labels"][1] = 0 if described["check"]["labels"][1] else 1  # type: ignore[index]  # nested lists
    (copy / "card.json").write_text(json.dumps(described), encoding="utf-8")
    with pytest.raises(ModelError, match="on this CPU the network gives other scores") as raised:
        pipeline.load(Settings(models=str(copy)))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("missing", ["check", "firsts"])
def test_a_model_of_an_earlier_version_is_refused(copy: Path, missing: str) -> None:
    """Without a check of its words a model cannot be told from one that tags badly here: one line says what to do."""
    described = card(copy)
    part: Any = described if missing == "check" else described["check"]
    part.pop(missing)
    (copy / "card.json").write_text(json.dumps(described), encoding="utf-8")
    assert models.verify_bundle(copy)
    with pytest.raises(ModelError, match="of an earlier version of Khabar: make it anew") as raised:
        pipeline.load(Settings(models=str(copy)))
    assert "\n" not in str(raised.value)


def _coarser(graph: Path) -> Path:
    """The graph with every int8 matrix held back at half of its range."""
    loaded = onnx.load(graph)
    for constant in loaded.graph.initializer:
        if constant.data_type == onnx.TensorProto.INT8 and len(constant.dims) == 2:
            constant.CopyFrom(numpy_helper.from_array(np.clip(numpy_helper.to_array(constant), -64, 64), constant.name))
    path = graph.with_name("coarser.onnx")
    onnx.save(loaded, path)
    return path
