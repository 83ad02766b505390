from matching.catalogue import read_resources
from matching.records import Resource
from nlp.tables import RowError
from nlp.taxonomy import Taxonomy, infer_taxonomy


def test_a_crosswalk_brings_resources_into_an_own_taxonomy() -> None:
    known = Taxonomy.load().need_ids
    own = Taxonomy.from_bytes(
        infer_taxonomy(["甲", "乙"], crosswalk=f"甲: [{known[0]}, {known[1]}]".encode())
    )
    row = {"id": "R1", "name": "x", "kind": "material", "domains": [known[0], known[2]], "tiers": ["basic"]}
    resource = next(iter(read_resources([(1, row)], own)))[1]
    assert isinstance(resource, Resource)
    assert (resource.domains, resource.tiers) == (("甲",), ())
    assert isinstance(next(iter(read_resources([(1, {**row, "domains": [known[3]]})], own)))[1], RowError)
