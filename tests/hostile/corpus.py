"""The whole hostile corpus, by class."""

from tests.hostile import envelopes, malformed, texts
from tests.hostile.cases import Case

CASES: list[Case] = [*malformed.cases(), *texts.cases(), *envelopes.cases()]
