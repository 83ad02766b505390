"""Coverage-guided fuzzing of cleaning and masking; needs `pip install atheris`.

python -P benchmarks/fuzz.py -max_total_time=60
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["nlp"]):
    from nlp.cleaning import Cleaner
    from nlp.masking import mask
    from nlp.splitting import split_wishes
    from nlp.taxonomy import Taxonomy

TAXONOMY = Taxonomy.load()
CLEANER = Cleaner(TAXONOMY)
SOURCES = (None, *TAXONOMY.source_ids)


def read_one(data: bytes) -> None:
    provider = atheris.FuzzedDataProvider(data)
    source = SOURCES[provider.ConsumeIntInRange(0, len(SOURCES) - 1)]
    text = provider.ConsumeUnicode(2_000)
    masked = mask(CLEANER.clean(text, source))
    assert mask(masked.text).text == masked.text
    assert "".join(segment.text for segment in split_wishes(masked.text)) == masked.text


if __name__ == "__main__":
    atheris.Setup(sys.argv, read_one)
    atheris.Fuzz()
