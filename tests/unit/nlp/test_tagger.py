"""The tagger on a small random network, exported by the real exporter."""

import itertools
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from worker.nlp.decode import best_paths
from worker.nlp.pieces import WORD_START, Pieces
from worker.nlp.tagger import Embeddings, Tagger, occurrences, windows
from worker.nlp.train.card import add_check
from worker.nlp.train.export import export
from worker.nlp.train.network import Network
from worker.nlp.train.quantise import Grid, layers_of

LETTERS = "abcdefghij"
VOCABULARY = ["<s>", "<pad>", "</s>", "<unk>", WORD_START, *LETTERS, *(WORD_START + letter for letter in LETTERS)]
LABELS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-ORG", "I-ORG", "B-MISC", "I-MISC"]
WINDOW = 32


@pytest.fixture(scope="module")
def network() -> Network:
    """Two random layers with weights large enough that every piece sways its neighbours."""
    torch.manual_seed(3)
    sizes = {
        "hidden": 384,
        "feed": 128,
        "heads": 12,
        "head": 32,
        "vocabulary": len(VOCABULARY),
        "positions": WINDOW,
        "labels": 9,
        "layers": 2,
        "words_from": 1,
    }
    made = Network({**sizes, "epsilon": 1e-12})
    for name, weight in made.named_parameters():
        torch.nn.init.ones_(weight) if name.endswith(("ln_w",)) else torch.nn.init.normal_(weight, std=0.08)
    return made


@pytest.fixture(scope="module")
def model(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The network as files."""
    grids = [{name: Grid(0.05, 128) for name in ("qkv", "ao", "fi", "fo")} for _ in range(2)]
    out = tmp_path_factory.mktemp("model")
    card = {"name": "random", "labels": LABELS, "window": WINDOW}
    export(network, grids, pieces=VOCABULARY, scores=[-float(n) for n in range(len(VOCABULARY))], card=card, out=out)
    add_check(out, Tagger.load(out, checked=False).check([["abc", "def"]]))
    return out


def document(seed: int, sentences: int) -> list[list[str]]:
    """Random words of one to six letters."""
    source = random.Random(seed)  # noqa: S311 - no secret
    return [["".join(source.choices(LETTERS, k=source.randint(1, 6))) for _ in range(source.randint(1, 12))] for _ in range(sentences)]


def test_every_word_has_a_valid_tag(model: Path) -> None:
    """Shape follows the input, sentences never start inside a mention, and an I- continues its own type."""
    documents = [document(1, 7), [], document(2, 1), [[], ["a"], []]]
    tags = Tagger.load(model).tag(documents)
    assert [[len(sentence) for sentence in guess] for guess in tags] == [[len(words) for words in sentences] for sentences in documents]
    assert {tag for guess in tags for sentence in guess for tag in sentence} - {"O"}
    for sentence in itertools.chain.from_iterable(tags):
        for before, after in itertools.pairwise(["O", *sentence]):
            assert not after.startswith("I-") or before[2:] == after[2:]


def test_tags_do_not_depend_on_the_company(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A document's tags, and the scores they are chosen by, are the same to the last bit alone and among a hundred others in any order."""
    tagger = Tagger.load(model)
    heard: list[Any] = []

    def noting(scores: Any, *others: Any) -> Any:  # noqa: ANN401 - passes through
        heard.append(scores.copy())
        return best_paths(scores, *others)

    monkeypatch.setattr("worker.nlp.tagger.best_paths", noting)  # tags alone would hide small differences
    documents = [document(seed, 5) for seed in range(100)]
    together = tagger.tag(documents)
    alone = [tagger.tag([one])[0] for one in reversed(documents)][::-1]
    assert alone == together
    first, *singly = heard
    parts = np.split(first, np.cumsum([len(one) for one in reversed(singly)])[:-1])
    assert [part.tobytes() for part in parts] == [one.tobytes() for one in reversed(singly)]


def test_occurrences_of_a_word_are_numbered_alike() -> None:
    """Within a document alone, Arabic clitics off where the word stands without them too; particles are always on their own."""
    [one, other] = [[["سامر", "في", "وسامر"], ["ولسامر", "وزير", "", "في"]], [["سامر", "وحلب"]]]
    numbers = occurrences([one, other]).tolist()
    assert numbers == [0, 1, 0, 2, 3, 4, 5, 6, 7]
    assert occurrences([[["لسامر", "ولسامر", "سامر"]]]).tolist() == [0, 0, 0]
    assert occurrences([[["كريم", "ريم"]]]).tolist() == [0, 1], "too short to tell a clitic"
    assert occurrences([]).tolist() == []


def test_a_neighbouring_sentence_is_context(model: Path) -> None:
    """The same sentence scores differently beside another one: windows do hold neighbours."""
    first, second = ["abc", "def", "gh"], ["jih", "fed"]
    tagger = Tagger.load(model)
    (alone,), (beside,) = ([*tagger._windows([sentences])] for sentences in ([first], [first, second]))  # noqa: SLF001 - windows are the subject
    assert alone.ids[:-1] == beside.ids[: len(alone.ids) - 1]
    assert not np.allclose(tagger._run(alone), tagger._run(beside)[:3])  # noqa: SLF001 - see above


def test_the_file_computes_what_the_network_does(model: Path, network: Network) -> None:
    """Scores of the int8 file follow those of the torch network with the same grids."""
    tagger = Tagger.load(model)
    window = next(tagger._windows([document(5, 3)]))  # noqa: SLF001 - the numbers are the subject
    found = tagger._run(window)  # noqa: SLF001 - see above
    for layer in layers_of(network):
        layer.grids = {name: Grid(0.05, 128) for name in ("qkv", "ao", "fi", "fo")}
    with torch.no_grad():
        wanted = network(torch.tensor([window.ids]), torch.tensor([len(window.ids)]), torch.tensor(window.firsts)).numpy()
    for layer in layers_of(network):
        layer.grids = {}
    assert np.corrcoef(found.ravel(), wanted.ravel())[0, 1] > 0.97


def test_embeddings_survive_four_bits(model: Path, network: Network) -> None:
    """Unpacked rows are near the fitted ones, nibbles in the right half."""
    with np.load(model / "pieces.npz", allow_pickle=False) as arrays:
        embeddings = Embeddings.unpack(arrays["nibbles"], arrays["scales"], arrays["positions"])
    found = embeddings.rows(np.arange(len(VOCABULARY)))
    wanted = network.words.detach().numpy()
    assert np.abs(found - wanted).mean() < 0.12 * np.abs(wanted).mean()


def test_windows_keep_every_word_and_the_limit() -> None:
    """A sentence longer than a window is cut between words; nothing is lost, nothing exceeds the limit."""
    sentences: list[list[tuple[int, ...]]] = [[(5, 6, 7)] * 40, [(8,)] * 3, [tuple(range(4, 20))] * 3, []]
    made = list(windows(sentences, start=10, limit=WINDOW))
    assert all(len(window.ids) <= WINDOW for window in made)
    assert [window.start for window in made] == [10 + n for n in itertools.accumulate((len(w.firsts) for w in made[:-1]), initial=0)]
    inner = [piece for window in made for piece in window.ids[1:-1]]
    assert inner == [piece for sentence in sentences for word in sentence for piece in word]
    assert all((window.ids[0], window.ids[-1]) == (Pieces.bos, Pieces.eos) for window in made)


def test_loading_needs_no_torch(model: Path) -> None:
    """A process that only tags never imports torch."""
    code = (
        "import sys, pathlib; from worker.nlp.tagger import Tagger;"
        f"Tagger.load(pathlib.Path({str(model)!r})).tag([[['a']]]); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
