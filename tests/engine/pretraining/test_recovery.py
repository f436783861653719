import pytest
import torch

from usfm_studio.engine.models.encoder import Encoder, Features, build_encoder
from usfm_studio.engine.pretraining.recovery import LinearRecovery, PyramidRecovery, recovery_decoder

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:timm.layers.interpolate")


class Maps(Encoder):
    """Maps of these widths by stride, the same everywhere."""

    def __init__(self, channels):
        super().__init__()
        self.channels = channels

    def forward(self, x_BCHW):
        torch.manual_seed(0)
        batch, _, rows, columns = x_BCHW.shape
        maps = {s: torch.randn(1, c, 1, 1).expand(batch, -1, rows // s, columns // s) for s, c in self.channels.items()}
        return Features(maps, torch.zeros(batch, 1))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("usfm_lite0", PyramidRecovery),
        pytest.param("usfm_tiny", LinearRecovery, marks=pytest.mark.slow),  # imports timm
    ],
)
def test_every_family_of_encoders_gives_an_image_of_its_inputs_size(name, kind):
    encoder = build_encoder(name)
    decoder = recovery_decoder(encoder)
    assert isinstance(decoder, kind)
    x = torch.rand(2, 1, 64, 96)
    y = decoder(encoder(x))
    assert y.shape == x.shape
    y.square().mean().backward()
    for network in (encoder, decoder):
        for name, weight in network.named_parameters():
            if "cls_token" not in name:
                assert weight.grad is not None, name
    assert decoder.last.weight.grad.any()


def test_a_decoder_that_says_nothing_gives_the_middle_of_the_scale():
    for channels in ({16: 32}, build_encoder("usfm_lite0").channels):
        encoder = Maps(channels)
        decoder = recovery_decoder(encoder)
        torch.nn.init.zeros_(decoder.last.weight)
        torch.nn.init.zeros_(decoder.last.bias)
        y = decoder(encoder(torch.rand(1, 1, 32, 64)))
        assert y.shape == (1, 1, 32, 64)
        assert (y == 0.5).all()


def test_each_token_paints_its_own_patch_and_no_other():
    decoder = recovery_decoder(Maps({16: 32}))
    map_BDhw = torch.randn(1, 32, 3, 4)
    other = map_BDhw.clone()
    other[0, :, 1, 2] += torch.randn(32)
    pooled = torch.zeros(1, 1)
    changed = (decoder(Features({16: map_BDhw}, pooled)) != decoder(Features({16: other}, pooled)))[0, 0]
    wanted = torch.zeros(48, 64, dtype=torch.bool)
    wanted[16:32, 32:48] = True
    assert torch.equal(changed, wanted)


def test_the_finest_detail_can_be_painted():
    """A chequerboard of single pixels, the highest frequency there is, from maps that are the same everywhere."""
    torch.manual_seed(0)
    encoder = Maps(build_encoder("usfm_lite0").channels)
    decoder, features = recovery_decoder(encoder), encoder(torch.rand(1, 1, 64, 96))
    rows, columns = torch.meshgrid(torch.arange(64), torch.arange(96), indexing="ij")
    wanted = ((rows + columns) % 2).float()
    optimiser = torch.optim.Adam(decoder.parameters(), 0.01)
    for _ in range(60):
        optimiser.zero_grad()
        (decoder(features) - wanted).square().mean().backward()
        optimiser.step()
    assert (decoder(features) - wanted)[..., 8:-8, 8:-8].abs().max() < 0.25  # a grey image is wrong by 0.5
