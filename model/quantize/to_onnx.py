"""A quantized model as standard ONNX: the golden model's integers in doubles, which hold them exactly."""

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from ..lstm import Model
from ..network_file import NetworkFile
from .source import SourceError

__all__ = ["differences", "to_onnx"]

OPSET, IR_VERSION = 18, 9


class _Graph:
    """Nodes and constants under names of their own."""

    def __init__(self, constants=None, prefix=""):
        self.nodes, self.prefix = [], prefix
        self.constants = {} if constants is None else constants

    def constant(self, value, kind=np.float64):
        """Name of a constant; a body's constants are those of the graph around it."""
        array = np.array(value, dtype=kind, order="C")
        name = f"k{len(self.constants)}"
        self.constants[name] = numpy_helper.from_array(array, name)
        return name

    def add(self, operator, *inputs, outputs=1, **attributes):
        """Name, or names, of what an operator gives."""
        first = len(self.nodes)
        names = [f"{self.prefix}{operator}{first}" + (f"_{k}" if outputs > 1 else "") for k in range(outputs)]
        self.nodes.append(helper.make_node(operator, inputs, names, **attributes))
        return names[0] if outputs == 1 else names

    # The golden model's arithmetic ----------------------------------------------------------------------------------

    def rounded(self, value, shift):
        """`fixed.shift_half_up` of an integer."""
        if not shift:
            return value
        scaled = self.add("Mul", value, self.constant(2.0**-shift))
        return self.add("Floor", self.add("Add", scaled, self.constant(0.5)))

    def saturated(self, value, low, high):
        return self.add("Clip", value, self.constant(float(low)), self.constant(float(high)))

    def coded(self, value, scales):
        """What the code of an integer stands for: Algorithm 1."""
        residual, total = value, None
        for scale in scales:
            positive = self.add("GreaterOrEqual", residual, self.constant(0.0))
            term = self.add("Where", positive, self.constant(float(scale)), self.constant(-float(scale)))
            residual = self.add("Sub", residual, term)
            total = term if total is None else self.add("Add", total, term)
        return total

    def table(self, value, table):
        """`tables.Table` of an integer."""
        position = self.add("Sub", self.saturated(value, table.first, table.last), self.constant(float(table.first)))
        width = float(1 << table.segment_bits)
        segment = self.add("Floor", self.add("Mul", position, self.constant(1 / width)))
        segment = self.add("Min", segment, self.constant(float(len(table.knots) - 2)))
        inside = self.add("Sub", position, self.add("Mul", segment, self.constant(width)))
        at = self.add("Cast", segment, to=TensorProto.INT64)
        left, rise = (
            self.add("Gather", self.constant(values), at) for values in (table.knots[:-1], np.diff(np.array(table.knots)))
        )
        return self.add("Add", left, self.rounded(self.add("Mul", rise, inside), table.segment_bits))


def to_onnx(file):
    """onnx.ModelProto of a quantized ModelFile or NetworkFile.

    Input "x" float32 [windows, steps, channels] as the model file takes samples. Outputs, int64: "scores" and "label",
    [windows, classes] and [windows], or with a head for every step [windows, steps, classes] and [windows, steps]; behind a CRF
    scores only, as ONNX has no Viterbi; without a head "h" [windows, steps, features]. Steps and windows are free.

    Raises SourceError for cells that are no plain LSTM.
    """
    if isinstance(file, NetworkFile):
        layers, head = [layer.directions for layer in file.network.layers], file.network.head
    else:
        layers, head = [(file.model().parameters,)], None
    for own in layers:
        for p in own:
            if p.spec.cell_kind != "lstm":
                raise SourceError(f"cell_kind must be lstm for ONNX, not {p.spec.cell_kind}")
    graph, first, last = _Graph(), layers[0][0].spec, layers[-1][0]
    x = _samples(graph, file.preprocess, first)
    for k, own in enumerate(layers):
        directions = [_direction(graph, x, p, k, reverse=bool(j)) for j, p in enumerate(own)]
        x = directions[0] if len(directions) == 1 else graph.add("Concat", *directions, axis=2)
    outputs = _outputs(graph, x, file, head, last)
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["windows", "steps", file.channel_count])
    made = helper.make_graph(graph.nodes, "mubinn", [value], outputs, list(graph.constants.values()))
    model = helper.make_model(
        made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="mubinn"
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def _samples(graph, preprocess, spec):
    """Integers of x, [steps, windows, inputs]."""
    x = graph.add("Cast", graph.add("Transpose", "x", perm=[1, 0, 2]), to=TensorProto.DOUBLE)
    if preprocess is not None:
        sources = preprocess.sources
        if len(sources) != len(preprocess.channels):
            chosen = [sources.index(name) for name in preprocess.channels]
            x = graph.add("Gather", x, graph.constant(chosen, np.int64), axis=2)
        x = graph.add("Div", graph.add("Sub", x, graph.constant(preprocess.mean)), graph.constant(preprocess.std))
    x = graph.add("Mul", x, graph.constant(float(1 << spec.x.fraction)))
    x = graph.saturated(x, spec.x.low, spec.x.high)
    return graph.add("Floor", graph.add("Add", x, graph.constant(0.5)))


def _direction(graph, x, p, layer, *, reverse):
    """Decoded h of every step, [steps, windows, hidden], of integers x of every step."""
    spec = p.spec
    units = spec.hidden_size
    z = graph.add("MatMul", graph.coded(x, p.x_scales), graph.constant((p.wx() << spec.x_shift).T))
    z = graph.add("Add", z, graph.constant(p.bias()))
    windows = graph.add("Shape", x, start=1, end=2)
    shape = graph.add("Concat", windows, graph.constant([units], np.int64), axis=0)
    zero = graph.add("ConstantOfShape", shape, value=helper.make_tensor("zero", TensorProto.DOUBLE, [1], [0.0]))
    body = _step(graph, p, f"l{layer}{'b' if reverse else 'f'}_")
    direction = [int(reverse)]
    return graph.add("Scan", zero, zero, z, outputs=3, body=body, num_scan_inputs=1, scan_input_directions=direction,
                     scan_output_directions=direction)[2]  # fmt: skip


def _step(graph, p, prefix):
    """Body of the Scan: (h, c, x part of z) to (h, c, h). The initial state of zero is the golden model's: no product, no c."""
    spec, body = p.spec, _Graph(graph.constants, prefix)
    units, kind = spec.hidden_size, TensorProto.DOUBLE
    names = {name: prefix + name for name in ("h", "c", "z", "h_next", "c_next", "h_out")}
    product = body.add("MatMul", names["h"], body.constant((p.wh() << spec.h_shift).T))
    z = body.rounded(body.add("Add", names["z"], product), spec.z_shift)
    z = body.saturated(z, spec.z.low, spec.z.high)
    base = np.repeat(np.arange(4) * (1 << spec.z.bits) - spec.z.low, units)
    at = body.add("Cast", body.add("Add", z, body.constant(base)), to=TensorProto.INT64)
    values = np.concatenate([gate.values[gate.codes] for gate in p.gates])
    i, f, g, o = body.add("Split", body.add("Gather", body.constant(values), at), outputs=4, axis=1, num_outputs=4)
    products = body.add("Mul", body.add("Mul", i, g), body.constant(float(1 << spec.ig_shift)))
    forgotten = body.add("Mul", body.add("Mul", f, names["c"]), body.constant(float(1 << spec.fc_shift)))
    c = body.rounded(body.add("Add", products, forgotten), spec.cell_shift)
    c = body.saturated(c, spec.cell.low, spec.cell.high)
    if spec.cell_levels:
        c = body.coded(c, p.cell_scales)
    h = body.rounded(body.add("Mul", o, body.table(c, spec.cell_table)), spec.h_shift_down)
    top = 1 << spec.h_bits - 1
    h = body.coded(body.saturated(h, -top, top - 1), p.h_scales)
    for source, name in ((h, "h_next"), (c, "c_next"), (h, "h_out")):
        body.nodes.append(helper.make_node("Identity", [source], [names[name]]))
    shapes = {"z": ["windows", 4 * units]}
    inputs, outputs = (
        [helper.make_tensor_value_info(names[name], kind, shapes.get(name, ["windows", units])) for name in side]
        for side in (("h", "c", "z"), ("h_next", "c_next", "h_out"))
    )
    return helper.make_graph(body.nodes, prefix + "step", inputs, outputs)


def _outputs(graph, h, file, head, last):
    """The graph's outputs, from decoded h [steps, windows, features]."""
    spec = last.spec
    if head is None and not spec.classes:
        h = graph.add("Transpose", h, perm=[1, 0, 2])
        return [_named(graph, graph.add("Cast", h, to=TensorProto.INT64), "h", ["windows", "steps", "features"])]
    weight, bias = (last.head_weight, last.head_bias) if head is None else (head.weight, head.bias)
    scores = graph.add("Add", graph.add("MatMul", h, graph.constant(weight.T)), graph.constant(bias))
    if head is not None:
        scores, shape = graph.add("Transpose", scores, perm=[1, 0, 2]), ["windows", "steps"]
    elif spec.pool == "mean":
        scores, shape = graph.add("ReduceSum", scores, graph.constant([0], np.int64), keepdims=0), ["windows"]
    else:
        scores, shape = graph.add("Gather", scores, graph.constant(-1, np.int64), axis=0), ["windows"]
    scores = graph.add("Cast", scores, to=TensorProto.INT64)
    outputs = [_named(graph, scores, "scores", [*shape, len(bias)])]
    if not isinstance(file, NetworkFile) or file.network.crf is None:
        label = graph.add("ArgMax", scores, axis=-1, keepdims=0)
        outputs.append(_named(graph, label, "label", shape))
    return outputs


def _named(graph, source, name, shape):
    graph.nodes.append(helper.make_node("Identity", [source], [name]))
    return helper.make_tensor_value_info(name, TensorProto.INT64, shape)


def differences(model, file, x):
    """How many numbers onnxruntime and the golden model say differently of samples x float32 [windows, steps, channels]."""
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    found = dict(zip(names, session.run(None, {"x": np.ascontiguousarray(x, dtype=np.float32)}), strict=True))
    if isinstance(file, NetworkFile):
        trace = file.network.run(file.quantize_input(x))
        label = trace.label if trace.tag is None else trace.tag
        want = {"scores": trace.scores, "label": label, "h": trace.features}
    else:
        trace = Model(file.parameters).run(file.quantize_input(x), record=("h",))
        want = {"scores": trace.scores, "label": trace.label, "h": trace.h}
    return sum(int((found[name] != want[name]).sum()) for name in names)
