"""Entities: every way of writing them down, every way of writing them wrong, and the figures."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest

from autoft.data.table import Table
from autoft.errors import DataError, SettingsError
from autoft.interfaces.problem import Problem
from autoft.interfaces.task import Decoder, Match, Task
from autoft_plugins.tasks.entities import best_tags, constraints, entities_in, entity_counts, strict_scores
from autoft_plugins.tasks.token_classification import MOST_CHARACTERS, TokenClassification
from autoft_plugins.tasks.words import joined, parted_by_blanks, words_in

TASK = TokenClassification()
WORDS = ["Ann", "Lee", "met", "Bo", "in", "New", "York", "."]
BIO = ["B-PER", "I-PER", "O", "B-PER", "O", "B-LOC", "I-LOC", "O"]
TEXT = "Ann Lee met Bo in New York."
SPANS = [{"start": 0, "end": 7, "label": "PER"}, {"start": 12, "end": 14, "label": "PER"}, {"start": 18, "end": 26, "label": "LOC"}]
EXPECTED = ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
CODES = [3, 4, 0, 3, 0, 1, 2, 0]
MATCH = Match(1.0, {"text": ("tokens",), "label": ("tags",)}, "")


def table(texts, labels, rows: int = 12) -> Table:
    """`rows` good rows; the columns are called tokens and tags."""
    return Table({"tokens": [texts] * rows, "tags": [labels] * rows}, "news.jsonl")


def learned(data: Table) -> Problem:
    return TASK.problem(data, MATCH, metric=None, seed=0)


def refusal(data: Table) -> str:
    with pytest.raises(DataError) as caught:
        learned(data)
    assert caught.value.exit_code == 2
    assert caught.value.hint
    assert "news.jsonl" in caught.value.message
    return caught.value.message


def with_row(texts, labels, *, good=(WORDS, BIO), rows: int = 12) -> Table:
    """A bad row among good ones: it is row 3."""
    text, label = [good[0]] * rows, [good[1]] * rows
    text[2], label[2] = texts, labels
    return Table({"tokens": text, "tags": label}, "news.jsonl")


def test_it_is_a_task():
    assert isinstance(TASK, Task)


@pytest.mark.parametrize(
    ("texts", "labels", "scheme"),
    [
        (WORDS, BIO, "BIO"),
        (json.dumps(WORDS), json.dumps(BIO), "BIO"),
        (str(WORDS), str(BIO), "BIO"),
        (" ".join(WORDS), BIO, "BIO"),
        (" ".join(WORDS), " ".join(BIO), "BIO"),
        (WORDS, ["B-PER", "E-PER", "O", "S-PER", "O", "B-LOC", "E-LOC", "O"], "BIOES"),
        (WORDS, ["B-PER", "L-PER", "O", "U-PER", "O", "B-LOC", "L-LOC", "O"], "BILOU"),
        (WORDS, ["PER", "PER", "O", "PER", "O", "LOC", "LOC", "O"], "IO"),
        (WORDS, ["I-PER", "I-PER", "O", "I-PER", "O", "I-LOC", "I-LOC", "O"], "IO"),
        (TEXT, SPANS, "BIO"),
        (TEXT, json.dumps(SPANS), "BIO"),
        (TEXT, [[0, 7, "PER"], [12, 14, "PER"], [18, 26, "LOC"]], "BIO"),
    ],
    ids=[
        "lists",
        "JSON",
        "printed lists",
        "blanks",
        "blanks twice",
        "BIOES",
        "BILOU",
        "IO",
        "IO with prefix",
        "spans",
        "JSON spans",
        "triples",
    ],
)
def test_every_notation_gives_the_same_targets_and_words(texts, labels, scheme):
    data = table(texts, labels)
    problem = learned(data)
    assert problem.labels == EXPECTED
    assert problem.head.kind == "token_classification"
    assert problem.head.outputs == 5
    assert problem.metric.name == "f1"
    assert problem.extra["scheme"] == scheme
    assert problem.extra["entities"] == {"LOC": 12, "PER": 24}
    targets = TASK.targets(problem, data)
    assert targets.dtype == np.int16
    assert targets.tolist() == [CODES] * 12
    rows = TASK.inputs(problem, data)
    assert [rows["text"][0][start:end] for start, end in rows["words"][0]] == WORDS
    assert bool(problem.extra["remarks"]) == (scheme != "BIO")
    assert Problem.model_validate_json(problem.model_dump_json()) == problem


def test_iob1_begins_with_i_and_parts_neighbours_with_b():
    data = table(["Ann", "Bo", "sat", "Cy"], ["I-PER", "B-PER", "O", "I-PER"])
    problem = learned(data)
    assert problem.extra["scheme"] == "IOB1"
    assert TASK.targets(problem, data)[0].tolist() == [1, 1, 0, 1]


def test_letters_alone_are_entities_without_a_name():
    problem = learned(table(["Ann", "Lee", "sat"], ["B", "I", "O"]))
    assert problem.labels == ("O", "B-ENTITY", "I-ENTITY")


def test_ids_numbered_as_bio_are_taken_so_and_others_as_io():
    bio = learned(table(WORDS, [1, 2, 0, 1, 0, 3, 4, 0]))
    assert bio.labels == ("O", "B-LABEL_1", "I-LABEL_1", "B-LABEL_2", "I-LABEL_2")
    plain = table(WORDS, [2, 2, 0, 2, 0, 4, 4, 0])
    problem = learned(plain)
    assert problem.labels == ("O", "B-LABEL_2", "I-LABEL_2", "B-LABEL_4", "I-LABEL_4")
    assert TASK.targets(problem, plain)[0].tolist() == [1, 2, 0, 1, 0, 3, 4, 0]
    assert "no names" in problem.extra["remarks"][0]


def test_rare_impossible_tags_are_mended_and_said():
    rows = 80
    data = with_row(WORDS, ["O", "I-PER", "O", "B-PER", "O", "B-LOC", "I-LOC", "O"], rows=rows)
    problem = learned(data)
    assert TASK.targets(problem, data)[2].tolist() == [0, 3, 0, 3, 0, 1, 2, 0]
    (remark,) = problem.extra["remarks"]
    assert "row 3" in remark
    assert "'Lee'" in remark


def test_spans_that_cut_words_are_taken_as_whole_words_and_counted():
    cut = [{"start": 1, "end": 6, "label": "PER"}]
    data = with_row(TEXT, cut, good=(TEXT, SPANS))
    problem = learned(data)
    assert TASK.targets(problem, data)[2].tolist() == [3, 4, 0, 0, 0, 0, 0, 0]
    assert "1 of 34 spans" in problem.extra["remarks"][0]


@pytest.mark.parametrize(
    ("texts", "labels", "wanted"),
    [
        (WORDS, ["PER", *BIO[1:]], ["'PER'", "prefix"]),
        (WORDS, ["B-PER", "E-PER", "U-PER", *BIO[3:]], ["prefixes"]),
        (WORDS, ["I-PER", "I-PER", *BIO[2:]], ["'I-PER'", "'Ann'", "not begun"]),
        (WORDS, ["B-LOC", "I-PER", *BIO[2:]], ["'I-PER'", "'Lee'", "number 2"]),
        (WORDS, BIO[:-1], ["7 tags for 8 words", "'tokens'"]),
        (WORDS, [0.5] * 8, ["float"]),
        (WORDS, [[1], [2]], ["list [1]"]),
        (WORDS, [*BIO[:-1], 3], ["item 7", "int 3"]),
        (["Ann", None], ["O", "O"], ["NoneType", "column 'tokens'"]),
        (WORDS, 7, ["int 7"]),
    ],
    ids=["mixed", "two schemes", "I without B", "I of another kind", "unequal", "numbers", "lists", "an id", "no word", "no list"],
)
def test_bad_tags_name_the_row_and_what_is_wrong(texts, labels, wanted):
    message = refusal(with_row(texts, labels))
    assert "row 3" in message
    for part in (*wanted, "column"):
        assert part in message


@pytest.mark.parametrize(
    ("label", "wanted"),
    [
        ([{"start": 18, "end": 270, "label": "LOC"}], "outside of the text, which has 27"),
        ([{"start": -1, "end": 3, "label": "LOC"}], "outside of the text"),
        ([{"start": 5, "end": 5, "label": "LOC"}], "is empty"),
        ([{"start": 3, "end": 4, "label": "LOC"}], "blanks only"),
        ([{"start": 0, "end": 7, "label": "PER"}, {"start": 4, "end": 9, "label": "LOC"}], "overlap"),
        ([{"start": 0, "end": 5, "label": "PER"}, {"start": 5, "end": 7, "label": "LOC"}], "another one ends"),
        ([{"start": "0", "end": 5, "label": "PER"}], "no whole number"),
        ([{"start": 0, "end": 5}], "no name"),
        ([{"beginning": 0}], "no whole number"),
    ],
)
def test_bad_spans_name_the_row(label, wanted):
    message = refusal(with_row(TEXT, label, good=(TEXT, SPANS)))
    assert "row 3, column 'tags'" in message
    assert wanted in message


def test_spans_over_a_list_of_words_are_refused():
    assert "list of words" in refusal(table(WORDS, SPANS))


@pytest.mark.parametrize(
    ("labels", "wanted"),
    [
        (["NOUN", "NOUN", "VERB", "NOUN", "PREP", "NOUN", "NOUN", "DOT"], "no word has the tag O"),
        (["O"] * 8, "no entity"),
        ([1, 1, 2, 1, 1, 1, 1, 1], "commonest is 1"),
        ([-100, *[0] * 7], "-100"),
        ([], "8 words"),
    ],
)
def test_columns_that_are_no_tags_of_entities(labels, wanted):
    data = table(WORDS, labels)
    if not labels:
        data = with_row(WORDS, labels)
    assert wanted in refusal(data)


def test_rows_without_words_or_labels_are_left_out_and_rows_without_entities_are_not():
    data = Table({"tokens": [TEXT, "", None, TEXT, TEXT, *[TEXT] * 10], "tags": [SPANS, [], [], None, [], *[SPANS] * 10]}, "news.jsonl")
    problem = learned(data)
    usable = TASK.usable(problem, data)
    assert usable[:5].tolist() == [True, False, False, False, True]
    assert (TASK.targets(problem, data.take([4])) == 0).all()


def test_the_other_files_are_read_alike_and_new_kinds_refused_with_the_nearest():
    problem = learned(table(WORDS, BIO))
    with pytest.raises(DataError) as caught:
        TASK.targets(problem, Table({"tokens": [["x"], ["Ann"]], "tags": [["O"], ["B-PERS"]]}, "test.jsonl"))
    assert "test.jsonl, row 2" in caught.value.message
    assert "'PER'" in caught.value.hint


def test_strata_hold_the_rarest_kind_of_each_row():
    problem = learned(table(WORDS, BIO))
    strata = TASK.strata(problem, np.array([[0, 0], [3, 4], [1, 3], [0, 3]], np.int16))
    assert strata.tolist() == [0, 2, 1, 2]


def test_an_unknown_metric_is_refused():
    with pytest.raises(SettingsError):
        TASK.problem(table(WORDS, BIO), MATCH, metric="accuracy", seed=0)


def test_requests_hold_a_text_or_a_list_of_words():
    problem = learned(table(WORDS, BIO))
    rows = TASK.check_inputs(problem, [{"text": TEXT}, {"text": WORDS}, {"text": ""}])
    assert rows["text"] == [TEXT, " ".join(WORDS), ""]
    assert [rows["text"][0][start:end] for start, end in rows["words"][0]] == WORDS
    assert rows["words"][2] == ()
    for record in ({"txt": TEXT}, {"text": 3}, {"text": [1]}, []):
        with pytest.raises(DataError, match="row 1"):
            TASK.check_inputs(problem, [record])


def test_a_request_has_a_most_of_characters_and_a_file_has_none():
    problem = learned(table(WORDS, BIO))
    longest = "a " * (MOST_CHARACTERS // 2)
    rows = TASK.check_inputs(problem, [{"text": longest}, {"text": ["a"] * (MOST_CHARACTERS // 2)}])
    assert [len(words) for words in rows["words"]] == [MOST_CHARACTERS // 2] * 2
    for text in (longest + "b", ["a"] * (MOST_CHARACTERS // 2 + 1), [""] * (MOST_CHARACTERS + 1)):
        with pytest.raises(DataError, match=r"row 2: the text has 200,00\d characters, more than the 200,000 of a request"):
            TASK.check_inputs(problem, [{"text": "fine"}, {"text": text}])
        assert len(TASK.inputs(problem, Table({"tokens": [text]}))) == 1


def test_answers_have_offsets_into_the_callers_string():
    problem = learned(table(WORDS, BIO))
    text = "  Ann Lee\tmet  Bo!"
    rows = TASK.check_inputs(problem, [{"text": text}, {"text": "Bo"}])
    logits = np.zeros((2, 5, 5), np.float32)
    for place, code in enumerate([3, 4, 0, 3, 0]):
        logits[0, place, code] = 3.0
    logits[1, 0, 3] = 1.0
    first, second = TASK.decode(problem, Decoder(), {"logits": logits}, rows)
    assert [entity["word"] for entity in first["entities"]] == ["Ann Lee", "Bo"]
    for entity in first["entities"]:
        assert set(entity) == {"entity_group", "score", "word", "start", "end"}
        assert text[entity["start"] : entity["end"]] == entity["word"]
        assert entity["entity_group"] == "PER"
        assert entity["score"] == pytest.approx(np.exp(3) / (np.exp(3) + 4))
    assert len(second["entities"]) == 1
    json.dumps([first, second])


def test_words_in_many_scripts():
    text = "Don't (APC2), naïve हिन्दी 北京 x_1 2.5"
    found = [text[start:end] for start, end in words_in(text)]
    assert found == ["Don", "'", "t", "(", "APC2", ")", ",", "naïve", "हिन्दी", "北", "京", "x_1", "2", ".", "5"]
    assert [(start, end) for start, end in parted_by_blanks("a, b")] == [(0, 2), (3, 4)]
    whole, spans = joined(["在", "北京", "met", "", "Bo"])
    assert whole == "在北京 met  Bo"
    assert [whole[start:end] for start, end in spans] == ["在", "北京", "met", "", "Bo"]


def random_tags(generator: np.random.Generator, rows: int, width: int, kinds: int) -> np.ndarray:
    codes = generator.choice(1 + 2 * kinds, size=(rows, width), p=[0.4, *[0.6 / (2 * kinds)] * (2 * kinds)]).astype(np.int16)
    for row, length in enumerate(generator.integers(0, width + 1, rows)):
        codes[row, length:] = -1
    return codes


def test_the_figures_are_those_of_seqeval():
    from seqeval.metrics import f1_score, precision_score, recall_score
    from seqeval.scheme import IOB2

    generator = np.random.default_rng(3)
    names = [f"{letter}{kind}" for kind in ("", "X", "Y", "Z") for letter in (["O"] if not kind else ["B-", "I-"])]
    for trial in range(40):
        targets = random_tags(generator, 12, 9, 3)
        decisions = np.where(generator.random(targets.shape) < 0.6, targets, random_tags(generator, 12, 9, 3))
        decisions = np.where(targets < 0, -1, np.maximum(decisions, 0)).astype(np.int16)
        if trial % 2:
            decisions = np.pad(decisions, ((0, 0), (0, 3)), constant_values=-1)
        written = [
            [[names[code] for code in row[: int((wanted >= 0).sum())]] for row, wanted in zip(codes, targets, strict=True)]
            for codes in (targets, decisions)
        ]
        found = strict_scores(entity_counts(targets, decisions).sum(axis=0))
        for name, function in (("precision", precision_score), ("recall", recall_score), ("f1", f1_score)):
            expected = function(*written, mode="strict", scheme=IOB2, average="micro", zero_division=0)
            assert found[name] == pytest.approx(expected), (trial, name)


def test_a_thousand_figures_take_few_seconds():
    generator = np.random.default_rng(0)
    codes = np.full((940, 120), -1, np.int16)
    for row, length in enumerate(generator.integers(5, 60, 940)):
        codes[row, :length] = generator.random(length) < 0.06
    started = time.process_time()
    for _ in range(100):
        rows = generator.integers(0, 940, 940)
        entity_counts(codes[rows], codes[rows])
    assert time.process_time() - started < 0.5


def test_figures_of_nothing():
    empty = np.zeros((3, 4), np.int16)
    assert strict_scores(entity_counts(empty, empty).sum(axis=0)) == {"f1": 0.0, "precision": 0.0, "recall": 0.0}
    assert len(entities_in(np.zeros((2, 0), np.int16)).row) == 0


def test_viterbi_finds_the_best_path_that_may_be():
    generator = np.random.default_rng(1)
    tags = 5
    between, first = constraints(tags)
    learned_between = between + generator.normal(size=(tags, tags))
    learned_first, ends = first + generator.normal(size=tags), generator.normal(size=tags)
    logits = generator.normal(size=(30, 4, tags)) * 2
    words = generator.integers(0, 5, 30)
    found = best_tags(logits, words, learned_between, learned_first, ends)
    for row, length in enumerate(words):
        assert (found[row, length:] == -1).all()
        if not length:
            continue
        paths = np.array(np.meshgrid(*[range(tags)] * length)).reshape(length, -1).T
        scores = learned_first[paths[:, 0]] + ends[paths[:, -1]]
        scores += sum(logits[row, place, paths[:, place]] for place in range(length))
        scores += sum(learned_between[paths[:, place], paths[:, place + 1]] for place in range(length - 1))
        assert found[row, :length].tolist() == paths[np.argmax(scores)].tolist()


def test_decisions_never_hold_an_i_that_follows_nothing_and_end_where_the_words_do():
    problem = learned(table(WORDS, BIO))
    generator = np.random.default_rng(2)
    logits = generator.normal(size=(50, 9, 5)).astype(np.float32)
    logits[10, 5:] = 0
    logits[11] = 0
    decisions = TASK.decide(problem, Decoder(), {"logits": logits})
    assert (decisions[10, 5:] == -1).all()
    assert (decisions[11] == -1).all()
    before = np.pad(decisions, ((0, 0), (1, 0)))[:, :-1]
    inside = (decisions > 0) & (decisions % 2 == 0)
    assert inside.any()
    assert ((before == decisions) | (before == decisions - 1))[inside].all()


def test_the_constant_answer_finds_no_entity():
    problem = learned(table(WORDS, BIO))
    targets = TASK.targets(problem, table(WORDS, BIO))
    outputs = TASK.constant(problem, targets, 12)
    decisions = TASK.decide(problem, Decoder(), outputs)
    assert (decisions == 0).all()
    assert TASK.score(problem, targets, decisions)["f1"] == 0.0
