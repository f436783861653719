import copy

import pytest
import torch
from torch import nn

from usfm_studio.document.errors import NothingToLearn
from usfm_studio.engine.models.catalogue import shipped_encoder
from usfm_studio.engine.models.checkpoint import load_encoder
from usfm_studio.engine.pretraining.batch_norm import refresh_batch_norm


def a_network():
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5), nn.Conv2d(4, 2, 1), nn.BatchNorm2d(2)
    )
    with torch.no_grad():
        for layer in (net[1], net[5]):
            layer.weight.uniform_(0.5, 2)
            layer.bias.uniform_(-1, 1)
            layer.running_mean.fill_(7)
            layer.running_var.fill_(9)
    return net


def some_batches(count, size=5):
    generator = torch.Generator().manual_seed(1)
    return [torch.rand(size, 1, 9, 12, generator=generator) for _ in range(count)]


def test_statistics_become_plain_averages_over_the_clean_batches():
    net, batches = a_network().train(), some_batches(6)
    assert refresh_batch_norm(net, iter(batches), 4) == 4
    with torch.no_grad():
        first = [net[0](x) for x in batches[:4]]
    mean = torch.stack([y.mean((0, 2, 3)) for y in first]).mean(0)
    variance = torch.stack([y.var((0, 2, 3)) for y in first]).mean(0)
    assert torch.allclose(net[1].running_mean, mean, atol=1e-6)
    assert torch.allclose(net[1].running_var, variance, atol=1e-6)
    assert net[1].num_batches_tracked == 4
    assert not torch.allclose(net[5].running_mean, torch.tensor(7.0))


def test_weights_modes_and_momentum_stay():
    net = a_network()
    net.train()
    net[5].eval()
    net[1].momentum = 0.03
    before = copy.deepcopy(net)
    refresh_batch_norm(net, some_batches(3))
    for (name, old), new in zip(before.named_parameters(), net.parameters(), strict=True):
        assert torch.equal(old, new), name
        assert new.grad is None
    assert [m.training for m in before.modules()] == [m.training for m in net.modules()]
    assert net[1].momentum == 0.03


def test_dropout_is_off_meanwhile():
    one, other = a_network().train(), a_network().train()
    refresh_batch_norm(one, some_batches(3))
    torch.manual_seed(99)
    refresh_batch_norm(other, some_batches(3))
    assert torch.equal(one[5].running_mean, other[5].running_mean)


def test_where_a_batch_fails_nothing_has_changed():
    net = a_network()
    before = copy.deepcopy(net.state_dict())

    def broken():
        yield from some_batches(2)
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        refresh_batch_norm(net, broken())
    assert all(torch.equal(before[k], v) for k, v in net.state_dict().items())
    assert net.training


def test_no_clean_image_is_an_error_and_a_network_without_batch_norm_reads_none():
    with pytest.raises(NothingToLearn):
        refresh_batch_norm(a_network(), [])

    def untouched():
        raise AssertionError("read")
        yield

    assert refresh_batch_norm(nn.Conv2d(1, 1, 1), untouched()) == 0


@torch.no_grad()
def test_an_encoder_whose_statistics_met_grey_cells_reads_clean_images_as_if_it_had_not():
    clean = torch.rand(4, 1, 64, 64) * torch.linspace(1, 0.2, 64)
    filled = clean.clone()
    filled[..., :40] = filled.mean()
    encoder = load_encoder(shipped_encoder())
    refresh_batch_norm(encoder, [clean] * 3)
    wanted = encoder(clean).pooled_BD
    refresh_batch_norm(encoder, [filled] * 3)
    spoilt = (encoder(clean).pooled_BD - wanted).norm() / wanted.norm()
    refresh_batch_norm(encoder, [clean] * 3)
    assert spoilt > 0.05
    assert torch.allclose(encoder(clean).pooled_BD, wanted, atol=1e-4)
