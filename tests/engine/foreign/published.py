"""Files as others publish them: exactly their names and shapes, weights drawn here (and exact in half precision)."""

from __future__ import annotations

import re

import torch
from timm.models.beit import Beit, gen_relative_position_index
from timm.models.vision_transformer import VisionTransformer


def drawn(network, seed=0, spread=0.2):
    """Weights away from their start, each a number that half precision holds."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for tensor in network.state_dict().values():
            if tensor.is_floating_point():
                tensor.add_(spread * torch.randn_like(tensor))
                tensor.copy_(tensor.half().float())
    return network.eval()


def beit(width=64, heads=4, depth=2, px=224, *, each=False, norm=False, **more):
    return drawn(
        Beit(
            img_size=px, embed_dim=width, num_heads=heads, depth=depth, num_classes=0, use_abs_pos_emb=False,
            use_shared_rel_pos_bias=not each, use_rel_pos_bias=each, init_values=0.1, use_fc_norm=not norm, **more,
        )
    )  # fmt: skip


def vit(width=64, heads=1, depth=2, px=224, **more):
    return drawn(VisionTransformer(img_size=px, embed_dim=width, num_heads=heads, depth=depth, num_classes=0, **more))


def official(network):
    """The published USFM file: bare names, the index buffer written out, no head and no norm."""
    tensors = {k: v for k, v in network.state_dict().items() if not k.startswith(("fc_norm.", "norm."))}
    rows, columns = network.patch_embed.grid_size
    return {**tensors, "rel_pos_bias.relative_position_index": gen_relative_position_index((rows, columns))}


def hugging_face(network, prefix="beit."):
    """Names of transformers' BeitModel (or ViTModel), written from its published checkpoints."""
    out = {}
    for name, tensor in network.state_dict().items():
        for published, part in _published(name, tensor):
            out[prefix + published] = part
    return out


def _published(name, tensor):
    found = re.fullmatch(r"blocks\.(\d+)\.(.+)", name)
    if found is None:
        yield {
            "cls_token": "embeddings.cls_token",
            "pos_embed": "embeddings.position_embeddings",
            "patch_embed.proj.weight": "embeddings.patch_embeddings.projection.weight",
            "patch_embed.proj.bias": "embeddings.patch_embeddings.projection.bias",
            "rel_pos_bias.relative_position_bias_table": (
                "encoder.relative_position_bias.relative_position_bias_table"
            ),
            "norm.weight": "layernorm.weight",
            "norm.bias": "layernorm.bias",
            "fc_norm.weight": "pooler.layernorm.weight",
            "fc_norm.bias": "pooler.layernorm.bias",
        }[name], tensor  # fmt: skip
        return
    at, rest = f"encoder.layer.{found[1]}.", found[2]
    attention = f"{at}attention.attention."
    if rest in ("attn.qkv.weight", "attn.qkv.bias"):
        leaf = rest.rpartition(".")[2]
        for part, third in zip(("query", "key", "value"), tensor.chunk(3), strict=True):
            yield f"{attention}{part}.{leaf}", third
        return
    yield {
        "attn.q_bias": f"{attention}query.bias",
        "attn.v_bias": f"{attention}value.bias",
        "attn.relative_position_bias_table": f"{attention}relative_position_bias.relative_position_bias_table",
        "attn.proj.weight": f"{at}attention.output.dense.weight",
        "attn.proj.bias": f"{at}attention.output.dense.bias",
        "mlp.fc1.weight": f"{at}intermediate.dense.weight",
        "mlp.fc1.bias": f"{at}intermediate.dense.bias",
        "mlp.fc2.weight": f"{at}output.dense.weight",
        "mlp.fc2.bias": f"{at}output.dense.bias",
        "norm1.weight": f"{at}layernorm_before.weight",
        "norm1.bias": f"{at}layernorm_before.bias",
        "norm2.weight": f"{at}layernorm_after.weight",
        "norm2.bias": f"{at}layernorm_after.bias",
        "gamma_1": f"{at}lambda_1",
        "gamma_2": f"{at}lambda_2",
    }[rest], tensor  # fmt: skip


def lite(name, seed=0):
    """timm's network, with statistics that keep its numbers in range."""
    import timm

    network = timm.create_model(name)
    torch.manual_seed(seed)
    with torch.no_grad():
        for tensor in network.state_dict().values():
            if tensor.is_floating_point():
                if tensor.ndim == 1:
                    tensor.copy_(torch.rand_like(tensor) + 0.5)
                tensor.copy_(tensor.half().float() if tensor.ndim > 1 else tensor)
    return network.eval()


def as_published_lite(network):
    """Names of the published EfficientNet-Lite checkpoints: all blocks in one row, layers by their place."""
    outer = {"conv_stem": "_conv_stem", "bn1": "_bn0", "conv_head": "_conv_head", "bn2": "_bn1", "classifier": "_fc"}
    first = {"conv_dw": "_depthwise_conv", "bn1": "_bn1", "conv_pw": "_project_conv", "bn2": "_bn2"}
    inner = {
        "conv_pw": "_expand_conv", "bn1": "_bn0", "conv_dw": "_depthwise_conv", "bn2": "_bn1",
        "conv_pwl": "_project_conv", "bn3": "_bn2",
    }  # fmt: skip
    places = [(s, i) for s, stage in enumerate(network.blocks) for i in range(len(stage))]
    out = {}
    for name, tensor in network.state_dict().items():
        parts = name.split(".")
        if parts[0] == "blocks":
            number = places.index((int(parts[1]), int(parts[2])))
            out[f"_blocks.{number}.{(inner if number else first)[parts[3]]}.{parts[4]}"] = tensor
        else:
            out[f"{outer[parts[0]]}.{parts[1]}"] = tensor
    return out
