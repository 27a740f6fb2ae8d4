"""Whether a full stop belongs to what stands before it: titles, initials, numbers of a list, halves of a day."""

import re

from worker.enrich.text import is_arabic, listed

_LOOK_BACK = 24
"""Code points looked at before a full stop: enough for every abbreviation below."""
_TOKEN = re.compile(r"[^\s()\[\]«»“”„\"']*\Z")
_DOTTED = re.compile(r"[^\W\d_](?:\.[^\W\d_])+\Z")
_AFTER_NUMBER = re.compile(r"\d[\s\u0640]?\Z")

_TITLES = listed(
    "Mr Mrs Ms Dr Prof Gen Brig Col Lt Sgt Cpl Pvt Spc Capt Maj Cmdr Adm Gov Govs Sen Sens Rep Reps Rev Hon Rt Pres St Mt Ft Messrs Mme "
    "Mlle Supt Insp Det Amb Atty Asst Msgr Sr Fr"
)
_ARABIC_TITLES = "دمأاص"
_STATES = listed("Va Pa Fla Ga Md Calif Tenn Ariz Colo Conn Okla Minn Mich Wis Tex")
_MAYBE_LAST = listed(
    "inc ltd co corp bros plc llc etc jr sr al dept est approx ave blvd cf vs jan feb mar apr jun jul aug sep sept oct nov dec"
)
_BEFORE_NUMBER = listed("no nos fig figs vol p pp art sec ch")
_STARTERS = listed(
    "the a an in on at he she it they we i you but and or for this that these those there his her its their our my if when while after "
    "before since as with from by to so yet not all some many most meanwhile however although though because what who where why how"
)
_HALVES_OF_A_DAY = listed("a.m p.m")
_BEHIND_A_TIME = listed(
    "monday tuesday wednesday thursday friday saturday sunday mon tue tues wed thu thurs fri sat sun january february march april may june "
    "july august september october november december jan feb mar apr jun jul aug sep sept oct nov dec eastern central mountain pacific"
)
_SOMEBODYS_TIME = re.compile(r"\.\s+\w+\s+time\b")


def abbreviates(text: str, start: int, at: int, word: str, after: str) -> bool:
    """Whether the full stop at ``at`` belongs to what stands before it.

    Args:
        text: what is split.
        start: where the sentence begins.
        at: where the full stop stands.
        word: the letters that follow it, behind space.
        after: the code point behind these.
    """
    token = _TOKEN.search(text[max(start, at - _LOOK_BACK) : at])
    before = token[0] if token else ""
    starts = word.casefold() in _STARTERS and not (len(word) == 1 and after == ".")  # "J. A. Smith": A is no article
    if before.isdecimal():  # "1. First point"
        return len(before) <= len("100") and at - start < _LOOK_BACK and text[start:at].strip() == before
    letters = _without_and(before.rstrip("\u0640"))
    if len(letters) == 1 and letters.isalpha():
        if is_arabic(letters):  # د. is a title, but م after a year is the era and may end the sentence
            return not _AFTER_NUMBER.search(text[max(start, at - len(before) - 2) : at - len(before)])
        return letters in _BEFORE_NUMBER or not starts
    if before in _HALVES_OF_A_DAY:  # 5 p.m. Monday, 5 p.m. EST, 5 p.m. (local time), 5 p.m. Tokyo time
        begins = word[:1].isupper() and not (len(word) > 1 and word.isupper())
        return not begins or word.casefold() in _BEHIND_A_TIME or _SOMEBODYS_TIME.match(text, at, at + _LOOK_BACK) is not None
    return _is_listed(before, after, starts=starts)


def _without_and(letters: str) -> str:
    """A title of one Arabic letter without the و before it."""
    return letters[1] if len(letters) == len("وم") and letters[0] == "و" and letters[1] in _ARABIC_TITLES else letters


def _is_listed(before: str, after: str, *, starts: bool) -> bool:
    """The same for what has several letters; ``starts``: the word behind it is one that begins sentences."""
    lower = before.casefold()
    if lower in _BEFORE_NUMBER:
        return after.isdecimal()
    if before.rsplit("-", 1)[-1] in _TITLES:  # Lt.-Gen.
        return True
    return not starts and (before in _STATES or lower in _MAYBE_LAST or _DOTTED.match(before) is not None)
