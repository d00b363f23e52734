"""Changes at random in training: each keeps the shape, and what it must not touch."""

import pytest
import torch

from allrounder.encoders.augment import Pictures, Sounds

HALF = (0.5, 0.5, 0.5)


def halves() -> torch.Tensor:
    """Return pictures, black on the left and white on the right: [8, 3, 16, 16]."""
    found = -torch.ones(8, 3, 16, 16)
    found[..., 8:] = 1
    return found


def test_a_flip_mirrors_some_pictures_and_leaves_the_others():
    found = Pictures(["flip"], HALF, HALF)(halves())
    mirrored = [torch.allclose(one, halves()[0].flip(-1), atol=1e-5) for one in found]
    same = [torch.allclose(one, halves()[0], atol=1e-5) for one in found]
    assert 0 < sum(mirrored) < 8
    assert [a or b for a, b in zip(mirrored, same, strict=True)] == [True] * 8


def test_a_crop_shows_a_part_of_the_picture():
    ramp = torch.arange(16.0).repeat(8, 3, 16, 1)
    found = Pictures(["crop"], HALF, HALF)(ramp)
    spread = found.amax((1, 2, 3)) - found.amin((1, 2, 3))
    assert (spread < 15.01).all()
    assert (spread > 0.6 * 15 - 1).all()
    assert len({round(float(one), 2) for one in spread}) > 4


def test_colours_stay_what_a_screen_can_show():
    pictures = torch.rand(8, 3, 4, 4) * 2 - 1
    found = Pictures(["colour"], HALF, HALF)(pictures)
    assert not torch.allclose(found, pictures, atol=0.01)
    assert found.min() >= -1.001
    assert found.max() <= 1.001
    whole = Pictures(["colour"], (0.0,) * 3, (1.0,) * 3, None)(127 * (pictures + 1))
    assert 200 < whole.max() <= 255.01


@pytest.mark.parametrize("shape", [(6, 400), (6, 20, 400)])
@pytest.mark.parametrize("change", ["noise", "shift", "mask"])
def test_padding_stays_as_it_is_and_the_sound_does_not(shape, change):
    sizes = torch.tensor([400, 100, 200, 300, 50, 400])
    there = torch.arange(400) < sizes.view(-1, *[1] * (len(shape) - 2), 1)
    sounds = torch.randn(shape) * there
    found = Sounds([change])(sounds, sizes)
    assert found.shape == sounds.shape
    beyond = (~there).expand_as(found)
    if not (change == "mask" and len(shape) == 3):
        assert (found[beyond] == 0).all()
    assert all((found[row] != sounds[row]).any() for row in range(6))


def test_a_shift_loses_nothing():
    sizes = torch.tensor([400, 100])
    sounds = torch.randn(2, 400)
    found = Sounds(["shift"])(sounds, sizes)
    for row, size in enumerate(sizes):
        assert found[row, :size].sort().values.tolist() == sounds[row, :size].sort().values.tolist()


def test_a_mask_blanks_at_most_an_eighth_of_time():
    found = Sounds(["mask"])(torch.ones(50, 800), torch.full((50,), 800))
    gone = (found == 0).sum(1)
    assert gone.max() <= 101
    assert gone.float().mean() > 20


def test_no_changes_change_nothing():
    assert torch.equal(Pictures([], HALF, HALF)(halves()), halves())
    sounds = torch.randn(2, 9)
    assert torch.equal(Sounds([])(sounds, torch.tensor([9, 9])), sounds)


def test_chance_comes_from_torch_alone():
    change = Sounds(["noise", "shift", "mask"])
    sounds, sizes = torch.randn(3, 5, 80), torch.tensor([80, 40, 60])
    found = []
    for _ in range(2):
        torch.manual_seed(7)
        found.append(change(sounds, sizes))
    assert torch.equal(*found)
