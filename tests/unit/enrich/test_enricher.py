"""`worker.enrich.enricher`: the order of the stages, one call to the models, what unsupported languages get."""

from collections.abc import Sequence

from tests.unit.enrich.fakes import MODEL, Capitals
from worker.enrich.analysis import Analysis, Span
from worker.enrich.enricher import Enricher, Enrichment
from worker.records import RawArticle

ENGLISH = RawArticle(
    body="Nadia Brand opened the old market hall on Monday. The hall had been closed for two years.", title="Nadia Brand opens hall"
)
ARABIC = RawArticle(body="افتتحت البلدية السوق القديم صباح الاثنين. وكان السوق مغلقا منذ عامين بسبب الحريق.")
SYMBOLS = RawArticle(body="😀 123 !!")


def enricher(analyser: Capitals) -> Enricher:
    """An enricher with the usual limits."""
    return Enricher(analyser, summary_sentences=3, summary_characters=400)


def without_seconds(enrichment: Enrichment) -> tuple[object, ...]:
    """What must not change from run to run."""
    return (*enrichment[:3], {name: stage.status for name, stage in enrichment.stages.items()})


def test_all_stages() -> None:
    """Language, entities of title and body, and summary of a supported language, each with status and seconds."""
    [found] = enricher(Capitals()).enrich([ENGLISH])
    assert found.language.code == "en"
    assert [(entity.name, [mention.field for mention in entity.mentions]) for entity in found.entities if entity.name == "Nadia Brand"] == [
        ("Nadia Brand", ["title", "body"])
    ]
    assert found.summary.text == ENGLISH.body
    assert list(found.stages) == ["language", "entities", "summary"]
    assert all(stage.status == "ok" and 0 <= stage.seconds < 60 for stage in found.stages.values())


def test_unsupported_language_is_no_error() -> None:
    """Without an entity model there are no entities, and that is said; language and summary are there."""
    [arabic, symbols] = enricher(Capitals()).enrich([ARABIC, SYMBOLS])
    assert (arabic.language.code, arabic.entities, arabic.stages["entities"].status) == ("ar", [], "unsupported_language")
    assert arabic.summary.text == ARABIC.body
    assert (symbols.language.code, symbols.stages["entities"].status) == ("und", "unsupported_language")


def test_one_call_for_a_batch() -> None:
    """All texts of supported languages go to the models at once, titles as first paragraphs; blank titles do not."""
    analyser = Capitals()
    blank = RawArticle(body=ENGLISH.body, title=" \n")
    enricher(analyser).enrich([ENGLISH, ARABIC, blank])
    assert analyser.calls == [[("en", f"{ENGLISH.title}\n\n{ENGLISH.body}"), ("en", ENGLISH.body)]]
    enricher(analyser).enrich([ARABIC])
    assert enricher(analyser).enrich([]) == []
    assert len(analyser.calls) == 1


def test_batch_mates_do_not_matter() -> None:
    """An article gets the same alone and among others, in any order."""
    articles = [ENGLISH, ARABIC, SYMBOLS, RawArticle(body="Omar left. " * 50)]
    together = [without_seconds(found) for found in enricher(Capitals()).enrich(articles)]
    alone = [without_seconds(enricher(Capitals()).enrich([article])[0]) for article in articles]
    backwards = [without_seconds(found) for found in enricher(Capitals()).enrich(articles[::-1])][::-1]
    assert together == alone == backwards


def test_limits_and_hint_are_passed_on() -> None:
    """The summary keeps the enricher's limits; the sender's hint reaches the detector."""
    [found] = Enricher(Capitals(), summary_sentences=1, summary_characters=60).enrich([ENGLISH])
    assert len(found.summary.sentences) == 1
    [hinted] = enricher(Capitals()).enrich([RawArticle(body="lol", language="en-GB")])
    assert hinted.language.code == "en"


def test_models_are_the_analysers() -> None:
    """The provenance gets the models of the analyser."""
    assert enricher(Capitals()).models_for("en") == (MODEL,)
    assert enricher(Capitals()).models_for("ar") == ()


class Across(Capitals):
    """Takes the last word of a title and the first of its body for one name, in one sentence."""

    def analyse(self, texts: Sequence[tuple[str, str]]) -> list[Analysis]:
        """One sentence and one span over the edge."""
        return [Analysis([(0, len(text))], [Span(text.index("hall"), text.index("opened"), "LOC")]) for _, text in texts]


def test_no_name_reaches_from_the_title_into_the_body() -> None:
    """A model that sees no paragraph still gives mentions inside one field, and sentences of the body alone."""
    [found] = enricher(Across()).enrich([ENGLISH])
    assert [(mention.field, mention.text) for entity in found.entities for mention in entity.mentions] == [("title", "hall")]
    assert found.summary.text == ENGLISH.body
