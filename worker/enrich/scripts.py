"""Which script a letter belongs to (ISO 15924), which languages write it, and which letters each of them uses."""

import unicodedata
from collections import Counter
from functools import cache

from worker.enrich.text import listed

RIGHT_TO_LEFT = frozenset(["Arab", "Hebr", "Syrc", "Thaa", "Nkoo", "Samr", "Mand", "Adlm", "Rohg", "Mend", "Yezi"])
"""Scripts written from right to left."""

MERGED = {"arz": "ar", "azb": "az", "als": "gsw", "bh": "bho"}
"""Labels of the detector that are no ISO 639 code, or whose language has an ISO 639-1 code of its own."""

_NAMES = {  # first word of a letter's Unicode name → ISO 15924
    "LATIN": "Latn",
    "ARABIC": "Arab",
    "CYRILLIC": "Cyrl",
    "GREEK": "Grek",
    "HEBREW": "Hebr",
    "ARMENIAN": "Armn",
    "GEORGIAN": "Geor",
    "CJK": "Hani",
    "IDEOGRAPHIC": "Hani",
    "HIRAGANA": "Jpan",
    "KATAKANA": "Jpan",
    "KATAKANA-HIRAGANA": "Jpan",
    "HANGUL": "Kore",
    "BOPOMOFO": "Bopo",
    "DEVANAGARI": "Deva",
    "BENGALI": "Beng",
    "GURMUKHI": "Guru",
    "GUJARATI": "Gujr",
    "ORIYA": "Orya",
    "TAMIL": "Taml",
    "TELUGU": "Telu",
    "KANNADA": "Knda",
    "MALAYALAM": "Mlym",
    "SINHALA": "Sinh",
    "THAI": "Thai",
    "LAO": "Laoo",
    "TIBETAN": "Tibt",
    "MYANMAR": "Mymr",
    "KHMER": "Khmr",
    "ETHIOPIC": "Ethi",
    "SYRIAC": "Syrc",
    "THAANA": "Thaa",
    "NKO": "Nkoo",
    "SAMARITAN": "Samr",
    "MANDAIC": "Mand",
    "ADLAM": "Adlm",
    "MENDE": "Mend",
    "YEZIDI": "Yezi",
    "CHEROKEE": "Cher",
    "CANADIAN": "Cans",
    "MONGOLIAN": "Mong",
    "TIFINAGH": "Tfng",
    "COPTIC": "Copt",
    "GOTHIC": "Goth",
    "OGHAM": "Ogam",
    "RUNIC": "Runr",
    "JAVANESE": "Java",
    "VAI": "Vaii",
    "YI": "Yiii",
}
_QUALIFIERS = frozenset(["FULLWIDTH", "HALFWIDTH", "MODIFIER"])
_COMMON = "Zyyy"
_UNKNOWN = "Zzzz"
_DENSE = {"Hani": 2, "Jpan": 2, "Kore": 2}  # a letter of these says about as much as two or three of an alphabet

_WRITTEN = {  # scripts other than Latin, and the detector's languages that news writes in them
    "Arab": "ar fa ur ps ckb ug sd pnb az mzn lrc",
    "Beng": "as bn bpy",
    "Armn": "hy",
    "Geor": "ka xmf",
    "Grek": "el",
    "Hebr": "he yi",
    "Cyrl": "ru uk be bg mk sr kk ky mn tg tt ba cv ce os av lez kv mhr mrj myv krc tyv sah bxr xal rue uz sh az",
    "Deva": "hi mr ne sa mai bho new gom dty",
    "Ethi": "am",
    "Gujr": "gu",
    "Guru": "pa",
    "Hani": "zh wuu yue ja",
    "Jpan": "ja",
    "Knda": "kn",
    "Khmr": "km",
    "Kore": "ko",
    "Laoo": "lo",
    "Mlym": "ml",
    "Mymr": "my",
    "Orya": "or",
    "Sinh": "si",
    "Taml": "ta",
    "Telu": "te",
    "Thaa": "dv",
    "Thai": "th",
    "Tibt": "bo dz",
}
_OF_SCRIPT = {script: frozenset(codes.split()) for script, codes in _WRITTEN.items()}
_LATIN_TOO = frozenset(["az", "uz", "sr", "sh", "ku", "kk", "tk"])
KNOWN = (
    listed(
        "af an ast bar bcl br bs ca cbk ceb co cs cy da de diq dsb eml en eo es et eu fi fr frr fy ga gd gl gn gsw gv hif hr "
        "hsb ht hu ia id ie ilo io is it jbo jv ku kw la lb li lmo lt lv mg min ms mt mwl nah nap nds nl nn no oc pam pfl pl "
        "pms pt qu rm ro sc scn sco sk sl so sq su sv sw tl tr vec vep vi vls vo wa war yo"
    )
    | _LATIN_TOO
    | frozenset().union(*_OF_SCRIPT.values())
)
"""The detector's languages: what a sender's hint may name."""

_SHARED = "ابتثجحخدذرزسشصضطظعغفقكلمنهويءأإآؤئةى"
_PERSIAN = "پچژگکی"
ALPHABETS = {
    "ar": _SHARED,
    "fa": "ابتثجحخدذرزسشصضطظعغفقلمنهوءأآؤئۀ" + _PERSIAN,
    "ur": "ابتثجحخدذرزسشصضطظعغفقلمنوءأآؤئۂۓٹڈڑےںہھۃ" + _PERSIAN,
    "ps": "ابتثجحخدذرزسشصضطظعغفقلمنهويءأآؤئىټځڅډړږښګڼېۍ" + _PERSIAN,
    "ckb": "ابتجحخدرزسشعغفقلمنهوئپچژگکیڕڵۆێەڤھ",
    "sd": _SHARED + "ٻڀٺٽٿڄڃچڇڌڏڊڍڙڪگڳڱڻڦپھ",
    "az": "ابتثجحخدذرزسشصضطظعغفقلمنهوءأآؤئۆۇ" + _PERSIAN,
    "mzn": "ابتثجحخدذرزسشصضطظعغفقلمنهوءأآؤئۀ" + _PERSIAN,
    "lrc": "ابتثجحخدذرزسشصضطظعغفقلمنهوءأآؤئۀڤۉۊە" + _PERSIAN,
    "pnb": "ابتثجحخدذرزسشصضطظعغفقلمنوءأآؤئۂۓٹڈڑےںہھۃݨ" + _PERSIAN,
    "ug": "ابتجخدرزسشغفقكلمنويئپچژگڭېۇۆۈۋەھى",
}
"""Letters of the languages that share the Arabic script."""

_LITTLE_WORDS = {  # words that make up much of any text in one of these languages and are seldom used in the others
    "ar": listed("في من على إلى أن إن عن هذا هذه الذي التي بعد قبل ما لا هو هي قد كان مع بين"),
    "fa": listed("در از به که این را است با برای آن می شد شود کرد کند های خود یک تا بر"),
    "ur": listed("کے میں نے سے ہے ہیں اور کو کا نہیں ہوا گیا پر کی یہ وہ"),
    "ps": listed("د ته کې چې دي دی شو شول شوي شوی څخه کړل کړ کړی یې سره کوي وي پر له"),
    "ckb": listed("لە بۆ کە بە ئەم لەگەڵ دا لەسەر و"),
}
_LITTLE = 4.0  # how much one such word speaks for its language …
_MOST_LITTLE = 4  # … and how many of them count
_TELLING = frozenset("".join(ALPHABETS.values())) - frozenset.intersection(*map(frozenset, ALPHABETS.values()))

NEIGHBOURS = ("ar", "fa", "ur", "ps", "ckb", "sd", "ug")
"""The languages in Arabic script that news is mostly written in: never ruled out by the detector alone."""

_STRANGE = 0.005  # how much one letter outside a language's alphabet, in a headline, speaks against it
_LOOKALIKE = 0.7  # the same for ي ك ى and ی ک ه, which keyboards mix up
_LOOKALIKES = frozenset("يكىیکه")
_HEADLINE = 40  # letters; in a longer text the same number of strange letters says less
_RARE = {"pnb": 0.05, "mzn": 0.2, "lrc": 0.1, "az": 0.3}  # these seldom write news in Arabic script; their neighbours do


@cache
def of_letter(letter: str) -> str:
    """ISO 15924 code of a letter's script; ``Zyyy`` for what is no letter, ``Zzzz`` for scripts not listed here."""
    if not letter.isalpha():
        return _COMMON
    words = unicodedata.name(letter, "").split()
    if words and words[0] in _QUALIFIERS:
        words = words[1:]
    return _NAMES.get(words[0] if words else "", _UNKNOWN)


@cache
def of_language(code: str) -> frozenset[str]:
    """Scripts a language known to the detector is written in; unknown ones are taken for Latin."""
    written = frozenset(script for script, codes in _OF_SCRIPT.items() if code in codes)
    return written | {"Latn"} if not written or code in _LATIN_TOO else written


def count(text: str) -> Counter[str]:
    """Letters of each script."""
    counts: Counter[str] = Counter()
    for letter, number in Counter(text).items():
        counts[of_letter(letter)] += number
    del counts[_COMMON]
    return counts


def prevailing(counts: Counter[str]) -> str:
    """The script that says most; Japanese where kana stand among the ideographs."""
    script = max(sorted(counts), key=lambda name: counts[name] * _DENSE.get(name, 1))
    if script == "Hani" and counts["Jpan"] * 10 >= counts["Hani"]:
        return "Jpan"
    return script


def only(text: str, script: str) -> str:
    """The text with the letters of other scripts turned to spaces."""
    wanted = {script, _COMMON} | ({"Hani"} if script in {"Jpan", "Kore"} else set())
    return "".join(letter if of_letter(letter) in wanted else " " for letter in text)


def strangeness(text: str) -> dict[str, float]:
    """Letters of a text in Arabic script that some neighbour does not write, each with its weight as evidence.

    One letter in a headline weighs 1; in a longer text, where names are spelled as they come, the less the longer it is.
    """
    letters = Counter(text)
    total = max(sum(letters[letter] for letter in letters if letter.isalpha()), _HEADLINE)
    return {letter: min(number * _HEADLINE / total, 3.0) for letter, number in letters.items() if letter in _TELLING}


def fitness(code: str, strange: dict[str, float], words: frozenset[str]) -> float:
    """How well a text's letters, see `strangeness`, and its words fit a language, as a factor: 1 where nothing tells."""
    factor = _RARE.get(code, 1.0) * _LITTLE ** min(len(words & _LITTLE_WORDS.get(code, frozenset())), _MOST_LITTLE)
    alphabet = ALPHABETS.get(code)
    if alphabet is not None:
        for letter, weight in strange.items():
            if letter not in alphabet:
                factor *= (_LOOKALIKE if letter in _LOOKALIKES else _STRANGE) ** weight
    return factor
