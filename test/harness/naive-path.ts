/** One batch of tiles through all networks in f64: the oracle of src/invsr/tile-graph.ts, by its names. */
import type { NoisePredictorJson, UNetJson, VaeJson } from '../../src/invsr/model-keys.ts';
import { naiveDecode, naiveEncode, naiveNoisePredictor, naiveUNet } from './naive-models.ts';
import { map, type Naive, naive, type Scope } from './naive-ops.ts';

export interface NaiveModel {
  readonly unet: UNetJson;
  readonly vae: VaeJson;
  readonly noise_predictor: NoisePredictorJson;
  readonly weights: Readonly<Record<'unet' | 'vae' | 'noise_predictor', Scope>>;
  readonly prompt: Naive;
  readonly negative: Naive;
}

export function naivePath(
  model: NaiveModel,
  { tiles, draws }: { readonly tiles: Naive; readonly draws: readonly [Naive, Naive] },
  { timesteps, cfg }: { readonly timesteps: readonly number[]; readonly cfg: number },
): ReadonlyMap<string, Naive> {
  const { weights, vae } = model;
  const stages = new Map<string, Naive>();
  const stage = (name: string, x: Naive): Naive => {
    stages.set(name, x);
    return x;
  };
  const sample = (name: string, moments: Naive, draw: Naive, scale: number): Naive => {
    const mean = stage(`${name}_mean`, channels(moments, 0, vae.latent_channels));
    const logvar = channels(moments, vae.latent_channels, vae.latent_channels);
    return map(mean, (v, i) => {
      const deviation = Math.exp(Math.min(20, Math.max(-30, logvar.data[i]!)) / 2);
      return (v + deviation * draw.data[i]!) * scale;
    });
  };
  const sigmas = [...timesteps.map((t) => sigma(t - 1)), 0];

  const lr = map(tiles, (v) => 2 * v - 1);
  const npMoments = naiveNoisePredictor(model.noise_predictor, weights.noise_predictor, {
    lr,
    timestep: timesteps[0]! - 1,
  });
  const noise = stage('noise', sample('np', npMoments, draws[0], 1));
  const up = map(bicubic4(tiles), (v) => 2 * v - 1);
  const moments = naiveEncode(vae, weights.vae, up);
  const z = stage('init_latents', sample('vae', moments, draws[1], vae.scaling_factor));
  let x = stage(
    'latents_T',
    map(z, (v, i) => v + sigmas[0]! * noise.data[i]!),
  );
  for (const [i, t] of timesteps.entries()) {
    const latent = map(x, (v) => v / Math.sqrt(sigmas[i]! ** 2 + 1));
    const predict = (context: Naive): Naive =>
      naiveUNet(model.unet, weights.unet, { latent, context, timestep: t - 1 });
    const wanted = predict(model.prompt);
    const unwanted = cfg === 1 ? wanted : predict(model.negative);
    const eps = stage(
      `step${i}.eps`,
      map(unwanted, (v, j) => v + cfg * (wanted.data[j]! - v)),
    );
    x = map(x, (v, j) => v + eps.data[j]! * (sigmas[i + 1]! - sigmas[i]!));
  }
  stage(
    'decoded',
    naiveDecode(
      vae,
      weights.vae,
      map(x, (v) => v / vae.scaling_factor),
    ),
  );
  return stages;
}

/** SD-Turbo's noise level at a training timestep. */
export function sigma(timestep: number): number {
  const [from, to] = [Math.sqrt(0.00085), Math.sqrt(0.012)];
  let kept = 1;
  for (let t = 0; t <= timestep; t++) kept *= 1 - (from + ((to - from) * t) / 999) ** 2;
  return Math.sqrt((1 - kept) / kept);
}

function channels(x: Naive, first: number, count: number): Naive {
  const [n = 1, c = 1, h = 1, w = 1] = x.shape;
  const parts = Array.from({ length: n }, (_, i) => {
    const at = (i * c + first) * h * w;
    return [...x.data.subarray(at, at + count * h * w)];
  });
  return naive([n, count, h, w], parts.flat());
}

/** Keys' cubic with a = −0.75, half-pixel centres, border clamped. */
export function bicubic4(x: Naive): Naive {
  const [n = 1, c = 1, h = 1, w = 1] = x.shape;
  const a = -0.75;
  const kernel = (t: number): number => {
    const d = Math.abs(t);
    if (d >= 2) return 0;
    return d <= 1
      ? (a + 2) * d ** 3 - (a + 3) * d ** 2 + 1
      : a * d ** 3 - 5 * a * d ** 2 + 8 * a * d - 4 * a;
  };
  const y = naive([n, c, 4 * h, 4 * w], new Float64Array(n * c * 16 * h * w));
  const clamp = (i: number, side: number): number => Math.min(side - 1, Math.max(0, i));
  return map(y, (_, i) => {
    const plane = Math.floor(i / (16 * h * w)) * h * w;
    const cy = ((Math.floor(i / (4 * w)) % (4 * h)) + 0.5) / 4 - 0.5;
    const cx = ((i % (4 * w)) + 0.5) / 4 - 0.5;
    let s = 0;
    for (let dy = -1; dy <= 2; dy++) {
      for (let dx = -1; dx <= 2; dx++) {
        const [iy, ix] = [Math.floor(cy) + dy, Math.floor(cx) + dx];
        const value = x.data[plane + clamp(iy, h) * w + clamp(ix, w)]!;
        s += kernel(cy - iy) * kernel(cx - ix) * value;
      }
    }
    return s;
  });
}
