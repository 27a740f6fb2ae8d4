"""The floor: how fast the model's multiplications alone could go on one core, at the matrix rate measured beside them."""

import math
import statistics
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

ROWS = 1024
"""Pieces multiplied at once: what a batch of the tagger holds."""

RUNS = 30


def multiplications_per_piece(model: Path, *, window: int) -> tuple[float, tuple[int, int]]:
    """Multiply-adds one piece costs, and the shape of the largest matrix: read off the shipped graph itself.

    Every value of an int8 matrix is multiplied once a piece; attention multiplies each piece with the ``window`` pieces
    it attends to, twice.
    """
    graph = onnx.load(str(model)).graph
    matrices = [tuple(part.dims) for part in graph.initializer if part.data_type == TensorProto.INT8 and len(part.dims) == 2]
    hidden = min(min(shape) for shape in matrices)
    layers = sum(node.op_type == "MultiHeadAttention" for node in graph.node)
    products = sum(rows * columns for rows, columns in matrices)
    return float(products + layers * 2 * window * hidden), max(matrices, key=math.prod)


def int8_rate(*, inner: int, outer: int) -> float:
    """Multiply-adds a second of one thread in the shipped format: uint8 by int8 into int32, (ROWS, inner) by (inner, outer).

    One bare product, weights packed beforehand, the median of many runs: the best the runtime does with nothing else to do.
    """
    generator = np.random.default_rng(0)
    weight = generator.integers(-127, 128, (inner, outer), dtype=np.int8)
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["a", "b"], ["y"])],
        "floor",
        [helper.make_tensor_value_info("a", TensorProto.UINT8, [ROWS, inner])],
        [helper.make_tensor_value_info("y", TensorProto.INT32, [ROWS, outer])],
        [numpy_helper.from_array(weight, "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    rows = {"a": generator.integers(0, 256, (ROWS, inner), dtype=np.uint8)}
    seconds = []
    for _ in range(RUNS):
        start = time.perf_counter()
        session.run(None, rows)
        seconds.append(time.perf_counter() - start)
    return ROWS * inner * outer / statistics.median(seconds)
