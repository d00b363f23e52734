"""Rule files written in a hurry, or to do harm: each gets a sentence, or an answer soon."""

import random
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import DECIDED, TERMS, VARIABLES, answers_of, cost_of, rules_of, trees

from allrounder.errors import ProjectError
from allrounder.rules import Decoder, Rules, Spoken, Terms, World
from allrounder.rules.analysis import findings_from
from allrounder.rules.trying import tried
from allrounder.types import Variable

TOPICS = tuple(f"t{n}" for n in range(40))
WORDS = Terms(
    {"intent": Spoken("label", ("refund", "praise")), "topics": Spoken("labels", TOPICS),
     "mood": Spoken("number"), "entities": Spoken("spans", ("Drug",))},
    {"text": "text", "price": "number"},
)  # fmt: skip
EVERY = ", ".join(f"topics has {name}" for name in TOPICS)


def variables(seed=0):
    chance = random.Random(seed)
    costs = [(chance.uniform(0.1, 3), 0.05) for _ in TOPICS]
    return {
        "intent": [Variable(None, ("refund", "praise"), (0.1, 2.0), 0)],
        "topics": [Variable(name, (False, True), pair, 1)
                   for name, pair in zip(TOPICS, costs, strict=True)],
    }  # fmt: skip


def read(path, content):
    file = path / "rules.yaml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    rules = Rules.read(file)
    WORDS.check(rules)
    return rules


SENTENCES = {
    "nothing": ("", "rules.yaml must hold a list of rules. Got None."),
    "a number": ("5", "rules.yaml must hold a list of rules. Got 5."),
    "no text": (b"\xff\xfe\x00", "is not YAML: 'utf-8' codec can't decode"),
    "code": ("- !!python/object:os.system x", "is not YAML: could not determine a constructor"),
    "itself": ("rules: &a [*a]", "`rules.yaml: rules.1` must be a mapping of keys to values."),
    "a bomb": ("a: &a [x, x]\nb: &b [*a, *a]\nrules: *b", "`a` is not a known key. Known: version"),
    "rules twice": ("rules: [intent = refund]\nrules: [intent = praise]",
                    "is not YAML: line 2 names the key 'rules' a second time."),
    "says nothing": ("- {says: null}", "rules.1.says`: input should be a valid string"),
    "lexicons in a list": ("lexicons: [a]\nrules: [text has lexicon a]",
                           "rules.yaml: `lexicons` must be a mapping of names to lists of phrases, "
                           "or to files of them. Got ['a']."),
    "a number for a lexicon": ("lexicons: {x: 5}\nrules: [text has lexicon x]", "rules.yaml: "
                               "`lexicons.x` must be a list of phrases, or a file of them. Got 5."),
    "a lexicon of nothing": ("lexicons: {x: [null, '']}\nrules: [text has lexicon x]",
                             "rules.yaml: `lexicons.x` holds no phrase."),
    "brackets": ("- '" + "(" * 5000 + "intent = refund" + ")" * 5000 + "'", "Rule 'rule_1', column "
                 "101: expected at most 100 brackets, `not` and `=>` in one another, found more."),
    "not": ("- '" + "not " * 5000 + "intent = refund'", "expected at most 100 brackets, `not`"),
    "arrows": ("- '" + " => ".join(["intent = refund"] * 3000) + "'", "at most 100 brackets"),
    "no number": ("- price > nan", "Rule 'rule_1', column 1: expected a number to compare `price` "
                  "with, found 'nan'."),
    "no end": ("- mood > 1e999", "expected a number to compare `mood` with, found '1e999'."),
    "a weight of nothing": ("- {says: intent = refund, soft: .nan}", "needs a weight above 0"),
    "a look behind": ("- text matches /(a)\\1/", "a pattern that is matched in linear time"),
    "a huge pattern": ("- text matches /(a{1000}){1000}/", "that is matched in linear time, found"),
    "a count without end": ("- count(span:Drug) >= 99999999999999999999", "a whole number"),
    "before it begins": ("- {says: intent = refund, valid_from: 2025-01-02, valid_to: 2025-01-01}",
                         "is valid from 2025-01-02 to 2025-01-01, which is before."),
}  # fmt: skip


@pytest.mark.parametrize("what", SENTENCES)
def test_what_cannot_be_a_rule_gets_a_sentence(what, tmp_path):
    content, sentence = SENTENCES[what]
    with pytest.raises(ProjectError) as error:
        read(tmp_path, content)
    assert sentence in str(error.value)


@pytest.mark.parametrize(
    ("given_", "sentence"),
    [
        ("{intent: refnd}", "Rule 'rule_1', test 1: expected a label of `intent`, found 'refnd'. "
         "Did you mean 'refund'? Labels: refund, praise."),
        ("{price: dear}", "Rule 'rule_1', test 1: a value in {'price': 'dear'} is not of the kind"),
        ("{entities: [5]}", "Rule 'rule_1', test 1: a value in {'entities': [5]} is not of"),
    ],
)  # fmt: skip
def test_a_case_that_tries_nothing_gets_a_sentence(given_, sentence, tmp_path):
    says = "intent = refund and price > 1 and exists span:Drug"
    rules = read(tmp_path, f"- {{says: '{says}', tests: [{{given: {given_}, holds: true}}]}}")
    with pytest.raises(ProjectError) as error:
        tried(rules, WORDS)
    assert str(error.value).startswith(sentence)


def _same():
    says = "topics has t0"
    for name in TOPICS[1:]:
        says = f"(topics has {name} <=> {says})"
    return says


HARD = {
    "exactly twenty of forty": (f"exactly 20 of {{{EVERY}}}", lambda n: n == 20),
    "at most five of forty": (f"at most 5 of {{{EVERY}}}", lambda n: n == 5),
    "forty in a chain": (_same(), lambda n: n % 2 == 0),
}


@pytest.mark.parametrize("what", HARD)
def test_what_would_take_for_ever_is_answered(what):
    says, fits = HARD[what]
    rules = Rules.of([says, "topics has t0 => topics has t1"])
    assert not findings_from(date.today(), rules, WORDS).failed
    decoder, mine = Decoder(rules, WORDS), variables()
    found = decoder.decode(mine, {}, effects=False)
    labels = [name for name, pick in zip(TOPICS, found.picks["topics"], strict=True) if pick]
    assert fits(len(labels))
    assert found.relaxed == []
    world = World({"topics": labels, "intent": "refund"})
    assert all(decoder.meaning.truth(rule.tree, world) for rule in rules.rules)


def test_a_pattern_that_backtracks_elsewhere_takes_no_time():
    rules = Rules.of(["text matches /^(([a-z])+.)+[A-Z]([a-z])+$/ => intent = praise"])
    found = Decoder(rules, WORDS).decode(variables(), {"text": "a" * 100_000}, effects=False)
    assert found.violated == []


@settings(max_examples=40, deadline=None)
@given(st.lists(trees(DECIDED, most=6), min_size=1, max_size=3), VARIABLES)
def test_counting_finds_the_answer_that_search_finds(some, variables):
    rules = rules_of([(tree, None) for tree in some])
    usual = Decoder(rules, TERMS).decode(variables, {"price": 3.0}, effects=False)
    decoder = Decoder(rules, TERMS)
    decoder._has_helpers = lambda part: True
    counted = decoder.decode(variables, {"price": 3.0}, effects=False)
    assert counted.relaxed == usual.relaxed
    if not usual.relaxed:
        assert cost_of(variables, counted.picks) == pytest.approx(cost_of(variables, usual.picks))
        said = World(answers_of(variables, counted.picks), {"price": 3.0})
        assert all(decoder.meaning.truth(rule.tree, said) is not False for rule in rules.rules)
