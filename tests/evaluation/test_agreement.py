from evaluation.agreement import agreements


def test_kappa_counts_the_messages_both_labelled_and_the_last_label_each_gave() -> None:
    rows = [
        {"id": "1", "annotator": "li", "domain": "b"},
        {"id": "1", "annotator": "li", "domain": "a"},
        {"id": "2", "annotator": "li", "domain": "b"},
        {"id": "3", "annotator": "li", "domain": "b"},
        {"id": "1", "annotator": "wu", "domain": "a"},
        {"id": "2", "annotator": "wu", "domain": "b"},
        {"id": "4", "annotator": "wu", "domain": "a"},
    ]
    found = agreements(rows)
    assert [(one.decision, one.annotators, one.n, one.agreed) for one in found] == [
        ("domain", ("li", "wu"), 2, 1.0)
    ]
    assert found[0].kappa.value == 1.0


def test_one_annotator_alone_agrees_with_nobody() -> None:
    assert agreements([{"id": str(n), "annotator": "li", "domain": "a"} for n in range(5)]) == []
