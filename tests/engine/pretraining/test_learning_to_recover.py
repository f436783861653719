"""Masks, decoder and losses together: a network learns from them to put back what was taken."""

import pytest
import torch
from torch import nn

from usfm_studio.engine.models.features import Encoder, Features, pool_maps
from usfm_studio.engine.pretraining.draws import keys_B
from usfm_studio.engine.pretraining.losses import LOSS_PRESETS, RecoveryLoss, frequency_loss, spatial_loss
from usfm_studio.engine.pretraining.masking import Corruption, MaskSettings
from usfm_studio.engine.pretraining.recovery import recovery_decoder

SIDE, IMAGES, STEPS, BATCH = 64, 64, 200, 32


class SmallPyramid(Encoder):
    """Five maps, quick to train from nothing."""

    def __init__(self):
        super().__init__()
        self.name, self.channels = "small", {2: 16, 4: 32, 8: 64, 16: 96, 32: 96}
        stages, before = [], 1
        for width in self.channels.values():
            layers = [(before, width, 2), (width, width, 1)]
            parts = [(nn.Conv2d(a, b, 3, s, 1), nn.GroupNorm(4, b), nn.ReLU()) for a, b, s in layers]
            stages.append(nn.Sequential(*parts[0], *parts[1]))
            before = width
        self.stages = nn.ModuleList(stages)

    def forward(self, x_BCHW):
        maps, x = {}, 2 * x_BCHW - 1
        for stride, stage in zip(self.channels, self.stages, strict=True):
            x = maps[stride] = stage(x)
        return Features(maps, pool_maps([x]))


def discs():
    """A bright disc somewhere on dark: all that rings or cells lose can be told from the rest."""
    place = torch.rand(IMAGES, 2, 1, 1, generator=torch.Generator().manual_seed(0)) * 0.4 + 0.3
    rows, columns = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    radius = torch.hypot(rows - SIDE * place[:, 0], columns - SIDE * place[:, 1])
    return (0.1 + 0.7 * torch.sigmoid(2 * (18 - radius)))[:, None]


@pytest.mark.slow  # 200 steps: half a minute of a free core
def test_after_200_steps_both_losses_are_below_half_of_the_mean_and_below_a_copy():
    torch.manual_seed(0)
    x = discs()
    valid = torch.ones_like(x, dtype=torch.bool)
    corrupt, loss = Corruption(MaskSettings(cell_px=4, cell_share=0.5)), RecoveryLoss(LOSS_PRESETS["ours"])
    encoder = SmallPyramid()
    decoder = recovery_decoder(encoder)
    weights = [{"params": encoder.parameters()}, {"params": decoder.parameters()}]
    optimiser = torch.optim.AdamW(weights)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, [2e-3, 8e-3], STEPS)
    for step in range(STEPS):
        index = torch.arange(BATCH) + BATCH * (step % (IMAGES // BATCH))
        corrupted = corrupt(x[index], valid[index], keys_B(0, step, 0, index))
        parts = loss(decoder(encoder(corrupted.x_B1HW)), x[index], corrupted, valid[index], decoder.last.weight)
        optimiser.zero_grad()
        parts.total.backward()
        for group in weights:
            nn.utils.clip_grad_norm_(group["params"], 3.0)
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        corrupted = corrupt(x, valid, keys_B(1, 0, 0, torch.arange(IMAGES)))  # masks it has not seen
        answers = {
            "recovered": decoder(encoder(corrupted.x_B1HW)),
            "mean": x.mean((2, 3), keepdim=True).expand_as(x),
            "copy": corrupted.x_B1HW,
        }
        pixels = {k: spatial_loss(y - x, corrupted.masked_B1HW, valid).mean().item() for k, y in answers.items()}
        bins = {k: frequency_loss(y - x, corrupted.removed_BHF, valid).mean().item() for k, y in answers.items()}
    for found in (pixels, bins):
        assert found["recovered"] < 0.5 * found["mean"], found
        assert found["recovered"] < found["copy"], found
