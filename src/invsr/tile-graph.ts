/**
 * The whole InvSR path for one batch of tiles, as one graph (paper algorithm 1, official order):
 *
 *   tiles     [B, P, P, 3→4] f32 in [0, 1]       low-resolution tiles, values rounded to f16
 *   returns   [B, 4P, 4P, 3→4] f32 in [0, 1]     under the external name `patch`
 *
 *   noise  = sample of NoisePredictor(2·lr − 1, t₀)
 *   z₀     = sample of VaeEncoder(2·bicubic₄(lr) − 1) · scaling_factor
 *   x      = z₀ + σ₀ · noise
 *   per step: ε = UNet(x / √(σ² + 1), t, prompt);  x ← x + ε · (σ′ − σ)
 *   patch  = clamp(VaeDecoder(x / scaling_factor) / 2 + ½)
 *
 * Both samples use a standard normal `draw`: from our generator, or given by the caller (parity).
 */
import { GraphBuilder, roundUp4 } from '../graph/builder.ts';
import type { Weights } from '../graph/weights.ts';
import type { Graph, Tensor } from '../graph/graph.ts';
import type { ModelConfigs, ModelShapes } from './model.ts';
import { noisePredictor } from './noise-predictor.ts';
import { schedule } from './scheduler.ts';
import { unet } from './unet.ts';
import { vaeDecode, vaeEncode } from './vae.ts';
import { exceeds, vaeDecodeTiled, vaeEncodeTiled, type VaeTiling } from './vae-tiling.ts';

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

export function tileGraph(
  { configs, shapes }: { readonly configs: ModelConfigs; readonly shapes: ModelShapes },
  { precision, batch, tile, timesteps, cfg, noise, vaeTiling: tiling = null }: TileGraphOptions,
): Graph {
  const g = new GraphBuilder({ precision });
  const latent = configs.vae.latentChannels;
  const side = latentSide(tile);
  const latentShape = [batch, side, side, roundUp4(latent)];
  const weights = {
    unet: g.checkpoint('unet', shapes.unet),
    vae: g.checkpoint('vae', shapes.vae),
    noisePredictor: g.checkpoint('noise_predictor', shapes.noisePredictor),
    prompt: g.checkpoint('prompt', shapes.prompt),
  };
  const steps = schedule(timesteps, configs.scheduler);
  const first = steps[0];
  if (!first) throw new Error('schedule returned no step');

  const lr = g.external('tiles', { dtype: 'f32', shape: [batch, tile, tile, 4] });
  const draw = drawTensors(g, { noise, batch, side, latent, latentShape });

  // The noise that the predictor would add at the first timestep.
  const centred = g.affine('lr.centre', { a: lr }, { alpha: 2, gamma: -1, dtype: precision });
  const noiseMoments = noisePredictor(
    g,
    { lr: centred, timestep: first.timestep },
    weights.noisePredictor,
    configs.noisePredictor,
  );
  const startNoise = sample(g, 'noise', noiseMoments, draw('noisePredictor'), latent, 1);
  g.name('np_moments', noiseMoments, 2 * latent);
  g.name('noise', startNoise, latent);

  // The latent of the bicubically upsampled tile; overshoot beyond [-1, 1] stays.
  const up = g.emit(
    'bicubic',
    'image_up',
    { x: lr },
    { height: tile * SCALE, width: tile * SCALE, dtype: precision },
    { dtype: precision, shape: [batch, tile * SCALE, tile * SCALE, 4] },
  );
  const image = g.affine('image_up.centre', { a: up }, { alpha: 2, gamma: -1 });
  const imageMoments =
    tiling && exceeds(image, tiling.image)
      ? vaeEncodeTiled(g, image, weights.vae, { ...configs.vae, tiling })
      : vaeEncode(g, image, weights.vae, configs.vae);
  const z0 = sample(
    g,
    'init_latents',
    imageMoments,
    draw('vae'),
    latent,
    configs.vae.scalingFactor,
  );
  g.name('vae_moments', imageMoments, 2 * latent);
  g.name('init_latents', z0, latent);

  let x = g.affine('latents_T', { a: z0, b: startNoise }, { alpha: 1, beta: first.sigma });
  g.name('latents_T', x, latent);

  const context = (name: string): Tensor => contextOf(weights.prompt, name, precision);
  for (const [i, { timestep, sigma, nextSigma }] of steps.entries()) {
    const scaled = g.affine(
      `step${i}.scaled_input`,
      { a: x },
      { alpha: 1 / Math.sqrt(sigma ** 2 + 1) },
    );
    const predict = (prompt: string): Tensor =>
      unet(g, { latent: scaled, context: context(prompt), timestep }, weights.unet, configs.unet);
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

  const decodeIn = g.affine('decode_in', { a: x }, { alpha: 1 / configs.vae.scalingFactor });
  const decoded =
    tiling && exceeds(decodeIn, tiling.latent)
      ? vaeDecodeTiled(g, decodeIn, weights.vae, { ...configs.vae, tiling })
      : vaeDecode(g, decodeIn, weights.vae, configs.vae);
  g.name('decoded', decoded, 3);
  const patch = g.affine('patch', { a: decoded }, { alpha: 0.5, gamma: 0.5, min: 0, max: 1 });
  g.output('patch', patch);
  g.name('patch_out', patch, 3);
  return g.build();
}

/** A draw from the diagonal Gaussian that `moments` describes, times `scale`. */
function sample(
  g: GraphBuilder,
  path: string,
  moments: Tensor,
  noise: Tensor,
  channels: number,
  scale: number,
): Tensor {
  return g.emit(
    'posterior',
    path,
    { moments, noise },
    { channels, scale },
    {
      dtype: 'f32',
      shape: noise.shape,
    },
  );
}

function drawTensors(
  g: GraphBuilder,
  {
    noise,
    batch,
    side,
    latent,
    latentShape,
  }: {
    readonly noise: 'generated' | 'given';
    readonly batch: number;
    readonly side: number;
    readonly latent: number;
    readonly latentShape: readonly number[];
  },
): (stage: keyof typeof NOISE_STAGE) => Tensor {
  const type = { dtype: 'f32', shape: latentShape } as const;
  if (noise === 'given') {
    return (stage) => g.external(`draw${NOISE_STAGE[stage]}`, type);
  }
  const origins = g.external('latentOrigins', { dtype: 'u32', shape: [batch, 2] });
  const seed = g.external('seed', { dtype: 'u32', shape: [4] });
  return (stage) =>
    g.emit(
      'normalNoise',
      `draw${NOISE_STAGE[stage]}`,
      { origins, seed },
      { stage: NOISE_STAGE[stage], height: side, width: side, channels: latent },
      type,
    );
}

/** The prompt's states [1, L, contextChannels], stored like the activations. */
const contextOf = (prompt: Weights, name: string, dtype: 'f16' | 'f32'): Tensor =>
  prompt.get(name, 'rows', dtype);
