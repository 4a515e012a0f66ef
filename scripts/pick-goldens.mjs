/**
 * Copies from the full set of goldens what the tests need, into test/golden/data and examples.
 *
 *   node scripts/pick-goldens.mjs <folder with goldens/, nano/ and images/>
 *
 * The goldens are numbers of the official InvSR PyTorch code with synthetic weights (goldens/) and
 * with the embedded model (nano/). The full set is 60 MB and not kept; this script records the
 * choice and how each tensor is stored:
 *
 * - A tensor of f32 whose values are all f16 values is stored as F16 (lossless; test inputs are).
 * - `sample` keeps 4096 elements of a large tensor, as `samples.<name>`: element j is the one at
 *   flat index (j * 2654435761) mod numel. `__metadata__` has its shape as `shape.<name>`.
 * - `base` names another file: tensors it has with the same name and bytes are not repeated;
 *   `__metadata__.inherits` lists them. test/harness/goldens.ts puts them back.
 * - Tiny weights are not stored: they follow from `tiny/<part>.keys.json` (src/weights/synthetic.ts).
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { gzipSync } from 'node:zlib';
import { helpIfAsked } from './help.mjs';

helpIfAsked();

const root = process.argv[2];
if (!root) {
  console.error('usage: node scripts/pick-goldens.mjs <folder with goldens/, nano/ and images/>');
  process.exit(2);
}
const DATA = 'test/golden/data';
const SAMPLES = 4096;
const TINY = ['unet', 'vae', 'noise_predictor', 'text_encoder'];
const HASH = 2654435761n;

const never = /$^/;
const big = 64 * 1024; // bytes of f32

/**
 * File → which tensors: those that do not match `drop`; of these, those that match `sample` and
 * exceed `over` bytes are sampled.
 */
const sampledActs = { sample: /^(act\.|image$)/, over: big };
const e2e = {
  drop: /(lr_patch|image_up|scaled_input|unet_out|decode_in|lr_u8_hwc|step\d\.timestep|np_timestep|np_logvar|vae_logvar|np_mean|vae_mean|step\d\.latents)$/,
  sample: /(decoded|patch_out|^final)$/,
  over: 2 * big, // small padded cases keep `final` whole
};
const s1 = { ...e2e, base: 'networks/e2e_s1' };
const pad20x27 = { ...e2e, base: 'networks/e2e_pad20x27' };
const chop41x53 = { ...e2e, base: 'networks/e2e_chop41x53' };
const stillLife = { base: 'nano/still-life-s1' };
// s1 is the case that names where a whole tile goes wrong: all its intermediates.
const e2eWhole = { drop: /(lr_patch|lr_u8_hwc|patch_out)$/, sample: never };
const PICKS = {
  'goldens/networks/noise_predictor': {
    drop: /^(t(200|100|50|250)\.|act.*\.(dropout|to_out\.1)$|x_centered)/,
    ...sampledActs,
  },
  'goldens/networks/noise_predictor_shapes': {},
  'goldens/networks/unet': { drop: /^act.*\.(dropout|to_out\.1|net\.1)$/ },
  'goldens/networks/unet_shapes': {},
  'goldens/networks/vae_encode': { drop: /^act.*\.to_out\.1$/, ...sampledActs },
  'goldens/networks/vae_encode_shapes': {},
  'goldens/networks/vae_decode': { drop: /^act.*\.to_out\.1$/, sample: /^act\./, over: big },
  'goldens/networks/vae_decode_shapes': {},
  'goldens/networks/vae_tiled': { drop: /^untiled/, sample: /^tiled\.image$/, over: big },
  'goldens/networks/clip_text': {},
  'goldens/networks/eps_probe': {},
  'goldens/networks/scheduler': {},
  'goldens/networks/bicubic': { drop: /^20x27\.(x4_antialias|x4_minus1_1|to_30x50)/ },
  'goldens/networks/reflect_pad': { drop: /^100x90/ },
  'goldens/networks/splitter': { drop: /^(48x64|64x80|96x112|kernel1d_513)/ },
  'goldens/networks/color_fix': { drop: /^64x64|content_(high|low|y|ycbcr)$/ },
  'goldens/networks/e2e_s1': e2eWhole,
  'goldens/networks/e2e_s2': s1,
  'goldens/networks/e2e_s3': s1,
  'goldens/networks/e2e_s4': s1,
  'goldens/networks/e2e_s5': s1,
  'goldens/networks/e2e_cfg2_s1': s1,
  'goldens/networks/e2e_cfg2_s2': s1,
  'goldens/networks/e2e_pad20x27': e2e,
  'goldens/networks/e2e_pad20x27_wavelet': pad20x27,
  'goldens/networks/e2e_pad20x27_ycbcr': pad20x27,
  'goldens/networks/e2e_pad9x11': e2e,
  'goldens/networks/e2e_padchop20x70': e2e,
  'goldens/networks/e2e_chop41x53': e2e,
  'goldens/networks/e2e_chop41x53_wavelet': chop41x53,
  'goldens/networks/e2e_chop41x53_ycbcr': chop41x53,
  'goldens/networks/e2e_chop41x53_bs4': chop41x53,
  'goldens/networks/e2e_chop41x53_cfg2_s2': chop41x53,
  'goldens/networks/e2e_chop48_64x72': e2e,
  'goldens/networks/e2e_odd40': e2e,
  'goldens/networks/e2e_tiled_s1': s1,

  'goldens/kernels/activations': {},
  'goldens/kernels/attention': { drop: /^self_h4_d64_l300/ },
  'goldens/kernels/conv': {},
  'goldens/kernels/edge': { verbatim: true },
  'goldens/kernels/f16_rounding': {},
  'goldens/kernels/groupnorm': { drop: /^big_/ },
  'goldens/kernels/layernorm': {},
  'goldens/kernels/linear': { drop: /^5x1024x320/ },
  'goldens/kernels/posterior': {},
  'goldens/kernels/timestep_embedding': {},
  'goldens/kernels/to_u8': {},
  'goldens/kernels/upsample': {},

  // 256 samples per block of the full-size networks: for machines that can run them.
  'goldens/full/noise_predictor': { drop: /^lr$/ },
  'goldens/full/vae_encode': { drop: /^image_up/ },
  'goldens/full/unet': {},
  'goldens/full/vae_decode': { drop: /u8/, sample: /^(decoded)$/, over: 1 },
  'goldens/full/clip': { drop: /^negative/ },

  'nano/goldens/still-life-s1': { drop: /decoded|logvar|_mean/, sample: /^final$/ },
  'nano/goldens/still-life-s3': stillLife,
  'nano/goldens/still-life-s5': { ...stillLife, drop: /step[123]\.eps/ },
  'nano/goldens/garden-s1': { drop: /eps|latents|^final$/ },
};

/** PyTorch checkpoints of the tiny weights, kept hollow: zeros for weights, gzipped. */
const HOLLOW = ['noise_predictor', 'noise_predictor_wrapped_fp16_cuda'];

const COPIES = [
  ...['edge_views.pth', 'edge_views_legacy.pth', 'edge_views.json'].map((file) => [
    `goldens/kernels/${file}`,
    `${DATA}/torch/${file}`,
  ]),
  ['goldens/kat_synth.json', `${DATA}/kat_synth.json`],
  ['goldens/tolerances.json', `${DATA}/tolerances.json`],
  ['goldens/mutations.json', `${DATA}/mutations.json`],
  ['goldens/networks/eps_probe_sensitivity.json', `${DATA}/networks/eps_probe_sensitivity.json`],
  ['goldens/networks/tokenizer.json', `${DATA}/networks/tokenizer.json`],
  ['goldens/tolerances_full.json', `${DATA}/tolerances_full.json`],
  ['goldens/full/final_512_invsr1_synthetic.png', `${DATA}/full/final_512.png`],
  ['goldens/tiny/model_index.json', `${DATA}/tiny/model_index.json`],
  ['goldens/tiny/scheduler/scheduler_config.json', `${DATA}/tiny/scheduler/scheduler_config.json`],
  ...TINY.map((part) => [`goldens/tiny/${part}/config.json`, `${DATA}/tiny/${part}/config.json`]),
  ['nano/model', 'weights/invsr-nano'],
  ...['still-life-lr.png', 'still-life.png', 'garden-lr.png', 'still-life-degraded.jpg'].map(
    (image) => [`images/${image}`, `examples/images/${image}`],
  ),
];

/** Contents only: the originals may be read-only. */
function copy(from, to) {
  if (statSync(from).isDirectory()) {
    for (const name of readdirSync(from)) copy(join(from, name), join(to, name));
  } else {
    mkdirSync(dirname(to), { recursive: true });
    writeFileSync(to, readFileSync(from));
  }
}

function read(path) {
  const file = readFileSync(path);
  const size = Number(file.readBigUInt64LE(0));
  const { __metadata__: metadata = {}, ...entries } = JSON.parse(file.subarray(8, 8 + size));
  const tensors = Object.entries(entries).map(
    ([
      name,
      {
        dtype,
        shape,
        data_offsets: [a, b],
      },
    ]) => ({
      name,
      dtype,
      shape,
      bytes: file.subarray(8 + size + a, 8 + size + b),
    }),
  );
  return { metadata, tensors };
}

const DTYPES = ['U8', 'U16', 'F16', 'I32', 'F32', 'F64'];

function write(path, tensors, metadata) {
  tensors.sort(
    (a, b) => DTYPES.indexOf(b.dtype) - DTYPES.indexOf(a.dtype) || (a.name < b.name ? -1 : 1),
  );
  const header = Object.keys(metadata).length > 0 ? { __metadata__: metadata } : {};
  let end = 0;
  for (const { name, dtype, shape, bytes } of tensors) {
    header[name] = { dtype, shape, data_offsets: [end, (end += bytes.length)] };
  }
  const text = Buffer.from(JSON.stringify(header));
  const padded = Buffer.alloc(8 + Math.ceil(text.length / 8) * 8, ' ');
  padded.writeBigUInt64LE(BigInt(padded.length - 8));
  text.copy(padded, 8);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, Buffer.concat([padded, ...tensors.map((t) => t.bytes)]));
}

/** f16 bits of an f32 value, or undefined when it is none. */
function halfBits(bits) {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude === 0) return sign;
  const exponent = (magnitude >>> 23) - 112;
  const mantissa = magnitude & 0x7fffff;
  if (exponent > 30) return undefined;
  if (exponent > 0)
    return mantissa & 0x1fff ? undefined : sign | (exponent << 10) | (mantissa >>> 13);
  const shift = 14 - exponent;
  const whole = mantissa | 0x800000;
  return shift > 23 || whole & ((1 << shift) - 1) ? undefined : sign | (whole >>> shift);
}

function narrow(tensor) {
  if (tensor.dtype !== 'F32' || tensor.bytes.length < 1024) return tensor;
  const half = Buffer.alloc(tensor.bytes.length / 2);
  for (let i = 0; i < half.length / 2; i++) {
    const bits = halfBits(tensor.bytes.readUInt32LE(4 * i));
    if (bits === undefined) return tensor;
    half.writeUInt16LE(bits, 2 * i);
  }
  return { ...tensor, dtype: 'F16', bytes: half };
}

function sampled({ name, dtype, shape, bytes }) {
  const size = { U8: 1, F32: 4 }[dtype];
  const numel = BigInt(bytes.length / size);
  const parts = Array.from({ length: SAMPLES }, (_, j) => {
    const at = Number((BigInt(j) * HASH) % numel) * size;
    return bytes.subarray(at, at + size);
  });
  return {
    entry: [`shape.${name}`, JSON.stringify(shape)],
    tensor: { name: `samples.${name}`, dtype, shape: [SAMPLES], bytes: Buffer.concat(parts) },
  };
}

for (const folder of [DATA, 'weights/invsr-nano', 'examples/images']) {
  rmSync(folder, { recursive: true, force: true });
}
/** Tensors by golden, for `base`. */
const written = new Map();
for (const [file, { drop = never, sample = never, over = big, base, verbatim }] of Object.entries(
  PICKS,
)) {
  const to = join(DATA, `${file.replace('goldens/', '')}.safetensors`);
  if (verbatim) {
    copy(join(root, `${file}.safetensors`), to);
    continue;
  }
  const { metadata, tensors } = read(join(root, `${file}.safetensors`));
  const chosen = tensors
    .filter(({ name }) => !drop.test(name))
    .map((tensor) => {
      if (!sample.test(tensor.name) || tensor.bytes.length <= over) return narrow(tensor);
      const { entry, tensor: small } = sampled(tensor);
      metadata[entry[0]] = entry[1];
      return small;
    });
  const inherited = (tensor) =>
    base !== undefined &&
    written
      .get(base)
      ?.some(({ name, bytes }) => name === tensor.name && bytes.equals(tensor.bytes));
  const inherits = chosen.filter(inherited).map(({ name }) => name);
  if (inherits.length > 0) Object.assign(metadata, { base, inherits: JSON.stringify(inherits) });
  written.set(file.replace('goldens/', ''), chosen);
  write(
    to,
    chosen.filter((tensor) => !inherited(tensor)),
    metadata,
  );
}
for (const part of TINY) {
  const [file] = readdirSync(join(root, 'goldens/tiny', part)).filter((f) =>
    f.endsWith('.safetensors'),
  );
  const { tensors } = read(join(root, 'goldens/tiny', part, file));
  const keys = tensors
    .map(({ name, shape }) => `  ${JSON.stringify(name)}: ${JSON.stringify(shape)}`)
    .join(',\n');
  mkdirSync(join(DATA, 'tiny'), { recursive: true });
  writeFileSync(join(DATA, 'tiny', `${part}.keys.json`), `{\n${keys}\n}\n`);
}
for (const [from, to] of COPIES) {
  copy(join(root, from), to);
}
for (const name of HOLLOW) {
  const file = hollow(readFileSync(join(root, `goldens/tiny/noise_predictor/${name}.pth`)));
  writeFileSync(join(DATA, `torch/${name}.hollow.pth.gz`), gzipSync(file, { level: 9 }));
}

/** A zip file of torch.save with zeros for the bytes of its `data/…` entries. */
function hollow(file) {
  let at = file.readUInt32LE(file.length - 6); // no comment: the end record is the last 22 bytes
  const count = file.readUInt16LE(file.length - 12);
  for (let i = 0; i < count; i++) {
    const [bytes, offset] = [file.readUInt32LE(at + 24), file.readUInt32LE(at + 42)];
    const lengths = [28, 30, 32].map((field) => file.readUInt16LE(at + field));
    const name = file.toString('utf8', at + 46, at + 46 + lengths[0]);
    const start = offset + 30 + file.readUInt16LE(offset + 26) + file.readUInt16LE(offset + 28);
    if (name.includes('/data/')) file.fill(0, start, start + bytes);
    at += 46 + lengths[0] + lengths[1] + lengths[2];
  }
  return file;
}

function sizes(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const path = join(entry.parentPath ?? entry.path, entry.name);
      return [relative('.', path), statSync(path).size];
    });
}
let total = 0;
for (const folder of [DATA, 'weights/invsr-nano', 'examples/images']) {
  for (const [path, size] of sizes(folder).toSorted((a, b) => b[1] - a[1])) {
    total += size;
    if (size > 400_000) console.log(`${(size / 1e6).toFixed(2)} MB  ${path}`);
  }
}
console.log(`${(total / 2 ** 20).toFixed(2)} MiB in all`);
