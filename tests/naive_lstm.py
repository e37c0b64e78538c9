"""The LSTM of DESIGN section 3 written out: Python integers, a unit after the other, XNOR and popcount on bit strings."""

from mubinn.model.lstm import TRACE_NAMES


def bits_of(value, scales, offset=0):
    """Algorithm 1: a list of bits, plane 0 first."""
    rest, bits = int(value) - offset, []
    for scale in scales:
        bits.append(1 if rest >= 0 else 0)
        rest -= int(scale) if rest >= 0 else -int(scale)
    return bits


def value_of(bits, scales, offset=0):
    return offset + sum(int(s) if bit else -int(s) for bit, s in zip(bits, scales, strict=True))


def code_of(bits):
    return sum(bit << k for k, bit in enumerate(bits))


def planes(code, levels):
    return [int(code) >> k & 1 for k in range(levels)]


def dot(x_bits, alphas, w_bits, betas):
    """sum_ij gamma_ij * (2 * popcount(xnor(x_i, w_j)) - n); x_bits and w_bits are [column][plane]."""
    n, total = len(x_bits), 0
    for i, alpha in enumerate(alphas):
        for j, beta in enumerate(betas):
            agreeing = sum(1 for x, w in zip(x_bits, w_bits, strict=True) if x[i] == w[j])
            total += int(alpha) * int(beta) * (2 * agreeing - n)
    return total


def half_up(value, shift):
    return (value + (1 << shift >> 1)) >> shift


def clip(value, bits):
    return max(-(1 << bits - 1), min((1 << bits - 1) - 1, value))


def interpolated(table, v):
    if v <= table.first:
        return table.knots[0]
    k, d = divmod(v - table.first, 1 << table.segment_bits)
    if k >= len(table.knots) - 1:
        return table.knots[-1]
    return table.knots[k] + half_up((table.knots[k + 1] - table.knots[k]) * d, table.segment_bits)


def naive(p, window):
    """Every signal of one window x [T, input_size] as nested lists, and the scores."""
    s = p.spec
    acc = max(s.x.fraction + s.wx_fraction, s.h_fraction + s.wh_fraction, s.bias_fraction)
    sum_fraction = s.activation_fraction + max(s.cell.fraction, s.activation_fraction)
    half = 1 << s.activation_fraction - 1
    trace, scores = {name: [] for name in TRACE_NAMES}, [0] * s.classes
    h_bits, c = None, None
    for x in window:
        x_bits = [bits_of(v, p.x_scales) for v in x]
        step = {name: [[] for _ in range(4)] if name in ("z", "gate_code") else [] for name in TRACE_NAMES}
        step["x_code"] = [code_of(b) for b in x_bits]
        next_h, next_c = [], []
        for unit in range(s.hidden_size):
            gates = []
            for gate in range(4):
                row = gate * s.hidden_size + unit
                w_bits = [planes(code, s.weight_levels) for code in p.wx_codes[row]]
                pre = dot(x_bits, p.x_scales, w_bits, p.wx_scales[gate]) << acc - s.x.fraction - s.wx_fraction
                if h_bits is not None:  # the initial h is exact zero: its products are masked
                    w_bits = [planes(code, s.weight_levels) for code in p.wh_codes[row]]
                    pre += dot(h_bits, p.h_scales, w_bits, p.wh_scales[gate]) << acc - s.h_fraction - s.wh_fraction
                b_bits = planes(p.bias_codes[row], s.bias_levels)
                pre += value_of(b_bits, p.bias_scales[gate]) << acc - s.bias_fraction
                z = clip(half_up(pre, acc - s.z.fraction), s.z.bits)
                offset = 0 if gate == 2 else half
                bits = bits_of(interpolated(s.gate_tables[gate], z), p.gate_scales[gate], offset)
                step["z"][gate].append(z)
                step["gate_code"][gate].append(code_of(bits))
                gates.append((bits, [int(v) for v in p.gate_scales[gate]], offset))
            (i_bits, iota, o_i), (f_bits, phi, o_f), (g_bits, chi, _), (o_bits, omega, o_o) = gates
            # i*g = sum of iota_a * chi_b * xnor, plus the offset's share; f*c alike where c is binarized.
            total = product(i_bits, iota, o_i, g_bits, chi) << sum_fraction - 2 * s.activation_fraction
            if c is not None:
                if s.cell_levels:
                    fc = product(f_bits, phi, o_f, c[unit], p.cell_scales)
                else:
                    fc = value_of(f_bits, phi, o_f) * c[unit]
                total += fc << sum_fraction - s.activation_fraction - s.cell.fraction
            new_c = clip(half_up(total, sum_fraction - s.cell.fraction), s.cell.bits)
            if s.cell_levels:
                next_c.append(bits_of(new_c, p.cell_scales))
                new_c = value_of(next_c[-1], p.cell_scales)
            else:
                next_c.append(new_c)
            tanh_c = interpolated(s.cell_table, new_c)
            exact_h = value_of(o_bits, omega, o_o) * tanh_c
            raw = clip(half_up(exact_h, 2 * s.activation_fraction - s.h_fraction), s.h_fraction + 2)
            next_h.append(bits_of(raw, p.h_scales))
            for name, value in (("c", new_c), ("tanh_c", tanh_c), ("h_raw", raw), ("h_code", code_of(next_h[-1])),
                                ("h", value_of(next_h[-1], p.h_scales))):  # fmt: skip
                step[name].append(value)
        h_bits, c = next_h, next_c
        for k in range(s.classes):
            score = sum(int(w) * h for w, h in zip(p.head_weight[k], step["h"], strict=True)) + int(p.head_bias[k])
            scores[k] = score if s.pool == "last" else scores[k] + score
        for name in TRACE_NAMES:
            trace[name].append(step[name])
    return trace, scores


def product(a_bits, a_scales, a_offset, b_bits, b_scales):
    """(offset + sum a_i s_i) * sum b_j t_j as XNOR products of the levels."""
    total = a_offset * value_of(b_bits, b_scales)
    for s, a in zip(a_bits, a_scales, strict=True):
        for t, b in zip(b_bits, b_scales, strict=True):
            total += int(a) * int(b) * (1 if s == t else -1)
    return total
