"""`worker.enrich.summary`: whole sentences, the right ones, in order, under a budget."""

import pytest

from tests.unit.enrich.growth import grows_linearly
from worker.enrich.segment import sentences
from worker.enrich.summary import METHOD, summarise
from worker.records import Summary

HARBOUR = [
    "The harbour council voted on Tuesday to rebuild the old ferry terminal after the spring storm.",
    "Ferry traffic stopped in April when the storm tore the roof from the terminal.",
    "A bakery nearby sells bread.",
    "The council will pay for the terminal with a loan, and ferry fares will not rise.",
    "Work on the ferry terminal begins in June and the council expects it to end by winter.",
    "Gulls were seen on the pier.",
]


def make(body: str, *, title: str | None = None, most: int = 3, room: int = 400) -> Summary:
    """Summarise, checking what always holds."""
    found = summarise(body, sentences(body), title=title, max_sentences=most, max_characters=room)
    texts = {"title": title or "", "body": body}
    assert found.method == METHOD
    assert found.text == " ".join(texts[one.field][one.start : one.end] for one in found.sentences)
    assert [one.start for one in found.sentences] == sorted(one.start for one in found.sentences)
    whole = set(sentences(body)) | set(sentences(title or ""))
    assert all((one.start, one.end) in whole for one in found.sentences)
    return found


def test_takes_what_the_article_is_about() -> None:
    """Side remarks stay out; the opening is in; the order is the article's."""
    found = make(" ".join(HARBOUR))
    assert HARBOUR[0] in found.text
    assert HARBOUR[2] not in found.text
    assert HARBOUR[5] not in found.text


def test_limits_hold() -> None:
    """Never more sentences or code points than allowed; the space between two counts."""
    body = " ".join(HARBOUR)
    for most in (1, 2, 3, 6):
        for room in (30, 100, 180, 400):
            found = make(body, most=most, room=room)
            assert len(found.sentences) <= most
            assert len(found.text) <= room
    exact = len(HARBOUR[2])
    assert make(HARBOUR[2], room=exact).text == HARBOUR[2]


def test_says_nothing_twice() -> None:
    """A sentence that repeats one already taken makes room for another."""
    body = " ".join([HARBOUR[0], HARBOUR[0], HARBOUR[0], HARBOUR[4]])
    assert make(body, most=2).text == f"{HARBOUR[0]} {HARBOUR[4]}"


def test_headline_is_not_repeated_but_guides() -> None:
    """A body sentence that is the headline again is left out; one that resembles it is likelier."""
    body = "Ferry terminal to be rebuilt!\n" + " ".join(HARBOUR)
    found = make(body, title="FERRY TERMINAL TO BE REBUILT")
    assert "rebuilt!" not in found.text
    plain = make(" ".join(HARBOUR), most=1, room=90)
    guided = make(" ".join(HARBOUR), title="Loan pays for terminal, fares will not rise", most=1, room=90)
    assert guided.text == HARBOUR[3]
    assert plain.text != guided.text


@pytest.mark.parametrize(
    "line",
    [
        "Read more about the ferry terminal, the council and the storm here.",
        "© Harbour News, the ferry terminal council. All rights reserved.",
        "اقرأ أيضا عن مجلس الميناء ومحطة العبارات والعاصفة.",
        "انتهای پیام درباره شورای بندر و پایانه و توفان.",
    ],
)
def test_boilerplate_stays_out(line: str) -> None:
    """Lines that every article carries are no summary, even at the top."""
    assert line not in make(line + "\n" + " ".join(HARBOUR), most=2).text


def test_too_long_sentences() -> None:
    """A leading sentence over the limit gives way to shorter ones; where none fits the shortest of the first stands whole."""
    long = "The council " + "and the council " * 12 + "voted."
    assert make(f"{long} {HARBOUR[1]}", room=150).text == HARBOUR[1]
    longer = long.replace("voted.", "voted and voted and voted.")
    assert make(f"{longer} {long}", room=100).text == long
    assert make("word " * 200 + "end.", room=100) == Summary(text="", method=METHOD, sentences=[])


def test_bodies_without_words() -> None:
    """Marks and emoji are no sentences: the headline stands in, else nothing."""
    assert make("😀 … !!").sentences == []
    found = make("😀 … !!", title="The ferry sails again. At last!")
    assert [one.field for one in found.sentences] == ["title", "title"]
    assert make("...", title="!!").text == ""
    make("...", title=" ".join(f"Ferry number {number} sails on." for number in range(100)))  # and no sentence of a long one is cut
    last = "The ferry that sailed " * 3 + "came back."
    assert make("...", title="x" * 560 + ". " + last).text == last


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ("市议会周二投票决定重建渡轮码头。渡轮码头在四月风暴中受损。附近有面包店。市议会将贷款重建渡轮码头。", "渡轮码头"),
        ("สภาเมืองลงมติสร้างท่าเรือใหม่\nท่าเรือเสียหายจากพายุ\nร้านขนมปัง", "ท่าเรือ"),
        ("صوت مجلس الميناء على إعادة بناء محطة العبارات. وتضررت محطة العبارات في عاصفة نيسان. ويبيع مخبز خبزا.", "محطة"),
    ],
)
def test_any_script(body: str, wanted: str) -> None:
    """Scripts without spaces and without case work as any other."""
    found = make(body, most=1, room=60)
    assert wanted in found.text


def test_odd_sentences() -> None:
    """Questions, fragments of a quotation and sentences that lean on another come after plain ones."""
    plain = "The council rebuilds the ferry terminal with a loan this year."
    for odd in (
        "Will the council rebuild the ferry terminal with a loan this year?",
        "«The council rebuilds the ferry terminal with a loan this year.",
        "He said the council rebuilds the ferry terminal with a loan.",
        "The council, the ferry terminal, the loan and this year",
    ):
        assert make(f"Rain fell on the town hall all week long.\n{odd}\n{plain}", most=2, room=140).text.endswith(plain)


def test_same_text_same_summary() -> None:
    """No chance is involved."""
    body = " ".join(HARBOUR * 5)
    assert make(body) == make(body)


@pytest.mark.parametrize("unit", ["Ferry {} sails. ", "{}. ", "كلمة {} ", "word{}"])
def test_cost_is_linear(unit: str) -> None:
    """Beyond the first sentences a longer article costs no more than its length."""

    def work(size: int) -> object:
        body = "".join(unit.format(index) for index in range(size))
        return summarise(body, sentences(body), title=body[:50], max_sentences=3, max_characters=400)

    assert grows_linearly(work, size=2_000)
