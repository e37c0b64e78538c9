"""`mubinn synth`: synthesis, place and route of a generated core."""

HELP = """\
Yosys and nextpnr on a folder of `mubinn generate`: area, clock, and time steps a second after routing.

The core sits behind its byte-wide bus, so that it fits the package. A missed clock is an error."""
EXAMPLE = """
mubinn synth out/core --target ice40-up5k
mubinn synth out/core --target ice40-up5k --clock-mhz 36 --seeds 8
mubinn synth out/core --target ecp5-25k --clock-mhz 60 --seed 3 --router router2 --json"""


def add_arguments(parser):
    parser.add_argument("directory", metavar="DIR", help="folder of mubinn generate")
    parser.add_argument("--target", required=True, help="ice40-up5k, ecp5-25k or ecp5-85k")
    parser.add_argument("--clock-mhz", type=float, help="clock to reach; default 24 on ice40-up5k, 80 on ecp5")
    parser.add_argument("--seed", type=int, default=1, help="of the placer; default 1")
    parser.add_argument("--seeds", type=int, default=1, help="try so many seeds until one meets the clock; default 1")
    parser.add_argument(
        "--router",
        choices=("router1", "router2"),
        help="default router2 on ice40, router1 on ecp5; the other one where router2 has no end",
    )
    parser.add_argument("--limit-s", type=float, default=1800, help="seconds after which a tool is ended; default 1800")
    parser.add_argument("--timing-allow-fail", action="store_true", help="report a core that misses the clock, exit 0")


def run(args):
    from rich.console import Console

    from .errors import UserError
    from .reports import save_figures
    from .synth import synthesize
    from .targets import target_named

    if args.clock_mhz is not None and not 0 < args.clock_mhz <= 1000:
        raise UserError(f"--clock-mhz must be above 0 and at most 1000, not {args.clock_mhz:g}")
    if not 1 <= args.seeds <= 1000:
        raise UserError(f"--seeds must be 1 to 1000, not {args.seeds}")
    target = target_named(args.target)
    with Console(stderr=True).status("yosys") as status:
        found = synthesize(
            args.directory,
            target,
            clock_mhz=args.clock_mhz,
            seed=args.seed,
            seeds=args.seeds,
            router=args.router,
            allow_timing_fail=args.timing_allow_fail,
            limit_s=args.limit_s,
            progress=status.update,
        )
    figures = found.figures()
    save_figures(args.directory, f"synth-{target.name}", figures)
    print(text(figures))
    return figures


def text(figures):
    """The figures for people."""
    met = "met" if figures["timing_met"] else "MISSED"
    path = figures["critical_path"][0] if figures["critical_path"] else None
    lines = [
        f"{figures['target']}: {figures['luts']} LUTs, {figures['ffs']} flip-flops, {figures['brams']} block RAMs, "
        f"{figures['dsps']} multipliers",
        f"clock      {figures['fmax_mhz']} MHz ({figures['clock_mhz']:g} MHz {met})",
        f"steps      {figures['steps_per_second']:.0f} a second, {figures['cycles_per_step']} cycles each",
    ]
    if path:
        lines.append(f"limited by {path['from']} -> {path['to']}, {path['delay_ns']} ns")
    lines.append(f"{', '.join(figures['tools'])}, {figures['router']}, seed {figures['seed']}, {figures['seconds']:.0f} s")
    return "\n".join(lines)
