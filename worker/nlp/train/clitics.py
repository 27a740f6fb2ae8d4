"""How ``worker/enrich/clitics.tsv`` is learned: in which beginnings of words the first letters are clitics.

Every name counts bare and behind each clitic, as often as clitics stand before names in news; a beginning is what the
names under it say, smoothed by the beginning one letter shorter. Names come from lists (one a line, its source behind a
tab; lists whose licence asks for the same licence are left out) and from the first words of tagged mentions: those that
a preposition shows to be bare, then, in one more round, all of them by what the first round makes of them.

Run: ``python -m worker.nlp.train.clitics --names FILE.tsv … --parts FILE.tsv … --bio FILE.bio … --out clitics.tsv``.
"""

import argparse
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from worker.enrich.clitics import PREPOSITIONS
from worker.enrich.text import fold, listed

Tree = dict[str, dict[int, float]]
"""Beginning of a word to the share of each number of clitic letters."""

Weights = dict[str, float]
"""Name, folded, to its weight."""

Counts = dict[str, dict[int, float]]
"""Beginning of a word to the weight of each number of clitic letters."""

SHARES = {"و": 0.06, "ف": 0.0015, "ب": 0.04, "ل": 0.035, "ك": 0.003, "وب": 0.002, "ول": 0.002, "وك": 0.0003, "فب": 0.0002, "فل": 0.0002}
"""How often each clitic stands before a name."""

LONGEST = 7  # letters of a beginning: more only repeats single names
LEFT_OUT = re.compile(r"mledoze|dr5hn|world_countries")
WEIGHTS = {"CLDR-city": 8.0, "CLDR": 30.0, "Faker": 8.0, "faker": 8.0, "IDRISI": 2.0, "wd-translit": 0.5}
NOUNS = listed(
    "وزارة وكالة ولاية وحدة وفد وادي وسط لجنة لواء ليبيا لبنان فريق فرقة فرع فيلق فندق فصيل فيدرالية كتلة كلية كتائب كنيسة كونغرس كأس كرة "
    "كوريا بنك بلدية بعثة بورصة برلمان برنامج بيت بحر بحيرة بلدة بطولة بنتاغون"
)
"""Words that begin names of organisations and places, and begin with a letter that may be a clitic."""
WITH_ARTICLE = listed(
    "القاهرة الرياض الدوحة الكويت اليمن المغرب الجزائر السودان الصومال الأردن العراق السعودية الإمارات البحرين الخرطوم القدس الضفة اليونان "
    "اليابان الصين الهند الفلبين البرازيل الأرجنتين المكسيك النمسا النرويج السويد الدنمارك البرتغال المجر الكونغو السنغال النيجر الولايات "
    "المملكة الأمم الاتحاد المجلس الحزب الجيش البنك البيت الجامعة المحكمة الجمهورية الشرق الموصل البصرة الفلوجة النجف الخليج الكرملين"
)
"""Names that always have ال."""


def learn(names: Weights, mentions: Counter[str]) -> tuple[Tree, Counts]:
    """The tree of names, then once more with the mentions as that tree reads them; with the weights behind it."""
    tree = smooth(count(names))
    more = defaultdict(float, names)
    for word, number in mentions.items():
        for cut, share in _look_up(tree, word).items():
            if cut or word[1:3] != "ال":  # والهند is taken apart or not counted
                for bare in _bare_forms(word, cut):
                    more[bare] += min(number, 100) * share
    counts = count(more)
    return smooth(counts), counts


def count(names: Weights) -> Counts:
    """Weight of each number of clitic letters under each beginning."""
    tree: Counts = defaultdict(lambda: defaultdict(float))
    for name, weight in names.items():
        for word, cut, share in _written(name):
            if word[0] in "وفبلك":
                for length in range(1, min(len(word) + 1, LONGEST) + 1):
                    tree[f"{word}$"[:length]][cut] += weight * share
    return tree


def smooth(counts: Counts) -> Tree:
    """Shares of each beginning, leaning on the beginning one letter shorter by the weight of one name."""
    tree: Tree = {}
    for beginning in sorted(counts, key=len):
        shorter = tree.get(beginning[:-1], {0: 0.7, 1: 0.25, 2: 0.04, 3: 0.01})
        total = sum(counts[beginning].values()) + 1
        tree[beginning] = {cut: (counts[beginning][cut] + shorter[cut]) / total for cut in range(4)}
    return tree


def prune(tree: Tree, counts: Counts, *, least: float = 0.6, change: float = 0.15) -> Tree:
    """Only beginnings with some weight that say something else than the longest one kept before them."""
    kept: Tree = {}
    for beginning in sorted(tree, key=len):
        shares = tree[beginning]
        best = max(shares, key=shares.__getitem__)
        before = next((kept[beginning[:length]] for length in range(len(beginning) - 1, 0, -1) if beginning[:length] in kept), None)
        heavy = sum(counts[beginning].values()) >= least
        if before is None or (heavy and (max(before, key=before.__getitem__) != best or abs(shares[best] - before[best]) > change)):
            kept[beginning] = shares
    return kept


def _written(name: str) -> Iterator[tuple[str, int, float]]:
    """A name bare and behind each clitic: word, clitic letters, share; ل + ال is لل, both of them clitic letters."""
    yield name, 0, 1 - sum(SHARES.values())
    for clitic, share in SHARES.items():
        if clitic.endswith("ل") and name.startswith("ال") and len(name) > len("الx"):
            yield clitic + name[1:], len(clitic) + 1, share
        else:
            yield clitic + name, len(clitic), share


def _bare_forms(word: str, cut: int) -> Iterable[str]:
    """What a word names where so many of its letters are clitics."""
    if not cut:
        yield word
    for clitic in SHARES:
        if word.startswith(clitic) and len(word) > cut > 0:
            if len(clitic) == cut:
                yield word[cut:]
            elif len(clitic) + 1 == cut and clitic.endswith("ل") and word[len(clitic)] == "ل":
                yield "ال" + word[cut:]


def _look_up(tree: Tree, word: str) -> dict[int, float]:
    spelled = f"{word}$"
    return next((tree[spelled[:length]] for length in range(LONGEST, 0, -1) if spelled[:length] in tree), {0: 1.0})


def read_names(lists: Sequence[Path], parts: Sequence[Path], tagged: Sequence[Path]) -> tuple[Weights, Counter[str]]:
    """Names with weights, and first words of mentions that may hold a clitic with counts."""
    names: Weights = defaultdict(float)
    mentions: Counter[str] = Counter()
    for path in parts:  # Latin, Arabic, how often, source
        for row in path.read_text(encoding="utf-8").splitlines():
            _, part, number, *_ = row.split("\t")
            _add(names, part, min(int(number), 400) ** 0.5 / 2)
    for path in lists:
        for row in path.read_text(encoding="utf-8").splitlines():
            name, sources = row.split("\t")[:2]
            weight = sum(
                next((WEIGHTS[key] for key in WEIGHTS if key in one), 1.0) for one in sources.split(";") if not LEFT_OUT.match(one)
            )
            for place, word in enumerate(name.split()):
                _add(names, word, weight * (0.3 if place else 1.0))
    for path in tagged:
        _read_bio(path, names, mentions)
    for word in NOUNS:
        _add(names, word, 100)
    for word in WITH_ARTICLE:
        _add(names, word, 60)
    return names, mentions


def _read_bio(path: Path, names: Weights, mentions: Counter[str]) -> None:
    """First words of mentions, and further words of persons, of one file of tokens and tags."""
    before = ""
    for row in path.read_text(encoding="utf-8").splitlines():
        word, _, tag = row.partition("\t")
        spelled = fold(word)
        if tag in {"B-PER", "B-LOC", "B-ORG"} and spelled[:1] not in "وفبلك":
            _add(names, word, 1.5)
        elif tag in {"B-PER", "B-LOC", "B-ORG"} and before in PREPOSITIONS:
            _add(names, word, 4)
        elif tag in {"B-PER", "B-LOC", "B-ORG"} and re.fullmatch("[ء-ي]{2,}", spelled):
            mentions[spelled] += 1
        elif tag == "I-PER":
            _add(names, word, 1)
        before = spelled


def _add(names: Weights, word: str, weight: float) -> None:
    spelled = fold(word).strip()
    if weight and re.fullmatch("[ء-ي]{2,}", spelled):
        names[spelled] += weight


def main() -> None:
    """Read the inputs named on the command line, write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    for option in ("names", "parts", "bio"):
        parser.add_argument(f"--{option}", nargs="*", type=Path, default=[])
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    names, mentions = read_names(given.names, given.parts, given.bio)
    kept = prune(*learn(names, mentions))
    head = (
        "# How Arabic names begin: beginning of a word ($: its end), letters of it that are clitics, per cent of words with so many.\n"
        "# Learned by worker/nlp/train/clitics.py, spelled by worker.enrich.text.fold; not to be edited by hand.\n"
    )
    rows = []
    for beginning in sorted(kept):
        best = max(sorted(kept[beginning]), key=kept[beginning].__getitem__)
        rows.append(f"{beginning}\t{best}\t{round(100 * kept[beginning][best])}\n")
    given.out.write_text(head + "".join(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
