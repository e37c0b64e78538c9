"""Proof, bounded: Scale sums gamma * (2 count - n) over the batches of every group, whenever they arrive."""

import numpy as np
import pytest
from amaranth import Cat, Mux, ResetSignal, Signal
from amaranth.hdl import Assert, Assume
from amaranth.lib.wiring import In
from formal_bench import Harness, Tracked, proven, refuted
from mubinn.hw import Scale
from mubinn.hw.scale import Gammas
from mubinn.model.folding import Folding, Schedule
from mubinn.model.spec import LstmSpec

pytestmark = pytest.mark.formal


class Sums(Harness):
    """Symbolic counts at symbolic times: x, then h of each pass, batches of a kind at least two batches apart, which is what
    the schedule grants. An arbitrary group's flags, and its sum of gate row `row`, must be those of Eq. 9, written with
    constants."""

    def __init__(self, dut, *, row=0, **options):
        self.row, self.gammas = row, dut.gammas
        members = {f"{kind}_counts": In(len(getattr(dut, kind).p.counts.as_value())) for kind in "xh"}
        members |= {"x_valid": In(1), "h_valid": In(1), "flags": In(3), "pick": In(1)}
        super().__init__(dut, members, **options)

    def claim(self, m):
        dut, s = self.dut, self.dut.schedule
        m.d.comb += [
            dut.x.valid.eq(self.x_valid), dut.x.p.counts.eq(self.x_counts),
            dut.h.valid.eq(self.h_valid), dut.h.p.counts.eq(self.h_counts), dut.h.p.flags.eq(self.flags),
        ]  # fmt: skip
        for kind, n in (("x", s.spec.input_size), ("h", s.spec.hidden_size)):
            m.d.comb += [Assume(count <= n) for count in getattr(dut, kind).p.counts]
        number, ends = self._arrivals(m)
        m.d.comb += Assume(~ResetSignal())
        first = self.flags[0] ^ int(self.wrong)
        kept, now = Signal(dut.sum_shape, name="kept"), Signal(dut.sum_shape, name="wanted")
        x_part = self._part(dut.x, self.gammas.x, s.spec.input_size, number) << s.spec.x_shift
        h_part = self._part(dut.h, self.gammas.h, s.spec.hidden_size, number) << s.spec.h_shift
        before = Mux(self.x_valid & (number == 0), 0, kept)
        m.d.comb += now.eq(before + Mux(self.x_valid, x_part, 0) + Mux(self.h_valid & ~first, h_part, 0))
        m.d.sync += kept.eq(now)
        group = Tracked(
            m, pick=self.pick, goes_in=ends, word=Cat(now, self.flags), comes_out=dut.o.valid,
            out=Cat(dut.o.p.sums[self.row], dut.o.p.flags.as_value()), most=4, fills=False,
        )  # fmt: skip
        # An x batch may be in front of the last h batch.
        age, most = Signal(range(2 * s.batch_cycles + 8)), 2 * s.batch_cycles + 3
        m.d.sync += age.eq(Mux(group.active & ~group.leaves, age + 1, 0))
        m.d.comb += Assert(age <= most, "the sums come in time")

    def _part(self, stream, gammas, n, number):
        """Sum over the planes of pass `number`: gamma * (2 count - n)."""
        s, planes = self.dut.schedule, self.dut.schedule.folding.weight_planes
        sums = []
        for one in range(s.passes):
            terms = []
            for item in range(s.batch_items):
                plane, level = divmod(item, s.levels)
                plane += one * planes
                if plane < s.spec.weight_levels:
                    count = stream.p.counts[self.row * s.batch_items + item]
                    terms.append(int(gammas[self.row % 4, plane, level]) * ((count << 1) - n))
            sums.append(sum(terms[1:], start=terms[0]))
        return sums[0] if len(sums) == 1 else Mux(number == 0, *sums)

    def _arrivals(self, m):
        """Assumes the order and the distance of batches: (pass of what arrives, whether a group's last batch does)."""
        s, apart = self.dut.schedule, 2 * self.dut.schedule.batch_cycles
        expects_h, number = Signal(), Signal(range(max(2, s.passes)))
        for kind, valid in (("x", self.x_valid), ("h", self.h_valid)):
            wait = Signal(range(apart), name=f"wait_{kind}")
            m.d.sync += wait.eq(Mux(valid, apart - 1, Mux(wait == 0, 0, wait - 1)))
            m.d.comb += Assume(~valid | (wait == 0))
        m.d.comb += [Assume(~self.x_valid | ~expects_h), Assume(~self.h_valid | expects_h | self.x_valid)]
        ends = self.h_valid & (number == s.passes - 1)
        with m.If(self.h_valid):
            m.d.sync += [expects_h.eq(0), number.eq(Mux(ends, 0, number + 1))]
        with m.Elif(self.x_valid):
            m.d.sync += expects_h.eq(1)
        return number, ends


def scale(*, levels=1, weight_levels=1, rows=1, mults=4, planes=1, sizes=(3, 2), h_fraction=8, most=30, seed=1):
    spec = LstmSpec(
        input_size=sizes[0], hidden_size=sizes[1], input_levels=levels, hidden_levels=levels, weight_levels=weight_levels,
        h_fraction=h_fraction,
    )  # fmt: skip
    schedule = Schedule(spec, Folding(rows=rows, lanes=2, weight_planes=planes, scale_mults=mults))
    rng = np.random.default_rng(seed)
    gammas = (rng.integers(0, most, size=(4, weight_levels, levels)) for _ in "xh")
    return Scale(schedule, Gammas(*gammas))


@pytest.mark.parametrize("row", [0, 3])
def test_sums_of_one_level(tmp_path, row):
    """Each gate has gammas of its own."""
    check(scale(), tmp_path, row=row)


@pytest.mark.parametrize(
    "options",
    [
        dict(levels=2, mults=8),
        dict(weight_levels=2, planes=2, mults=8),
        dict(weight_levels=2, sizes=(1, 1), most=4),
        dict(h_fraction=6),
        dict(rows=2, mults=8),
    ],
    ids=str,
)
def test_sums(tmp_path, options):
    """Two levels or two planes a batch, two passes, x and h at different binary points, two rows."""
    dut = scale(**{"most": 8, "sizes": (2, 2) if "rows" in options else (2, 1), **options})
    check(dut, tmp_path, row=4 * dut.schedule.folding.rows - 1)


def check(dut, folder, *, row):
    """Two groups as fast as they may come, and their sums out; of two passes one group."""
    s = dut.schedule
    groups = 2 if s.passes == 1 else 1
    cycles = 2 * groups * s.passes * s.batch_cycles + 2 * s.batch_cycles + 5
    proven(Sums(dut, row=row), folder, cycles=0, base=cycles, cover=cycles)


def test_a_wrong_gamma_is_found(tmp_path):
    dut = scale()
    harness = Sums(dut)
    dut.gammas = Gammas(dut.gammas.x, dut.gammas.h + np.eye(4, dtype=np.int64)[0].reshape(4, 1, 1))
    refuted(harness, tmp_path, cycles=9, message="the word comes out as it went in")


def test_a_wrong_first_step_is_found(tmp_path):
    refuted(Sums(scale(), wrong=True), tmp_path, cycles=9, message="the word comes out as it went in")
