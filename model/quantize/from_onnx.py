"""ONNX: a graph with LSTM layers, in one direction or both, and one dense layer."""

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

from .source import ImportedModel, SourceError, assembled

__all__ = ["read"]

ORDER = (0, 2, 3, 1)
"""ONNX has the gates i, o, f, c; we i, f, g, o."""
DENSE = ("Gemm", "MatMul")
PASSED = """Transpose Squeeze Unsqueeze Reshape Identity ReduceMean Gather Slice Add Softmax Constant Shape Concat Flatten LSTM
Expand ConstantOfShape Cast""".split()
"""Operators that may be there besides."""


def read(path, *, pool=None):
    """ImportedModel of a file. The graph says how steps are pooled: `pool` must be None or agree."""
    try:
        model = onnx.load(path)
        onnx.checker.check_model(model)
    except Exception as error:  # protobuf and onnx raise many kinds
        raise SourceError(f"{path}: not an ONNX model: {str(error).splitlines()[0][:120]}") from error
    graph = model.graph
    for node in graph.node:
        if node.op_type not in (*PASSED, *DENSE):
            raise SourceError(f"{path}: the operator {node.op_type} is none of an LSTM with a dense layer")
    lstms, values = [node for node in graph.node if node.op_type == "LSTM"], _constants(graph)
    if not lstms:
        raise SourceError(f"{path}: must have a node LSTM, not 0")
    layers = [_directions(path, lstm, values) for lstm in lstms]  # nodes are in the order of what they compute
    if any(node.op_type == "ReduceMean" for node in graph.node):
        found = "mean"
    else:
        found = "steps" if len(graph.output[0].type.tensor_type.shape.dim) == 3 else "last"
    if pool not in (None, found):
        raise SourceError(f"{path}: pool must be {found}, as in the graph, not {pool}")
    features = sum(own["weight_hh"].shape[1] for own in layers[-1])
    weights = assembled(path, layers, *_dense(path, graph, values, features), found)
    softmax = graph.node[-1].op_type == "Softmax"
    scores, steps = _session(path, model)
    return ImportedModel(weights=weights, scores=scores, softmax=softmax, steps=steps)


def _constants(graph):
    found = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            found[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
    return found


def _directions(path, lstm, values):
    """Tensors of a node's directions, gates in our order, the two biases added."""
    _refuse(path, lstm, values)
    w, r = (_value(path, values, lstm.input[k]) for k in (1, 2))
    units = r.shape[2]
    b = _value(path, values, lstm.input[3]) if len(lstm.input) > 3 and lstm.input[3] else np.zeros((len(w), 8 * units), w.dtype)
    found = []
    for own_w, own_r, own_b in zip(w, r, b, strict=True):
        bias = own_b.reshape(2, 4, units).astype(np.float64).sum(axis=0)[list(ORDER)]
        found.append(
            {
                "weight_ih": own_w.reshape(4, units, -1)[list(ORDER)].reshape(4 * units, -1),
                "weight_hh": own_r.reshape(4, units, units)[list(ORDER)].reshape(4 * units, units),
                "bias": bias.reshape(-1),
            }
        )
    return found


def _only(path, graph, kinds):
    nodes = [node for node in graph.node if node.op_type in kinds]
    if len(nodes) != 1:
        raise SourceError(f"{path}: must have 1 node {' or '.join(kinds)}, not {len(nodes)}")
    return nodes[0]


def _value(path, values, name):
    if name not in values:
        raise SourceError(f"{path}: {name} must be a constant of the graph")
    return values[name]


def _refuse(path, lstm, values):
    found = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in lstm.attribute}
    if found.get("direction", b"forward") not in (b"forward", b"bidirectional"):
        raise SourceError(f"{path}: direction of the LSTM must be forward or bidirectional, not {found['direction'].decode()}")
    if "clip" in found:
        raise SourceError(f"{path}: clip of the LSTM must be left out, not {found['clip']:g}")
    if found.get("input_forget", 0):
        raise SourceError(f"{path}: input_forget of the LSTM must be 0, not {found['input_forget']}")
    activations = [name.decode().lower() for name in found.get("activations", [])]
    if activations not in ([], ["sigmoid", "tanh", "tanh"], 2 * ["sigmoid", "tanh", "tanh"]):
        raise SourceError(f"{path}: activations of the LSTM must be Sigmoid, Tanh, Tanh, not {', '.join(activations)}")
    if len(lstm.input) > 7 and lstm.input[7]:
        raise SourceError(f"{path}: the LSTM must have no peepholes (input P)")
    for k, name in ((5, "initial_h"), (6, "initial_c")):
        if len(lstm.input) > k and lstm.input[k] in values and values[lstm.input[k]].any():
            raise SourceError(f"{path}: {name} of the LSTM must be zero")


def _dense(path, graph, values, features):
    node = _only(path, graph, DENSE)
    weight = _value(path, values, node.input[1])
    transposed = node.op_type == "Gemm" and any(a.name == "transB" and a.i for a in node.attribute)
    weight = weight if transposed else weight.T
    if weight.shape[1] != features:
        raise SourceError(f"{path}: the dense layer must take the LSTM's {features} h, not {weight.shape[1]}")
    bias = np.zeros(len(weight), dtype=np.float32)
    if node.op_type == "Gemm" and len(node.input) > 2:
        bias = _value(path, values, node.input[2])
    for other in graph.node:
        if other.op_type == "Add" and node.output[0] in other.input:
            bias = _value(path, values, next(name for name in other.input if name != node.output[0]))
    return weight, np.broadcast_to(bias.reshape(-1), (len(weight),)).copy()


def _session(path, model):
    """The model as onnxruntime runs it, windows first; (scores, number of steps or None)."""
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    entry = session.get_inputs()
    if len(entry) != 1 or len(entry[0].shape) != 3:
        raise SourceError(f"{path}: must have 1 input of 3 dimensions")
    steps_first, each_step = _steps_first(model), len(model.graph.output[0].type.tensor_type.shape.dim) == 3
    at = 0 if steps_first else 1
    steps, batch = entry[0].shape[at], entry[0].shape[1 - at]

    def scores(x):
        x = np.ascontiguousarray(x, dtype=np.float32)
        if isinstance(batch, int):  # exported for one batch size
            parts = [x[k : k + batch] for k in range(0, len(x) - len(x) % batch, batch)]
            return np.concatenate([one(part) for part in parts])
        return one(x)

    def one(x):
        given = x.transpose(1, 0, 2) if steps_first else x
        found = session.run(None, {entry[0].name: np.ascontiguousarray(given)})[0]
        if each_step:
            return found.transpose(1, 0, 2) if steps_first else found
        return found.reshape(len(x), -1)

    return scores, steps if isinstance(steps, int) else None


def _steps_first(model):
    """Whether the graph's input has steps before windows: what the LSTM takes, unless a Transpose stands between."""
    lstm = next(node for node in model.graph.node if node.op_type == "LSTM")
    layout = next((a.i for a in lstm.attribute if a.name == "layout"), 0)
    turned = any(node.op_type == "Transpose" and node.output[0] == lstm.input[0] for node in model.graph.node)
    return (layout == 0) != turned
