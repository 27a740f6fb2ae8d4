"""Texts and records as the world sends them: news-like, multilingual, broken, hostile."""

from hypothesis import strategies as st

from worker.enrich.text import listed

WORDS = st.sampled_from(
    sorted(
        listed(
            "قال الوزير سامر العبدلي إن وفد بيروت وصل إلى القاهرة ولبنان للولايات وبلينكن د. م. "
            "«سلام» گفت: می‌رود رئیس‌جمهور کره تهران، "
            "Nadia Brand said the U.S. harbour's Dr. J. R. Obi (UGT) 3.5 https://example.com/a @user #tag <b> "
            "&amp; 😀 👩‍👩‍👧 \u200f \u202e \u200c \ufeff "
            "هـ ـ ّ َ é e\u0301 ﬁ Å 東京で 市议会 한국 हिन्दी ไทย \U0001e900 \ud7ff \ufffd ... … ؟ ؛ » ” ( [ ۲۰۲۴ ١٢ Ø§Ù„"
        )
    )
)
BREAKS = st.sampled_from([" ", " ", " ", "", "\n", "\n\n", ". ", "؟ ", "! ", "… ", ".» ", "\u2028", "\t", "\u00a0", "،"])
NEWS = st.lists(st.tuples(WORDS, BREAKS), max_size=60).map(lambda pairs: "".join(word + gap for word, gap in pairs))
ANY = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=200)
TEXTS = st.one_of(NEWS, ANY, st.builds("{}{}{}".format, NEWS, ANY, NEWS))
BODIES = st.builds("{}x{}".format, TEXTS, TEXTS)
TITLES = st.none() | TEXTS
HINTS = st.none() | st.sampled_from(["ar", "fa-IR", "en", "und", "", "zz-ZZ", "ara"]) | ANY
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
    max_leaves=8,
)
