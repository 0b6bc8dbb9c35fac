from __future__ import annotations

from pathlib import Path

import pytest

from autoft.data.reading import read_table
from autoft.data.table import Table
from autoft.errors import DataError
from autoft_plugins.readers import READERS

PLAIN = "Anna B-PER\nlives O\nin O\nPrague B-LOC\n\nShe O\nleft O\n"
TOKENS = [["Anna", "lives", "in", "Prague"], ["She", "left"]]
TAGS = [["B-PER", "O", "O", "B-LOC"], ["O", "O"]]


@pytest.fixture
def read(tmp_path: Path):
    def write_and_read(content: str | bytes, name: str = "data.conll") -> Table:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_table(path, READERS)

    return write_and_read


def columns(table: Table) -> tuple[list, list]:
    assert table.names == ("tokens", "ner_tags")
    return list(table["tokens"]), list(table["ner_tags"])


@pytest.mark.parametrize("name", ["a.conll", "a.bio", "a.IOB", "a.iob2", "a.txt", "a.tsv", "plain"])
def test_endings(read, name):
    assert columns(read(PLAIN, name)) == (TOKENS, TAGS)


@pytest.mark.parametrize(
    "content",
    [
        PLAIN.replace("\n", "\r\n"),
        "\n\n" + PLAIN + "\n \n\t\n",
        PLAIN.replace(" ", "\t"),
        PLAIN.replace(" ", "  "),
        "-DOCSTART- -X- -X- O\n\n" + PLAIN.replace(" ", " NN X "),
        "-DOCSTART- O\n\n" + PLAIN,
        "# sent_id = 1\n# text = Anna lives in Prague\n" + PLAIN.replace(" ", "\t_\t"),
        "# newdoc\n" + PLAIN.replace("She", "# text = She left\nShe"),
        "\ufeff" + PLAIN,
    ],
    ids=["windows", "blank lines", "tabs", "many blanks", "documents", "two-column document", "conll-u", "comments", "mark"],
)
def test_the_ways_to_write_one(read, content):
    assert columns(read(content)) == (TOKENS, TAGS)


def test_a_number_sign_is_a_word_where_it_has_a_tag(read):
    tokens, tags = columns(read("# O\n1 O\n\nthe O\n# B-X\nsign I-X\n"))
    assert tokens == [["#", "1"], ["the", "#", "sign"]]
    assert tags[1] == ["O", "B-X", "I-X"]


def test_words_with_odd_blanks(read):
    tokens, _ = columns(read("New York\tB-LOC\n\u00a0\tO\n"))
    assert tokens == [["New York", "\u00a0"]]


def test_another_encoding_is_said(read):
    table = read("Zoë B-PER\nété O\n".encode("latin-1"))
    assert table["tokens"][0] == ["Zoë", "été"]
    assert "Latin-1" in table.notes[0]


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ("text\tlabel\nfine words\tB-1\n\nbad words\tO\n", "a.tsv"),
        ("good thing, O\n\nbad thing, O\n", "a.txt"),
        ("word O\nother O\n\nthird O\n", "a.txt"),
        ("text,label\ngood,pos\n\nbad,neg\n", "a.txt"),
    ],
)
def test_a_table_stays_a_table(read, content, name):
    assert "tokens" not in read(content, name)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("Anna B-PER\nlives\n", "line 2: the line has 1 columns, the first one has 2 (parted by blanks)"),
        ("Anna\tB-PER\n\nlives in\tx\tO\n", "line 3: the line has 3 columns, the first one has 2 (parted by tabs)"),
        ("Anna\nlives\n", "line 1: the line has one column, 'Anna'"),
        ("Anna\tB-PER\nlives\t\n", "line 2: the tag is empty"),
        ("Anna\tB-PER\n\tO\n", "line 2: the word is empty"),
        ("-DOCSTART- O\n\n", "no sentence"),
        ("# only a comment\n", "no sentence"),
    ],
)
def test_what_is_refused_and_where(read, content, said):
    with pytest.raises(DataError) as caught:
        read(content)
    assert "data.conll" in caught.value.message
    assert said in caught.value.message
    assert caught.value.hint
