import operator
import time

import pytest
from numpy.testing import assert_array_equal

from telperion.serve.filters import DEEPEST, LONGEST, Filter
from telperion.taxonomy import Taxonomy

pytest.importorskip("hypothesis", reason="made-up expressions come with telperion[dev]")
import hypothesis
from hypothesis import strategies as st


def p(answers, tree, name):
    return answers.probabilities[:, tree.nodes.index(name)]


def below(nodes, tree, name):
    return tree.ancestors[nodes, tree.nodes.index(name)]


TABLE = [
    ("TDE > 0.01", lambda a, t: p(a, t, "TDE") > 0.01),
    ("TDE>.01", lambda a, t: p(a, t, "TDE") > 0.01),
    ("0.01 < TDE", lambda a, t: p(a, t, "TDE") > 0.01),
    ("TDE >= 1e-2 and days < 30", lambda a, t: (p(a, t, "TDE") >= 0.01) & (a.days < 30)),
    ("TDE > SLSN", lambda a, t: p(a, t, "TDE") > p(a, t, "SLSN")),
    ("SNIb/c <= 0.2", lambda a, t: p(a, t, "SNIb/c") <= 0.2),
    ("'M-dwarf Flare' > .1", lambda a, t: p(a, t, "M-dwarf Flare") > 0.1),
    ('"RR Lyrae" > .1', lambda a, t: p(a, t, "RR Lyrae") > 0.1),
    ("n_rows == 0", lambda a, t: a.n_rows == 0),
    ("n_rows != 0", lambda a, t: a.n_rows != 0),
    ("n_rows > 10.5", lambda a, t: a.n_rows > 10),
    ("n_rows < 1e20", lambda a, t: a.n_rows >= 0),
    ("days > -1", lambda a, t: a.n_rows > 0),
    ("not days < 30", lambda a, t: ~(a.days < 30)),
    ("days < n_rows", lambda a, t: a.days < a.n_rows),
    ("confident in Transient", lambda a, t: below(a.confident, t, "Transient")),
    ("confident in Alert", lambda a, t: a.n_rows >= 0),
    ("confident == Alert", lambda a, t: a.confident == 0),
    ("confident != Alert", lambda a, t: a.confident != 0),
    ("leaf in SN", lambda a, t: below(a.leaf, t, "SN")),
    ("leaf not in SN", lambda a, t: ~below(a.leaf, t, "SN")),
    ("leaf == AGN", lambda a, t: a.leaf == t.nodes.index("AGN")),
    ("leaf == 'Delta Scuti'", lambda a, t: a.leaf == t.nodes.index("Delta Scuti")),
    ("NOT Leaf IN sn", lambda a, t: ~below(a.leaf, t, "SN")),
    ("tde > .01 or CART > .1", lambda a, t: (p(a, t, "TDE") > 0.01) | (p(a, t, "CaRT") > 0.1)),
    ("leaf == RRL", lambda a, t: a.leaf == t.nodes.index("RR Lyrae")),
    (
        "leaf in SN or leaf in Long and days < 30",
        lambda a, t: below(a.leaf, t, "SN") | (below(a.leaf, t, "Long") & (a.days < 30)),
    ),
    (
        "(leaf in SN or leaf in Long) and days < 30",
        lambda a, t: (below(a.leaf, t, "SN") | below(a.leaf, t, "Long")) & (a.days < 30),
    ),
    (
        "not(leaf in SN)and not not n_rows>5",
        lambda a, t: ~below(a.leaf, t, "SN") & (a.n_rows > 5),
    ),
    ("TDE < 1e300", lambda a, t: a.n_rows >= 0),
]


@pytest.mark.parametrize(("text", "wanted"), TABLE, ids=[text for text, _ in TABLE])
def test_a_filter_means_what_it_says(make_answers, elasticc, text, wanted):
    answers = make_answers(elasticc, 400)
    mask = Filter.parse(text, elasticc).mask(answers)
    assert mask.dtype == bool
    assert_array_equal(mask, wanted(answers, elasticc))
    assert Filter.parse(text, elasticc).mask(answers[:0]).shape == (0,)


def test_a_probability_meets_a_number_in_single_precision(make_answers, elasticc):
    answers = make_answers(elasticc, 3)
    answers.probabilities[:, elasticc.index("TDE")] = 0.9
    assert Filter.parse("TDE == 0.9", elasticc).mask(answers).all()
    assert not Filter.parse("TDE < 0.9", elasticc).mask(answers).any()


def test_odd_names_are_quoted(make_answers, odd):
    answers = make_answers(odd, 100)
    spelt = [
        "'SN Ia'",
        "SN-Ia",
        "'91bg'",
        "'say \"%s\"'",
        "'d''or'",
        "'ψ\\n'",
        "'days'",
        '"leaf"',
        "'{objectId}'",
        "'and'",
    ]
    names = ["SN Ia", "SN-Ia", "91bg", 'say "%s"', "d'or", "ψ\\n", "days", "leaf", "{objectId}", "and"]
    for text, name in zip(spelt, names, strict=True):
        assert_array_equal(Filter.parse(f"{text} > .05", odd).mask(answers), p(answers, odd, name) > 0.05)
    assert_array_equal(Filter.parse("leaf == leaf", odd).mask(answers), answers.leaf == odd.index("leaf"))


def test_the_exact_name_comes_before_others(make_answers):
    tree = Taxonomy("toy", {"Alert": {"Ia": {}, "IA": {}, "II": {}}}, {"II": ["ia"]})
    answers = make_answers(tree, 50)
    for text, name in (("Ia", "Ia"), ("IA", "IA"), ("ia", "II"), ("ii", "II")):
        assert_array_equal(Filter.parse(f"{text} > .3", tree).mask(answers), p(answers, tree, name) > 0.3)
    with pytest.raises(ValueError, match="'iA' is Ia or IA: mind the case"):
        Filter.parse("iA > .3", tree)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"the filter ends where a node .* was expected \(character 1\)"),
        ("   ", r"the filter ends"),
        ("TDE", r"the filter ends where a comparison .* \(character 4\)"),
        ("TDE >", r"the filter ends where a node .* \(character 6\)"),
        ("TDE > 0.5 days", r"'days' stands where 'and', 'or' or the end was expected \(character 11\)"),
        ("TDE > 0.5)", r"'\)' stands where 'and'"),
        ("(TDE > 0.5", r"the filter ends where '\)' was expected \(character 11\)"),
        ("TDE = 0.5", r"'=' is no comparison; == is \(character 5\)"),
        ("TDE => 0.5", r"'=' is no comparison"),
        ("TDF > 0.5", r"no node 'TDF', perhaps TDE\? \(character 1\)"),
        ("days < 3 and confident in Transiant", r"'Transiant', perhaps Transient\? \(character 27\)"),
        ("xyzzy > 1", r"no node 'xyzzy', it has Alert, Transient, Variable"),
        ("'xyzzy' > 1", r"no node 'xyzzy'"),
        ("91bg > 1", r"'91bg' is no number; names that begin like one are quoted \(character 1\)"),
        ("'abc > 1", r"a quoted name does not end \(character 1\)"),
        ("TDE > 1e999", r"1e999 is too large a number \(character 7\)"),
        ("0.3 < 0.5", r"two numbers are compared"),
        ("leaf == SN", r"'SN' is no leaf, so leaf is never equal to it; it may be in it \(character 9\)"),
        ("leaf > 0.5", r"'>' stands where leaf takes in, not in, == or !="),
        ("0.5 < leaf", r"leaf is a node, no number"),
        ("leaf not SN", r"leaf takes in, not in"),
        ("leaf in in", r"'in' stands where a node"),
        ("leaf in 3", r"'3' stands where a node"),
        ("and", r"'and' stands where a node"),
        ("TDE > 1; import os", r"';' is not understood \(character 8\)"),
        ("__import__('os')", r"no node '__import__'"),
        ("(" * 10**3, rf"nested more than {DEEPEST} deep \(character 51\)"),
        ("not " * 10**3 + "TDE > 1", rf"nested more than {DEEPEST} deep"),
        ("x" * (LONGEST + 1), rf"it has {LONGEST + 1} characters"),
        ("x" * LONGEST, r"no node 'x{40}', it has"),
    ],
)
def test_what_is_not_understood_is_said_with_its_place(elasticc, text, message):
    with pytest.raises(ValueError, match=f"^filter: .*{message}"):
        Filter.parse(text, elasticc)


def test_depth_counts_what_stands_in_each_other_only(make_answers, elasticc):
    nested = "(" * (DEEPEST - 1) + "TDE > 0.5" + ")" * (DEEPEST - 1)
    wide = " and ".join(["(not TDE > 2)"] * 200)
    answers = make_answers(elasticc, 10)
    assert_array_equal(Filter.parse(nested, elasticc).mask(answers), p(answers, elasticc, "TDE") > 0.5)
    assert Filter.parse(wide, elasticc).mask(answers).all()


def test_answers_along_another_tree_are_refused(make_answers, elasticc, odd):
    with pytest.raises(ValueError, match="along a tree of 12 nodes, the filter's has 26"):
        Filter.parse("TDE > 0.5", elasticc).mask(make_answers(odd, 3))


# -- any expression, against Python's own understanding of the same tree ----------------------------------------------

SIGNS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne}
TREE = Taxonomy.load("elasticc")
NAMES = st.sampled_from(TREE.nodes)
COMPARED = st.one_of(NAMES.map(lambda name: ("node", name)), st.sampled_from([("days", ""), ("n_rows", "")]))
NUMBERS = st.one_of(st.floats(0, 1, width=32), st.integers(-3, 300).map(float))
LEAVES = st.one_of(
    st.tuples(st.just("compare"), COMPARED, st.sampled_from(list(SIGNS)), NUMBERS),
    st.tuples(st.just("place"), st.sampled_from(["leaf", "confident"]), st.sampled_from(["in", "not in"]), NAMES),
    st.tuples(st.just("place"), st.just("confident"), st.sampled_from(["==", "!="]), NAMES),
)
EXPRESSIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(st.just("not"), inner),
        st.tuples(st.sampled_from(["and", "or"]), st.lists(inner, min_size=2, max_size=4)),
    ),
    max_leaves=12,
)
BINDS = {"or": 0, "and": 1, "not": 2, "compare": 3, "place": 3}


def write(tree, above: int = 0) -> str:
    """Write an expression with no more parentheses than it needs."""
    kind = tree[0]
    if kind == "compare":
        of = f"'{tree[1][1]}'" if tree[1][0] == "node" else tree[1][0]
        return f"{of} {tree[2]} {tree[3]!r}"
    if kind == "place":
        return f"{tree[1]} {tree[2]} '{tree[3]}'"
    if kind == "not":
        text = f"not {write(tree[1], 2)}"
    else:
        text = f" {kind} ".join(write(part, BINDS[kind] + 1) for part in tree[1])
    return f"({text})" if BINDS[kind] < above else text


def holds(tree, one: dict) -> bool:
    """Say whether an expression holds for one answer, given as plain numbers and names."""
    kind = tree[0]
    if kind == "compare":
        return SIGNS[tree[2]](one["node"][tree[1][1]] if tree[1][0] == "node" else one[tree[1][0]], tree[3])
    if kind == "place":
        node, wanted = one[tree[1]], tree[3]
        found = node == wanted
        while tree[2].endswith("in") and not found and TREE.parent[TREE.nodes.index(node)] >= 0:
            node = TREE.nodes[TREE.parent[TREE.nodes.index(node)]]
            found = node == wanted
        return found != (tree[2] in ("not in", "!="))
    if kind == "not":
        return not holds(tree[1], one)
    return (all if kind == "and" else any)(holds(part, one) for part in tree[1])


@hypothesis.settings(derandomize=True, database=None, deadline=None, max_examples=300)
@hypothesis.given(tree=EXPRESSIONS)
def test_any_expression_means_what_python_makes_of_it(tree, make_answers):
    answers = make_answers(TREE, 25)
    mask = Filter.parse(write(tree), TREE).mask(answers)
    for k in range(25):
        one = {
            "node": dict(zip(TREE.nodes, answers.probabilities[k].tolist(), strict=True)),
            "days": float(answers.days[k]),
            "n_rows": int(answers.n_rows[k]),
            "leaf": TREE.nodes[answers.leaf[k]],
            "confident": TREE.nodes[answers.confident[k]],
        }
        assert mask[k] == holds(tree, one), write(tree)


WORDS = [
    "(",
    ")",
    "not",
    "and",
    "or",
    "in",
    "leaf",
    "confident",
    "TDE",
    "'RR Lyrae'",
    "0.5",
    "<",
    "==",
    "!=",
    "days",
    "'",
]
SPOKEN = st.lists(st.sampled_from(WORDS), max_size=25).map(" ".join)


@hypothesis.settings(derandomize=True, database=None, deadline=None, max_examples=400)
@hypothesis.given(text=st.one_of(st.text(max_size=60), SPOKEN))
def test_any_text_is_understood_or_refused(text, make_answers):
    try:
        wanted = Filter.parse(text, TREE)
    except ValueError as error:
        assert str(error).startswith("filter: ")  # noqa: PT017
        return
    assert wanted.mask(make_answers(TREE, 5)).shape == (5,)


def test_hostile_filters_take_no_time(elasticc):
    hostile = ["'", "''", "\"'", "-", "1", "a ", " ", "TDE>1 or ", "'x", "1e", "(", "not "]
    start = time.perf_counter()
    for text in hostile:
        with pytest.raises(ValueError, match="filter: "):
            Filter.parse((text * LONGEST)[:LONGEST], elasticc)
    assert time.perf_counter() - start < 2
