/**
 * The InvSR path for one batch of tiles (paper algorithm 1, official order) in four stages, each a
 * graph of its own, so that one network at a time need be on the device:
 *
 *   noise_predictor   tiles → noise            sample of NoisePredictor(2·lr − 1, t₀)
 *   encode            tiles → init_latents     z₀: sample of VaeEncoder(2·bicubic₄(lr) − 1) · scaling_factor
 *   denoise           noise, init_latents → latents
 *                     x = z₀ + σ₀ · noise;  per step: ε = UNet(x / √(σ² + 1), t, prompt);  x ← x + ε · (σ′ − σ)
 *   decode            latents → patch          clamp(VaeDecoder(x / scaling_factor) / 2 + ½)
 *
 * What is handed over is f32 under these external names: `tiles` [B, P, P, 3→4] in [0, 1] with values
 * rounded to f16, `noise`, `init_latents` and `latents` [B, P/2, P/2, latent→4], `patch` [B, 4P, 4P, 3→4]
 * in [0, 1].
 *
 * Both samples use a standard normal `draw`: from our generator, or given by the caller (parity).
 */
import type { TensorType } from '../engine/kernel.ts';
import { onDemand } from '../engine/on-demand.ts';
import { GraphBuilder, roundUp4 } from '../graph/builder.ts';
import type { Graph, Tensor } from '../graph/graph.ts';
import type { ModelConfigs, ModelShapes } from './model.ts';
import { noisePredictor } from './noise-predictor.ts';
import { schedule, type Step } from './scheduler.ts';
import { unet } from './unet.ts';
import { vaeDecode, vaeEncode } from './vae.ts';
import type { VaeTiling } from './vae-tiling.ts';

/** The image is four times the tile; the latent half of it (the VAE divides by eight). */
export const SCALE = 4;
export const LATENTS_PER_LR_PIXEL = 1 / 2;

/** Latents per side of a tile. */
export const latentSide = (tile: number): number => tile * LATENTS_PER_LR_PIXEL;

/** Stages of the random generator, so that both draws of a pixel are independent. */
const NOISE_STAGE = { noisePredictor: 0, vae: 1 } as const;

export interface TileGraphOptions {
  readonly precision: 'f16' | 'f32';
  readonly batch: number;
  /** Tile side P in LR pixels, a multiple of 8. */
  readonly tile: number;
  /** The user's timesteps, descending, e.g. [200]. */
  readonly timesteps: readonly number[];
  /** Classifier-free guidance scale; 1 is off. */
  readonly cfg: number;
  /** `given`: externals draw0 and draw1 [B, P/2, P/2, latent→4] f32 instead of the generator. */
  readonly noise: 'generated' | 'given';
  /** The VAE in tiles of its own where a side exceeds one. @default null, off */
  readonly vaeTiling?: VaeTiling | null;
}

export const STAGES = ['noise_predictor', 'encode', 'denoise', 'decode'] as const;
export type Stage = (typeof STAGES)[number];

/** The checkpoints whose weights a stage reads. */
export const COMPONENTS: Readonly<Record<Stage, readonly string[]>> = {
  noise_predictor: ['noise_predictor'],
  encode: ['vae'],
  denoise: ['unet', 'prompt'],
  decode: ['vae'],
};

export interface ModelFacts {
  readonly configs: ModelConfigs;
  readonly shapes: ModelShapes;
}

/** What `vaeTiling` calls for. */
export const tiledVae = onDemand('the VAE in tiles', () => import('./vae-tiling.ts'));

/** One stage for `batch` tiles. NotLoadedError: `tiledVae`. */
export function stageGraph(stage: Stage, model: ModelFacts, options: TileGraphOptions): Graph {
  const g = new GraphBuilder({ precision: options.precision });
  STAGE_GRAPHS[stage](g, model, options);
  return g.build();
}

type AddStage = (g: GraphBuilder, model: ModelFacts, options: TileGraphOptions) => void;

const STAGE_GRAPHS: Readonly<Record<Stage, AddStage>> = {
  noise_predictor: addNoisePredictor,
  encode: addEncode,
  denoise: addDenoise,
  decode: addDecode,
};

/** The noise that the predictor would add at the first timestep; it sees the LR tile itself. */
function addNoisePredictor(
  g: GraphBuilder,
  { configs, shapes }: ModelFacts,
  options: TileGraphOptions,
): void {
  const latent = configs.vae.latentChannels;
  const [first] = stepsOf(options, configs);
  const lr = tilesOf(g, options);
  const centred = g.affine('lr.centre', { a: lr }, { alpha: 2, gamma: -1, dtype: g.precision });
  const gaussian = noisePredictor(
    g,
    { lr: centred, timestep: first.timestep },
    g.checkpoint('noise_predictor', shapes.noisePredictor),
    configs.noisePredictor,
  );
  const draw = drawOf(g, 'noisePredictor', latent, options);
  const noise = sample(g, 'noise', { gaussian, draw, latent, scale: 1 });
  g.output('noise', noise);
  g.name('np_moments', gaussian, 2 * latent);
  g.name('noise', noise, latent);
}

/** The latent of the bicubically upsampled tile; overshoot beyond [-1, 1] stays. */
function addEncode(
  g: GraphBuilder,
  { configs, shapes }: ModelFacts,
  options: TileGraphOptions,
): void {
  const { batch, tile, vaeTiling: tiling } = options;
  const { latentChannels: latent, scalingFactor } = configs.vae;
  const side = tile * SCALE;
  const up = g.emit(
    'bicubic',
    'image_up',
    { x: tilesOf(g, options) },
    { height: side, width: side, dtype: g.precision },
    { dtype: g.precision, shape: [batch, side, side, 4] },
  );
  const image = g.affine('image_up.centre', { a: up }, { alpha: 2, gamma: -1 });
  const weights = g.checkpoint('vae', shapes.vae);
  const gaussian = tiling
    ? tiledVae.get().vaeEncodeTiled(g, image, weights, { ...configs.vae, tiling })
    : vaeEncode(g, image, weights, configs.vae);
  const draw = drawOf(g, 'vae', latent, options);
  const z0 = sample(g, 'init_latents', { gaussian, draw, latent, scale: scalingFactor });
  g.output('init_latents', z0);
  g.name('vae_moments', gaussian, 2 * latent);
  g.name('init_latents', z0, latent);
}

/** Euler steps from the noised latent. */
function addDenoise(
  g: GraphBuilder,
  { configs, shapes }: ModelFacts,
  options: TileGraphOptions,
): void {
  const { cfg } = options;
  const latent = configs.vae.latentChannels;
  const type = latentType(latent, options);
  const weights = g.checkpoint('unet', shapes.unet);
  const prompt = g.checkpoint('prompt', shapes.prompt);
  const steps = stepsOf(options, configs);

  const z0 = g.external('init_latents', type);
  const noise = g.external('noise', type);
  let x = g.affine('latents_T', { a: z0, b: noise }, { alpha: 1, beta: steps[0].sigma });
  g.name('latents_T', x, latent);
  for (const [i, { timestep, sigma, nextSigma }] of steps.entries()) {
    const scaled = g.affine(
      `step${i}.scaled_input`,
      { a: x },
      { alpha: 1 / Math.sqrt(sigma ** 2 + 1) },
    );
    const predict = (name: string): Tensor =>
      unet(
        g,
        { latent: scaled, context: prompt.get(name, 'rows', g.precision), timestep },
        weights,
        configs.unet,
      );
    const positive = predict('prompt_embeds');
    const eps =
      cfg === 1
        ? positive
        : g.affine(
            `step${i}.guidance`,
            { a: positive, b: predict('negative_prompt_embeds') },
            { alpha: cfg, beta: 1 - cfg },
          );
    g.name(`step${i}.eps`, eps, latent);
    x = g.affine(`step${i}.latents`, { a: x, b: eps }, { alpha: 1, beta: nextSigma - sigma });
    g.name(`step${i}.latents`, x, latent);
  }
  g.output('latents', x);
}

function addDecode(
  g: GraphBuilder,
  { configs, shapes }: ModelFacts,
  options: TileGraphOptions,
): void {
  const { vaeTiling: tiling } = options;
  const { latentChannels: latent, scalingFactor } = configs.vae;
  const latents = g.external('latents', latentType(latent, options));
  const scaled = g.affine('decode_in', { a: latents }, { alpha: 1 / scalingFactor });
  const weights = g.checkpoint('vae', shapes.vae);
  const decoded = tiling
    ? tiledVae.get().vaeDecodeTiled(g, scaled, weights, { ...configs.vae, tiling })
    : vaeDecode(g, scaled, weights, configs.vae);
  g.name('decoded', decoded, 3);
  const patch = g.affine('patch', { a: decoded }, { alpha: 0.5, gamma: 0.5, min: 0, max: 1 });
  g.output('patch', patch);
  g.name('patch_out', patch, 3);
}

// --- parts ----------------------------------------------------------------------------------------

const tilesOf = (g: GraphBuilder, { batch, tile }: TileGraphOptions): Tensor =>
  g.external('tiles', { dtype: 'f32', shape: [batch, tile, tile, 4] });

const latentType = (channels: number, { batch, tile }: TileGraphOptions): TensorType => ({
  dtype: 'f32',
  shape: [batch, latentSide(tile), latentSide(tile), roundUp4(channels)],
});

function stepsOf(
  { timesteps }: TileGraphOptions,
  { scheduler }: ModelConfigs,
): readonly [Step, ...Step[]] {
  const [first, ...others] = schedule(timesteps, scheduler);
  if (!first) throw new Error('schedule returned no step');
  return [first, ...others];
}

/** A draw from the diagonal `gaussian`, times `scale`. */
function sample(
  g: GraphBuilder,
  path: string,
  {
    gaussian,
    draw,
    latent,
    scale,
  }: {
    readonly gaussian: Tensor;
    readonly draw: Tensor;
    readonly latent: number;
    readonly scale: number;
  },
): Tensor {
  const type = { dtype: 'f32', shape: draw.shape } as const;
  return g.emit('posterior', path, { gaussian, noise: draw }, { channels: latent, scale }, type);
}

/** Standard normal [B, h, w, latent→4] f32, keyed by absolute latent position, or the caller's. */
function drawOf(
  g: GraphBuilder,
  of: keyof typeof NOISE_STAGE,
  latent: number,
  options: TileGraphOptions,
): Tensor {
  const { batch, tile, noise } = options;
  const stage = NOISE_STAGE[of];
  const type = latentType(latent, options);
  if (noise === 'given') return g.external(`draw${stage}`, type);
  const origins = g.external('latentOrigins', { dtype: 'u32', shape: [batch, 2] });
  const seed = g.external('seed', { dtype: 'u32', shape: [4] });
  const side = latentSide(tile);
  return g.emit(
    'normalNoise',
    `draw${stage}`,
    { origins, seed },
    { stage, height: side, width: side, channels: latent },
    type,
  );
}
