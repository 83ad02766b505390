import pytest

from matching.catalogue import Catalogue
from matching.matcher import Matcher
from matching.ranking import UNTRAINED
from models.identifier import Identifier
from nlp.paths import dataset_path
from nlp.tables import read_rows
from training.ranker import MatchedRequest, as_requests, learn_ranker

IDENTIFIER = Identifier.load()
CATALOGUE, _ = Catalogue.load(IDENTIFIER.taxonomy)
MATCHED = [
    MatchedRequest.from_row(row)
    for _, row in read_rows(dataset_path("requests.jsonl"))
    if isinstance(row, dict)
][:120]


def test_a_learned_ranker_prefers_what_meets_the_need() -> None:
    learned = learn_ranker(Matcher(IDENTIFIER, CATALOGUE, UNTRAINED), IDENTIFIER, MATCHED)
    matcher = Matcher(IDENTIFIER, CATALOGUE, learned)
    answers = matcher.match(as_requests(IDENTIFIER, MATCHED))
    fitting = [(a, one) for a, one in zip(answers, MATCHED, strict=True) if one.best]
    right = sum(bool(a.matches) and a.matches[0].resource_id in one.best for a, one in fitting)
    assert right / len(fitting) > 0.3
    assert 0 < learned.fits_from < 1


def test_too_few_requests_are_refused() -> None:
    with pytest.raises(ValueError, match="ten at least"):
        learn_ranker(Matcher(IDENTIFIER, CATALOGUE, UNTRAINED), IDENTIFIER, MATCHED[:5])


def test_every_request_is_asked_for() -> None:
    requests = as_requests(IDENTIFIER, MATCHED)
    assert [request.identification.id for request in requests] == [one.id for one in MATCHED]
    assert all(request.need.domain != IDENTIFIER.taxonomy.none_id for request in requests)
