"""Make the small Stanza models of this folder: a tokenizer and a tagger each for Arabic and Persian.

They are the stand-in for Stanza's own packages wherever a test needs real ones, and an example of a model directory of
one's own. Everything is trained by Stanza's own trainers; nothing of a corpus is stored but words and weights.

    python -m tests.data.stanza.make --data DATA [--only ar/ner] [--out tests/data/stanza] [--work build/stanza]

DATA holds ``ud/*.conllu``, ``ner/{ar,fa}/*.bio`` and ``names/*.tsv``; README.md here names the corpora, their licences
and the scores. One thread; each takes some 5 to 10 minutes on an idle core. Needs the extra ``train``.
"""

import argparse
import hashlib
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from stanza.models import ner_tagger, tokenizer
from stanza.models.common.pretrain import Pretrain

from tests.data.stanza.vectors import write_vectors
from worker.nlp.evaluate import spans
from worker.nlp.train.data import read_bio
from worker.nlp.train.harmonise import countries_as_places

Sentence = tuple[list[str], list[str]]

PACKAGE = "news"
SEED = 7
LONGEST = 50
LANGUAGES = {"ar": "Arabic", "fa": "Persian"}
TREEBANKS = {"ar": ["ar_pud"], "fa": ["fa_perdt-dev", "fa_perdt-test", "fa_seraji-dev", "fa_seraji-test"]}
TRAIN = {
    "ar": ["ar/anercorp.train", "ar/aqmar-a.train"],
    "fa": ["fa/arman-fold1.train", "fa/parstwiner.train"],
}
DEV = {"ar": ["ar/anercorp.dev"], "fa": ["fa/arman-fold1.dev", "fa/parstwiner.dev"]}
CLITICS = ("و", "ب", "ل", "ف", "ك", "ول", "وب")
TOKENIZER_STEPS = 1600
TAGGER_STEPS = 2000


def words_of(treebank: Path) -> Iterator[list[tuple[str, bool]]]:
    """Sentences of (word as written, whether a space follows).

    The treebanks part a clitic from its word; entity corpora and the worker keep it on, so letters that touch are one word.
    """
    for block in treebank.read_text(encoding="utf-8").split("\n\n"):
        words: list[tuple[str, bool]] = []
        last_part = 0
        for line in block.splitlines():
            columns = line.split("\t")
            if line.startswith("#") or "." in columns[0]:
                continue
            if "-" not in columns[0] and int(columns[0]) <= last_part:
                continue
            if "-" in columns[0]:
                last_part = int(columns[0].split("-")[1])
            space = "SpaceAfter=No" not in columns[-1]
            if words and not words[-1][1] and words[-1][0][-1].isalnum() and columns[1][0].isalnum():
                words[-1] = (words[-1][0] + columns[1], space)
            else:
                words.append((columns[1], space))
        if words:
            yield words


def write_paragraphs(sentences: Sequence[list[tuple[str, bool]]], text_file: Path, label_file: Path, *, source: random.Random) -> None:
    """Text and a label a code point (1 ends a word, 2 ends a sentence), one to six sentences a paragraph."""
    text, labels, left = [], [], 0
    for sentence in sentences:
        if left == 0:
            left = source.randint(1, 6)
        line, marks = "", ""
        for index, (word, space) in enumerate(sentence):
            line += word + (" " if space else "")
            marks += "0" * (len(word) - 1) + ("2" if index == len(sentence) - 1 else "1") + ("0" if space else "")
        left -= 1
        end = "\n\n" if left == 0 else " "
        text.append(line.rstrip() + end)
        labels.append(marks[: len(line.rstrip())] + (end if left == 0 else "0"))
    text_file.write_text("".join(text), encoding="utf-8")
    label_file.write_text("".join(labels), encoding="utf-8")


def train_tokenizer(language: str, data: Path, work: Path) -> Path:
    """Train Stanza's tokenizer on the treebanks' running text; every tenth sentence is its dev part."""
    sentences = [words for name in TREEBANKS[language] for words in words_of(data / "ud" / f"{name}.conllu")]
    blocks = [sentences[start : start + 10] for start in range(0, len(sentences), 10)]
    parts = {
        "dev": [sentence for block in blocks[::10] for sentence in block],
        "train": [sentence for number, block in enumerate(blocks) if number % 10 for sentence in block],
    }
    for part, chosen in parts.items():
        write_paragraphs(chosen, work / f"{part}.txt", work / f"{part}.label", source=random.Random(SEED))  # noqa: S311 - reproducible
    (work / "mwt.json").write_text("[]")
    tokenizer.main(
        [
            *("--mwt_json_file", str(work / "mwt.json")),
            *("--txt_file", str(work / "train.txt"), "--label_file", str(work / "train.label")),
            *("--dev_txt_file", str(work / "dev.txt"), "--dev_label_file", str(work / "dev.label")),
            *("--lang", language, "--shorthand", f"{language}_{PACKAGE}", "--no_use_mwt", "--max_seqlen", "300"),
            *("--steps", str(TOKENIZER_STEPS), "--eval_steps", "200", "--hidden_dim", "48", "--dropout", "0.25"),
            *("--last_char_move_prob", "0.1", "--seed", str(SEED), "--cpu"),
            *("--save_dir", str(work), "--save_name", "tokenizer.pt"),
        ]
    )
    return work / "tokenizer.pt"


def read_sentences(data: Path, names: Sequence[str]) -> list[Sentence]:
    """Sentences of BIO files, countries made LOC, cut to at most 50 words."""
    result: list[Sentence] = []
    for name in names:
        for words, tags in read_bio(data / "ner" / f"{name}.bio"):
            fixed = countries_as_places(words, tags)
            result.extend((words[at : at + LONGEST], fixed[at : at + LONGEST]) for at in range(0, len(words), LONGEST))
    return result


def name_lists(language: str, data: Path, sentences: Sequence[Sentence]) -> dict[str, list[list[str]]]:
    """Names by type: those of the corpora and of the name lists."""
    names: dict[str, list[list[str]]] = {kind: [] for kind in ("PER", "LOC", "ORG")}
    for words, tags in sentences:
        for start, end, kind in sorted(spans(tags)):
            if kind in names:
                names[kind].append(words[start:end])
    for kind, known in names.items():
        rows = (data / "names" / f"{language}-{kind}.tsv").read_text(encoding="utf-8").splitlines()
        listed = [row.split("\t")[0].split() for row in rows]
        random.Random(SEED).shuffle(listed)  # noqa: S311 - reproducible
        known.extend(listed[: len(known)])
    return names


def augmented(sentence: Sentence, language: str, names: dict[str, list[list[str]]], source: random.Random) -> Sentence:
    """The sentence with some of its names exchanged for others of their type and, in Arabic, some clitics put on."""
    words, tags = list(sentence[0]), list(sentence[1])
    for start, end, kind in sorted(spans(tags), reverse=True):
        chosen = words[start:end]
        if kind in names and source.random() < 0.5:
            chosen = list(source.choice(names[kind]))
        if language == "ar" and source.random() < 0.15:
            chosen = [source.choice(CLITICS) + chosen[0], *chosen[1:]]
        words[start:end] = chosen
        tags[start:end] = [f"B-{kind}", *[f"I-{kind}"] * (len(chosen) - 1)]
    return words[:LONGEST], tags[:LONGEST]


def write_tagged(sentences: Sequence[Sentence], target: Path) -> None:
    """Stanza's JSON of tagged sentences."""
    rows = [[{"text": word, "ner": tag} for word, tag in zip(words, tags, strict=True)] for words, tags in sentences if words]
    target.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")


def train_tagger(language: str, data: Path, work: Path) -> Path:
    """Train Stanza's tagger on the corpora and as many augmented sentences with names in them, then fold its vectors."""
    source = random.Random(SEED)  # noqa: S311 - reproducible
    train = read_sentences(data, TRAIN[language])
    names = name_lists(language, data, train)
    extra = [augmented(sentence, language, names, source) for sentence in train if set(sentence[1]) != {"O"}]
    write_tagged([*train, *extra], work / "train.json")
    write_tagged(read_sentences(data, DEV[language]), work / "dev.json")
    write_vectors(language, [word for words, _ in train for word in words], work / "vectors.txt")
    ner_tagger.main(
        [
            *("--train_file", str(work / "train.json"), "--eval_file", str(work / "dev.json")),
            *("--shorthand", f"{language}_{PACKAGE}", "--wordvec_file", str(work / "vectors.txt")),
            *("--optim", "adam", "--lr", "0.002", "--batch_size", "32", "--max_batch_words", "1200"),
            *("--max_steps", str(TAGGER_STEPS), "--eval_interval", "250", "--lr_decay", "0.6", "--patience", "1"),
            *("--word_emb_dim", "100", "--char_emb_dim", "32", "--char_hidden_dim", "64", "--hidden_dim", "128"),
            *("--dropout", "0.5", "--word_dropout", "0.05", "--emb_finetune_known_only", "--seed", str(SEED), "--cpu"),
            *("--save_dir", str(work), "--save_name", "tagger.pt"),
        ]
    )
    folded = work / "folded.pt"
    fold_vectors(work / "tagger.pt", work / "vectors.txt", folded)
    return folded


def fold_vectors(model: Path, vectors: Path, target: Path) -> None:
    """Put the pretrained vectors and what training added to them into one table inside the model.

    Without its pretrain file a Stanza tagger loads and outputs garbage; with one table of its own it needs none.
    """
    saved = torch.load(model, weights_only=True)
    pretrain = Pretrain(None, str(vectors), -1, save_to_file=False)
    table = torch.as_tensor(pretrain.emb).clone().float()
    delta_words: list[str] = saved["vocab"]["delta"]["_id2unit"]
    delta = saved["model"].pop("delta_emb.weight")
    for row, word in enumerate(delta_words):
        if row != 0 and word in pretrain.vocab:
            table[pretrain.vocab.unit2id(word)] += delta[row]
    saved["vocab"].pop("delta")
    saved["vocab"]["word"] = pretrain.vocab.state_dict()
    saved["model"]["word_emb.weight"] = table
    torch.save(saved, target, _use_new_zipfile_serialization=False)


def store(model: Path, target: Path) -> None:
    """Write the model in half precision, without paths of the machine that made it."""
    saved = torch.load(model, weights_only=True)
    saved["model"] = {name: value.half() if value.is_floating_point() else value for name, value in saved["model"].items()}
    for name, value in saved["config"].items():
        if isinstance(value, str) and "/" in value:
            saved["config"][name] = None
    target.parent.mkdir(parents=True, exist_ok=True)
    torch.save(saved, target, _use_new_zipfile_serialization=False)


def write_resources(out: Path) -> None:
    """Stanza's list of what is there, with the MD5 of each file."""
    listing: dict[str, dict[str, object]] = {}
    for language, name in LANGUAGES.items():
        files = {processor: out / language / processor / f"{PACKAGE}.pt" for processor in ("tokenize", "ner")}
        there = {processor: file for processor, file in files.items() if file.exists()}
        listing[language] = {"lang_name": name, "packages": {"default": dict.fromkeys(there, PACKAGE)}}
        for processor, file in there.items():
            digest = hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()
            listing[language][processor] = {PACKAGE: {"md5": digest}}
    (out / "resources.json").write_text(json.dumps(listing, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def main() -> None:
    """Train what is asked for and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    parser.add_argument("--work", type=Path, default=Path("build/stanza"))
    parser.add_argument("--only", action="append", help="ar/tokenize, ar/ner, fa/tokenize or fa/ner; all four without")
    options = parser.parse_args()
    torch.set_num_threads(1)
    trainers = {"tokenize": train_tokenizer, "ner": train_tagger}
    for wanted in options.only or [f"{language}/{processor}" for language in LANGUAGES for processor in trainers]:
        language, processor = wanted.split("/")
        work = options.work / language / processor
        work.mkdir(parents=True, exist_ok=True)
        store(trainers[processor](language, options.data, work), options.out / wanted / f"{PACKAGE}.pt")
    write_resources(options.out)


if __name__ == "__main__":
    main()
