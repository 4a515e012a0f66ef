"""The networks of InvSR as plain torch modules, from the same config.json as ours (src/invsr/*.ts).

    UNet            latent [N, 4, h, w], t, context [N, L, C]  ->  noise [N, 4, h, w]
    Vae             encode: image [N, 3, H, W] -> moments [N, 8, H/8, W/8];  decode: the reverse
    NoisePredictor  lr [N, 3, H, W], t  ->  moments [N, 8, H/2, W/2]

Names of parameters are the checkpoints' own, so that load_state_dict(strict=True) proves the structure.
"""
import math

import torch
import torch.nn.functional as F
from torch import nn

HAS_SDPA = hasattr(F, "scaled_dot_product_attention")


class Attend(nn.Module):
    """softmax(q k^T / sqrt(d)) v of q, k, v [N, heads, L, d]. A module, so that hooks see it."""

    def forward(self, q, k, v):
        if HAS_SDPA:
            return F.scaled_dot_product_attention(q, k, v)
        scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
        return scores.float().softmax(-1).to(v.dtype) @ v


def sinusoid(t, dim, flip, shift, dtype, device):
    half = dim // 2
    rates = torch.exp(-math.log(10000) * torch.arange(half, device=device) / (half - shift))
    angles = t * rates[None]
    parts = [angles.cos(), angles.sin()] if flip else [angles.sin(), angles.cos()]
    return torch.cat(parts, -1).to(dtype)


class TimeEmbedding(nn.Module):
    def __init__(self, dim, width):
        super().__init__()
        self.linear_1 = nn.Linear(dim, width)
        self.linear_2 = nn.Linear(width, width)

    def forward(self, x):
        return self.linear_2(F.silu(self.linear_1(x)))


class Resnet(nn.Module):
    def __init__(self, cin, cout, groups, eps, temb=None):
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, cin, eps)
        self.conv1 = nn.Conv2d(cin, cout, 3, padding=1)
        if temb is not None:
            self.time_emb_proj = nn.Linear(temb, cout)
        self.norm2 = nn.GroupNorm(groups, cout, eps)
        self.conv2 = nn.Conv2d(cout, cout, 3, padding=1)
        if cin != cout:
            self.conv_shortcut = nn.Conv2d(cin, cout, 1)

    def forward(self, x, temb=None):
        h = self.conv1(F.silu(self.norm1(x)))
        if temb is not None:
            h = h + self.time_emb_proj(F.silu(temb))[:, :, None, None]
        h = self.conv2(F.silu(self.norm2(h)))
        return h + (self.conv_shortcut(x) if hasattr(self, "conv_shortcut") else x)


class Attention(nn.Module):
    """Over rows [N, L, C], of themselves or of `context`."""

    def __init__(self, channels, heads, inner=None, source=None, bias=False, groups=None, eps=1e-6):
        super().__init__()
        inner = channels if inner is None else inner
        source = channels if source is None else source
        self.heads = heads
        if groups is not None:
            self.group_norm = nn.GroupNorm(groups, channels, eps)
        self.to_q = nn.Linear(channels, inner, bias=bias)
        self.to_k = nn.Linear(source, inner, bias=bias)
        self.to_v = nn.Linear(source, inner, bias=bias)
        self.to_out = nn.ModuleList([nn.Linear(inner, channels)])
        self.attend = Attend()

    def rows(self, x, context=None):
        context = x if context is None else context
        split = lambda y: y.unflatten(-1, (self.heads, y.shape[-1] // self.heads)).transpose(1, 2)
        y = self.attend(split(self.to_q(x)), split(self.to_k(context)), split(self.to_v(context)))
        return self.to_out[0](y.transpose(1, 2).flatten(2))

    def forward(self, image):
        n, c, h, w = image.shape
        rows = self.group_norm(image).permute(0, 2, 3, 1).reshape(n, h * w, c)
        return image + self.rows(rows).reshape(n, h, w, c).permute(0, 3, 1, 2)


class GatedProjection(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.proj = nn.Linear(channels, 8 * channels)

    def forward(self, x):
        value, gate = self.proj(x).chunk(2, -1)
        return value * F.gelu(gate)


class FeedForward(nn.Module):
    def __init__(self, channels):
        super().__init__()
        # The checkpoint's net.1 is a dropout.
        last = nn.Linear(4 * channels, channels)
        self.net = nn.ModuleList([GatedProjection(channels), nn.Identity(), last])

    def forward(self, x):
        return self.net[2](self.net[0](x))


class TransformerBlock(nn.Module):
    def __init__(self, channels, heads, context):
        super().__init__()
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(channels) for _ in range(3))
        self.attn1 = Attention(channels, heads)
        self.attn2 = Attention(channels, heads, source=context)
        self.ff = FeedForward(channels)

    def forward(self, x, context):
        x = x + self.attn1.rows(self.norm1(x))
        x = x + self.attn2.rows(self.norm2(x), context)
        return x + self.ff(self.norm3(x))


class Transformer(nn.Module):
    def __init__(self, channels, heads, context, groups):
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels, 1e-6)
        self.proj_in = nn.Linear(channels, channels)
        self.transformer_blocks = nn.ModuleList([TransformerBlock(channels, heads, context)])
        self.proj_out = nn.Linear(channels, channels)

    def forward(self, image, context):
        n, c, h, w = image.shape
        x = self.proj_in(self.norm(image).permute(0, 2, 3, 1).reshape(n, h * w, c))
        for block in self.transformer_blocks:
            x = block(x, context)
        return image + self.proj_out(x).reshape(n, h, w, c).permute(0, 3, 1, 2)


class Sampler(nn.Module):
    """Down- or upsampling with its convolution; `corner` pads right and bottom only."""

    def __init__(self, channels, up=False, corner=False):
        super().__init__()
        stride = 1 if up else 2
        self.up, self.corner = up, corner
        self.conv = nn.Conv2d(channels, channels, 3, stride=stride, padding=0 if corner else 1)

    def forward(self, x):
        if self.up:
            x = F.interpolate(x, scale_factor=2.0, mode="nearest")
        return self.conv(F.pad(x, (0, 1, 0, 1)) if self.corner else x)


class Level(nn.Module):
    """resnets, attentions and a sampler under the checkpoint's names."""

    def __init__(self, resnets, attentions=(), down=None, up=None):
        super().__init__()
        self.resnets = nn.ModuleList(resnets)
        if attentions:
            self.attentions = nn.ModuleList(attentions)
        if down:
            self.downsamplers = nn.ModuleList([down])
        if up:
            self.upsamplers = nn.ModuleList([up])

    def attention(self, j):
        return self.attentions[j] if hasattr(self, "attentions") else None


class UNet(nn.Module):
    def __init__(self, config):
        super().__init__()
        channels = config["block_out_channels"]
        groups, eps = config["norm_num_groups"], config["norm_eps"]
        heads, context = config["attention_head_dim"], config["cross_attention_dim"]
        heads = heads if isinstance(heads, list) else [heads] * len(channels)
        layers, last = config["layers_per_block"], len(channels) - 1
        temb = 4 * channels[0]
        self.config = config
        resnet = lambda cin, cout: Resnet(cin, cout, groups, eps, temb)
        transformer = lambda level: Transformer(channels[level], heads[level], context, groups)

        self.conv_in = nn.Conv2d(config["in_channels"], channels[0], 3, padding=1)
        self.time_embedding = TimeEmbedding(channels[0], temb)
        self.down_blocks, skips, width = nn.ModuleList(), [channels[0]], channels[0]
        for i, kind in enumerate(config["down_block_types"]):
            resnets, attentions = [], []
            for _ in range(layers):
                resnets.append(resnet(width, channels[i]))
                width = channels[i]
                if "CrossAttn" in kind:
                    attentions.append(transformer(i))
                skips.append(width)
            if i < last:
                skips.append(width)
            down = Sampler(width) if i < last else None
            self.down_blocks.append(Level(resnets, attentions, down=down))
        middle = [resnet(width, width), resnet(width, width)]
        self.mid_block = Level(middle, [transformer(last)])
        self.up_blocks = nn.ModuleList()
        for i, kind in enumerate(config["up_block_types"]):
            level, resnets, attentions = last - i, [], []
            for _ in range(layers + 1):
                resnets.append(resnet(width + skips.pop(), channels[level]))
                width = channels[level]
                if "CrossAttn" in kind:
                    attentions.append(transformer(level))
            up = Sampler(width, up=True) if i < last else None
            self.up_blocks.append(Level(resnets, attentions, up=up))
        self.conv_norm_out = nn.GroupNorm(groups, width, eps)
        self.conv_out = nn.Conv2d(width, config["out_channels"], 3, padding=1)

    def forward(self, x, t, context):
        config = self.config
        flip, shift = config["flip_sin_to_cos"], config["freq_shift"]
        dim = config["block_out_channels"][0]
        temb = self.time_embedding(sinusoid(t, dim, flip, shift, x.dtype, x.device))
        x = self.conv_in(x)
        skips = [x]
        for block in self.down_blocks:
            for j, resnet in enumerate(block.resnets):
                x = resnet(x, temb)
                if block.attention(j) is not None:
                    x = block.attention(j)(x, context)
                skips.append(x)
            if hasattr(block, "downsamplers"):
                x = block.downsamplers[0](x)
                skips.append(x)
        x = self.mid_block.resnets[0](x, temb)
        x = self.mid_block.resnets[1](self.mid_block.attentions[0](x, context), temb)
        for block in self.up_blocks:
            for j, resnet in enumerate(block.resnets):
                x = resnet(torch.cat([x, skips.pop()], 1), temb)
                if block.attention(j) is not None:
                    x = block.attention(j)(x, context)
            if hasattr(block, "upsamplers"):
                x = block.upsamplers[0](x)
        return self.conv_out(F.silu(self.conv_norm_out(x)))


class PixelMiddle(Level):
    def __init__(self, width, groups, heads, inner=None, temb=None):
        resnets = [Resnet(width, width, groups, 1e-6, temb) for _ in range(2)]
        attention = Attention(width, heads, inner, bias=True, groups=groups)
        super().__init__(resnets, [attention])

    def forward(self, x, temb=None):
        return self.resnets[1](self.attentions[0](self.resnets[0](x, temb)), temb)


class PixelEncoder(nn.Module):
    """The VAE's encoder, and, with a time embedding and attention in its levels, the noise predictor."""

    def __init__(self, config, out, layers, temb=None, head=None):
        super().__init__()
        channels, groups = config["block_out_channels"], config["norm_num_groups"]
        last = len(channels) - 1
        width = channels[0]
        heads = lambda c: 1 if head is None else c // head
        inner = lambda c: c if head is None else c // head * head
        attention = lambda c: Attention(c, heads(c), inner(c), bias=True, groups=groups)
        self.conv_in = nn.Conv2d(config["in_channels"], width, 3, padding=1)
        if temb is not None:
            self.time_embedding = TimeEmbedding(max(128, width), temb)
        self.down_blocks = nn.ModuleList()
        for i, kind in enumerate(config["down_block_types"]):
            resnets, attentions = [], []
            for _ in range(layers[i]):
                resnets.append(Resnet(width, channels[i], groups, 1e-6, temb))
                width = channels[i]
                if "Attn" in kind:
                    attentions.append(attention(width))
            down = Sampler(width, corner=True) if i < last else None
            self.down_blocks.append(Level(resnets, attentions, down=down))
        self.mid_block = PixelMiddle(width, groups, heads(width), inner(width), temb)
        self.conv_norm_out = nn.GroupNorm(groups, width, 1e-6)
        self.conv_out = nn.Conv2d(width, out, 3, padding=1)

    def forward(self, x, temb=None):
        x = self.conv_in(x)
        for block in self.down_blocks:
            for j, resnet in enumerate(block.resnets):
                x = resnet(x, temb)
                if block.attention(j) is not None:
                    x = block.attention(j)(x)
            if hasattr(block, "downsamplers"):
                x = block.downsamplers[0](x)
        return self.conv_out(F.silu(self.conv_norm_out(self.mid_block(x, temb))))


class PixelDecoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        channels, groups = config["block_out_channels"], config["norm_num_groups"]
        width, layers = channels[-1], config["layers_per_block"]
        self.conv_in = nn.Conv2d(config["latent_channels"], width, 3, padding=1)
        self.mid_block = PixelMiddle(width, groups, 1)
        self.up_blocks = nn.ModuleList()
        for i, cout in enumerate(reversed(channels)):
            resnets = []
            for _ in range(layers + 1):
                resnets.append(Resnet(width, cout, groups, 1e-6))
                width = cout
            up = Sampler(width, up=True) if i < len(channels) - 1 else None
            self.up_blocks.append(Level(resnets, up=up))
        self.conv_norm_out = nn.GroupNorm(groups, width, 1e-6)
        self.conv_out = nn.Conv2d(width, config["out_channels"], 3, padding=1)

    def forward(self, x):
        x = self.mid_block(self.conv_in(x))
        for block in self.up_blocks:
            for resnet in block.resnets:
                x = resnet(x)
            if hasattr(block, "upsamplers"):
                x = block.upsamplers[0](x)
        return self.conv_out(F.silu(self.conv_norm_out(x)))


class Vae(nn.Module):
    def __init__(self, config):
        super().__init__()
        latent = config["latent_channels"]
        layers = [config["layers_per_block"]] * len(config["block_out_channels"])
        self.encoder = PixelEncoder(config, 2 * latent, layers)
        self.decoder = PixelDecoder(config)
        self.quant_conv = nn.Conv2d(2 * latent, 2 * latent, 1)
        self.post_quant_conv = nn.Conv2d(latent, latent, 1)

    def encode(self, image):
        return self.quant_conv(self.encoder(image))

    def decode(self, latent):
        return self.decoder(self.post_quant_conv(latent))


class NoisePredictor(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        latent, layers = config["latent_channels"], config["layers_per_block"]
        temb, head = config["temb_channels"], config["attention_head_dim"]
        self.encoder = PixelEncoder(config, 2 * latent, layers, temb, head)

    def forward(self, lr, t):
        config = self.config
        dim = max(128, config["block_out_channels"][0])
        flip, shift = config["flip_sin_to_cos"], config["freq_shift"]
        angles = sinusoid(t, dim, flip, shift, lr.dtype, lr.device)
        return self.encoder(lr, self.encoder.time_embedding(angles))
