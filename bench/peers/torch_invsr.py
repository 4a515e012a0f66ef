"""InvSR in PyTorch beside ours: the same networks and shapes with synthetic weights.

    python3 bench/peers/torch_invsr.py [--runs 20] [--json] [--out FILE]     on CUDA, fp16
    python3 bench/peers/torch_invsr.py --device cpu --tiny                   a tiny model, f32: a test

Times each network and the whole path (one step, 128 -> 512) eagerly and compiled (torch.compile), then
every distinct convolution, product, attention and norm that the networks were seen to run. Channels-last
images, scaled_dot_product_attention. CUDA events; warm-up until a run is no longer 2 % faster than the
best; median, 10th and 90th percentile.

What the figures are not: networks and path begin and end on the device, so they have launches but neither
upload nor readback, which the wall time of `bench model` has; ours without them is its sum of GPU times.
Rows repeat a layer over the same tensors until a sample takes 2 ms, so launches do not dominate, though
small ones are bound by them all the same, as in eager networks; what fits the L2 cache stays there,
whereas inputs rotate in `bench kernels`. Nothing but times is compared: no output is looked at.
"""
import argparse
import datetime
import json
import os
import statistics
import sys
import time

try:
    import torch
    import torch.nn.functional as F
except ImportError:
    sys.exit("torch_invsr.py needs PyTorch: pip install torch, or Debian's python3-torch")

from torch_networks import HAS_SDPA, Attend, NoisePredictor, UNet, Vae

# `full` is SD-Turbo with InvSR's noise predictor; test/unit/torch-sizes.test.ts compares it with ours.
with open(os.path.join(os.path.dirname(__file__), "torch-sizes.json"), encoding="utf-8") as sizes:
    SIZES = json.load(sizes)
TIMESTEP = 199
# torch.compile compiles in the first run and records its CUDA graph in one of the next.
WARM_UPS = 3
COUNTED = (torch.nn.Conv2d, torch.nn.Linear, Attend, torch.nn.GroupNorm, torch.nn.LayerNorm)


class Clock:
    """Milliseconds of `work`: CUDA events, or the host's clock on a CPU."""

    def __init__(self, device):
        self.cuda = device == "cuda"

    def once(self, work, repeat=1):
        if not self.cuda:
            start = time.perf_counter()
            for _ in range(repeat):
                work()
            return 1000 * (time.perf_counter() - start) / repeat
        first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        first.record()
        for _ in range(repeat):
            work()
        last.record()
        last.synchronize()
        return first.elapsed_time(last) / repeat

    def spread(self, work, runs, repeat=1):
        best = min(self.once(work) for _ in range(WARM_UPS))
        for _ in range(20):
            now = self.once(work, repeat)
            if now > 0.98 * best:
                break
            best = now
        return spread([self.once(work, repeat) for _ in range(runs)])


def spread(found):
    """As `spreadOf` of src/invsr/measure.ts: percentiles interpolated between neighbours."""
    found = sorted(found)

    def at(share):
        place = share * (len(found) - 1)
        low = int(place)
        high = min(low + 1, len(found) - 1)
        return found[low] + (found[high] - found[low]) * (place - low)

    return {
        "median": statistics.median(found),
        "p10": at(0.1),
        "p90": at(0.9),
        "runs": len(found),
    }


class Path:
    """The networks and what lies between them, for one 128 x 128 tile (tiny: 32 x 32)."""

    def __init__(self, size, device, dtype):
        torch.manual_seed(0)
        configs = SIZES["configs"][size]
        kinds = {"noise_predictor": NoisePredictor, "unet": UNet, "vae": Vae}
        self.networks = {name: kind(configs[name]) for name, kind in kinds.items()}
        for name, network in self.networks.items():
            count = sum(p.numel() for p in network.parameters())
            expected = SIZES["parameters"][size][name]
            if count != expected:
                sys.exit(f"{name} has {count} parameters, expected {expected}")
            network.to(device=device, dtype=dtype, memory_format=torch.channels_last).eval()
        tile = configs["noise_predictor"]["sample_size"]
        self.scaling = configs["vae"]["scaling_factor"]
        self.latent = configs["vae"]["latent_channels"]
        image = lambda n, c, side: torch.randn(
            n, c, side, side, device=device, dtype=dtype
        ).to(memory_format=torch.channels_last)
        self.lr = image(1, 3, tile).clamp(0, 1)
        self.pixels = image(1, 3, 4 * tile)
        self.z = image(1, self.latent, tile // 2)
        width = configs["unet"]["cross_attention_dim"]
        self.context = torch.randn(1, 77, width, device=device, dtype=dtype)
        beta = torch.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
        alpha = (1 - beta).cumprod(0)[TIMESTEP].item()
        self.sigma = ((1 - alpha) / alpha) ** 0.5
        unet, vae = self.networks["unet"], self.networks["vae"]
        self.calls = {
            "noise_predictor": lambda lr: self.networks["noise_predictor"](lr, TIMESTEP),
            "vae.encoder": vae.encode,
            "unet": lambda x: unet(x, TIMESTEP, self.context),
            "vae.decoder": vae.decode,
        }
        self.inputs = {
            "noise_predictor": self.lr,
            "vae.encoder": self.pixels,
            "unet": self.z,
            "vae.decoder": self.z,
        }

    def sample(self, moments):
        mean, logvar = moments.chunk(2, 1)
        return mean + (0.5 * logvar.clamp(-30, 20)).exp() * torch.randn_like(mean)

    def whole(self, calls):
        noise = self.sample(calls["noise_predictor"](2 * self.lr - 1))
        up = F.interpolate(self.lr, scale_factor=4, mode="bicubic")
        x = self.sample(calls["vae.encoder"](2 * up - 1)) * self.scaling + self.sigma * noise
        x = x - self.sigma * calls["unet"](x / (self.sigma**2 + 1) ** 0.5)
        return (calls["vae.decoder"](x / self.scaling) / 2 + 0.5).clamp(0, 1)


def layers_of(path):
    """(module, inputs, network, count) of every distinct layer, from one run of each network."""
    found = {}
    for name, call in path.calls.items():
        hooks = []

        def see(module, inputs, output, network=name):
            key = describe(module, inputs)
            kept = found.setdefault(key, [module, [x.clone() for x in inputs], network, 0])
            kept[3] += 1

        for network in path.networks.values():
            for module in network.modules():
                if isinstance(module, COUNTED):
                    hooks.append(module.register_forward_hook(see))
        call(path.inputs[name])
        for hook in hooks:
            hook.remove()
    return found


def describe(module, inputs):
    shapes = " ".join("x".join(map(str, x.shape)) for x in inputs)
    kind = type(module).__name__
    if isinstance(module, torch.nn.Conv2d):
        k, stride = module.kernel_size[0], module.stride[0]
        return f"{kind} {shapes} -> {module.out_channels}, {k}x{k} stride {stride}"
    if isinstance(module, torch.nn.Linear):
        return f"{kind} {shapes} -> {module.out_features}{'' if module.bias is None else ', bias'}"
    return f"{kind} {shapes}"


def facts_of(module, inputs, output):
    """Op and size as rows of `npm run bench -- kernels` have them, so that tables can be matched."""
    if isinstance(module, torch.nn.Conv2d):
        n, c, h, w = output.shape
        return "conv2d", f"{n * h * w}x{c}x{module.weight[0].numel()}"
    if isinstance(module, torch.nn.Linear):
        rows = output.numel() // module.out_features
        return "linear", f"{rows}x{module.out_features}x{module.in_features}"
    if isinstance(module, Attend):
        _, heads, queries, width = inputs[0].shape
        return "attention", f"{queries}x{inputs[1].shape[2]}x{width} h{heads}"
    if isinstance(module, torch.nn.GroupNorm):
        n, c, h, w = output.shape
        return "groupNorm", f"{n}x{h}x{w}x{c}"
    return "layerNorm", "x".join(map(str, output.shape))


def flops_of(module, inputs, output):
    """A fused multiply-add counts as 2; norms as our kernels' cost has them."""
    if isinstance(module, torch.nn.Conv2d):
        return 2 * output.numel() * module.weight[0].numel()
    if isinstance(module, torch.nn.Linear):
        return 2 * output.numel() * module.in_features
    if isinstance(module, Attend):
        return 4 * output.numel() * inputs[1].shape[2]
    return 8 * output.numel()


def bench(options):
    device, model = options.device, "tiny" if options.tiny else "full"
    dtype = torch.float16 if device == "cuda" else torch.float32
    clock, note = Clock(device), lambda text: print(text, file=sys.stderr)
    path = Path(model, device, dtype)
    networks, rows, skipped = [], [], []
    compilers = {"eager": lambda call: call}
    if not hasattr(torch, "compile"):
        skipped.append({"id": "compiled", "why": f"torch {torch.__version__} has no torch.compile"})
    elif not options.eager:
        compilers["compiled"] = lambda call: torch.compile(call, mode=options.mode)
    for mode, compiler in compilers.items():
        try:
            calls = {name: compiler(call) for name, call in path.calls.items()}
            for name, call in calls.items():
                took = clock.spread(lambda: call(path.inputs[name]), options.runs)
                networks.append({"network": name, "mode": mode, "milliseconds": took})
                note(f"{took['median']:9.3f} ms  {name} {mode}")
            took = clock.spread(lambda: path.whole(calls), options.runs)
            networks.append({"network": "whole path", "mode": mode, "milliseconds": took})
            note(f"{took['median']:9.3f} ms  whole path {mode}")
        except Exception as error:  # a compiler that the machine lacks
            skipped.append({"id": mode, "why": str(error).split("\n")[0]})
            note(f"{mode}: {skipped[-1]['why']}")
    for key, (module, inputs, network, count) in layers_of(path).items():
        output = module(*inputs)
        work = lambda: module(*inputs)
        repeat = max(1, int(2 / max(1e-3, min(clock.once(work) for _ in range(3)))))
        took = clock.spread(work, options.runs, repeat)
        flops = flops_of(module, inputs, output)
        op, size = facts_of(module, inputs, output)
        row = {"id": key, "op": op, "size": size, "network": network, "count": count, "milliseconds": took}
        rows.append({**row, "flops": flops, "gflops": flops / took["median"] / 1e6})
    return {
        "bench": "torch",
        "machine": machine(device),
        "model": model,
        "precision": "f16" if dtype == torch.float16 else "f32",
        "attention": "scaled_dot_product_attention" if HAS_SDPA else "softmax",
        "networks": networks,
        "rows": rows,
        "skipped": skipped,
    }


def machine(device):
    cuda = device == "cuda"
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="minutes")[:16],
        "adapter": torch.cuda.get_device_name() if cuda else "CPU",
        "torch": torch.__version__,
        "cuda": torch.version.cuda if cuda else None,
        "cudnn": torch.backends.cudnn.version() if cuda else None,
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--tiny", action="store_true", help="a model of a thousandth of the size")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--eager", action="store_true", help="without torch.compile")
    modes = ["default", "reduce-overhead", "max-autotune"]
    parser.add_argument("--mode", choices=modes, default="reduce-overhead", help="of torch.compile")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--out", help="append the JSON object to a file")
    options = parser.parse_args()
    if options.runs < 1:
        parser.error("--runs is at least 1")
    if options.device == "cuda" and not torch.cuda.is_available():
        sys.exit("torch_invsr.py: PyTorch finds no CUDA device; --device cpu --tiny runs a small test")
    torch.backends.cudnn.benchmark = True
    with torch.no_grad():
        record = bench(options)
    line = json.dumps(record)
    if options.out:
        with open(options.out, "a", encoding="utf-8") as file:
            file.write(line + "\n")
    if options.json:
        print(line)
        return
    for row in record["networks"]:
        took = row["milliseconds"]
        print(f"{took['median']:10.3f} ms ({took['p10']:.3f}-{took['p90']:.3f})  {row['network']} {row['mode']}")
    for row in sorted(record["rows"], key=lambda row: -row["count"] * row["milliseconds"]["median"]):
        took = row["milliseconds"]["median"]
        print(f"{took:10.4f} ms  {row['gflops']:9.1f} GFLOP/s  {row['count']:3} x {row['id']}")


if __name__ == "__main__":
    main()
