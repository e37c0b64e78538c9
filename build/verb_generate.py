"""`mubinn generate`: a folder with the core of a model."""

HELP = """\
Verilog, memory images, test vectors, a self-checking testbench and a manifest of a quantized model.

The same model, folding and target give the same bytes. With --target the dot products and the memories are made of the cells of
its family, smaller and faster; without, the Verilog is plain and fits any tool. The test vectors are windows of --data, or
samples and broken windows made for it.

With a goal the folding is chosen by estimates: with --steps-per-second the smallest core that keeps up, with --fastest the
fastest that fits the chip. --rows, --lanes and so on then fix what is not free.

With --loads the core can be given other weights, or another model whole, while it runs: see mubinn image."""
EXAMPLE = """
mubinn generate eeg-2-2 -o out/core
mubinn generate eeg-2-2 -o out/core --target ice40-up5k
mubinn generate model.safetensors -o out/core --rows 1 --lanes 60 --weight-planes 1 --scale-mults 12 --data eeg-sample
mubinn generate eeg-2-2 -o out/core --target ice40-up5k --steps-per-second 30000
mubinn generate eeg-3-3 -o out/core --target ecp5-25k --fastest --clock-mhz 100
mubinn generate eeg-3-3 -o out/core --target ice40-up5k --lanes 16 --loads weights --weight-memory spram
mubinn generate eeg-2-2 -o out/core --loads all --also other.safetensors --load-banks 2
mubinn generate tagger.safetensors -o out/tagger --target ecp5-85k"""


LOADING = ("loads", "load_banks", "weight_memory", "skip")
LOADS, WEIGHT_MEMORIES = ("none", "weights", "all"), ("block", "spram")
"""Of `mubinn.model.folding`, which takes long to import."""


def add_arguments(parser):
    parser.add_argument("model", metavar="MODEL", help="model file, of a network too, or eeg-1-1, eeg-2-2, eeg-3-3")
    parser.add_argument("-o", "--out", required=True, metavar="DIR", help="folder to write; one of ours is replaced")
    parser.add_argument("--name", default="mubinn_lstm", help="Verilog module, and prefix of all others")
    parser.add_argument("--rows", type=int, help="hidden units in parallel, 1 to hidden_size; default 1")
    parser.add_argument("--lanes", type=int, help="columns a cycle, 1 to input_size + hidden_size; default 24 or all")
    parser.add_argument("--weight-planes", type=int, help="weight planes a cycle, 1 to weight_levels; default 1")
    parser.add_argument("--scale-mults", type=int, help="multipliers that apply scales, 1 to 4096; default: as many as keep up")
    parser.add_argument("--head-mults", type=int, help="classes that the head multiplies at once, 1 to the classes; default 1")
    parser.add_argument("--ahead", type=int, help="groups whose early words are read before the late words of the first, 0 to "
                        "64: the last h codes of a step have longer to arrive, for a small memory; default 0")  # fmt: skip
    parser.add_argument("--contexts", type=int, metavar="N", help="streams that share the weights, 1 to 16, a step of each in "
                        "turn; default 1")  # fmt: skip
    parser.add_argument("--skip", action="store_true", default=None, help="gates one after another, and no row of g where i is "
                        "0: the same results in fewer cycles, with one row of more lanes; default 96 or all")  # fmt: skip
    parser.add_argument("--loads", choices=LOADS, help="what can be loaded while the core runs: none, the default; weights, "
                        "the codes of Wx and Wh; or all parameters")  # fmt: skip
    parser.add_argument("--load-banks", type=int, metavar="N", help="2: loaded behind a running window; default 1: the core "
                        "rests meanwhile")  # fmt: skip
    parser.add_argument("--weight-memory", choices=WEIGHT_MEMORIES, help="block, the default; spram of ice40-up5k, whose "
                        "weights are loaded at start")  # fmt: skip
    parser.add_argument("--also", nargs="+", default=[], metavar="MODEL", help="models that the core must have room for, with "
                        "--loads all")  # fmt: skip
    parser.add_argument("--target", metavar="CHIP", help="chip whose cells to use: ice40-up5k, ecp5-25k or ecp5-85k; default: "
                        "plain Verilog")  # fmt: skip
    parser.add_argument("--scaling", choices=("gamma", "factored"), help="gamma, the default: a product for every plane of "
                        "activations and weights; factored: one for every plane of weights, behind look-ups")  # fmt: skip
    parser.add_argument("--axi", action="store_true", help="a wrapper with AXI4-Stream and AXI4-Lite too, NAME_axi.v")
    parser.add_argument("--samples-per-beat", type=int, default=1, metavar="N", help="of its input stream, 1 to 64; default 1")
    parser.add_argument("--steps-per-second", type=float, metavar="N", help="goal: the smallest core that takes so many")
    parser.add_argument("--fastest", action="store_true", help="goal: the fastest core that fits")
    parser.add_argument("--clock-mhz", type=float, metavar="F", help="clock of the goal; default: the chip's, see mubinn synth")
    parser.add_argument("--data", metavar="DATA", help="EEGMAT folder, .npz or eeg-sample for the test vectors")
    parser.add_argument("--windows", type=int, default=2, help="windows of --data for the test vectors; default 2")
    parser.add_argument("--steps", type=int, default=20, help="their first steps; default 20")


def run(args):
    from mubinn.model.artifact import load_model
    from mubinn.model.evaluate import load_test
    from rich.console import Console

    from .errors import UserError
    from .generate import default_folding, generate
    from .network_verbs import generate_of, network_model
    from .targets import target_named

    if path := network_model(args.model):
        return generate_of(args, path)
    model_file = load_model(args.model)
    spec = model_file.spec
    if not 1 <= args.samples_per_beat <= 64:
        raise UserError(f"--samples-per-beat must be 1 to 64, not {args.samples_per_beat}")
    if args.contexts is not None and args.contexts > 1:
        for name, default in (("axi", False), ("data", None)):
            if getattr(args, name) != default:
                raise UserError(f"--{name} must be left out with several contexts")
    if args.also and args.loads != "all":
        raise UserError("--also must come with --loads all")
    if args.steps_per_second is not None or args.fastest:
        for name in LOADING:
            if getattr(args, name) is not None:
                raise UserError(f"--{name.replace('_', '-')} must be left out with a goal: no estimate counts it")
    target = target_named(args.target) if args.target else None
    if args.weight_memory == "spram" and args.target != "ice40-up5k":
        raise UserError(f"--target must be ice40-up5k with --weight-memory spram, not {args.target}")
    family = target.family if target else "generic"
    chosen = {
        name: getattr(args, name)
        for name in ("rows", "lanes", "weight_planes", "scale_mults", "head_mults", "ahead", "scaling", "contexts", *LOADING)
        if getattr(args, name) is not None
    }
    choice = goal(args, model_file, chosen)
    if choice is not None:
        folding = choice.folding
    else:
        folding = default_folding(spec, scaling=args.scaling or "gamma", skip=bool(args.skip))
        folding = type(folding)(**(vars(folding) | chosen)).checked(spec)
    x = None
    if args.data:
        for name in ("windows", "steps"):
            if getattr(args, name) < 1:
                raise UserError(f"--{name} must be at least 1, not {getattr(args, name)}")
        windows = load_test(model_file, args.data, None)
        x = model_file.quantize_input(windows.x[: args.windows, : args.steps])
    also = [load_model(name) for name in args.also]
    with Console(stderr=True).status("generate"):
        axi = args.samples_per_beat if args.axi else 0
        clock = {} if target is None else {"clock_mhz": choice.clock_mhz if choice else target.clock_mhz}
        made = generate(model_file, args.out, folding=folding, family=family, name=args.name, x=x, axi=axi, also=also, **clock)
    figures = made.figures()
    print(
        f"{made.directory}/{figures['verilog']}: {figures['top']}, {figures['parameters']} parameters, "
        f"{figures['weight_bits']} weight bits, {figures['memory_bits']} memory bits, "
        f"{figures['ideal_cycles_per_step']} cycles a step if nothing waits "
        f"({made.manifest['predicted_cycles_per_step']} with waits)"
    )
    if choice is None:
        return figures
    estimate = choice.estimate
    print(
        f"{folding.rows} rows x {folding.lanes} lanes x {folding.weight_planes} weight planes, {folding.scale_mults} scale "
        f"multipliers ({folding.scaling}), {folding.head_mults} of the head, {folding.ahead} groups ahead: about "
        f"{estimate.luts} LUTs, {estimate.brams} block RAMs, {estimate.dsps} multipliers of {choice.target}, "
        f"{choice.steps_per_second:.0f} steps a second at {choice.clock_mhz:g} MHz"
    )
    return figures | choice.figures() | {"folding": vars(folding).copy()}


def goal(args, model_file, fixed):
    """The Choice for the goal of the command line, None where it has none."""
    from .choose import fastest, smallest
    from .errors import UserError
    from .targets import target_named

    rate = args.steps_per_second
    if rate is None and not args.fastest:
        if args.clock_mhz is not None:
            raise UserError("--clock-mhz must come with --steps-per-second or --fastest")
        return None
    if rate is not None and args.fastest:
        raise UserError("--fastest must come without --steps-per-second")
    if args.target is None:
        raise UserError("--target must say for which chip")
    for name in ("steps_per_second", "clock_mhz"):
        value = getattr(args, name)
        if value is not None and not 0 < value < 1e12:
            raise UserError(f"--{name.replace('_', '-')} must be greater than 0, not {value:g}")
    target, parameters = target_named(args.target), model_file.model().parameters
    settings = {"clock_mhz": args.clock_mhz, "fixed": fixed}
    if args.fastest:
        return fastest(parameters, target, **settings)
    return smallest(parameters, target, steps_per_second=rate, **settings)
