"""ONNX from a text to its label: the tokenizer, the model and the names of the classes in one graph, by onnxruntime-extensions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from autoft.claims import LABEL, SCORES
from autoft.data.table import Table
from autoft.errors import BundleError, ExportError
from autoft.interfaces.encoder import Arrays, Encoded, Encoding, Tensor
from autoft.interfaces.exporter import Exported, Session
from autoft.interfaces.model import Program
from autoft.interfaces.problem import Problem
from autoft_exporters.graphs import SINGLE, graph_file
from autoft_exporters.quiet import first_line, quiet
from autoft_exporters.word_pieces import DOMAIN, LABELS_DOMAIN, TEXT, WordPieces, tokenizer_nodes, word_pieces

if TYPE_CHECKING:
    import onnx

SUFFIX, LIBRARY = "_text", "onnxruntime_extensions"
MISSING = "the package onnxruntime-extensions is not installed: pip install 'autoft[text-graph]'"
TOKENIZER_FILE = "tokenizer.json"
_IDS, _LOGITS = "input_ids", "logits"
_HEAD = "single_label_classification"

ODD_TEXTS = (
    *("", "   ", " \n\t", "a", "Hello, world: don't stop!!! $5.00 a_b-c", "##ing a ##b", "`´^~|<>+= \\ \" ' % {}"),
    *(
        "café CAFÉ naïve ÅÄÖ ıİ straße ΣΑΣ",
        "й Й ё ў",
        "中文字符 hello中文。",
        "日本語のテキスト",
        "한국어 텍스트",
        "हिन्दी ไทย العربية עִברִית",
    ),
    *("😀 hi😀 hello😀world 👨\u200d👩\u200d👧", "ﬁ ½ ² ① Ⅷ", "\u00ad\u200b\ufeffzero\u0301\u0300 width", "a\u00a0b\u3000c\u2028d\x85e"),
    *("[SEP] x [CLS][MASK] y[UNK]z [sep]", "[S\ue001EP] [S\u00adEP]", "\ue000\ue001 a\ue002b\uf8ff"),
    *("x" * 100, "x" * 101, "x" * 500 + " y", "word " * 2000, "the quick brown fox, again and again; " * 300),
)
"""What tokenizers read differently, beside characters one by one."""
_EVERY, _COMMON, _PER_TEXT, _AT_ONCE = 61, 0x3100, 12, 64
"""Of the characters up to `_COMMON` all are asked about, of the others one in so many; so many of
them in a text, and so many texts at once."""


class OnnxText:
    """The plugin. For one text, one class of several, and a WordPiece tokenizer; input `text` (batch,), outputs `label` (batch,), `scores`
    and `logits` (batch, classes) and `input_ids` (batch, length)."""

    name = "onnx-text"
    summary = "ONNX from a text to its label, the tokenizer inside; needs pip install 'autoft[text-graph]'"
    converts = "onnx"

    def supports(self, program: Program, problem: Problem) -> str | None:
        """None for one text by a WordPiece tokenizer that is classified into one class."""
        if problem.head.kind != _HEAD or len(problem.labels) != problem.head.outputs:
            return f"it says one label of a text, and the answers of {problem.task} are others: take onnx"
        if len(problem.inputs) != 1:
            return f"its graph takes one text, and this model takes {', '.join(problem.inputs)}: take onnx"
        if len(program.parts) != 1 or program.encoder.name != "tokens" or TOKENIZER_FILE not in program.encoder.files:
            return f"it holds a tokenizer, and what stands before this model is the encoder {program.encoder.name}: take onnx"
        if not find_spec(LIBRARY):
            return MISSING
        pieces = word_pieces(program.encoder.files[TOKENIZER_FILE].decode())
        return f"{pieces}: take onnx" if isinstance(pieces, str) else None

    def export(self, program: Program, problem: Problem, folder: Path) -> Exported:
        """Raises ExportError, with the text, where the graph reads one otherwise than the bundle's tokenizer."""
        reason = self.supports(program, problem)
        if reason is not None:
            raise ExportError(f"the model cannot be exported to {self.name}: {reason}")
        content = program.encoder.files[TOKENIZER_FILE].decode()
        pieces = word_pieces(content)
        assert isinstance(pieces, WordPieces)
        source, target = folder / graph_file(SINGLE), folder / graph_file(SINGLE, SUFFIX)
        if not source.is_file():
            raise ExportError(f"{self.name} is made out of {graph_file(SINGLE)}, which is absent")
        try:
            with quiet():
                check_tokens(pieces, content, int(program.encoder.config["max_length"]))
                _write(source, target, pieces, program.encoder.config, problem.labels)
        except ExportError:
            raise
        except Exception as error:
            what = f"{graph_file(SINGLE)} could not be converted to {self.name}: {first_line(error)}"
            raise ExportError(what, hint="take the format onnx") from error
        return Exported(
            (graph_file(SINGLE, SUFFIX),), {"format": "onnx", "precision": "float32", LIBRARY: version(LIBRARY.replace("_", "-"))}
        )

    def open(self, folder: Path, threads: int) -> Session:
        """Raises BundleError."""
        return TextSession(folder / graph_file(SINGLE, SUFFIX), threads)

    def reading(self, encoding: Encoding, config: Mapping[str, Any]) -> Encoding:
        """The texts, and beside them the tokens that the bundle's own tokenizer makes of them, which the session holds the graph to."""
        return TextEncoding(encoding, str(config["fields"][0]))


class TextSession:
    """The graph, with the operators of the extensions. It refuses an answer whose tokens are not those that came with the text."""

    def __init__(self, path: Path, threads: int) -> None:
        from autoft.runtime.session import OnnxSession

        if not find_spec(LIBRARY):
            raise BundleError(MISSING, hint="--format onnx, where the bundle has it, needs nothing more")
        import onnxruntime_extensions

        self._session = OnnxSession(path, threads, onnxruntime_extensions.get_library_path())

    def run(self, arrays: Arrays) -> Arrays:
        """Outputs by name. Raises BundleError, with the text, where the graph reads one otherwise than the bundle's tokenizer."""
        outputs = self._session.run(arrays)
        found = outputs.pop(_IDS, None)
        if found is not None and _IDS in arrays:
            row = _first_other(found, arrays[_IDS])
            if row is not None:
                text = str(arrays[TEXT][row])
                raise BundleError(f"the graph reads {text[:60]!r} otherwise than the bundle's tokenizer", hint="take the format onnx")
        return outputs


class TextEncoding:
    """Texts as they are. `encoding` is the bundle's own: of it come lengths, what was cut, and `input_ids`, padded."""

    def __init__(self, encoding: Encoding, field: str) -> None:
        self._own, self._field = encoding, field

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        return (Tensor(TEXT, "str", ("batch",)),)

    @property
    def max_length(self) -> int | None:
        return self._own.max_length

    def encode(self, rows: Table, *, pad_to: int | None = None, offsets: bool = False) -> Encoded:
        """`text` (rows,) and `input_ids` (rows, longest). Only a longer row beside them pads rows in the graph: where `pad_to` asks for it,
        there is one more, of this length, whose outputs are dropped."""
        asked = rows if pad_to is None else self._with_one_of(rows, pad_to)
        encoded = self._own.encode(asked, offsets=offsets)
        arrays: Arrays = {
            TEXT: np.array(["" if one is None else str(one) for one in asked[self._field]], object),
            _IDS: encoded.arrays[_IDS],
        }
        if asked is rows:
            return replace(encoded, arrays=arrays)
        count = len(rows)
        return Encoded(
            arrays,
            encoded.lengths[:count],
            encoded.truncated[:count],
            None if encoded.unknown is None else encoded.unknown[:count],
            encoded.offsets[:count] if encoded.offsets else None,
            collect=lambda outputs: {name: values[:count] for name, values in outputs.items()},
        )

    def resized(self, rows: Table, length: int) -> Table:
        """As the bundle's own does it."""
        return self._own.resized(rows, length)

    def _with_one_of(self, rows: Table, length: int) -> Table:
        longer = self._own.resized(rows.take([0]), length)
        more = rows.take([*range(len(rows)), 0])
        texts = [*rows[self._field], longer[self._field][0]]
        return more.with_columns({**more.columns, self._field: texts})


def check_tokens(pieces: WordPieces, content: str, max_length: int) -> None:
    """Holds the tokens of the graph to those of a tokenizer.json, over odd texts and characters of all scripts, alone and inside words.
    Raises ExportError with the first text that is read otherwise."""
    import onnxruntime as ort
    import onnxruntime_extensions
    from onnx import TensorProto, helper
    from tokenizers import Tokenizer

    own = Tokenizer.from_str(content)
    own.no_padding()
    own.enable_truncation(max_length)
    nodes, constants = tokenizer_nodes(pieces, max_length, (0, 0), (_IDS,))
    output = helper.make_tensor_value_info(_IDS, TensorProto.INT64, ["batch", "length"])
    graph = helper.make_graph(nodes, "tokenizer", [_text_input()], [output], constants)
    options = ort.SessionOptions()
    options.log_severity_level = 3  # errors
    options.register_custom_ops_library(onnxruntime_extensions.get_library_path())
    model = helper.make_model(graph, ir_version=8, opset_imports=_operators([helper.make_opsetid("", 18)]))
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    special = [f"x{content}y  {content} z {content.swapcase()}" for content, _ in pieces.special]
    for asked in ([*ODD_TEXTS, *special], *_characters(own, max_length)):
        row = _first_other(session.run([_IDS], {TEXT: np.array(asked, object)})[0], _padded([one.ids for one in own.encode_batch(asked)]))
        if row is not None:
            raise ExportError(f"the graph reads {asked[row][:60]!r} otherwise than the bundle's tokenizer", hint="take the format onnx")


def _characters(own: Any, max_length: int) -> Iterator[list[str]]:
    """Texts, some at a time, of the characters of the vocabulary, of all common ones, and of one in `_EVERY` of the others."""
    letters = {letter for word in own.get_vocab() for letter in word}
    others = (*range(_COMMON, 0xD800, _EVERY), *range(0xE000, 0x30000, _EVERY))
    some = sorted({*letters, *map(chr, range(1, _COMMON)), *map(chr, others)})
    room = max(1, min(_PER_TEXT, max_length // 6))
    texts = [" ".join(f"a{one}b {one}" for one in some[start : start + room]) for start in range(0, len(some), room)]
    for start in range(0, len(texts), _AT_ONCE):
        yield texts[start : start + _AT_ONCE]


def _padded(ids: Sequence[Sequence[int]]) -> npt.NDArray[np.int64]:
    whole = np.zeros((len(ids), max(map(len, ids))), np.int64)
    for row, one in enumerate(ids):
        whole[row, : len(one)] = one
    return whole


def _first_other(given: npt.NDArray[Any], expected: npt.NDArray[Any]) -> int | None:
    """The first row that differs; 0 where only the shapes do."""
    if len(given) != len(expected):
        return 0
    width = min(given.shape[1], expected.shape[1])
    differs = np.flatnonzero((given[:, :width] != expected[:, :width]).any(axis=1))
    if len(differs):
        return int(differs[0])
    return None if given.shape == expected.shape else 0


def _text_input() -> onnx.ValueInfoProto:
    from onnx import TensorProto, helper

    return helper.make_tensor_value_info(TEXT, TensorProto.STRING, ["batch"])


def _operators(known: Sequence[onnx.OperatorSetIdProto]) -> list[onnx.OperatorSetIdProto]:
    """With those of the tokenizer."""
    from onnx import helper

    own = {DOMAIN: 1, LABELS_DOMAIN: 2}
    names = {item.domain for item in known}
    return [*known, *(helper.make_opsetid(domain, number) for domain, number in own.items() if domain not in names)]


def _write(source: Path, target: Path, pieces: WordPieces, config: Mapping[str, Any], labels: Sequence[str]) -> None:
    """The graph in `source` between the tokenizer and the names of the classes, in one file."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    from autoft_exporters.graph_file import write_proto

    model = onnx.load(source, load_external_data=False)
    graph = model.graph
    fill = int(config["pad_id"]), int(config["pad_type_id"])
    before, constants = tokenizer_nodes(pieces, int(config["max_length"]), fill, [item.name for item in graph.input])
    names = numpy_helper.from_array(np.array(labels, object), f"{LABEL}/names")
    after = [
        helper.make_node("Softmax", [_LOGITS], [SCORES], axis=-1),
        helper.make_node("ArgMax", [_LOGITS], [f"{LABEL}/place"], axis=-1, keepdims=0),
        helper.make_node("Gather", [names.name, f"{LABEL}/place"], [LABEL], axis=0),
    ]
    logits = next(item for item in graph.output if item.name == _LOGITS)
    outputs = [
        helper.make_tensor_value_info(LABEL, TensorProto.STRING, ["batch"]),
        helper.make_tensor_value_info(SCORES, TensorProto.FLOAT, ["batch", len(labels)]),
        logits,
        helper.make_tensor_value_info(_IDS, TensorProto.INT64, ["batch", "length"]),
    ]
    whole = helper.make_graph(
        [*before, *graph.node, *after], graph.name, [_text_input()], outputs, [*constants, names], value_info=graph.value_info
    )
    whole.initializer.extend(graph.initializer)
    operators = _operators(model.opset_import)
    made = helper.make_model(whole, ir_version=model.ir_version, opset_imports=operators, functions=list(model.functions))
    write_proto(made, target)
