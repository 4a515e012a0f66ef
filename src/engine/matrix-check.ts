/**
 * Whether subgroup matrices multiply rightly on a device, and of which shape.
 *
 *   left [m, k] · right [k, n] = sum [m, n]      f16 · f16 → f32
 *
 * Drivers that list a shape have been seen to multiply it wrongly, so a product of small integers, all
 * exact, is computed the ways kernels do: operands from storage and from shared memory, right by rows
 * and by columns, sums to shared memory and back, all subgroups at once. What is wrong, absent, refused
 * or does not answer in time is not used, and nothing is said of it: other kernels do the work.
 */
import { type Capabilities, MATRIX_FEATURE, type MatrixConfig } from './device.ts';
import { MATRIX_ENABLES, type MatrixShape } from './kernel.ts';
import { readBuffer } from './readback.ts';

/** Shapes that kernels are written for, the best first. */
const SHAPES: readonly MatrixShape[] = [
  { m: 16, n: 16, k: 16 },
  { m: 8, n: 16, k: 16 },
  { m: 8, n: 8, k: 8 },
];

/** What kernels take of a workgroup. */
const THREADS = 128;
const SHARED_BYTES = 32_768;
const SUBGROUP_SIZES = [16, 32, 64];

const TIMEOUT_MS = 5000;

export interface MatrixCheckOptions {
  /** @default 5000 */
  readonly timeoutMs?: number;
  /** Hears why a shape is not used: for those who look into it. */
  readonly onProblem?: ((shape: MatrixShape, reason: string) => void) | undefined;
}

/** The shape to use: what `createContext` takes as `matrix`. Never rejects. */
export async function checkMatrices(
  device: GPUDevice,
  capabilities: Capabilities,
  { timeoutMs = TIMEOUT_MS, onProblem }: MatrixCheckOptions = {},
): Promise<MatrixShape | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), timeoutMs);
  });
  const check = firstRight(device, capabilities, onProblem);
  try {
    return await Promise.race([check, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

/** Shapes worth a try: kernels know them, the adapter lists them, the device can run them. */
export function matrixCandidates(capabilities: Capabilities): readonly MatrixShape[] {
  const { features, limits, subgroupMinSize, subgroupMaxSize, matrixConfigs } = capabilities;
  const isAble =
    [MATRIX_FEATURE, 'shader-f16', 'subgroups'].every((name) => features.includes(name)) &&
    subgroupMinSize === subgroupMaxSize &&
    SUBGROUP_SIZES.includes(subgroupMinSize) &&
    limits.maxComputeWorkgroupStorageSize >= SHARED_BYTES &&
    limits.maxComputeInvocationsPerWorkgroup >= THREADS;
  if (!isAble) return [];
  const has =
    ({ m, n, k }: MatrixShape) =>
    (config: MatrixConfig) =>
      config.m === m &&
      config.n === n &&
      config.k === k &&
      config.componentType === 'f16' &&
      config.resultComponentType === 'f32';
  return SHAPES.filter((shape) => matrixConfigs.some(has(shape)));
}

async function firstRight(
  device: GPUDevice,
  capabilities: Capabilities,
  onProblem: MatrixCheckOptions['onProblem'],
): Promise<MatrixShape | undefined> {
  const subgroups = THREADS / capabilities.subgroupMinSize;
  for (const shape of matrixCandidates(capabilities)) {
    try {
      const problem = await problemOf(device, shape, subgroups);
      if (problem === undefined) return shape;
      onProblem?.(shape, problem);
    } catch (error) {
      onProblem?.(shape, String(error));
    }
  }
  return undefined;
}

/** Integers from 0 to 4 without symmetry, so that no operand can pass for its transpose. */
const leftOf = (row: number, k: number): number => (3 * row + 5 * k + row * k) % 5;
const rightOf = (k: number, column: number): number => (2 * k + 7 * column + k * k * column) % 5;

/** 0, 1, 2, 3, 4 as f16. */
const HALVES = [0, 0x3c00, 0x4000, 0x4200, 0x4400];
const halves = (length: number, valueAt: (i: number) => number): Uint16Array<ArrayBuffer> =>
  Uint16Array.from({ length }, (_, i) => HALVES[valueAt(i)] ?? 0);

/** undefined where the product is right. */
async function problemOf(
  device: GPUDevice,
  shape: MatrixShape,
  subgroups: number,
): Promise<string | undefined> {
  const { m, n, k } = shape;
  const rows = subgroups * m;
  const left = halves(rows * k, (i) => leftOf(Math.floor(i / k), i % k));
  const right = halves(k * n, (i) => rightOf(Math.floor(i / n), i % n));
  const transposed = halves(n * k, (i) => rightOf(i % k, Math.floor(i / k)));

  // Each scope ends where it began, before anything is awaited: the device may not be ours alone.
  device.pushErrorScope('validation');
  const module = device.createShaderModule({
    label: 'invsr/matrix-check',
    code: productWgsl(shape, subgroups),
  });
  const moduleError = device.popErrorScope();
  const pipeline = await device.createComputePipelineAsync({
    label: 'invsr/matrix-check',
    layout: 'auto',
    compute: { module, entryPoint: 'main' },
  });
  const refused = await moduleError;
  if (refused) return refused.message;

  const buffers: GPUBuffer[] = [];
  const create = (size: number, data?: Uint16Array<ArrayBuffer>): GPUBuffer => {
    const { STORAGE, COPY_DST, COPY_SRC } = GPUBufferUsage;
    const usage = data ? STORAGE | COPY_DST : STORAGE | COPY_SRC;
    const buffer = device.createBuffer({ label: 'invsr/matrix-check', size, usage });
    buffers.push(buffer);
    if (data) device.queue.writeBuffer(buffer, 0, data);
    return buffer;
  };
  try {
    device.pushErrorScope('validation');
    const bytes = rows * n * 4;
    const inputs = [left, right, transposed].map((data) => create(data.byteLength, data));
    const product = create(bytes);
    const encoder = device.createCommandEncoder({ label: 'invsr/matrix-check' });
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(
      0,
      device.createBindGroup({
        layout: pipeline.getBindGroupLayout(0),
        entries: [...inputs, product].map((buffer, binding) => ({
          binding,
          resource: { buffer },
        })),
      }),
    );
    pass.dispatchWorkgroups(1);
    pass.end();
    device.queue.submit([encoder.finish()]);
    const runError = await device.popErrorScope();
    if (runError) return runError.message;
    const actual = new Float32Array(await readBuffer(device, product, bytes));
    const wrong = actual.findIndex((value, i) => value !== PRODUCTS * expectedAt(i, shape));
    if (wrong < 0) return undefined;
    return `element ${wrong} is ${actual[wrong]}, not ${PRODUCTS * expectedAt(wrong, shape)}`;
  } finally {
    for (const buffer of buffers) buffer.destroy();
  }
}

function expectedAt(i: number, { n, k }: MatrixShape): number {
  let sum = 0;
  for (let j = 0; j < k; j++) sum += leftOf(Math.floor(i / n), j) * rightOf(j, i % n);
  return sum;
}

/** The shader adds the same product up in this many ways. */
const PRODUCTS = 4;

function productWgsl({ m, n, k }: MatrixShape, subgroups: number): string {
  // Rows of the tiles lie further apart than they are long, as in the kernels.
  const [leftPitch, rightPitch, sumPitch] = [k / 4 + 2, n / 4 + 2, n / 4 + 1];
  return `enable f16;
${MATRIX_ENABLES}
@group(0) @binding(0) var<storage, read> left: array<vec4<f16>>;
@group(0) @binding(1) var<storage, read> right: array<vec4<f16>>;
@group(0) @binding(2) var<storage, read> transposed: array<vec4<f16>>;
@group(0) @binding(3) var<storage, read_write> product: array<vec4f>;
var<workgroup> left_tile: array<vec4<f16>, ${subgroups * m * leftPitch}>;
var<workgroup> right_tile: array<vec4<f16>, ${k * rightPitch}>;
var<workgroup> turned_tile: array<vec4<f16>, ${n * leftPitch}>;
var<workgroup> sum_tile: array<vec4f, ${subgroups * m * sumPitch}>;

@compute @workgroup_size(${THREADS})
fn main(@builtin(local_invocation_index) thread: u32, @builtin(subgroup_id) subgroup: u32) {
  for (var i = thread; i < ${(subgroups * m * k) / 4}u; i += ${THREADS}u) {
    let row = i / ${k / 4}u;
    left_tile[row * ${leftPitch}u + i - row * ${k / 4}u] = left[i];
  }
  for (var i = thread; i < ${(k * n) / 4}u; i += ${THREADS}u) {
    let row = i / ${n / 4}u;
    right_tile[row * ${rightPitch}u + i - row * ${n / 4}u] = right[i];
  }
  for (var i = thread; i < ${(k * n) / 4}u; i += ${THREADS}u) {
    let column = i / ${k / 4}u;
    turned_tile[column * ${leftPitch}u + i - column * ${k / 4}u] = transposed[i];
  }
  workgroupBarrier();
  let a = subgroupMatrixLoad<subgroup_matrix_left<f16, ${k}, ${m}>, row_major>(&left_tile, subgroup * ${m * leftPitch}u, ${leftPitch}u);
  let b0 = subgroupMatrixLoad<subgroup_matrix_right<f16, ${n}, ${k}>, row_major>(&right, 0u, ${n / 4}u);
  let b1 = subgroupMatrixLoad<subgroup_matrix_right<f16, ${n}, ${k}>, row_major>(&right_tile, 0u, ${rightPitch}u);
  let b2 = subgroupMatrixLoad<subgroup_matrix_right<f16, ${n}, ${k}>, col_major>(&turned_tile, 0u, ${leftPitch}u);
  var sum = subgroup_matrix_result<f32, ${n}, ${m}>();
  sum = subgroupMatrixMultiplyAccumulate(a, b0, sum);
  sum = subgroupMatrixMultiplyAccumulate(a, b1, sum);
  sum = subgroupMatrixMultiplyAccumulate(a, b2, sum);
  subgroupMatrixStore<row_major>(&sum_tile, subgroup * ${m * sumPitch}u, sum, ${sumPitch}u);
  workgroupBarrier();
  var again = subgroupMatrixLoad<subgroup_matrix_result<f32, ${n}, ${m}>, row_major>(&sum_tile, subgroup * ${m * sumPitch}u, ${sumPitch}u);
  again = subgroupMatrixMultiplyAccumulate(a, b0, again);
  workgroupBarrier();
  subgroupMatrixStore<row_major>(&sum_tile, subgroup * ${m * sumPitch}u, again, ${sumPitch}u);
  workgroupBarrier();
  for (var i = thread; i < ${(subgroups * m * n) / 4}u; i += ${THREADS}u) {
    let row = i / ${n / 4}u;
    product[i] = sum_tile[row * ${sumPitch}u + i - row * ${n / 4}u];
  }
}
`;
}
