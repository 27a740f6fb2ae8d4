"""The floor: how fast the model's multiplications alone could go on one core, at the matrix rates measured beside them."""

import statistics
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
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
    """What one piece, or one word where words stand for their pieces, costs.

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
        """Multiply-adds: every value of each matrix once; in attention every value of what shares the window, twice."""
        matrices = sum(count * inner * outer for (inner, outer), count in self.matrices.items())
        return matrices + self.layers * 2 * window * self.attended


def products(model: Path) -> tuple[Products, Products]:
    """Read the products off the shipped graph itself: those of pieces, and those above the mean that leaves words alone."""
    graph = onnx.load(str(model)).graph
    kinds = (TensorProto.INT8, TensorProto.UINT8)
    shapes = {
        part.name: (int(part.dims[0]), int(part.dims[1])) for part in graph.initializer if part.data_type in kinds and len(part.dims) == 2
    }
    words_from = next(at for at, node in enumerate(graph.node) if "means" in node.input)
    return _products(graph.node[:words_from], shapes), _products(graph.node[words_from:], shapes)


def _products(nodes: Sequence[onnx.NodeProto], shapes: Mapping[str, Shape]) -> Products:
    """The products of some layers."""
    matrices = Counter(shapes[name] for node in nodes for name in node.input if name in shapes)
    attention = [node for node in nodes if node.op_type in {"MultiHeadAttention", "Attention", "Softmax"}]
    heads = [attribute.i for node in attention for attribute in node.attribute if attribute.name == "num_heads"]
    return Products(matrices, len(attention), heads[0] if heads else 12, min((min(shape) for shape in matrices), default=0))


class Floor:
    """The model's own products as bare graphs of the runtime, weights packed beforehand, one thread."""

    def __init__(self, model: Path, *, window: int, pieces: float) -> None:
        """Build one graph a shape.

        Args:
            model: the shipped graph.
            window: pieces that see each other.
            pieces: of a word, on average.
        """
        lower, upper = products(model)
        self._parts = [(lower, pieces, window), (upper, 1.0, round(window / pieces))]
        self._integer = {shape: _session(_integer_product(*shape)) for part in (lower, upper) for shape in part.matrices}
        self._float = [_attention(part, window) for part, _, window in self._parts]

    def seconds_per_word(self) -> tuple[float, float]:
        """Measure now: processor seconds a word needs for its multiplications.

        Returns:
            All of them at the rate of the int8 products (the floor), and with attention's at float32's rate, the format
            the runtime computes them in.
        """
        rates = {shape: _seconds(session) / ROWS for shape, session in self._integer.items()}
        strict = in_float = 0.0
        for (part, rows, window), attention in zip(self._parts, self._float, strict=True):
            matrices = sum(count * rates[shape] for shape, count in part.matrices.items())
            done = part.multiplications(window=0)
            strict += rows * matrices * part.multiplications(window=window) / done
            in_windows = part.layers * sum(map(_seconds, attention)) / (window * max(ROWS // window, 1))
            in_float += rows * (matrices + in_windows)
        return strict, in_float


def _attention(part: Products, window: int) -> list[tuple[Any, dict[str, Any]]]:
    """The two float products of an attention."""
    width, batch = part.attended // part.heads, part.heads * max(ROWS // window, 1)
    return [_session(_float_product(batch, window, *shape)) for shape in ((width, window), (window, width))]


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
