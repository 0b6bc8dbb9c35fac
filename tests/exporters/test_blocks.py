"""Products that narrow are scaled in blocks: a row's outlier is nobody else's. Large tables are, too, in 4 bits."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from autoft.interfaces.model import Program
from autoft.runtime.session import OnnxSession
from autoft_exporters.blocks import BLOCK, TABLE_BLOCK, narrowing_in_blocks, tables_in_blocks
from autoft_exporters.onnx_int8 import OnnxInt8, OnnxInt8Small, OnnxInt8Static

WIDE, NARROW = 4 * BLOCK, 96


def graph(*shapes: tuple[int, int], shared: bool = False) -> onnx.ModelProto:
    """Products one behind the other; with `shared` all by the same weights, added up."""
    generator = np.random.default_rng(0)
    weights = [numpy_helper.from_array(generator.normal(0, 0.05, shape).astype(np.float32), f"w{at}") for at, shape in enumerate(shapes)]
    nodes, last = [], "input_ids"
    for at in range(len(shapes)):
        nodes.append(helper.make_node("MatMul", [last, f"w{at}"], [f"x{at}"], name=f"n{at}"))
        last = f"x{at}"
    if shared:
        nodes.append(helper.make_node("MatMul", ["input_ids", "w0"], ["again"], name="again"))
        nodes.append(helper.make_node("Add", [last, "again"], ["sum"], name="sum"))
        last = "sum"
    nodes.append(helper.make_node("Identity", [last], ["logits"], name="out"))
    inputs = [helper.make_tensor_value_info("input_ids", TensorProto.FLOAT, ["batch", shapes[0][0]])]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", shapes[-1][1]])]
    noted = [helper.make_tensor_value_info(f"x{at}", TensorProto.FLOAT, ["batch", shape[1]]) for at, shape in enumerate(shapes)]
    made = helper.make_model(
        helper.make_graph(nodes, "g", inputs, outputs, weights, value_info=noted), opset_imports=[helper.make_opsetid("", 18)]
    )
    made.ir_version = 10
    return made


def exported(model, folder, exporter=None, samples=()):
    (folder / "onnx").mkdir(parents=True)
    onnx.save(model, folder / "onnx" / "model.onnx")
    exporter = exporter or OnnxInt8()
    exporter.export(Program((), None, {}, samples), None, folder)
    path = folder / "onnx" / f"model{exporter.suffix}.onnx"
    return OnnxSession(path, 1), onnx.load(path)


def rows(many=6, width=WIDE):
    return np.random.default_rng(1).normal(size=(many, width)).astype(np.float32)


def test_a_row_with_an_outlier_takes_nothing_from_its_neighbours(tmp_path):
    session, _ = exported(graph((WIDE, NARROW)), tmp_path)
    given = rows()
    far = given.copy()
    far[0, 3] = 1e4
    alone, beside = session.run({"input_ids": given})["logits"], session.run({"input_ids": far})["logits"]
    np.testing.assert_allclose(beside[1:], alone[1:], atol=1e-5)
    # One that widens keeps a scale for all of the batch.
    session, _ = exported(graph((NARROW, WIDE)), tmp_path / "wide")
    given = rows(width=NARROW)
    far = given.copy()
    far[0, 3] = 1e4
    alone, beside = session.run({"input_ids": given})["logits"], session.run({"input_ids": far})["logits"]
    assert np.abs(beside[1:] - alone[1:]).max() > 0.1


def test_it_is_near_the_product_in_a_quarter_of_the_bytes(tmp_path):
    model = graph((WIDE, NARROW))
    session, made = exported(model, tmp_path)
    weight, given = numpy_helper.to_array(model.graph.initializer[0]), rows()
    expected = given @ weight
    assert np.abs(session.run({"input_ids": given})["logits"] - expected).max() < 0.05 * expected.std()
    sizes = [sum(tensor.ByteSize() for tensor in one.graph.initializer) for one in (model, made)]
    assert sizes[1] < 0.3 * sizes[0]
    assert [node.op_type for node in made.graph.node] == ["MatMulNBits", "Identity"]


def test_static_scales_leave_it_in_blocks(tmp_path):
    samples = tuple({"input_ids": rows(8)} for _ in range(2))
    session, made = exported(graph((WIDE, NARROW), (NARROW, WIDE)), tmp_path, OnnxInt8Static(), samples)
    kinds = [node.op_type for node in made.graph.node]
    assert kinds.count("MatMulNBits") == 1
    assert kinds.count("MatMul") == 1
    assert "QuantizeLinear" in kinds
    given = rows()
    weights = [numpy_helper.to_array(one) for one in graph((WIDE, NARROW), (NARROW, WIDE)).graph.initializer]
    expected = given @ weights[0] @ weights[1]
    assert np.abs(session.run({"input_ids": given})["logits"] - expected).max() < 0.1 * expected.std()


def test_weights_that_several_products_share_are_packed_once(tmp_path):
    session, made = exported(graph((WIDE, NARROW), shared=True), tmp_path)
    assert sorted(tensor.name for tensor in made.graph.initializer) == ["w0_blocks", "w0_scales"]
    once, _ = exported(graph((WIDE, NARROW)), tmp_path / "once")
    given = {"input_ids": rows()}
    np.testing.assert_allclose(session.run(given)["logits"], 2 * once.run(given)["logits"], rtol=1e-5)


@pytest.mark.parametrize("shape", [(NARROW, WIDE), (WIDE, WIDE), (BLOCK + 1, NARROW)])
def test_other_products_stay_as_they_are(shape):
    model = graph(shape)
    before = model.SerializeToString()
    narrowing_in_blocks(model)
    assert model.SerializeToString() == before


def test_a_block_of_zeros_stays_zero():
    model = graph((WIDE, NARROW))
    weight = numpy_helper.to_array(model.graph.initializer[0]).copy()
    weight[:BLOCK] = 0
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(weight, "w0"))
    narrowing_in_blocks(model)
    packed, scales = (numpy_helper.to_array(tensor) for tensor in model.graph.initializer)
    assert packed.shape == (NARROW, WIDE // BLOCK, BLOCK)
    assert (packed[:, 0] == 128).all()
    assert (scales[:, 0] == 1).all()
    restored = ((packed.astype(np.float32) - 128) * scales[:, :, None]).reshape(NARROW, WIDE).T
    np.testing.assert_allclose(restored, weight, atol=float(np.abs(weight).max()) / 254 + 1e-7)


WORDS = 50


def looked_up(width=3 * TABLE_BLOCK, shift=0.0, axis=0):
    """Two look-ups in one table, added up, and the table; of its rows one is all zeros."""
    table = np.random.default_rng(0).normal(shift, 0.05, (WORDS, width)).astype(np.float32)
    table[3] = 0
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["here"], name="here", axis=axis),
        helper.make_node("Gather", ["table", "other"], ["there"], name="there", axis=axis),
        helper.make_node("Add", ["here", "there"], ["logits"], name="sum"),
    ]
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch"]) for name in ("input_ids", "other")]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["rows", "width"])]
    made = helper.make_graph(nodes, "g", inputs, outputs, [numpy_helper.from_array(table, "table")])
    made = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)])
    made.ir_version = 10
    return made, table


@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_a_table_of_four_bits_is_off_by_half_a_step_at_most(tmp_path, shift):
    model, table = looked_up(shift=shift)
    session, made = exported(model, tmp_path, OnnxInt8Small())
    every, zeros = np.arange(WORDS), np.full(WORDS, 3)
    assert sorted(tensor.name for tensor in made.graph.initializer) == ["table_blocks", "table_scales", "table_zeros"]
    blocks = table.reshape(WORDS, -1, TABLE_BLOCK)
    steps = (np.maximum(blocks.max(axis=2), 0) - np.minimum(blocks.min(axis=2), 0)) / 15
    # Half a step for the number, as much again where it is at an end and what stands for 0 was rounded.
    off = np.abs(session.run({"input_ids": every, "other": zeros})["logits"] - table).reshape(blocks.shape)
    assert (off <= steps[:, :, None] + 1e-6).all()
    assert off.mean() <= steps.mean() / 3
    assert off.any()
    assert not session.run({"input_ids": zeros, "other": zeros})["logits"].any()
    both = session.run({"input_ids": every, "other": every[::-1].copy()})["logits"]
    alone = session.run({"input_ids": every, "other": zeros})["logits"]
    np.testing.assert_allclose(both, alone + alone[::-1], atol=1e-6)
    assert sum(tensor.ByteSize() for tensor in made.graph.initializer) < table.nbytes / 6


@pytest.mark.parametrize("given", [{"width": TABLE_BLOCK + 1}, {"axis": 1}, {"beside": 20}])
def test_other_look_ups_stay_as_they_are(given):
    beside = given.pop("beside", 0)
    model, table = looked_up(**given)
    model.graph.initializer.extend([numpy_helper.from_array(np.ones(beside * table.size, np.float32), "beside")] if beside else [])
    before = model.SerializeToString()
    tables_in_blocks(model)
    assert model.SerializeToString() == before
