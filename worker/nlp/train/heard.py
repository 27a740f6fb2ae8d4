"""What a student hears from its teachers alone: treebanks, text of other fields, sentences in which other names stand."""

import random
from collections.abc import Sequence

from worker.nlp.train import corpora
from worker.nlp.train.data import Example, read_words, untagged
from worker.nlp.train.inputs import Inputs
from worker.nlp.train.swap import read_names, swapped
from worker.nlp.train.vocabulary import LANGUAGES


def heard_text(inputs: Inputs, *, seed: int) -> list[list[Example]]:
    """Lists of sentences in running order whose tags nobody knows; another seed gives other names and other stretches."""
    source = random.Random(seed)  # noqa: S311 - no secret
    treebanks = [read_words(inputs.data / "ud" / f"{name}.conllu") for name in corpora.HEARD]
    others = [_stretch(inputs, name, count, source) for name, count in corpora.HEARD_WORDS.items()]
    lists = {language: read_names(inputs.data / "names", language) for language in LANGUAGES}
    with_names = [swapped(_stretch(inputs, name, count, source), lists[name[:2]], source) for name, count in corpora.SWAPPED.items()]
    return [*treebanks, *([untagged(one.words, one.corpus) for one in part] for part in others), *with_names]


def _stretch(inputs: Inputs, name: str, count: int, source: random.Random) -> Sequence[Example]:
    """So many neighbouring sentences of a corpus, from a random place; all of a shorter one."""
    [examples] = inputs.corpora([name])
    start = source.randrange(max(1, len(examples) - count + 1))
    return examples[start : start + count]
