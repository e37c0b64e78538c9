"""Networks in the golden model: Viterbi against every path, layers against their parts, files, and what is refused."""

import itertools

import numpy as np
import pytest
from mubinn.model.artifact import ArtifactError
from mubinn.model.crf import Crf, viterbi
from mubinn.model.lstm import Model
from mubinn.model.network import Layer, Network, NetworkError, StepHead
from mubinn.model.network_file import NetworkFile, Vocabulary, load_network, save_network
from mubinn.model.tagging import CASES
from mubinn.sim.random_network import NETWORK_CORNERS, random_network


@pytest.mark.parametrize("most", [1, 2, 100])
@pytest.mark.parametrize(("steps", "tags"), [(1, 1), (1, 3), (4, 1), (4, 3), (5, 2)])
def test_viterbi_is_the_best_of_all_paths(steps, tags, most):
    rng = np.random.default_rng([steps, tags, most])
    for _ in range(20):
        emissions = rng.integers(-most, most + 1, (steps, tags))
        transitions, first, last = (rng.integers(-most, most + 1, shape) for shape in ((tags, tags), tags, tags))

        def score(path, e=emissions, t=transitions, a=first, z=last):
            inside = sum(e[k, tag] for k, tag in enumerate(path)) + sum(t[i, j] for i, j in itertools.pairwise(path))
            return inside + a[path[0]] + z[path[-1]]

        paths = list(itertools.product(range(tags), repeat=steps))
        best = max(map(score, paths))
        # Ties go to the lowest last tag, then to the lowest before it, and so on.
        want = min((path for path in paths if score(path) == best), key=lambda path: path[::-1])
        found, value = viterbi(emissions, Crf(transitions=transitions, first=first, last=last))
        assert value == best and tuple(found) == want


def test_no_score_is_wider_than_it_says():
    crf = Crf(transitions=np.full((2, 2), -8), first=np.array([-8, 7]), last=np.array([7, -8]))
    bits = crf.score_bits(4, 3)
    _, score = viterbi(np.full((3, 2), -8), crf)
    assert -1 << bits - 1 <= score and crf.score_bits(4, 4) >= bits


def test_layers_are_their_cores_one_after_the_other():
    network = random_network(3).network
    assert len(network.layers) == 2 and all(layer.backward is not None for layer in network.layers)
    spec = network.spec
    x = np.random.default_rng(1).integers(spec.x.low, spec.x.high + 1, (3, 5, spec.input_size))
    found, h = network.run(x), x
    for layer in network.layers:
        forward = Model(layer.forward).run(h, record=("h",)).h
        backward = np.flip(Model(layer.backward).run(np.flip(h, 1), record=("h",)).h, 1)
        h = np.concatenate([forward, backward], axis=2)
    scores = h @ network.head.weight.T + network.head.bias
    assert np.array_equal(found.features, h) and np.array_equal(found.scores, scores)
    assert np.array_equal(found.tag, [viterbi(window, network.crf)[0] for window in scores])


def test_every_kind_is_among_the_corners():
    kinds = {random_network(seed).network.kind for seed in range(1, len(NETWORK_CORNERS) + 1)}
    assert kinds == {"h", "label", "step", "crf"}


def test_files(tmp_path):
    for seed in range(1, len(NETWORK_CORNERS) + 1):
        network = random_network(seed).network
        save_network(tmp_path / "n", NetworkFile(network=network, card={"seed": seed}))
        read = load_network(tmp_path / "n")
        assert read.card == {"seed": seed} and read.network.kind == network.kind
        x = np.random.default_rng(1).integers(network.spec.x.low, network.spec.x.high + 1, (2, 1, network.spec.input_size))
        assert np.array_equal(read.network.run(x).features, network.run(x).features)
        save_network(tmp_path / "again", read)
        assert (tmp_path / "n").read_bytes() == (tmp_path / "again").read_bytes()
    data = (tmp_path / "n").read_bytes()
    for damaged in (data[:100], data[:-10], b"", data.replace(rb"\"format_version\":1", rb"\"format_version\":2")):
        (tmp_path / "n").write_bytes(damaged)
        with pytest.raises(
            ArtifactError, match=r"n: (not a network's model file, or damaged|format_version must be 1, not 2)$"
        ):
            load_network(tmp_path / "n")
    with pytest.raises(ArtifactError, match=r"none: no such file$"):
        load_network(tmp_path / "none")


def test_words_become_samples():
    network = random_network(3).network
    width, tags = network.spec.input_size, network.head.classes
    word = np.arange(4)[:, None].repeat(width - 1, axis=1)
    case = np.arange(len(CASES))[:, None] % 4
    vocabulary = Vocabulary(words=("", "?", "the", "fox00"), tags=tuple("ABCDE"[:tags]), word=word, case=case)
    file = NetworkFile(network=network, vocabulary=vocabulary)
    samples = vocabulary.sentence(["The", "fox17", "unheard"])[0]
    assert samples[:, 0].tolist() == [2, 3, 1] and samples[:, -1].tolist() == [3, 1, 1]
    assert len(file.tag(["The", "fox17", "unheard"])) == 3
    with pytest.raises(ArtifactError, match=f"embedding must have {width} samples a word, not {width + 1}"):
        NetworkFile(network=network, vocabulary=Vocabulary(words=vocabulary.words, tags=vocabulary.tags,
                                                           word=np.zeros((4, width), int), case=case))  # fmt: skip


def test_what_does_not_fit_is_refused():
    network = random_network(3).network
    first, second = network.layers
    with pytest.raises(NetworkError, match="layers must be 1 to 8, not 0"):
        Network(layers=())
    with pytest.raises(NetworkError, match=rf"layer 1: input_size must be {first.features}"):
        Network(layers=(first, first if first.forward.spec.input_size != first.features else second.forward))
    with pytest.raises(NetworkError, match=r"head\.weight must have"):
        Network(layers=network.layers, head=StepHead(weight=np.zeros((2, 1), int), bias=np.zeros(2, int)))
    with pytest.raises(NetworkError, match=r"crf must have the classes of a head"):
        Network(layers=network.layers, crf=network.crf)
    with pytest.raises(NetworkError, match=r"layer 0: classes must be 0 but in a last layer of one direction"):
        label = random_network(4).network
        Network(layers=(label.layers[-1], label.layers[-1]))
    with pytest.raises(NetworkError, match=r"head.weight must be -128 to 127, not 0 to 128"):
        StepHead(weight=np.array([[128, 0]]), bias=np.zeros(1, int))
    with pytest.raises(ValueError, match=r"transitions must have shape \[2, 2\], not \[2, 3\]"):
        Crf(transitions=np.zeros((2, 3), int), first=np.zeros(2, int), last=np.zeros(2, int))
    assert Layer(forward=first.forward).features == first.forward.spec.hidden_size
