/** Small repositories of the names and paths that sd-turbo comes from; contents from a seed. */
import { HubServer, type HubFile, type HubRepository } from './hub-server.ts';

export const SD = 'stabilityai/sd-turbo';
export const NP = 'OAOA/InvSR';
export const COMMIT = '0123456789abcdef0123456789abcdef01234567';
export const NP_COMMIT = 'fedcba9876543210fedcba9876543210fedcba98';

/** Bytes that follow from a number. */
export function noise(length: number, seed: number): Buffer {
  let state = seed * 2654435761 + 1;
  return Buffer.from(
    Uint8Array.from({ length }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state >>> 24;
    }),
  );
}

const large = (length: number, seed: number): HubFile => ({
  bytes: noise(length, seed),
  isLarge: true,
});
const small = (text: string): HubFile => ({ bytes: Buffer.from(text), isLarge: false });

/** fp16 and fp32 files as the hub lists them, and files that no model needs. */
export function sdTurbo(): HubRepository {
  return {
    commit: COMMIT,
    files: new Map([
      ['README.md', small('# SD-Turbo')],
      ['model_index.json', small('{}')],
      ['scheduler/scheduler_config.json', small('{"_class_name":"EulerDiscreteScheduler"}')],
      ['sd_turbo.safetensors', large(5000, 9)],
      ['text_encoder/config.json', small('{"hidden_size":1024}')],
      ['text_encoder/model.fp16.safetensors', large(70_000, 1)],
      ['text_encoder/model.safetensors', large(140_000, 2)],
      ['tokenizer/merges.txt', small('#version: 0.2\n')],
      ['tokenizer/special_tokens_map.json', small('{"pad_token":"!"}')],
      ['tokenizer/tokenizer_config.json', small('{"model_max_length":77}')],
      ['tokenizer/vocab.json', small('{"!":0}')],
      ['unet/config.json', small('{"_class_name":"UNet2DConditionModel"}')],
      ['unet/diffusion_pytorch_model.fp16.safetensors', large(300_000, 3)],
      ['unet/diffusion_pytorch_model.safetensors', large(600_000, 4)],
      ['vae/config.json', small('{"_class_name":"AutoencoderKL"}')],
      ['vae/diffusion_pytorch_model.fp16.safetensors', large(50_000, 5)],
      ['vae/diffusion_pytorch_model.safetensors', large(100_000, 6)],
    ]),
  };
}

export const noisePredictor = (): HubRepository => ({
  commit: NP_COMMIT,
  files: new Map([
    ['README.md', small('# InvSR')],
    ['noise_predictor_sd_turbo_v5.pth', large(40_000, 7)],
    ['noise_predictor_sd_turbo_v5_diftune.pth', large(40_000, 8)],
  ]),
});

export async function startHub(): Promise<HubServer> {
  const server = new HubServer();
  await server.start();
  server.repositories.set(SD, sdTurbo()).set(NP, noisePredictor());
  return server;
}
