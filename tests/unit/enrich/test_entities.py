"""`worker.enrich.entities` and its parts: from spans of a model to the entities of an article."""

import itertools

import msgspec
import pytest

from tests.unit.enrich.growth import grows_linearly
from worker.enrich import entities
from worker.enrich.analysis import Span
from worker.enrich.forces import with_forces
from worker.records import Entity, EntityType, FieldName


def build(body: str, tagged: str, *, title: str = "", language: str = "ar") -> list[Entity]:
    """Entities of an article whose model tags, in order, what is listed: `TYPE words; TYPE words`, title first."""
    texts: dict[FieldName, str] = {"title": title, "body": body} if title else {"body": body}
    spans: dict[FieldName, list[Span]] = {field: [] for field in texts}
    places = [(field, 0) for field in texts]
    for row in filter(None, tagged.split(";")):
        kind, _, words = row.strip().partition(" ")
        while (start := texts[places[0][0]].find(words, places[0][1])) < 0:
            places.pop(0)
        field = places[0][0]
        spans[field].append(msgspec.convert({"start": start, "end": start + len(words), "type": kind}, type=Span))
        places[0] = (field, start + len(words))
    found = entities.build(texts, spans, language=language)
    for entity in found:
        assert all(texts[mention.field][mention.start : mention.end] == mention.text for mention in entity.mentions)
    return found


def short(found: list[Entity]) -> dict[str, list[str]]:
    """Type and name of each entity to the texts of its mentions."""
    return {f"{entity.type} {entity.name}": [mention.text for mention in entity.mentions] for entity in found}


def test_clitics_go_and_short_forms_join() -> None:
    """A family name behind a conjunction is the person named in full before."""
    body = "زار الوزير سامر العبدلي تونس. والعبدلي طبيب، وسامر شاعر. وبقي في تونس."
    found = build(body, "PER سامر العبدلي; LOC تونس; PER والعبدلي; PER وسامر; LOC تونس")
    assert short(found) == {"PER سامر العبدلي": ["سامر العبدلي", "العبدلي", "سامر"], "LOC تونس": ["تونس", "تونس"]}


def test_countries_behind_clitics_are_one_country() -> None:
    """The same country behind و, ل and ب is one entity with bare mentions."""
    body = "اتفقت اليابان والهند. وقالت الهند إن لليابان والهند مصلحة باليابان."
    found = build(body, "LOC اليابان; LOC والهند; LOC الهند; LOC لليابان; LOC والهند; LOC باليابان")
    assert short(found) == {"LOC اليابان": ["اليابان", "يابان", "اليابان"], "LOC الهند": ["الهند", "الهند", "الهند"]}


def test_clitics_stay_in_other_languages() -> None:
    """Persian has none of these: a first letter is never cut."""
    assert short(build("والهند و بلیط", "LOC والهند", language="fa")) == {"LOC والهند": ["والهند"]}


@pytest.mark.parametrize(
    ("span", "mention"),
    [
        ("«لبنان»", "لبنان"),
        (" (لبنان) ،", "لبنان"),
        ("\u200fلبنان\u200e", "لبنان"),
        ("لبنان:", "لبنان"),
        ("بـ«لبنان»", "لبنان"),
        ("و(لبنان)", "لبنان"),
        ("لبنان\u200c", "لبنان"),
    ],
)
def test_marks_around_a_name(span: str, mention: str) -> None:
    """Quotes, brackets, marks and bidi controls are no part of a name."""
    assert short(build(f"a {span} b", f"LOC {span}")) == {f"LOC {mention}": [mention]}


@pytest.mark.parametrize(
    ("span", "kind", "mention"),
    [
        ("“Nadia Brand’s”", "PER", "Nadia Brand"),
        ("Kenya's", "LOC", "Kenya"),
        ("the Joneses'", "PER", "the Joneses"),
        ("U.S.", "LOC", "U.S."),
        ("(U.S.)", "LOC", "U.S."),
        ("Acme Inc.", "ORG", "Acme Inc"),
        ("McDonald's", "ORG", "McDonald's"),
        ("Acme’s", "ORG", "Acme"),
        ("McDonald's", "PER", "McDonald"),
        ("Acme TV+", "ORG", "Acme TV+"),
        ("Pad++", "PRODUCT", "Pad++"),
        ("Lagos+", "LOC", "Lagos"),
        ("سردار آزمون", "PER", "سردار آزمون"),
        ("سردار رضایی", "PER", "رضایی"),
        ("Union of Bakers (UB)", "ORG", "Union of Bakers (UB)"),
        ("Mr. Brand", "PER", "Brand"),
        ("President Nadia Brand", "PER", "Nadia Brand"),
        ("President", "PER", "President"),
        ("President Hotel", "ORG", "President Hotel"),
        ("King Salman", "PER", "Salman"),
        ("King Charles III", "PER", "Charles III"),
        ("Queen Elizabeth II", "PER", "Elizabeth II"),
        ("Pope Francis", "PER", "Francis"),
        ("Lord Cameron", "PER", "Cameron"),
        ("Princess Anne", "PER", "Anne"),
        ("Sheikh Mohammed bin Zayed", "PER", "Mohammed bin Zayed"),
        ("Crown Prince Mohammed bin Salman", "PER", "Mohammed bin Salman"),
        ("the Crown Prince", "PER", "the Crown Prince"),
        ("Prince", "PER", "Prince"),
        ("King III", "PER", "King III"),
        ("Prince of Wales", "PER", "Prince of Wales"),
        ("Crown Prince of Norway", "PER", "Crown Prince of Norway"),
        ("Queen Latifah", "PER", "Queen Latifah"),
        ("Stephen King", "PER", "Stephen King"),
        ("Martin Luther King", "PER", "Martin Luther King"),
        ("Lord Charles", "ORG", "Lord Charles"),
        ("King Abdullah Port", "LOC", "King Abdullah Port"),
        ("سردار بردی‌محمداف", "PER", "سردار بردی‌محمداف"),
        ("سردار بردی محمدوف", "PER", "سردار بردی محمدوف"),
        ("King Martin Jr", "PER", "Martin Jr"),
        ("King Jr", "PER", "King Jr"),
        ("Sheikh Hasina Wazed", "PER", "Sheikh Hasina Wazed"),
        ("Prime Minister Sheikh Hasina", "PER", "Sheikh Hasina"),
        ("آقای کاوه رستگار", "PER", "کاوه رستگار"),
        ("رئيس الوزراء", "ORG", "رئيس الوزراء"),
        ("رئیس‌جمهور کاوه رستگار", "PER", "کاوه رستگار"),
    ],
)
def test_edges_of_names(span: str, kind: EntityType, mention: str) -> None:
    """Possessives and titles before a person go; the dot of U.S. and a bracket opened inside stay."""
    found = build(f"x {span} y", f"{kind} {span}", language="en")
    assert short(found) == {f"{kind} {mention}": [mention]}


def test_spans_that_hold_no_name_vanish() -> None:
    """Punctuation, nothing, or a span beyond the text make no entity."""
    texts: dict[FieldName, str] = {"body": "« » — x"}
    spans = [Span(0, 3, "LOC"), Span(4, 5, "PER"), Span(90, 99, "ORG"), Span(6, 6, "LOC")]
    assert entities.build(texts, {"body": spans}, language="ar") == []


def test_overlapping_spans_do_not_overlap_as_mentions() -> None:
    """Of two spans over the same letters the first and longest is kept whole."""
    texts: dict[FieldName, str] = {"body": "Bank of Lagos City"}
    found = entities.build(texts, {"body": [Span(8, 13, "LOC"), Span(0, 13, "ORG"), Span(8, 18, "LOC")]}, language="en")
    assert short(found) == {"ORG Bank of Lagos": ["Bank of Lagos"], "LOC City": ["City"]}


def test_spelling_variants_are_one_entity() -> None:
    """Alef, ya, kaf, diacritics, case and non-joiners do not make two."""
    assert len(build("أحمد و احمد و أحمَد", "PER أحمد; PER احمد; PER أحمَد")) == 1
    assert len(build("علی‌پور و علیپور و عليپور", "PER علی‌پور; PER علیپور; PER عليپور", language="fa")) == 1
    assert len(build("NATO and Nato", "ORG NATO; ORG Nato", language="en")) == 1


def test_majority_decides_the_type() -> None:
    """A name with two types gets the one most of its mentions have; a tie goes to the first."""
    assert [entity.type for entity in build("غزة غزة غزة", "ORG غزة; LOC غزة; LOC غزة")] == ["LOC"]
    assert [entity.type for entity in build("غزة غزة", "ORG غزة; LOC غزة")] == ["ORG"]


def test_a_place_inside_an_organisation_is_its_own() -> None:
    """Types keep apart what shares a word."""
    found = build("Lagos Bank moved to Lagos", "ORG Lagos Bank; LOC Lagos", language="en")
    assert short(found) == {"ORG Lagos Bank": ["Lagos Bank"], "LOC Lagos": ["Lagos"]}


def test_long_forms_of_places_and_organisations() -> None:
    """Two first words of a longer name join it; one word of a place does not, as it may be another place."""
    body = "الولايات المتحدة الأميركية ثم الولايات المتحدة ثم كوريا الجنوبية ثم كوريا ثم ولايات متحدة"
    found = build(body, "LOC الولايات المتحدة الأميركية; LOC الولايات المتحدة; LOC كوريا الجنوبية; LOC كوريا; LOC ولايات متحدة")
    assert set(short(found)) == {"LOC الولايات المتحدة الأميركية", "LOC كوريا الجنوبية", "LOC كوريا"}
    organisations = build(
        "Barlow Grain Trading, then Barlow Grain, then Barlow.", "ORG Barlow Grain Trading; ORG Barlow Grain; ORG Barlow", language="en"
    )
    assert len(organisations) == 1


def test_what_is_named_first_is_not_short_for_what_comes_later() -> None:
    """A company before its subsidiary, a chamber before its committee, a city beside its county."""
    body = "Barlow grew. Barlow Grain Trading shrank. Barlow said so. Oakham burned. Oakham Hills County burned, and Oakham Hills."
    tagged = "ORG Barlow; ORG Barlow Grain Trading; ORG Barlow; LOC Oakham; LOC Oakham Hills County; LOC Oakham Hills"
    assert short(build(body, tagged, language="en")) == {
        "ORG Barlow": ["Barlow", "Barlow"],
        "ORG Barlow Grain Trading": ["Barlow Grain Trading"],
        "LOC Oakham": ["Oakham"],
        "LOC Oakham Hills County": ["Oakham Hills County"],
        "LOC Oakham Hills": ["Oakham Hills"],
    }
    headline = build("Barlow Grain Trading grew.", "ORG Barlow; ORG Barlow Grain Trading", title="Barlow grows", language="en")
    assert len(headline) == 1
    before = build(
        "Barlow said so. Barlow grew.",
        "ORG Barlow Grain Trading; ORG Barlow; ORG Barlow",
        title="Barlow Grain Trading grows",
        language="en",
    )
    assert len(before) == 1
    spellings = build("Barlow grew. Barlow Grain fell. The Barlow said so.", "ORG Barlow; ORG Barlow Grain; ORG The Barlow", language="en")
    assert [len(entity.mentions) for entity in spellings] == [2, 1]


def test_title_mentions_beside_many_long_forms_are_linear() -> None:
    """Where a name first stands is looked up once, not for each longer one."""

    def work(size: int) -> object:
        title = "Acme " * size
        longer = [f"Acme X{index}" for index in range(size)]
        body, spans = "", []
        for name in longer:
            spans.append(Span(len(body), len(body) + len(name), "ORG"))
            body += name + " "
        headline = [Span(5 * index, 5 * index + 4, "ORG") for index in range(size)]
        return entities.build({"title": title, "body": body}, {"title": headline, "body": spans}, language="en")

    assert grows_linearly(work, size=400)


def test_first_words_in_arabic_script_are_common_nouns() -> None:
    """بنك alone is some bank, not the one named in full."""
    assert len(build("بنك الحبوب ثم بنك", "ORG بنك الحبوب; ORG بنك")) == 2


def test_nationality_is_no_name() -> None:
    """The adjective of a place of the article goes, however its ya is typed; a family name that looks like one stays."""
    body = "آمریکا و ژاپن گفتگو کردند. ناو آمریکایی رسید. سربازان آمريكايي ماندند. رضا تهرانی از تهران آمد و تهرانی گفت. شرکت ژاپنی‌کار آمد."
    found = build(
        body, "LOC آمریکا; LOC ژاپن; ORG آمریکایی; MISC آمريكايي; PER رضا تهرانی; LOC تهران; PER تهرانی; ORG ژاپنی‌کار", language="fa"
    )
    assert short(found) == {
        "LOC آمریکا": ["آمریکا"],
        "LOC ژاپن": ["ژاپن"],
        "PER رضا تهرانی": ["رضا تهرانی", "تهرانی"],
        "LOC تهران": ["تهران"],
        "ORG ژاپنی‌کار": ["ژاپنی‌کار"],
    }


def test_offices_are_no_organisations() -> None:
    """Behind a minister the place is the name; an office of one word is none; without the place the model is believed."""
    body = "وزیر کشاورزی پونتلند به وزیر دفاع گفت پونتلند و وزرای خارجه گالمودوگ. سازمان غله پونتلند."
    tagged = "ORG کشاورزی پونتلند; ORG دفاع; LOC پونتلند; ORG خارجه گالمودوگ; ORG سازمان غله پونتلند"
    assert short(build(body, tagged, language="fa")) == {
        "LOC پونتلند": ["پونتلند", "پونتلند"],
        "ORG خارجه گالمودوگ": ["خارجه گالمودوگ"],
        "ORG سازمان غله پونتلند": ["سازمان غله پونتلند"],
    }
    inside = build("وزرای کشاورزی پونتلند در پونتلند", "ORG وزرای کشاورزی پونتلند; LOC پونتلند", language="fa")
    assert short(inside) == {"LOC پونتلند": ["پونتلند", "پونتلند"]}


@pytest.mark.parametrize(
    ("minister", "office", "country"),
    [
        ("وزیر", "نفت عراق", "عراق"),
        ("وزیر", "دفاع آلمان", "آلمان"),
        ("وزیر", "کشور پاکستان", "پاکستان"),
        ("وزیر", "دفاع جدید ژاپن", "ژاپن"),
        ("وزرای", "علوم و تحقیقات كره جنوبي", "كره جنوبي"),
        ("وزیر", "آموزش و پرورش ایالات متحده آمریکا", "ایالات متحده آمریکا"),
        ("", "وزیر انرژی ترکیه", "ترکیه"),
        ("وزیران", "هند", "هند"),
    ],
)
def test_a_country_behind_a_portfolio_needs_no_second_mention(minister: str, office: str, country: str) -> None:
    """Ministries have known names and countries too; what of it is no portfolio is the model's to know."""
    assert short(build(f"{minister} {office} رفت.", f"ORG {office}", language="fa")) == {f"LOC {country}": [country]}


def test_a_portfolio_alone_is_nothing() -> None:
    """What stands behind a minister and is a portfolio only; other organisations with a country stay whole."""
    body = "وزیر دفاع جدید ژاپن رفت. وزیر شرکت گندم عراق. سازمان دفاع آلمان."
    assert short(build(body, "ORG دفاع جدید; LOC ژاپن; ORG شرکت گندم عراق; ORG دفاع آلمان", language="fa")) == {
        "LOC ژاپن": ["ژاپن"],
        "ORG شرکت گندم عراق": ["شرکت گندم عراق"],
        "ORG دفاع آلمان": ["دفاع آلمان"],
    }


def test_alliances_have_ministers() -> None:
    """One word behind ministers that is no office but who they belong to."""
    assert short(build("اجتماع وزراء أوبك في فيينا", "ORG أوبك; LOC فيينا")) == {"ORG أوبك": ["أوبك"], "LOC فيينا": ["فيينا"]}
    assert short(build("نشست وزیران اوپک", "ORG اوپک", language="fa")) == {"ORG اوپک": ["اوپک"]}


def test_acronym_in_brackets() -> None:
    """Brackets right behind a name hold its acronym, wherever it stands again; those of another type or elsewhere do not."""
    body = "The Union of Grain Traders (UGT) met. UGT voted. In Lagos (UGT) and World Fund, XF."
    found = build(body, "ORG Union of Grain Traders; ORG UGT; ORG UGT; LOC Lagos; ORG UGT; ORG World Fund; ORG XF", language="en")
    assert short(found)["ORG Union of Grain Traders"] == ["Union of Grain Traders", "UGT", "UGT", "UGT"]
    assert {"ORG World Fund", "ORG XF", "LOC Lagos"} <= set(short(found))
    arabic = build("اتحاد تجار الحبوب (UGT) و UGT", "ORG اتحاد تجار الحبوب; ORG UGT; ORG UGT")
    assert len(arabic) == 1


def test_two_people_of_one_family() -> None:
    """A shared family name goes to the one named more often, else first."""
    body = "Nadia Brand and Omar Brand spoke. Omar Brand left. Brand returned."
    found = build(body, "PER Nadia Brand; PER Omar Brand; PER Omar Brand; PER Brand", language="en")
    assert short(found)["PER Omar Brand"] == ["Omar Brand", "Omar Brand", "Brand"]
    first = build("Nadia Brand and Omar Brand spoke. Brand left.", "PER Nadia Brand; PER Omar Brand; PER Brand", language="en")
    assert short(first)["PER Nadia Brand"] == ["Nadia Brand", "Brand"]


def test_overlooked_repeats_are_found() -> None:
    """A name of two words counts wherever it stands, behind a clitic too, but not inside a word or another mention."""
    body = "قال سامر العبدلي نعم. وأضاف سامر العبدلي لا، ولسامر العبدلي رأي. لسامر العبدليون رأي. مؤسسة سامر العبدلي للكتاب."
    found = short(build(body, "PER سامر العبدلي; ORG مؤسسة سامر العبدلي للكتاب"))
    assert found["PER سامر العبدلي"] == ["سامر العبدلي"] * 3
    assert found["ORG مؤسسة سامر العبدلي للكتاب"] == ["مؤسسة سامر العبدلي للكتاب"]


def test_repeats_in_the_title() -> None:
    """A name found in the body only is a mention in the title too; a single word tagged once is not looked for."""
    found = build("Nadia Brand won in Reading.", "PER Nadia Brand; LOC Reading", title="Nadia Brand on Reading", language="en")
    assert [(mention.field, mention.start) for mention in found[0].mentions] == [("title", 0), ("body", 0)]
    assert short(found)["LOC Reading"] == ["Reading"]


def test_single_words_are_found_again_where_they_are_names_for_sure() -> None:
    """A family name, and a word tagged more often than not, are mentions where the model overlooked them; others are not."""
    body = "Nadia Brand spoke. Brand left. Then Brand slept. In Kisumu and Kisumu and Kisumu. Reading is fun. Brandy, X-Kisumu."
    found = short(build(body, "PER Nadia Brand; PER Brand; LOC Kisumu; LOC Kisumu; LOC Reading", language="en"))
    assert found == {"PER Nadia Brand": ["Nadia Brand", "Brand", "Brand"], "LOC Kisumu": ["Kisumu"] * 4, "LOC Reading": ["Reading"]}
    rare = short(build("Rose, Rose, rose. " + "He likes Rose. " * 3, "PER Rose; PER Rose", language="en"))
    assert rare == {"PER Rose": ["Rose", "Rose"]}
    assert short(build("سلمى وسلمى ولسلمى ثم كسلمى", "PER سلمى; PER وسلمى"))["PER سلمى"] == ["سلمى", "سلمى"]


def test_salience() -> None:
    """Title, number and place of mentions raise it; shares sum to 1; ids follow the order."""
    body = "Kisumu. " + "x " * 2000 + "Nakuru. Eldoret and Eldoret. Thika."
    found = build(body, "LOC Thika; LOC Kisumu; LOC Nakuru; LOC Eldoret; LOC Eldoret", title="Thika", language="en")
    assert [entity.name for entity in found] == ["Thika", "Eldoret", "Kisumu", "Nakuru"]
    assert [entity.id for entity in found] == ["e1", "e2", "e3", "e4"]
    assert sum(round(entity.salience * 1_000_000) for entity in found) == 1_000_000
    tied = build("A1 B1", "LOC A1; LOC B1", title="x", language="en")
    assert [entity.name for entity in tied] == ["A1", "B1"]


def test_very_long_names_have_no_short_forms() -> None:
    """Fifteen words are no name a person is called by a part of; other types join nothing."""
    words = [f"Nam{letter}" for letter in "abcdefghijklmno"]
    assert len(build(" ".join([*words, "and", "Nama"]), f"PER {' '.join(words)}; PER Nama", language="en")) == 2
    assert len(build("Grain Fair Lagos and Grain Fair", "EVENT Grain Fair Lagos; EVENT Grain Fair", language="en")) == 2


def test_no_spans_no_entities() -> None:
    """An article that names nobody has no entities."""
    assert entities.build({"body": "x"}, {"body": []}, language="ar") == []
    assert entities.build({"body": "x"}, {}, language="en") == []


@pytest.mark.parametrize("unit", ["سامر العبدلي ", "a b ", "و", "(UB) ", "x)"])
@pytest.mark.parametrize("distinct", [False, True])
def test_cost_is_linear(unit: str, distinct: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Four times the mentions take about four times the time, the same name or many different ones."""

    def work(size: int) -> object:
        parts = [unit.strip() + (str(index) if distinct else "") for index in range(size)]
        spans, at = [], 0
        for part in parts:
            spans.append(Span(at, at + len(part), "PER"))
            at += len(part) + 1
        return entities.build({"body": " ".join(parts)}, {"body": spans}, language="ar")

    assert grows_linearly(work, size=600)


def test_a_chain_of_acronyms_is_linear() -> None:
    """Each name in brackets behind the one before: the chain is one entity, and walking it does not cost its square."""

    def work(size: int) -> list[Entity]:
        names = [f"A{''.join('BCDEFGHIJK'[int(digit)] for digit in f'{index:04}')}" for index in range(size + 1)]
        text, spans = "", []
        for before, after in itertools.pairwise(names):
            spans += [Span(len(text), len(text) + 5, "ORG"), Span(len(text) + 7, len(text) + 12, "ORG")]
            text += f"{before} ({after}). "
        return entities.build({"body": text}, {"body": spans}, language="en")

    assert len(work(50)) == 1
    assert grows_linearly(work, size=400)


def test_bodies_beside_many_names_are_linear() -> None:
    """Armed bodies are told apart from the model's names without comparing each with each."""

    def work(size: int) -> object:
        unit = "وأعلنت قوات الأمن العام في باريس. "
        spans = [Span(index * len(unit) + unit.index("باريس"), index * len(unit) + unit.index("باريس") + 5, "LOC") for index in range(size)]
        return with_forces(unit * size, spans)

    assert grows_linearly(work, size=400)


def test_a_span_too_long_for_a_name_is_none() -> None:
    """What trims a name looks at it more than once, so there is a longest one."""
    assert entities.build({"body": "a." * 5_000}, {"body": [Span(0, 10_000, "ORG")]}, language="en") == []
