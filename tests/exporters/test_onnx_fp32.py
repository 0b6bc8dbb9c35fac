from __future__ import annotations

import gc
import subprocess
import sys
from dataclasses import replace

import numpy as np
import onnx
import pytest

from autoft.errors import ExportError
from autoft.interfaces.encoder import EncoderSpec, Tensor
from autoft.interfaces.model import Part, Program
from autoft_exporters import autoft_register_exporters, graph_file
from autoft_exporters.onnx_fp32 import OnnxFp32


def plain_program() -> Program:
    """A torch module that transformers knows nothing of, with two outputs."""
    import torch

    class Module(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.table = torch.nn.Embedding(11, 4)
            self.head = torch.nn.Linear(4, 3)

        def forward(self, input_ids, attention_mask):
            mask = attention_mask.unsqueeze(-1).to(torch.float32)
            mean = (self.table(input_ids) * mask).sum(1) / mask.sum(1)
            return {"logits": self.head(mean), "mean": mean}

    torch.manual_seed(0)
    inputs = tuple(Tensor(name, "int64", ("batch", "length")) for name in ("input_ids", "attention_mask"))
    outputs = (Tensor("logits", "float32", ("batch", 3)), Tensor("mean", "float32", ("batch", 4)))
    example = {"input_ids": np.array([[1, 2, 3], [4, 5, 0]]), "attention_mask": np.array([[1, 1, 1], [1, 1, 0]])}
    return Program((Part("model", Module(), inputs, outputs, example),), EncoderSpec("tokens", {}), {})


def test_a_plain_module_keeps_its_names_and_axes(tmp_path, exported_linear):
    import torch

    program = plain_program()
    exported = OnnxFp32().export(program, exported_linear.problem, tmp_path)
    assert exported.files == ("onnx/model.onnx",)
    assert [path.name for path in (tmp_path / "onnx").iterdir()] == ["model.onnx"]
    model = onnx.load(tmp_path / "onnx" / "model.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert exported.details["opset"] == model.opset_import[0].version == 18
    axes = {value.name: [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim] for value in model.graph.input}
    assert axes == {"input_ids": ["batch", "length"], "attention_mask": ["batch", "length"]}
    assert [value.name for value in model.graph.output] == ["logits", "mean"]
    assert program.parts[0].graph.training, "the module is left as it was"
    arrays = {"input_ids": np.array([[3, 4, 5, 6, 7]]), "attention_mask": np.array([[1, 1, 1, 1, 0]])}
    given = OnnxFp32().open(tmp_path, 1).run({**arrays, "token_type_ids": arrays["input_ids"]})
    with torch.no_grad():
        expected = program.parts[0].graph(**{name: torch.from_numpy(values) for name, values in arrays.items()})
    for name, values in expected.items():
        np.testing.assert_allclose(given[name], values.numpy(), atol=1e-6)


def test_the_file_tells_nothing_of_the_machine_it_was_made_on(tmp_path, exported_linear):
    OnnxFp32().export(plain_program(), exported_linear.problem, tmp_path)
    content = (tmp_path / "onnx" / "model.onnx").read_bytes()
    assert b".py" not in content
    assert b"stack_trace" not in content


def test_a_proto_is_written_as_it_is(exported_linear):
    written = onnx.load(exported_linear.folder / "onnx" / "model.onnx")
    assert written == exported_linear.fitted.program().parts[0].graph
    onnx.checker.check_model(written, full_check=True)
    assert written.ir_version <= 10
    assert [value.name for value in written.graph.input] == ["ids", "values"]


def test_what_it_does_not_support(exported_linear):
    program = exported_linear.program
    exporter = OnnxFp32()
    assert exporter.supports(program, exported_linear.problem) is None
    two = replace(program, parts=program.parts * 2)
    assert "2 parts" in exporter.supports(two, exported_linear.problem)
    other = replace(program, parts=(replace(program.parts[0], graph=object()),))
    assert "object" in exporter.supports(other, exported_linear.problem)
    with pytest.raises(ExportError, match="object"):
        exporter.export(other, exported_linear.problem, exported_linear.folder)


def test_a_module_that_cannot_be_traced(tmp_path, exported_linear):
    import torch

    program = plain_program()

    class Deciding(torch.nn.Module):
        def forward(self, input_ids, attention_mask):
            return {"logits": input_ids.float() if input_ids.sum().item() > 3 else attention_mask.float()}

    wrong = replace(program, parts=(replace(program.parts[0], graph=Deciding()),))
    with pytest.raises(ExportError, match="Deciding could not be traced") as caught:
        OnnxFp32().export(wrong, exported_linear.problem, tmp_path)
    assert caught.value.hint


def test_over_two_gigabytes_is_refused_with_a_hint(tmp_path, exported_linear, monkeypatch):
    monkeypatch.setattr(graph_file, "LARGEST", 100)
    for program in (exported_linear.program, plain_program()):
        with pytest.raises(ExportError, match="2 GB") as caught:
            OnnxFp32().export(program, exported_linear.problem, tmp_path)
        assert "--models" in caught.value.hint
    assert not list((tmp_path / "onnx").iterdir())


def test_what_traces_a_module_is_imported_ahead_where_there_is_torch_to_make_one():
    code = (
        "import sys\nfrom autoft_exporters.onnx_fp32 import OnnxFp32\n"
        "tracer = 'transformers.exporters.exporter_onnx'\n"
        "OnnxFp32().preload()\nassert not {'torch', tracer} & {*sys.modules}\n"
        "import torch\nOnnxFp32().preload()\nassert tracer in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_the_collector_has_its_objects_back_after_a_trace(tmp_path, exported_linear):
    OnnxFp32().export(plain_program(), exported_linear.problem, tmp_path)
    assert gc.get_freeze_count() == 0


def test_registration():
    names = [exporter.name for exporter in autoft_register_exporters()]
    assert names == ["onnx", "onnx-int8", "onnx-int8-small", "onnx-int8-static", "onnx-fp16", "onnx-text", "openvino"]
