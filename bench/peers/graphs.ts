/** Reads and makes graphs/: the embedded model's networks as ONNX (see onnx.ts). */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { gunzipSync, gzipSync } from 'node:zlib';
import type { NetworkName } from '../../src/invsr/measure.ts';
import { readTensors } from '../../src/weights/tensor-reads.ts';
import { toF32 } from '../../src/weights/layout.ts';
import { fileSource } from '../../src/weights/node-file.ts';
import { fillSkeleton, skeletonOf, type Source } from './onnx.ts';

const GRAPHS = 'bench/peers/graphs';
export const MODEL = 'weights/invsr-nano';

const FILES: Readonly<Record<NetworkName, string>> = {
  noise_predictor: 'noise-predictor',
  'vae.encoder': 'vae-encoder',
  unet: 'unet',
  'vae.decoder': 'vae-decoder',
};

/** ONNX models by network; from `folder` as they are, or else the committed ones with weights. */
export async function readGraphs(folder?: string): Promise<Map<NetworkName, Uint8Array>> {
  const entries = Object.entries(FILES) as [NetworkName, string][];
  const models = new Map<NetworkName, Uint8Array>();
  if (folder !== undefined) {
    for (const [name, file] of entries) {
      models.set(name, await readFile(`${folder}/${file}.onnx`));
    }
    return models;
  }
  const sources = new Map((await weightSources()).map((s) => [s.reference, s.bytes]));
  for (const [name, file] of entries) {
    const skeleton = gunzipSync(await readFile(`${GRAPHS}/${file}.onnx.gz`));
    const bytesOf = (reference: string): Uint8Array => {
      const bytes = sources.get(reference);
      if (!bytes) throw new Error(`${GRAPHS}/${file}.onnx.gz: ${MODEL} has no ${reference}`);
      return bytes;
    };
    models.set(name, fillSkeleton(skeleton, bytesOf));
  }
  return models;
}

/** Turns the exports in `folder` into graphs/; returns a line for each. */
export async function pickGraphs(folder: string): Promise<string[]> {
  const sources = await weightSources();
  const lines: string[] = [];
  for (const file of Object.values(FILES)) {
    const model = await readFile(`${folder}/${file}.onnx`);
    const { skeleton, kept } = skeletonOf(model, sources);
    const packed = gzipSync(skeleton, { level: 9 });
    await writeFile(`${GRAPHS}/${file}.onnx.gz`, packed);
    lines.push(
      `${file}: ${model.length} → ${packed.length} bytes; kept: ${kept.join(', ') || 'none'}`,
    );
  }
  return lines;
}

/** Every tensor of the checkpoints as f32, matrices also transposed: ONNX MatMul has K×N. */
async function weightSources(): Promise<Source[]> {
  const sources: Source[] = [];
  for (const component of ['noise_predictor', 'unet', 'vae']) {
    const folder = `${MODEL}/${component}`;
    for (const name of (await readdir(folder)).filter((file) => file.endsWith('.safetensors'))) {
      const tensors = await readTensors(await fileSource(`${folder}/${name}`));
      for (const [key, tensor] of tensors) {
        const reference = `${component}/${key}`;
        const values = toF32(tensor);
        sources.push({ reference, bytes: new Uint8Array(values.buffer) });
        const [rows = 0, columns = 0, ...more] = tensor.shape;
        if (columns > 0 && more.length === 0) {
          const turned = transpose(values, rows, columns);
          sources.push({
            reference: `${reference} transposed`,
            bytes: new Uint8Array(turned.buffer),
          });
        }
      }
    }
  }
  return sources;
}

function transpose(values: Float32Array, rows: number, columns: number): Float32Array<ArrayBuffer> {
  const turned = new Float32Array(values.length);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) turned[c * rows + r] = values[r * columns + c] ?? 0;
  }
  return turned;
}
