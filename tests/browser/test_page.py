"""The live page in a real browser."""

import time
import unicodedata
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from worker import feed, web
from worker.status import Status
from worker.web import WebServer

pytestmark = pytest.mark.browser

AR = "زارت سلمى الحداد مدينة العقبة أمس، ثم عادت إلى عمان. وبالعقبة افتتحت محطة جديدة."
CONTRAST = """() => {
  const rgb = (colour) => {
    const context = new OffscreenCanvas(1, 1).getContext("2d");
    context.fillStyle = colour;
    context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const linear = (value) => value <= .03928 ? value / 12.92 : ((value + .055) / 1.055) ** 2.4;
  const light = (parts) => parts.reduce((sum, part, i) => sum + linear(part / 255) * [.2126, .7152, .0722][i], 0);
  const ratio = (a, b) => {
    const [more, less] = [light(rgb(a)), light(rgb(b))].sort((x, y) => y - x);
    return (more + .05) / (less + .05);
  };
  return [...document.querySelectorAll("mark, .chip, .rest")].map((e) => {
    const own = getComputedStyle(e), tag = getComputedStyle(e, "::after");
    const behind = getComputedStyle(e.matches(".rest") ? e.closest(".card") : e).backgroundColor;
    return [e.dataset.type, ratio(own.color, behind), ratio(tag.color, behind)];
  });
}"""
FIRST_LETTER_RIGHT = """e => {
  const range = document.createRange();
  range.setStart(e.firstChild, 0);
  range.setEnd(e.firstChild, 1);
  return range.getBoundingClientRect().right;
}"""
MARKED_AND_PLAIN_WIDTH = """e => {
  const width = (node) => {
    const range = document.createRange();
    range.selectNodeContents(node);
    return range.getBoundingClientRect().width;
  };
  e.querySelector("mark").className = "inside";
  const marked = width(e), plain = e.cloneNode(false);
  plain.textContent = e.textContent;
  e.replaceWith(plain);
  return [marked, width(plain)];
}"""
OLD_CLOCK = """
const Today = Intl.DateTimeFormat;
Intl.DateTimeFormat = function (locales, { hour12, ...options }) {
  return new Today(locales, hour12 === false ? { ...options, hourCycle: "h24" } : { hour12, ...options });
};"""
SAID = """() => {
  const status = document.querySelector("[role=status]");
  window.said = [];
  new MutationObserver(() => said.push(status.textContent)).observe(status, { childList: true, characterData: true, subtree: true });
}"""
EVIL = (
    "<script>alert(1)</script><img src=x onerror=alert(2)>"
    '<a href="javascript:alert(3)">go</a>\r\n\r\nevent: stats\ndata: {"lag":9}\n'
    "</div></article><style>*{display:none}</style>"
)


def marks(page: Page, where: str = ".body") -> list[tuple[str, str]]:
    """(type, text) of every highlight of the newest article."""
    found = page.locator(f"article:first-child {where} mark").all()
    return [(mark.get_attribute("data-type") or "", mark.text_content() or "") for mark in found]


def test_an_empty_page_tells_what_to_do(watched: Any) -> None:  # noqa: ANN401 - a fixture
    """Before the first article the page says how to send one, and that the worker runs."""
    expect(watched.page.locator("#empty")).to_contain_text("khabar publish article.txt")
    expect(watched.page.locator("#state")).to_have_text("running")
    assert watched.problems == []


def test_articles_come_by_themselves(watched: Any, status: Status, enriched: Any) -> None:  # noqa: ANN401 - fixtures
    """A published article appears without a reload, with its highlights, and the counts follow."""
    expect(watched.page.locator("#published")).to_have_text("0")
    status.published(
        enriched({"title": "Amman", "body": "Salma visited Amman."}, names={"Amman": "LOC", "Salma": "PER"}, summary="Salma visited Amman.")
    )
    expect(watched.page.locator("article h2")).to_have_text("Amman")
    expect(watched.page.locator("#published")).to_have_text("1")
    expect(watched.page.locator("#empty")).to_be_hidden()
    expect(watched.page.locator(".summary")).to_have_text("Salma visited Amman.")
    assert marks(watched.page) == [("PER", "Salma"), ("LOC", "Amman")]
    assert marks(watched.page, "h2") == [("LOC", "Amman")]
    status.dead_lettered()
    status.lag({("articles.raw", 0): 1234})
    expect(watched.page.locator("#dead")).to_have_text("1")
    expect(watched.page.locator("#lag")).to_have_text("1,234")
    assert watched.problems == []


def test_right_to_left_is_the_articles_own(watched: Any, status: Status, enriched: Any) -> None:  # noqa: ANN401 - fixtures
    """Arabic text runs from the right, the page around it from the left; a clitic stays outside the highlight."""
    status.published(
        enriched({"title": "العقبة", "body": AR}, names={"سلمى الحداد": "PER", "العقبة": "LOC"}, language="ar", direction="rtl")
    )
    body = watched.page.locator("article .body")
    expect(body).to_have_attribute("dir", "rtl")
    expect(body).to_have_attribute("lang", "ar")
    assert body.evaluate("e => getComputedStyle(e).direction") == "rtl"
    assert watched.page.evaluate("getComputedStyle(document.body).direction") == "ltr"
    expect(watched.page.locator("article .language")).to_have_text("Arabic 99 %")
    assert marks(watched.page) == [("PER", "سلمى الحداد"), ("LOC", "العقبة"), ("LOC", "العقبة")]
    assert body.text_content() == AR
    right = body.evaluate(FIRST_LETTER_RIGHT)
    assert right == pytest.approx(body.evaluate("e => e.getBoundingClientRect().right"), abs=2)


def test_a_highlight_does_not_cut_joined_letters(watched: Any, status: Status, enriched: Any) -> None:  # noqa: ANN401 - fixtures
    """The letters before and in a highlight stay joined: the line is as wide as without it."""
    word = "بليبيا"
    status.published(enriched({"body": word}, names={"ليبيا": "LOC"}, language="ar", direction="rtl"))
    body = watched.page.locator("article .body")
    expect(body.locator("mark")).to_have_count(1)
    widths = body.evaluate(MARKED_AND_PLAIN_WIDTH)
    assert widths[0] == pytest.approx(widths[1], abs=0.6)


def test_offsets_are_code_points(watched: Any, status: Status, enriched: Any) -> None:  # noqa: ANN401 - fixtures
    """Emoji and letters beyond the first plane before a mention do not move its highlight."""
    body = "🎻👩‍🚀𝔸 Vogt plays in 🇦🇺 Melbourne 😔 with Vogt."
    status.published(enriched({"body": body}, names={"Vogt": "PER", "Melbourne": "LOC"}))
    expect(watched.page.locator("mark")).to_have_count(3)
    assert marks(watched.page) == [("PER", "Vogt"), ("LOC", "Melbourne"), ("PER", "Vogt")]
    assert watched.page.locator("article .body").text_content() == body


def test_hostile_articles_stay_text(watched: Any, served: WebServer, status: Status, enriched: Any) -> None:  # noqa: ANN401 - fixtures
    """Markup, handlers, links and line ends in an article are shown, not obeyed; nothing is fetched from elsewhere."""
    status.published(
        enriched(
            {"id": EVIL, "title": EVIL, "body": f"{EVIL} Cairo {EVIL}", "source": EVIL},
            names={"Cairo": "LOC", "<script>": "ORG", "onerror": "PER"},
            summary=EVIL,
        )
    )
    page = watched.page
    expect(page.locator("article")).to_have_count(1)
    assert page.locator("article script, article img, article a, article style, article [onerror]").count() == 0
    assert page.locator("article .body").text_content() == f"{EVIL} Cairo {EVIL}"
    assert ("LOC", "Cairo") in marks(page)
    expect(page.locator("#lag")).to_have_text("0")
    time.sleep(0.3)
    assert watched.problems == []
    assert {request for request in watched.requests if not request.startswith(served.url)} == set()


def test_markup_would_be_stopped_by_the_policy_too(watched: Any) -> None:  # noqa: ANN401 - a fixture
    """Even a slip in the script could not make markup of text: the browser refuses."""
    refused = watched.page.evaluate("() => { try { document.body.innerHTML = '<b>x</b>'; return 'made' } catch (e) { return e.name } }")
    assert refused == "TypeError"
    handler = "() => { try { document.body.setAttribute('onclick', 'alert(1)'); return 'made' } catch (e) { return e.name } }"
    assert watched.page.evaluate(handler) == "TypeError"


def test_bidi_controls_do_not_leave_their_text(watched: Any, status: Status, enriched: Any) -> None:  # noqa: ANN401 - fixtures
    """Unclosed overrides in a title turn neither the line of facts nor the next article around."""
    title = "\u202e\u2067Reversed\u202e"
    status.published(
        enriched({"id": "x", "title": title, "body": "After \u2069\u2069\u202e Cairo.", "source": "\u202eeriW"}, names={"Cairo": "LOC"})
    )
    article = watched.page.locator("article")
    expect(article).to_have_count(1)
    order = article.evaluate("e => [...e.querySelectorAll('.meta > *')].map(c => c.getBoundingClientRect().left)")
    assert order == sorted(order)
    assert article.locator("h2").text_content() == title
    assert marks(watched.page) == [("LOC", "Cairo")]


def test_long_articles_are_folded(watched: Any, status: Status, enriched: Any) -> None:  # noqa: ANN401 - fixtures
    """A huge body without a space neither widens nor lengthens the page until it is asked for."""
    status.published(enriched({"title": "x" * 5000, "body": "م" * 300_000}, direction="rtl", language="ar"))
    page = watched.page
    button = page.locator("article .more")
    expect(button).to_have_text("Show the whole article")
    body = page.locator("article .body")
    assert body.evaluate("e => e.clientHeight") < 250
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    expect(page.locator("article .note")).to_have_text("288,000 more characters are not shown here.")
    button.click()
    expect(button).to_have_attribute("aria-expanded", "true")
    assert body.evaluate("e => e.clientHeight") > 250
    button.click()
    expect(button).to_have_text("Show the whole article")


def test_short_articles_are_not(watched: Any, status: Status, enriched: Any) -> None:  # noqa: ANN401 - fixtures
    """Where there is nothing to unfold there is no button."""
    status.published(enriched({"body": "Short."}, status="unsupported_language", language="und"))
    expect(watched.page.locator("article .note")).to_have_text("No entity model for this language.")
    expect(watched.page.locator("article .language")).to_have_text("Unknown language")
    expect(watched.page.locator("article .more")).to_be_hidden()


def test_pause_holds_the_page_still(watched: Any, status: Status, enriched: Any) -> None:  # noqa: ANN401 - fixtures
    """Paused, nothing moves and what waits is counted; resumed, it is all there."""
    button = watched.page.locator("#pause")
    button.click()
    status.published(enriched({"id": "1", "body": "One."}))
    status.published(enriched({"id": "2", "body": "Two."}))
    expect(button).to_have_text("Resume, 2 new")
    expect(watched.page.locator("article")).to_have_count(0)
    button.click()
    expect(watched.page.locator("article")).to_have_count(2)
    expect(watched.page.locator("article").first).to_contain_text("Two.")
    expect(button).to_have_text("Pause")
    assert button.get_attribute("aria-pressed") is None  # the label says it: both would say it twice


def test_the_page_keeps_a_bounded_number(watched: Any, status: Status, enriched: Any) -> None:  # noqa: ANN401 - fixtures
    """Left open for a day, the page does not grow."""
    for number in range(45):
        status.published(enriched({"id": str(number), "title": f"No {number}", "body": "Text."}))
    expect(watched.page.locator("article").first).to_contain_text("No 44")
    assert watched.page.locator("article").count() <= 30


def test_it_says_when_the_worker_is_not_well(watched: Any, served: WebServer, status: Status) -> None:  # noqa: ANN401 - a fixture
    """Waiting, and then gone: the page says so, in words."""
    status.unmet("partitions")
    expect(watched.page.locator("#state")).to_have_text("starting, waiting for partitions")
    status.met("partitions")
    expect(watched.page.locator("#state")).to_have_attribute("data-state", "ready")
    served.stop()
    expect(watched.page.locator("#state")).to_contain_text("no connection")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_can_be_read(watched: Any, status: Status, enriched: Any, scheme: Any) -> None:  # noqa: ANN401 - fixtures
    """Text and labels on every highlight have a contrast of 4.5 at least (WCAG 2.2, 1.4.3), in both colour schemes."""
    watched.page.emulate_media(color_scheme=scheme)
    kinds = ["PER", "ORG", "LOC", "FAC", "EVENT", "PRODUCT", "MISC"]
    names = {f"Name{letter}": kind for letter, kind in zip("ABCDEFG", kinds, strict=True)}
    status.published(enriched({"body": " ".join([*names, *(f"{name}’s" for name in names)])}, names=names))
    expect(watched.page.locator("article mark")).to_have_count(14)
    expect(watched.page.locator("article .rest")).to_have_count(7)
    measured = watched.page.evaluate(CONTRAST)
    assert {kind for kind, _, _ in measured} == set(kinds)
    assert [row for row in measured if row[1] < 4.5 or row[2] < 4.5] == []


def test_combining_marks_stay_with_their_letter(watched: Any, status: Status, enriched: Any) -> None:  # noqa: ANN401 - fixtures
    """Decomposed text is shown as it was received, highlights in place."""
    body = unicodedata.normalize("NFD", "Beatriz Falcão rode.")
    status.published(enriched({"body": body}, names={unicodedata.normalize("NFD", "Beatriz Falcão"): "PER"}))
    expect(watched.page.locator("mark")).to_have_count(1)
    assert watched.page.locator("article .body").text_content() == body


def test_a_page_that_was_refused_comes_back(
    watched: Any,  # noqa: ANN401 - a fixture
    status: Status,
    enriched: Any,  # noqa: ANN401 - a fixture
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After a 503 the page asks again by itself, keeps what it shows, gets what it missed, and nothing twice."""
    page = watched.page
    status.published(enriched({"id": "1", "body": "One."}))
    status.published(enriched({"id": "2", "body": "Two."}))
    expect(page.locator("article")).to_have_count(2)
    with page.expect_response(lambda response: response.status == 503):
        monkeypatch.setattr(web, "LARGEST_FEEDS", 0)
        monkeypatch.setattr(feed, "WRITE_SECONDS", 0)  # ends the open one
    expect(page.locator("#state")).to_have_text("no connection to the worker, trying again")
    expect(page.locator("article")).to_have_count(2)
    monkeypatch.undo()
    status.published(enriched({"id": "3", "body": "Three."}))
    expect(page.locator("article .body")).to_have_text(["Three.", "Two.", "One."], timeout=15_000)
    expect(page.locator("#state")).to_have_text("running")
    status.published(enriched({"id": "4", "body": "Four."}))
    expect(page.locator("article .body")).to_have_text(["Four.", "Three.", "Two.", "One."])


@pytest.mark.parametrize(
    ("body", "pieces"),
    [
        ("For Trump’s aides", ["Trump", "’s+"]),
        ("For Trump's aides", ["Trump", "'s+"]),
        ("in ایران\u200cها now", ["ایران", "\u200cها+"]),
        ("in Trump𝔸 now", ["Trump", "𝔸+"]),
        ("in TrumpایرانXه now", ["Trump", "ایران", "Xه+"]),  # behind the first there is no place
        ("in Trump-ایران now", ["Trump+", "ایران+"]),
        ("The ’Trump’ show", ["Trump+"]),
        ("For Trump’", ["Trump+"]),
    ],
)
def test_a_label_stands_behind_the_word(watched: Any, status: Status, enriched: Any, body: str, pieces: list[str]) -> None:  # noqa: ANN401 - fixtures
    """Where a word goes on after a mention, its label (+) does not cut the word in two."""
    status.published(enriched({"body": body}, names={name: "PER" for name in ("Trump", "ایران") if name in body}))
    shown = watched.page.locator("article .body")
    expect(shown).to_have_text(body)
    labelled = "all => all.map(e => e.textContent + (getComputedStyle(e, '::after').content === 'none' ? '' : '+'))"
    assert shown.locator("*").evaluate_all(labelled) == pieces


def test_letters_stay_joined_where_a_word_goes_on(watched: Any, status: Status, enriched: Any) -> None:  # noqa: ANN401 - fixtures
    """The rest of a word behind a highlight is joined to it."""
    status.published(enriched({"body": "ليبيا"}, names={"ليبي": "LOC"}, language="ar", direction="rtl"))
    body = watched.page.locator("article .body")
    expect(body.locator(".rest")).to_have_text("ا")
    body.evaluate("e => e.querySelector('.rest').className = ''")  # its label has a width of its own
    widths = body.evaluate(MARKED_AND_PLAIN_WIDTH)
    assert widths[0] == pytest.approx(widths[1], abs=0.6)


def test_midnight_is_zero(browser: Browser, served: WebServer, status: Status, enriched: Any) -> None:  # noqa: ANN401 - a fixture
    """Ten past midnight is 00:10, also in browsers to which `hour12: false` means 24:10 (Chromium did so for years)."""
    page = browser.new_page(locale="en-US", timezone_id="America/Los_Angeles")
    page.add_init_script(OLD_CLOCK)
    status.published(enriched({"body": "Text."}))
    page.goto(served.url)
    expect(page.locator("article .end")).to_contain_text("00:10:00 ·")
    page.close()


def test_screen_readers_hear_what_changed_only(
    watched: Any,  # noqa: ANN401 - a fixture
    status: Status,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The state is announced when it changes; counts that come, and seconds that pass, say nothing."""
    page = watched.page
    expect(page.locator("#state")).to_have_text("running")
    page.evaluate(SAID)
    status.dead_lettered()
    expect(page.locator("#dead")).to_have_text("1")
    assert page.evaluate("said") == []
    for seconds in (301, 302, 303):
        monkeypatch.setattr(status, "stalled_for", lambda seconds=seconds: seconds)
        expect(page.locator("#state")).to_have_text(f"no progress for {seconds} s")
    assert page.evaluate("said") == ["no progress"]
    monkeypatch.undo()
    expect(page.locator("#state")).to_have_text("running")
    assert page.evaluate("said") == ["no progress", "running"]


@pytest.mark.parametrize("width", [1280, 800, 360])
def test_the_legend_shows_the_labels(watched: Any, width: int) -> None:  # noqa: ANN401 - a fixture
    """Every type has its short label beside its word, seen in full: colour alone tells some people nothing."""
    watched.page.set_viewport_size({"width": width, "height": 900})
    rows = watched.page.locator("#legend li")
    seen = ["PER people", "ORG organisations", "LOC places", "FAC buildings", "EVENT events", "PRODUCT products", "MISC other"]
    assert rows.evaluate_all("all => all.map(e => e.innerText.replace(/\\s+/g, ' '))") == seen
    assert (
        rows.evaluate_all(
            "all => all.filter(e => e.scrollWidth > e.clientWidth || e.firstChild.scrollWidth > e.firstChild.clientWidth).length"
        )
        == 0
    )


def test_names_are_in_their_articles_language(watched: Any, status: Status, enriched: Any) -> None:  # noqa: ANN401 - fixtures
    """A name of an Arabic article is Arabic wherever it stands, not of the page's English."""
    status.published(enriched({"body": AR}, names={"العقبة": "LOC"}, language="ar", direction="rtl"))
    for where in (".names", "#prominent"):
        expect(watched.page.locator(f"{where} bdi.chip")).to_have_text("العقبة")
        expect(watched.page.locator(f"{where} bdi.chip")).to_have_attribute("lang", "ar")


@pytest.mark.parametrize(
    ("title", "article", "shown"),
    [
        ("العقبة", {"language": "ar", "direction": "rtl"}, ["rtl", "ar", True]),
        ("Aqaba", {"language": "en", "direction": "ltr"}, ["ltr", "en", False]),
        ("2026: Aqaba", {"language": "ar", "direction": "rtl"}, ["ltr", "", False]),
        ("۱۲ العقبة", {"language": "en", "direction": "ltr"}, ["rtl", "", True]),
    ],
)
def test_a_title_has_its_own_direction(watched: Any, status: Status, enriched: Any, title: str, article: Any, shown: Any) -> None:  # noqa: ANN401, PLR0913, PLR0917 - fixtures and cases
    """A title in another script than its article runs its own way, in its own typeface and no language it is not in."""
    status.published(enriched({"title": title, "body": "Text."}, **article))
    heading = watched.page.locator("article h2")
    expect(heading).to_have_text(title)
    seen = "e => [getComputedStyle(e).direction, e.lang, getComputedStyle(e).fontFamily.includes('Naskh')]"
    assert heading.evaluate(seen) == shown


@pytest.mark.parametrize("title", ["", " \t\n\u00a0", "\u200f\u200b"])
def test_a_title_without_anything_to_see_is_no_heading(watched: Any, status: Status, enriched: Any, title: str) -> None:  # noqa: ANN401 - fixtures
    """Nobody is led to an empty heading."""
    status.published(enriched({"title": title, "body": "Text."}))
    expect(watched.page.locator("article .body")).to_have_text("Text.")
    expect(watched.page.locator("article h2")).to_have_count(0)
