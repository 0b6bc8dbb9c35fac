"""Which characters the bytes of a text file stand for.

A byte-order mark decides; else UTF-8, GB18030 and Windows-1252 (a superset of Latin-1) are tried in this order, strictly and over the
whole file. The last two accept almost anything, so what they give must also look like text: common Chinese characters for the one,
letters that are mostly ASCII for the other. What passes none of this is refused, since a wrong guess would be learned from in silence.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from autoft.errors import DataError

BLOCK = 1 << 20
"""Bytes decoded at a time; the first block is also the sample that must look like text."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig", ""),
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)
_EVERYDAY = frozenset("的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过后作里用好很没都还")
_HAN = re.compile(r"[\u4e00-\u9fff]")
_KANA = re.compile(r"[\u3040-\u30ff]")
_HIGH = re.compile(r"[^\x00-\x7f]")
_LIKELY = (
    ("SHIFT_JIS", "cp932", re.compile("[\u3041-\u309f\u30a1-\u30fe]")),
    ("CP949", "cp949", re.compile("[\uac00-\ud7a3]")),
    ("WINDOWS-1251", "cp1251", re.compile("[оеаинтсі]")),
    ("KOI8-R", "koi8_r", re.compile("[оеаинтс]")),
    ("WINDOWS-1253", "cp1253", re.compile("[α-ώΐΰ]")),
)
"""Encodings that are not read, with letters that tell them; which it is is the user's to say, since any of them may be another."""
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f]")


@dataclass(frozen=True)
class Charset:
    """`codec` is Python's name for it; `note` is a remark for the user, empty for UTF-8."""

    codec: str
    note: str = ""


def recognise(path: Path) -> Charset:
    """Raises DataError when the file is in no known encoding, or is no text."""
    with path.open("rb") as file:
        sample = file.read(BLOCK)
    for mark, codec, name in _MARKS:
        if sample.startswith(mark):
            fault = _fault(path, codec)
            if fault:
                what = f"the file begins as {name or 'UTF-8'} and holds bytes that are not"
                raise DataError(f"{path}, line {fault}: {what}", hint="save it anew as UTF-8")
            return Charset(codec, f"read as {name}" if name else "")
    fault = _fault(path, "utf-8")
    if not fault:
        if _CONTROL.subn("", sample.decode("utf-8", "ignore"))[1] > 0.1 * len(sample):
            raise _no_text(path, b"")
        return Charset("utf-8")
    if _nearly_utf8(sample):
        what = f"{path}, line {fault}: the file is UTF-8 except for bytes from this line on"
        raise DataError(what, hint=f"to leave those out: iconv -c -f UTF-8 -t UTF-8 {_copied(path)}")
    for codec, name, looks_right in (("gb18030", "GB18030", _chinese), ("cp1252", "", _western)):
        if looks_right(sample.decode(codec, "replace")) and not _fault(path, codec):
            name = name or ("Windows-1252" if re.search(rb"[\x80-\x9f]", sample) else "Latin-1")
            return Charset(codec, f"not UTF-8: read as {name}")
    raise _no_text(path, sample)


def beginning(path: Path, size: int = 1 << 16) -> list[str]:
    """The first lines, without their ends, for telling formats apart. Only a byte-order mark is heeded: bytes of other encodings than
    UTF-8 come as U+FFFD. A line that `size` bytes do not hold whole is left out, unless it is the only one."""
    with path.open("rb") as file:
        head = file.read(size)
    codec = next((codec for mark, codec, _ in _MARKS if head.startswith(mark)), "utf-8")
    lines = [line.rstrip("\r") for line in head.decode(codec, "replace").split("\n")]
    return lines[:-1] if len(head) == size and len(lines) > 1 else lines


def _no_text(path: Path, sample: bytes) -> DataError:
    what = "is no text in an encoding that is recognised (UTF-8, UTF-16 with a byte-order mark, GB18030, Latin-1)"
    likely = next((name for name, codec, letters in _LIKELY if _mostly(letters, sample, codec)), None)
    if likely:
        return DataError(f"{path} {what}", hint=f"it looks like {likely}: iconv -f {likely} -t UTF-8 {_copied(path)}")
    names = "WINDOWS-1250 (Polish, Czech), WINDOWS-1251 (Russian), SHIFT_JIS (Japanese), CP949 (Korean), BIG5 (Chinese)"
    return DataError(f"{path} {what}", hint=f"name its encoding, {names}: iconv -f WINDOWS-1250 -t UTF-8 {_copied(path)}")


def _copied(path: Path) -> str:
    return f"{quote(str(path))} > utf8{path.suffix}"


def _mostly(letters: re.Pattern[str], sample: bytes, codec: str) -> bool:
    """Whether much of what is not ASCII are these letters, the commonest of an alphabet."""
    high = _HIGH.findall(sample.decode(codec, "ignore"))
    return len(letters.findall("".join(high))) > 0.4 * len(high) > 0


def _fault(path: Path, codec: str) -> int:
    """The line of the first bytes that are not in `codec`, or 0."""
    line = 1
    decoder = codecs.getincrementaldecoder(codec)("strict")
    for block, final in _blocks(path):
        try:
            line += decoder.decode(block, final).count("\n")
        except UnicodeDecodeError as error:
            # `error.object` may begin with bytes kept from the block before; none of them is a line end.
            return line + bytes(error.object[: error.start]).decode(codec, "ignore").count("\n")
    return 0


def _blocks(path: Path) -> Iterator[tuple[bytes, bool]]:
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            yield block, False
    yield b"", True


def _nearly_utf8(sample: bytes) -> bool:
    """Whether most non-ASCII sequences are sound UTF-8; in other encodings next to none is, by chance."""
    bad = sample.decode("utf-8", "replace").count("\ufffd")
    good = len(_HIGH.findall(sample.decode("utf-8", "ignore")))
    return good > bad


def _chinese(text: str) -> bool:
    """Nearly all that is not ASCII is of the national set of 1980, most of it of its first, common half (lead bytes B0 to D7).

    Latin-1 and Russian encodings give rare characters, Japanese ones kana. Korean ones give the common half, but none past C8, where in
    Chinese two in five are, unless the text is too short to tell; then everyday characters decide.
    """
    high = _HIGH.findall(text)
    leads = "".join(_HAN.findall(text)).encode("gb2312", "ignore")[::2]
    if not leads or len("".join(high).encode("gb2312", "ignore")) / 2 < 0.8 * len(high) or len(_KANA.findall(text)) > 0.05 * len(high):
        return False
    common = sum(lead <= 0xD7 for lead in leads)
    late = sum(0xC8 < lead <= 0xD7 for lead in leads)
    everyday = sum(one in _EVERYDAY for one in high)
    return common >= 0.8 * len(leads) and (late >= 0.1 * len(leads) or everyday >= 0.1 * len(leads))


def _western(text: str) -> bool:
    """A Latin script writes most letters in ASCII; control characters are not text."""
    high = [one for one in _HIGH.findall(text) if one.isalpha()]
    plain = sum(one.isalpha() for one in text) - len(high)
    return len(high) <= 0.3 * (len(high) + plain) and not _CONTROL.search(text) and "\ufffd" not in text
