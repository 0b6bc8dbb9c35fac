from __future__ import annotations

from pathlib import Path

import pytest

from autoft.data.reading import read_table
from autoft.data.table import Table
from autoft.errors import DataError
from autoft_plugins.readers import READERS
from autoft_plugins.readers.charset import recognise


@pytest.fixture
def read(tmp_path: Path):
    def write_and_read(content: str | bytes, name: str = "data.csv", encoding: str = "utf-8") -> Table:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return read_table(path, READERS)

    return write_and_read


def refusal(read, content: str | bytes, name: str = "data.csv", encoding: str = "utf-8") -> DataError:
    with pytest.raises(DataError) as caught:
        read(content, name, encoding)
    assert caught.value.exit_code == 2
    assert caught.value.hint
    return caught.value


def test_plain_csv(read, tmp_path):
    table = read("text,label\ngood,pos\nbad,neg\n")
    assert dict(table.columns) == {"text": ["good", "bad"], "label": ["pos", "neg"]}
    assert table.notes == ()
    assert table.origin == str(tmp_path / "data.csv")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("name", ["data.csv", "data.txt"])
def test_delimiters_are_recognised(read, delimiter, name):
    table = read(f"text{delimiter}label\nit is ok. really{delimiter}pos\nno way{delimiter}neg\n", name)
    assert list(table["text"]) == ["it is ok. really", "no way"]
    assert list(table["label"]) == ["pos", "neg"]


def test_a_delimiter_within_texts_does_not_mislead(read):
    table = read("text;label\none, two, three;a\nfour, five;b\nsix;a\n")
    assert table.names == ("text", "label")
    assert table["text"][0] == "one, two, three"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends(read, end):
    assert len(read(end.join(["text,label", "good,pos", "bad,neg", ""]))) == 2


def test_quoted_cells_hold_newlines_delimiters_and_quotes(read):
    table = read('text,label\n"one\ntwo, ""three""",pos\r\n"four",neg\n')
    assert list(table["text"]) == ['one\ntwo, "three"', "four"]


def test_a_blank_between_delimiter_and_quote(read):
    table = read('label, text\npos, "good, really"\nneg, "bad, ""truly"""\n')
    assert list(table["text"]) == ["good, really", 'bad, "truly"']


def test_backslash_quotes_are_read_and_said(read):
    table = read('text,label\n"he said \\"no\\", twice",neg\nfine,pos\n')
    assert table["text"][0] == 'he said "no", twice'
    assert "backslash" in table.notes[0]


@pytest.mark.parametrize(
    ("encoding", "said"),
    [("utf-8-sig", None), ("utf-16", "UTF-16"), ("utf-32", "UTF-32"), ("gb18030", "GB18030")],
)
def test_chinese_in_other_encodings_is_read_and_said(read, encoding, said):
    rows = [("这个东西很好用，我会再买的", "好"), ("质量不行，用了两天就坏了", "差")] * 6
    content = "text,label\n" + "".join(f"{text},{label}\n" for text, label in rows)
    table = read(content, encoding=encoding)
    assert table.names == ("text", "label")
    assert list(table["text"]) == [text for text, _ in rows]
    assert list(table["label"]) == [label for _, label in rows]
    assert (not table.notes) if said is None else said in table.notes[0]


@pytest.mark.parametrize(
    "text", ["苹果手机性价比高", "很好", "太差了", "房间太小。其他的都一般。。。", "央行下调存款准备金率", "Apple 手机壳：正品！"]
)
def test_a_little_chinese_is_enough(read, text):
    table = read(f"text,label\n{text},a\nplain,b\n", encoding="gb18030")
    assert table["text"][0] == text
    assert "GB18030" in table.notes[0]


def test_utf16_big_endian_with_mark(read):
    table = read(b"\xfe\xff" + "text,label\nnaïve,pos\n".encode("utf-16-be"))
    assert table["text"][0] == "naïve"


@pytest.mark.parametrize(
    ("encoding", "said", "text"),
    [
        ("latin-1", "Latin-1", "très déçu, café à éviter, naïve über Größe"),
        ("cp1252", "Windows-1252", "it’s “great” – déjà vu €5"),
        ("latin-1", "Latin-1", "¿Cuánto cuesta? ¡Qué sorpresa, señor Núñez!"),
    ],
)
def test_western_encodings_are_read_and_said(read, encoding, said, text):
    table = read(f'text,label\n"{text}",pos\nplain,neg\n', encoding=encoding)
    assert table["text"][0] == text
    assert said in table.notes[0]


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1251", "Очень хороший товар, всем советую, доставка быстрая"),
        ("euc_kr", "배송이 느리고 포장도 엉망"),
        ("big5", "這個東西很好用，我會再買的，推薦給大家"),
        ("cp1253", "Πολύ καλό προϊόν, το συνιστώ σε όλους"),
        ("euc_kr", "이 제품은 정말 좋습니다 다시 구매하고 싶어요 배송도 빨라요"),
        ("euc_jp", "この商品はとても良いです。また買いたいと思います"),
        ("shift_jis", "この商品はとても良いです。また買いたいと思います"),
    ],
)
def test_other_encodings_are_refused_not_guessed(read, encoding, text):
    error = refusal(read, "text,label\n" + f"{text},a\n" * 9, encoding=encoding)
    assert "encoding" in error.message
    assert "iconv" in error.hint


@pytest.mark.parametrize(
    ("encoding", "name", "text"),
    [
        ("cp1251", "WINDOWS-1251", "Очень хороший товар, всем советую"),
        ("koi8_r", "KOI8-R", "Очень хороший товар, всем советую"),
        ("euc_kr", "CP949", "배송이 느리고 포장도 엉망"),
        ("cp1253", "WINDOWS-1253", "Πολύ καλό προϊόν το συνιστώ σε όλους"),
        ("shift_jis", "SHIFT_JIS", "この商品はとても良いです。また買いたいと思います"),
    ],
)
def test_the_likeliest_encoding_is_offered(read, encoding, name, text):
    error = refusal(read, "text,label\n" + f"{text},a\n" * 9, encoding=encoding)
    assert f"iconv -f {name} -t UTF-8" in error.hint


def test_a_first_line_that_states_the_delimiter(read):
    table = read("sep=;\ntext;label\nyes, it does;a\nno, it does not;b\n")
    assert dict(table.columns) == {"text": ["yes, it does", "no, it does not"], "label": ["a", "b"]}
    assert "line 4" in refusal(read, "sep=;\ntext;label\na;b\na;b;c\n").message


def test_damaged_utf8_is_refused_with_its_line(read):
    content = "text,label\n" + "déjà vu,a\n" * 5
    error = refusal(read, content.encode() + b"caf\xe9,b\n" + content.encode())
    assert "line 7" in error.message


def test_a_damaged_file_with_a_mark_is_refused(read):
    assert "line 2" in refusal(read, b"\xef\xbb\xbftext,label\ncaf\xe9,b\n").message


def test_binary_content_is_refused(read):
    assert "no text" in refusal(read, b"PK\x03\x04" + bytes(range(256)) * 40).message
    assert "no text" in refusal(read, "text,label\nplain,a\n".encode("utf-16-le")).message


def test_a_character_across_two_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr("autoft_plugins.readers.charset.BLOCK", 16)
    path = tmp_path / "data.csv"
    path.write_text("text,label\n" + "日本語のテキスト,a\n" * 20, encoding="utf-8")
    assert recognise(path).codec == "utf-8"


@pytest.mark.parametrize("content", ["", "\n\n", "\ufeff"])
def test_an_empty_file(read, content):
    assert "empty" in refusal(read, content).message


@pytest.mark.parametrize("content", ["text,label\n", "text,label", "text,label\n\n\n", "text,label\r\n"])
def test_header_only(read, content):
    error = refusal(read, content)
    assert "header and no rows" in error.message
    assert "text, label" in error.message


def test_a_quote_that_is_never_closed_names_the_line(read):
    error = refusal(read, 'text,label\ngood,pos\n"bad,neg\nfine,pos\nawful,neg\n')
    assert "data.csv, line 3" in error.message
    assert "never closed" in error.message


def test_a_quote_that_closes_too_early_names_the_line(read):
    error = refusal(read, 'text,label\ngood,pos\n"bad" one,neg\nfine,pos\n')
    assert "line 3" in error.message
    assert "quoting" in error.message


@pytest.mark.parametrize("row", ["one, two,neg", "no label"])
def test_a_row_of_another_width_names_the_line(read, row):
    error = refusal(read, f'text,label\n"a\nb",pos\n\n{row}\n')
    assert "line 5" in error.message
    assert "has 2" in error.message


def test_blank_lines_and_empty_cells_past_the_end_are_dropped(read):
    table = read("text,label\ngood,pos,\n\n  \nbad,neg,,\n")
    assert list(table["label"]) == ["pos", "neg"]


def test_tabs_with_loose_quotes(read):
    table = read('text\tlabel\n"Best movie ever\tpos\nso "good"\tpos\nends with"\tneg\n', "data.tsv")
    assert list(table["text"]) == ['"Best movie ever', 'so "good"', 'ends with"']
    assert "plain characters" in table.notes[0]


def test_tabs_with_sound_quotes(read):
    table = read('text\tlabel\n"one\ttwo"\tpos\n"three\nfour"\tneg\n', "data.tsv")
    assert list(table["text"]) == ["one\ttwo", "three\nfour"]


def test_tabs_with_loose_quotes_that_happen_to_pair_up(read):
    table = read('text\tlabel\n"first\tpos\nsecond\tneg\nthird"\tpos\n', "data.tsv")
    assert list(table["text"]) == ['"first', "second", 'third"']


def test_numbers_and_gaps(read):
    table = read("n,x,code,text,gap\n1,0.5,007,12a,\n-2,3,010,,\n,1e3,011,b,\n")
    assert list(table["n"]) == [1, -2, None]
    assert list(table["x"]) == [0.5, 3.0, 1000.0]
    assert list(table["code"]) == ["007", "010", "011"]
    assert list(table["text"]) == ["12a", None, "b"]
    assert list(table["gap"]) == [None, None, None]


def test_what_only_looks_like_numbers_stays_a_string(read):
    table = read("a,b,c\n1_000,٣,1e999\n2,4,3\n")
    assert list(table["a"]) == ["1_000", "2"]
    assert list(table["b"]) == ["٣", "4"]
    assert list(table["c"]) == ["1e999", "3"]


def test_a_file_without_header(read):
    table = read("good thing,pos\nbad thing,neg\nnice thing,pos\n")
    assert table.names == ("column_1", "column_2")
    assert len(table) == 3
    assert "no header" in table.notes[0]


def test_pandas_numbered_header_is_a_header(read):
    table = read(",0,1\n0,good thing,1\n1,bad thing,0\n2,fine,1\n")
    assert table.names == ("column_1", "0", "1")
    assert len(table) == 3


def test_a_name_given_twice(read):
    table = read("text,label,label\na,x,1\nb,y,2\n")
    assert table.names == ("text", "label", "label_2")
    assert "column 3" in table.notes[0]


def test_long_cells(read):
    assert len(read(f"text,label\n{'word ' * 60_000},pos\nb,neg\n")["text"][0]) == 300_000
