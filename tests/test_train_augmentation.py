"""What a run does to the windows that it learns from: signs, phases, mixtures."""

import numpy as np
import pytest
from small_training import config, two_classes

torch = pytest.importorskip("torch")

from mubinn.model.artifact import load_model  # noqa: E402
from mubinn.model.train.batches import load_training_data, with_new_phases  # noqa: E402
from mubinn.model.train.config import TrainError  # noqa: E402
from mubinn.model.train.loop import train  # noqa: E402
from mubinn.model.train.run import Run  # noqa: E402


@pytest.fixture
def windows(tmp_path):
    return two_classes(tmp_path / "windows.npz")


def test_flipped_windows_come_with_either_sign_and_are_the_same_otherwise(windows):
    parts = load_training_data(windows)
    plain, flipped = (parts.batch(np.random.default_rng(1), 32, noise=0.1, gain=0.1, flip=flip) for flip in (False, True))
    signs = np.sign((plain[0] * flipped[0]).sum((0, 2)))
    assert np.array_equal(flipped[0], plain[0] * signs[:, None]) and np.array_equal(flipped[1], plain[1])
    assert 5 < (signs > 0).sum() < 27


def test_new_phases_leave_powers_and_what_channels_share():
    rng = np.random.default_rng(1)
    for steps in (30, 31):
        x = rng.standard_normal((4, steps, 3)).astype(np.float32)
        x[:, :, 2] = 2 * x[:, :, 0]
        y = with_new_phases(np.random.default_rng(2), x)
        assert y.dtype == np.float32 and np.abs(y - x).max() > 0.5
        before, after = np.fft.rfft(x, axis=1), np.fft.rfft(y, axis=1)
        np.testing.assert_allclose(np.abs(after), np.abs(before), atol=1e-4)
        cross = [spectrum[:, :, 0] * spectrum[:, :, 1].conj() for spectrum in (before, after)]
        np.testing.assert_allclose(cross[1], cross[0], atol=1e-3)
        np.testing.assert_allclose(y[:, :, 2], 2 * y[:, :, 0], atol=1e-5)
        np.testing.assert_allclose(y.mean(1), x.mean(1), atol=1e-5)


def test_a_share_of_the_windows_are_surrogates(windows):
    parts = load_training_data(windows)
    settings = {"noise": 0.0, "gain": 0.0}
    plain, _ = parts.batch(np.random.default_rng(3), 200, **settings)
    half, _ = parts.batch(np.random.default_rng(3), 200, **settings, surrogates=0.5)
    same = (plain == half).all((0, 2)).mean()
    assert 0.35 < same < 0.65


def test_mixed_windows_have_both_classes(windows, tmp_path):
    run = Run(config(preset="fp", mixup=0.5, dropout=0.0), load_training_data(windows), None)
    seen = []
    run.network.forward = lambda x: seen.append(x) or torch.tensor([[2.0, -1.0]]).expand(x.shape[1], 2)
    x, y = torch.randn(15, 400, 3), torch.arange(400) % 2
    torch.manual_seed(3)
    loss = run._loss(x, y)
    # Scores that are all alike give every mixture the mean of both classes' losses, as half of the windows are of each.
    both = torch.nn.functional.cross_entropy(torch.tensor([[2.0, -1.0]] * 2), torch.tensor([0, 1]))
    assert torch.allclose(loss, both, atol=0.05)
    # The power of independent windows is kept.
    assert abs(float(seen[0].var()) - 1) < 0.05 and not torch.equal(seen[0], x)
    result = train(config(preset="fp", mixup=0.4, flip=True, surrogates=0.5), windows, tmp_path / "m.safetensors")
    assert load_model(result.model).card["config"]["mixup"] == 0.4


def test_bad_augmentation_is_refused():
    for changes, message in (
        ({"mixup": -1}, "^mixup must be 0 to 10, not -1$"),
        ({"flip": 2}, "^flip must be True or False, not 2$"),
    ):
        with pytest.raises(TrainError, match=message):
            config(**changes)
