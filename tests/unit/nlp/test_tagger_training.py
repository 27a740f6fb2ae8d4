"""How the tagger is made: labels, windows, grids, and a small fit."""

import itertools
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from worker.errors import UserError
from worker.nlp.pieces import WORD_START, Pieces
from worker.nlp.train import fit as fitting
from worker.nlp.train import quantise
from worker.nlp.train.average import first_layers, from_state, mean
from worker.nlp.train.data import WINDOW, Example, batches, groups, pack, read_bio, read_words, spell
from worker.nlp.train.harmonise import LABELS, UNLABELLED, allowed, countries_as_places, is_place
from worker.nlp.train.network import Network, product, words_of
from worker.nlp.train.prune import narrowed, worth
from worker.nlp.train.scoring import collate, dev_scores
from worker.nlp.train.swap import CLITICS, swapped

LETTERS = "abcdefgh"
VOCABULARY = ["<s>", "<pad>", "</s>", "<unk>", WORD_START, *LETTERS, *(WORD_START + letter for letter in LETTERS)]


@pytest.fixture
def pieces() -> Pieces:
    """Eight letters."""
    return Pieces(VOCABULARY, [0.0] * 4 + [-3.0] + [-2.0] * (len(VOCABULARY) - 5))


def tiny(seed: int) -> Network:
    """A network of one small layer."""
    sizes = {"hidden": 24, "feed": 48, "heads": 2, "head": 12, "vocabulary": len(VOCABULARY), "positions": WINDOW, "labels": 9, "layers": 1}
    network = Network({**sizes, "words_from": 1, "epsilon": 1e-12})
    source = torch.Generator().manual_seed(seed)
    for name, weight in network.named_parameters():
        torch.nn.init.ones_(weight) if name.endswith("ln_w") else torch.nn.init.normal_(weight, std=0.1, generator=source)
    return network


def toy(count: int, *, seed: int = 1) -> list[Example]:
    """Sentences in which every word that starts with an a is a place."""
    source = random.Random(seed)  # noqa: S311 - no secret
    words = [["".join(source.choices(LETTERS, k=2)) for _ in range(source.randint(2, 9))] for _ in range(count)]
    return [Example(part, ["B-LOC" if word[0] == "a" else "O" for word in part], "en/toy") for part in words]


@pytest.mark.parametrize(
    "name", ["ایران", "آمریکا", "جمهوری اسلامی ایران", "وروسيا", "بالمغرب", "United States", "U.S.", "القاهرة", "تهران"]
)
def test_countries_and_capitals_are_places(name: str) -> None:
    """A country stays one in any language, with clitics, aliases or points."""
    assert is_place(name.split())


@pytest.mark.parametrize("name", ["الأمم المتحدة", "سازمان ملل متحد", "European Union", "پرسپولیس", "حزب الله", "و", "مجلس"])
def test_organisations_are_no_places(name: str) -> None:
    """What CLDR lists beside countries, and what only looks like one, stays an organisation."""
    assert not is_place(name.split())


def test_only_whole_mentions_change() -> None:
    """A country inside an organisation's name stays inside it; a country alone as ORG becomes LOC."""
    words = ["بانک", "مرکزی", "ایران", "و", "جمهوری", "اسلامی", "ایران"]
    tags = ["B-ORG", "I-ORG", "I-ORG", "O", "B-ORG", "I-ORG", "I-ORG"]
    assert countries_as_places(words, tags) == ["B-ORG", "I-ORG", "I-ORG", "O", "B-LOC", "I-LOC", "I-LOC"]


def test_what_a_corpus_leaves_open() -> None:
    """A corpus without MISC says nothing against it; its other types bind or open as documented."""
    assert allowed("O", has_misc=True) == {"O"}
    assert allowed("O", has_misc=False) == {"O", "B-MISC", "I-MISC"}
    assert allowed("I-PER", has_misc=False) == {"I-PER"}
    assert allowed("B-EVENT", has_misc=False) == {"O", "B-MISC"}
    assert "I-PER" not in allowed("I-FAC", has_misc=False)
    assert allowed(UNLABELLED, has_misc=False) == set(LABELS)


def test_every_word_is_shown_once_an_epoch(pieces: Pieces) -> None:
    """Whatever share is packed, an epoch's windows hold every word exactly once and none is too long."""
    sentences = [spell(example, pieces) for example in toy(300)]
    for packed in (0.0, 0.5, 1.0):
        source = random.Random(3)  # noqa: S311 - no secret
        windows = list(pack(sentences, groups([range(150), range(150, 300)], packed=packed, source=source)))
        shown = sorted(pair for window in windows for pair in window.words)
        assert shown == [(number, index) for number, part in enumerate(sentences) for index in range(len(part.words))]
        assert all(len(window.ids) <= WINDOW for window in windows)
        made = batches(windows, budget=256, source=source)
        assert all(len(batch) == 1 or len(batch) * max(len(one.ids) for one in batch) <= 256 for batch in made)
        assert sum(map(len, made)) == len(windows)


def test_a_line_without_a_tag_is_named(tmp_path: Path) -> None:
    """A broken BIO file is refused with the number of its first broken line."""
    file = tmp_path / "bad.bio"
    file.write_text("Cairo\tB-LOC\n\nNile\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"bad\.bio:3: expected a token, a tab and a tag"):
        list(read_bio(file))


def test_written_words_of_a_treebank(tmp_path: Path) -> None:
    """A token that stands for several words is read once, as written; empty nodes and comments are not read."""
    file = tmp_path / "fa_small.conllu"
    rows = ["# text", "1-2\tabc\t_", "1\tab\t_", "2\tc\t_", "2.1\tgone\t_", "3\td\t_", "", "1\te\t_", "", ""]
    file.write_text("\n".join(rows), encoding="utf-8")
    assert [example.words for example in read_words(file)] == [["abc", "d"], ["e"]]


def test_words_that_touch_are_one_in_an_arabic_treebank(tmp_path: Path) -> None:
    """A clitic stands with what it leans on, a sign by itself; elsewhere the treebank's own words stay."""
    rows = [("و", "SpaceAfter=No"), ("كتاب", "SpaceAfter=No"), ("ها", "SpaceAfter=No"), (".", "SpaceAfter=No"), ("نعم", "_")]
    text = "".join(f"{number}\t{word}\t_\t{misc}\n" for number, (word, misc) in enumerate(rows, 1)) + "\n"
    found = {}
    for language in ("ar", "en"):
        file = tmp_path / f"{language}_tiny.conllu"
        file.write_text(text, encoding="utf-8")
        found[language] = [example.words for example in read_words(file)]
    assert found == {"ar": [["وكتابها", ".", "نعم"]], "en": [["و", "كتاب", "ها", ".", "نعم"]]}


def test_names_are_swapped_for_names_of_their_type() -> None:
    """Only words of mentions change, a person's name keeps its number of words, tags are forgotten; the seed decides."""
    names = {"PER": [["قمرون"]], "LOC": [["وادي", "الغاف"]], "ORG": [["مصرف", "الضياء"]]}
    given = Example(["زار", "سامي", "الحلبي", "تونس", "أمس"], ["O", "B-PER", "I-PER", "B-LOC", "O"], "ar/anercorp")
    one, same, other = (swapped([given] * 40, names, random.Random(seed)) for seed in (1, 1, 2))  # noqa: S311 - no secret
    assert one == same != other
    for example in one:
        assert (example.words[0], example.words[-1], example.corpus) == ("زار", "أمس", "ar/anercorp")
        assert set(example.tags) == {UNLABELLED}
        assert len(example.words) == len(example.tags)
        assert example.words[2] in {"الحلبي", "قمرون"}
    seen = {word.removeprefix(clitic) for example in one for word in example.words for clitic in CLITICS}
    assert {"قمرون", "وادي", "الغاف", "تونس"} <= seen
    assert not seen & {"مصرف", "الضياء"}, "no organisation was there"
    behind = {example.words[1] for example in one} - {"سامي", "قمرون"}
    assert behind, "some stand behind a clitic"
    assert behind <= {clitic + name for clitic in CLITICS for name in ("سامي", "قمرون")}
    assert given.words[1] == "سامي", "what was given stays as it is"


def test_a_swapped_name_is_written_as_arabic_writes_it() -> None:
    """ل and ال are لل, in front of a name as in any word."""
    names = {"PER": [["قمرون"]], "LOC": [["القمرون"]], "ORG": [["مصرف"]]}
    given = Example(["زار", "تونس"], ["O", "B-LOC"], "ar/anercorp")
    found = {example.words[1] for example in swapped([given] * 400, names, random.Random(1))}  # noqa: S311 - no secret
    assert {"القمرون", "للقمرون", "بالقمرون", "لتونس"} <= found
    assert "لالقمرون" not in found


def test_a_grid_rounds_within_half_a_step() -> None:
    """Values inside the grid's range move by at most half a step, zero not at all, others to the edge."""
    grid = quantise.grid_between(-1.0, 3.0)
    values = torch.linspace(-1, 3, 999)
    assert float((grid.round(values) - values).abs().max()) <= grid.scale / 2 + 1e-6
    assert float(grid.round(torch.zeros(1))) == 0
    assert float(grid.round(torch.tensor([9.0]))) == pytest.approx(3.0, abs=grid.scale)


@pytest.mark.parametrize("help_", [{"shares": (0.5, 0.85)}, {"loud": True}])
def test_one_huge_column_does_not_spoil_the_others(help_: dict[str, Any]) -> None:
    """With one huge column, evening out the columns or keeping it in float saves the product that a plain grid destroys."""
    torch.manual_seed(0)
    value, weight, bias = torch.randn(200, 16), torch.randn(8, 16), torch.zeros(8)
    value[:, 3] *= 500
    weight[:, 3] /= 500
    exact = value @ weight.T
    watcher = quantise.Watcher()
    watcher(value, weight)

    def error(grid: quantise.Grid) -> float:
        return float((product(*grid(value, weight), bias, None).float() - exact).abs().mean())

    assert error(quantise.best_grid(watcher, **help_)) < error(quantise.best_grid(watcher)) / 5


def test_the_mean_and_the_lower_layers() -> None:
    """Weights are averaged entry by entry, and a student starts with the lower layers alone."""
    first, second = tiny(1).state_dict(), tiny(2).state_dict()
    middle = mean([first, second])
    assert torch.allclose(middle["layers.0.fi_w"], (first["layers.0.fi_w"] + second["layers.0.fi_w"]) / 2)
    assert not [name for name in first_layers(middle, 0) if name.startswith("layers.")]


def run(out: Path, pieces: Pieces) -> tuple[Network, dict[str, float]]:
    """Fit the tiny network on the toy text; the network and its last score."""
    settings = fitting.Settings(epochs=4, encoder_rate=3e-3, word_rate=3e-3, head_rate=1e-2, budget=256, dropout=0.0)
    network = fitting.fit(tiny(1), [toy(200)], pieces, settings=settings, out=out, dev={"toy": toy(40, seed=2)})
    return network, dev_scores(network, {"toy": toy(40, seed=2)}, pieces)


def test_a_rule_is_learnt_and_a_broken_run_goes_on(tmp_path: Path, pieces: Pieces, monkeypatch: pytest.MonkeyPatch) -> None:
    """The toy rule is found on unseen text; a run killed half-way and started again ends in the same weights."""
    whole, score = run(tmp_path / "whole", pieces)
    assert score["toy"] > 95
    save, count = fitting._save, itertools.count(1)  # noqa: SLF001 - the kill strikes right after a checkpoint

    def save_and_die(*args: Any) -> None:  # noqa: ANN401 - passes through
        save(*args)
        if next(count) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(fitting, "_save", save_and_die)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "broken", pieces)
    again, _ = run(tmp_path / "broken", pieces)
    for name, weight in whole.state_dict().items():
        assert torch.allclose(weight, again.state_dict()[name], atol=1e-5), name


def test_a_teacher_is_heard_where_nobody_tagged(tmp_path: Path, pieces: Pieces) -> None:
    """From unlabelled words and a teacher's scores alone, the student learns the teacher's rule."""
    text = toy(200)
    taught = [
        np.array(
            [[8.0 if (word[0] == "a") == (label == "B-LOC") and label in {"O", "B-LOC"} else 0.0 for label in LABELS] for word in one.words]
        )
        for one in text
    ]
    blank = [Example(one.words, [UNLABELLED] * len(one.words), one.corpus) for one in text]
    settings = fitting.Settings(epochs=4, encoder_rate=3e-3, word_rate=3e-3, head_rate=1e-2, budget=256, dropout=0.0, imitation=1.0)
    dev = {"toy": toy(40, seed=2)}
    scores = [part.astype(np.float16) for part in taught]
    network = fitting.fit(tiny(1), [blank], pieces, settings=settings, out=tmp_path, dev=dev, taught=scores)
    assert dev_scores(network, dev, pieces)["toy"] > 95


def test_training_says_what_is_missing(tmp_path: Path) -> None:
    """An unknown preset and a folder without corpora each give one clear line before anything is computed."""
    from worker.nlp.train.run import train

    with pytest.raises(UserError, match=r"no such preset: deep"):
        train(data=tmp_path, out=tmp_path, preset="deep")
    with pytest.raises(UserError, match=r"anercorp\.train\.bio: there is no such corpus \(33 of 33 are missing\)"):
        train(data=tmp_path, out=tmp_path, preset="fast")


def test_what_the_loss_would_not_miss_is_pruned_first(pieces: Pieces) -> None:
    """Heads and columns whose output goes nowhere are worth nothing, and without them the network says the same."""
    network, sentences = tiny(seed=5), [spell(example, pieces) for example in toy(6)]
    [batch] = [collate(part) for part in batches(list(pack(sentences, [range(6)])), budget=512, source=random.Random(0))]  # noqa: S311 - no secret
    silent, [layer] = [3, 17, 40], quantise.layers_of(network)
    with torch.no_grad():
        layer.ao_w[:, : layer.head] = 0
        layer.fo_w[:, silent] = 0
    [(heads, feed)] = values = worth(network, [batch])
    assert heads[0] == 0
    assert heads[1] > 0
    assert torch.equal(torch.nonzero(feed == 0).flatten(), torch.tensor(silent))
    small = from_state(narrowed(network, values, heads=1, feed=45, words_from=1), heads=2, epsilon=1e-12)
    assert (small.sizes["heads"], small.sizes["head"], small.sizes["feed"]) == (1, 12, 45)
    with torch.no_grad():
        before, after = (one(batch.ids, batch.lengths, batch.firsts) for one in (network, small))
    assert torch.allclose(before, after, atol=1e-5)


def test_words_stand_for_their_pieces(pieces: Pieces) -> None:
    """Rows of different lengths: every word is the mean of its own pieces, nothing is padded into view, and marks go all the way up."""
    lengths, firsts = torch.tensor([7, 4]), torch.tensor([1, 2, 5, 7 + 1])
    rows, places, means, counts = words_of(lengths, firsts, length=7)
    assert (rows.tolist(), places.tolist(), counts.tolist()) == ([0, 0, 0, 1], [1, 2, 3, 1], [5, 3])
    pieces_of = [[row.nonzero().flatten().tolist() for row in part] for part in means]
    assert pieces_of == [[[0], [1], [2, 3, 4], [5], [6]], [[0], [1, 2], [3], [], []]]
    assert means.sum(2).tolist() == [[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]
    sentences = [spell(example, pieces) for example in toy(6)]
    windows = list(pack(sentences, [[number] for number in range(6)]))
    network = tiny(seed=4)
    network.load_state_dict({**network.state_dict(), "words_from": torch.tensor(0)})  # every layer sees words alone
    together = collate(windows)
    with torch.no_grad():
        found = network(together.ids, together.lengths, together.firsts)
        alone = [network(batch.ids, batch.lengths, batch.firsts) for batch in (collate([window]) for window in windows)]
    assert torch.allclose(found, torch.cat(alone), atol=1e-5)
