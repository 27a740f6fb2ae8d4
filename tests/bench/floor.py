"""The floor: how fast the model's multiplications alone could go on one core, at the matrix rates measured beside them."""

import statistics
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

ROWS = 1024
"""Pieces multiplied at once: enough for the products' full rate."""
RUNS = 15

Shape = tuple[int, int]


class Products(NamedTuple):
    """What one piece costs.

    Args:
        matrices: how many int8 matrices of each (inner, outer) shape it is multiplied with.
        layers: how often it attends to its window.
        heads: parts of each attention.
        attended: width of all heads together, at most that of the network.
    """

    matrices: Counter[Shape]
    layers: int
    heads: int
    attended: int

    def multiplications(self, *, window: int) -> int:
        """Multiply-adds a piece: every value of each matrix once; in attention every value of the window's pieces, twice."""
        matrices = sum(count * inner * outer for (inner, outer), count in self.matrices.items())
        return matrices + self.layers * 2 * window * self.attended


def products(model: Path) -> Products:
    """Read the products off the shipped graph itself."""
    graph = onnx.load(str(model)).graph
    kinds = (TensorProto.INT8, TensorProto.UINT8)
    matrices = Counter(
        (int(part.dims[0]), int(part.dims[1])) for part in graph.initializer if part.data_type in kinds and len(part.dims) == 2
    )
    attention = [node for node in graph.node if node.op_type in {"MultiHeadAttention", "Attention", "Softmax"}]
    heads = [attribute.i for node in attention for attribute in node.attribute if attribute.name == "num_heads"]
    return Products(matrices, len(attention), heads[0] if heads else 12, min(min(shape) for shape in matrices))


class Floor:
    """The model's own products as bare graphs of the runtime, weights packed beforehand, one thread."""

    def __init__(self, model: Path, *, window: int) -> None:
        """Build one graph a shape.

        Args:
            model: the shipped graph.
            window: pieces that see each other.
        """
        self._window = window
        self._products = products(model)
        self._integer = {shape: _session(_integer_product(*shape)) for shape in self._products.matrices}
        width = self._products.attended // self._products.heads
        batch = self._products.heads * max(ROWS // window, 1)
        self._float = [_session(_float_product(batch, window, *shape)) for shape in ((width, window), (window, width))]

    def seconds_per_piece(self) -> tuple[float, float]:
        """Measure now: processor seconds a piece needs for its multiplications.

        Returns:
            All of them at the rate of the int8 products (the floor), and with attention's at float32's rate, the format
            the runtime computes them in.
        """
        matrices = sum(count * _seconds(self._integer[shape]) / ROWS for shape, count in self._products.matrices.items())
        done = self._products.multiplications(window=0)
        attention = (self._products.multiplications(window=self._window) - done) * matrices / done
        rows = self._window * max(ROWS // self._window, 1)
        in_float = self._products.layers * sum(map(_seconds, self._float)) / rows
        return matrices + attention, matrices + in_float


def _seconds(made: tuple[Any, dict[str, Any]]) -> float:
    """Processor seconds of one run, the median of many."""
    session, inputs = made
    spent = []
    for _ in range(RUNS):
        start = time.thread_time()
        session.run(None, inputs)
        spent.append(time.thread_time() - start)
    return statistics.median(spent)


def _integer_product(inner: int, outer: int) -> tuple[onnx.GraphProto, dict[str, Any]]:
    """uint8 by int8 into int32, (ROWS, inner) by (inner, outer)."""
    generator = np.random.default_rng(0)
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["a", "b"], ["y"])],
        "floor",
        [helper.make_tensor_value_info("a", TensorProto.UINT8, [ROWS, inner])],
        [helper.make_tensor_value_info("y", TensorProto.INT32, [ROWS, outer])],
        [numpy_helper.from_array(generator.integers(-127, 128, (inner, outer), dtype=np.int8), "b")],
    )
    return graph, {"a": generator.integers(0, 256, (ROWS, inner), dtype=np.uint8)}


def _float_product(batch: int, rows: int, inner: int, outer: int) -> tuple[onnx.GraphProto, dict[str, Any]]:
    """float32, (batch, rows, inner) by (batch, inner, outer): one half of an attention."""
    generator = np.random.default_rng(0)
    shapes = {"a": (batch, rows, inner), "b": (batch, inner, outer), "y": (batch, rows, outer)}
    values = {name: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()}
    graph = helper.make_graph([helper.make_node("MatMul", ["a", "b"], ["y"])], "floor", [values["a"], values["b"]], [values["y"]])
    return graph, {name: generator.standard_normal(shapes[name], dtype=np.float32) for name in "ab"}


def _session(made: tuple[onnx.GraphProto, dict[str, Any]]) -> tuple[Any, dict[str, Any]]:
    graph, inputs = made
    model = helper.make_model(graph, opset_imports=list(_opset()))
    model.ir_version = 9
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    session.run(None, inputs)
    return session, inputs


def _opset() -> Iterator[Any]:
    yield helper.make_opsetid("", 17)
