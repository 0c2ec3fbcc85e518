import json
import re

import pytest

from telperion.formats.avro import Node, parse_schema, read_schema, schema_json
from telperion.serve.broker_schemas import (
    CLASS_IDS,
    NAME,
    NOT_CLASSIFIED,
    RESIDUAL,
    avro_names,
    class_ids,
    classification_schema,
    elasticc_schema,
)
from telperion.taxonomy import Taxonomy


def shape(node: Node) -> list:
    """What writers and readers have to agree upon."""
    fields = [(name, shape(part)) for name, part in node.fields.items()]
    return [node.kind, node.name, node.logical, fields, [shape(part) for part in node.parts]]


def test_broker_classification_is_that_of_elasticc(lsst_data):
    file = lsst_data / "alerts" / "schema" / "elasticc" / "elasticc.v0_9_1.brokerClassification.avsc"
    if not file.is_file():
        pytest.skip(f"no schema at {file}")
    assert shape(elasticc_schema()) == shape(read_schema(file))


def test_the_misspelt_name_is_kept():
    schema = elasticc_schema()
    assert schema.name == "elasticc.v0_9_1.brokerClassfication"
    assert schema.fields["elasticcPublishTimestamp"].logical == "timestamp-millis"
    assert [part.logical for part in schema.fields["brokerIngestTimestamp"].parts] == ["", "timestamp-millis"]
    assert schema.fields["classifications"].parts[0].name == "elasticc.v0_9_1.classificationDict"


def test_our_schema_says_which_node_each_field_is(elasticc, odd):
    for tree in (elasticc, odd):
        node = parse_schema(schema_json(classification_schema(tree)))  # as a registry gives it back
        assert node.name == NAME
        assert tuple(node.fields["probabilities"].docs.values()) == tree.nodes
        assert set(node.docs) == set(node.fields)
        assert node.fields["brokerPublishTimestamp"].logical == "timestamp-micros"


def test_fastavro_takes_our_schemas(elasticc, odd):
    fastavro = pytest.importorskip("fastavro", reason="the second opinion comes with telperion[dev]")
    for schema in (classification_schema(elasticc), classification_schema(odd), elasticc_schema()):
        assert fastavro.parse_schema(json.loads(schema_json(schema)))["name"] == schema.name


def test_names_become_different_ones_that_avro_allows(odd):
    names = avro_names([*odd.nodes, "a", "a-2", "a_2", "a_", "a-", "", "1", "_1", "Å"])
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) for name in names)
    assert avro_names(["SNIa", "_", "a1"]) == ("SNIa", "_", "a1")


@pytest.mark.parametrize("name", ["elasticc", "plasticc"])
def test_every_leaf_of_our_trees_has_its_own_number(name):
    tree = Taxonomy.load(name)
    ids = class_ids(tree)
    assert len(set(ids)) == len(ids) == tree.leaves.size
    assert not {RESIDUAL, NOT_CLASSIFIED} & set(ids)
    assert dict(zip((tree.nodes[leaf] for leaf in tree.leaves), ids, strict=True)).items() <= CLASS_IDS.items()


def test_numbers_part_transients_from_variables(elasticc):
    """The hundreds of a number are ELAsTiCC's branch: 22 not recurring, 23 recurring; the tens its group."""
    groups = {"SN": 222, "Fast": 223, "Long": 224, "Periodic": 232, "AGN": 233}
    for leaf, number in zip(elasticc.leaves, class_ids(elasticc), strict=True):
        path = {elasticc.nodes[node] for node in elasticc.ancestors[leaf].nonzero()[0]}
        (group,) = path & set(groups)
        assert number // 10 == groups[group]


def test_a_tree_of_other_classes_is_refused():
    with pytest.raises(ValueError, match=r"14 of the 16 leaves of the tree 'mallorn' are no classes .* first 'SN Ia'"):
        class_ids(Taxonomy.load("mallorn"))
