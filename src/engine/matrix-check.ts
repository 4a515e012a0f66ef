/**
 * Whether subgroup matrices multiply rightly on a device, and of which kind.
 *
 *   left [m, k] · right [k, n] = sum [m, n]      f16 · f16 → f32 or f32 · f32 → f32
 *
 * Drivers that list a shape have been seen to multiply it wrongly, so a product of small integers, all
 * exact, is computed the ways kernels do: operands from storage and from shared memory, right by rows
 * and by columns, sums to shared memory and back, all subgroups at once. The shader also tells how its
 * invocations are shared out among subgroups: kernels count on full ones, in the order of the
 * invocations. What is wrong, absent, refused or does not answer in time is not used, and nothing is
 * said of it: other kernels do the work.
 */
import { inScope } from './error-scope.ts';
import type { MatrixShape, SubgroupMatrix } from './kernel.ts';
import { MATRIX_THREADS as THREADS } from './matrix-candidates.ts';
import { readBuffer } from './readback.ts';
import { matrixWgsl } from './subgroup-matrix.ts';

const TIMEOUT_MS = 5000;

export interface MatrixCheckOptions {
  /** @default 5000 */
  readonly timeoutMs?: number;
  /** Hears why a candidate is not used: for those who look into it. */
  readonly onProblem?: ((matrix: SubgroupMatrix, reason: string) => void) | undefined;
}

/**
 * The first of `matrixCandidates(capabilities)` that is right: what `createContext` takes as `matrix`.
 * One kind per device, so keys of tuned designs need not tell kinds apart. Never rejects.
 */
export async function checkMatrices(
  device: GPUDevice,
  candidates: readonly SubgroupMatrix[],
  { timeoutMs = TIMEOUT_MS, onProblem }: MatrixCheckOptions = {},
): Promise<SubgroupMatrix | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), timeoutMs);
  });
  const check = firstRight(device, candidates, onProblem);
  try {
    return await Promise.race([check, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

async function firstRight(
  device: GPUDevice,
  candidates: readonly SubgroupMatrix[],
  onProblem: MatrixCheckOptions['onProblem'],
): Promise<SubgroupMatrix | undefined> {
  for (const matrix of candidates) {
    try {
      const problem = await problemOf(device, matrix);
      if (problem === undefined) return matrix;
      onProblem?.(matrix, problem);
    } catch (error) {
      onProblem?.(matrix, String(error));
    }
  }
  return undefined;
}

/** Integers from 0 to 4 without symmetry, so that no operand can pass for its transpose. */
const leftOf = (row: number, k: number): number => (3 * row + 5 * k + row * k) % 5;
const rightOf = (k: number, column: number): number => (2 * k + 7 * column + k * k * column) % 5;

/** 0, 1, 2, 3, 4 as f16. */
const HALVES = [0, 0x3c00, 0x4000, 0x4200, 0x4400];

type Operand = Uint16Array<ArrayBuffer> | Float32Array<ArrayBuffer>;
type Operands = readonly [left: Operand, right: Operand, transposed: Operand];

/** Of so many rows of left: m for every subgroup. */
function operandsOf({ n, k, component }: SubgroupMatrix, rows: number): Operands {
  const fill = (length: number, valueAt: (i: number) => number): Operand =>
    component === 'f32'
      ? Float32Array.from({ length }, (_, i) => valueAt(i))
      : Uint16Array.from({ length }, (_, i) => HALVES[valueAt(i)] ?? 0);
  return [
    fill(rows * k, (i) => leftOf(Math.floor(i / k), i % k)),
    fill(k * n, (i) => rightOf(Math.floor(i / n), i % n)),
    fill(n * k, (i) => rightOf(i % k, Math.floor(i / k))),
  ];
}

/** undefined where subgroups are as expected and the product is right. */
async function problemOf(device: GPUDevice, matrix: SubgroupMatrix): Promise<string | undefined> {
  const { result: module, error: moduleError } = inScope(device, 'validation', () =>
    device.createShaderModule({ label: 'invsr/matrix-check', code: productWgsl(matrix) }),
  );
  const pipeline = await device.createComputePipelineAsync({
    label: 'invsr/matrix-check',
    layout: 'auto',
    compute: { module, entryPoint: 'main' },
  });
  const refused = await moduleError;
  if (refused !== undefined) return refused;

  const buffers: GPUBuffer[] = [];
  const create = (size: number, data?: Operand): GPUBuffer => {
    const { STORAGE, COPY_DST, COPY_SRC } = GPUBufferUsage;
    const usage = data ? STORAGE | COPY_DST : STORAGE | COPY_SRC;
    const buffer = device.createBuffer({ label: 'invsr/matrix-check', size, usage });
    buffers.push(buffer);
    if (data) device.queue.writeBuffer(buffer, 0, data);
    return buffer;
  };
  const rows = (THREADS / matrix.subgroupSize) * matrix.m;
  const bytes = { product: rows * matrix.n * 4, places: THREADS * 16 };
  try {
    const { result, error } = inScope(device, 'validation', () => {
      const inputs = operandsOf(matrix, rows).map((data) => create(data.byteLength, data));
      const product = create(bytes.product);
      const places = create(bytes.places);
      const encoder = device.createCommandEncoder({ label: 'invsr/matrix-check' });
      const pass = encoder.beginComputePass();
      pass.setPipeline(pipeline);
      pass.setBindGroup(
        0,
        device.createBindGroup({
          layout: pipeline.getBindGroupLayout(0),
          entries: [...inputs, product, places].map((buffer, binding) => ({
            binding,
            resource: { buffer },
          })),
        }),
      );
      pass.dispatchWorkgroups(1);
      pass.end();
      device.queue.submit([encoder.finish()]);
      return { product, places };
    });
    const runError = await error;
    if (runError !== undefined) return runError;
    const { product, places } = result;
    return (
      misplaced(new Uint32Array(await readBuffer(device, places, bytes.places)), matrix) ??
      miscounted(new Float32Array(await readBuffer(device, product, bytes.product)), matrix)
    );
  } finally {
    for (const buffer of buffers) buffer.destroy();
  }
}

/** Of every invocation: size and number of subgroups, which of them, which of its invocations. */
function misplaced(actual: Uint32Array, { subgroupSize }: SubgroupMatrix): string | undefined {
  for (let i = 0; i < THREADS; i++) {
    const found = [...actual.subarray(4 * i, 4 * i + 4)];
    const expected = [
      subgroupSize,
      THREADS / subgroupSize,
      Math.floor(i / subgroupSize),
      i % subgroupSize,
    ];
    if (found.some((value, j) => value !== expected[j])) {
      return `subgroups: invocation ${i} has size, count, subgroup and lane ${found.join(', ')}, not ${expected.join(', ')}`;
    }
  }
  return undefined;
}

function miscounted(actual: Float32Array, matrix: SubgroupMatrix): string | undefined {
  const wrong = actual.findIndex((value, i) => value !== PRODUCTS * expectedAt(i, matrix));
  return wrong < 0
    ? undefined
    : `element ${wrong} is ${actual[wrong]}, not ${PRODUCTS * expectedAt(wrong, matrix)}`;
}

function expectedAt(i: number, { n, k }: MatrixShape): number {
  let sum = 0;
  for (let j = 0; j < k; j++) sum += leftOf(Math.floor(i / n), j) * rightOf(j, i % n);
  return sum;
}

/** The shader adds the same product up in this many ways. */
const PRODUCTS = 4;

function productWgsl(kind: SubgroupMatrix): string {
  const { m, n, k, component, subgroupSize } = kind;
  const matrix = matrixWgsl({ matrix: kind });
  const { vector } = matrix;
  const subgroups = THREADS / subgroupSize;
  // Rows of the tiles lie 16 bytes further apart than they are long, as in the kernels.
  const pad = vector === 'vec4f' ? 1 : 2;
  const [leftPitch, rightPitch, sumPitch] = [k / 4 + pad, n / 4 + pad, n / 4 + 1];
  const leftAt = `subgroup * ${m * leftPitch}u`;
  const sumAt = `subgroup * ${m * sumPitch}u`;
  return `${component === 'f16' ? 'enable f16;' : ''}
${matrix.enables}
@group(0) @binding(0) var<storage, read> left: array<${vector}>;
@group(0) @binding(1) var<storage, read> right: array<${vector}>;
@group(0) @binding(2) var<storage, read> transposed: array<${vector}>;
@group(0) @binding(3) var<storage, read_write> product: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> places: array<vec4u>;
var<workgroup> left_tile: array<${vector}, ${subgroups * m * leftPitch}>;
var<workgroup> right_tile: array<${vector}, ${k * rightPitch}>;
var<workgroup> turned_tile: array<${vector}, ${n * leftPitch}>;
var<workgroup> sum_tile: array<vec4f, ${subgroups * m * sumPitch}>;

@compute @workgroup_size(${THREADS}) ${matrix.pin}
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(subgroup_size) size: u32,
  @builtin(num_subgroups) count: u32,
  @builtin(subgroup_id) number: u32,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  places[thread] = vec4u(size, count, number, lane);
  // Where subgroups are smaller than expected there are more: none may leave its tile.
  let subgroup = min(number, ${subgroups - 1}u);
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
  let a = ${matrix.left('left_tile', leftAt, `${leftPitch}u`)};
  let b0 = ${matrix.right('row', 'right', '0u', `${n / 4}u`)};
  let b1 = ${matrix.right('row', 'right_tile', '0u', `${rightPitch}u`)};
  let b2 = ${matrix.right('col', 'turned_tile', '0u', `${leftPitch}u`)};
  var sum = ${matrix.result}();
  sum = subgroupMatrixMultiplyAccumulate(a, b0, sum);
  sum = subgroupMatrixMultiplyAccumulate(a, b1, sum);
  sum = subgroupMatrixMultiplyAccumulate(a, b2, sum);
  subgroupMatrixStore<row_major>(&sum_tile, ${sumAt}, sum, ${sumPitch}u);
  workgroupBarrier();
  var again = ${matrix.loadResult('sum_tile', sumAt, `${sumPitch}u`)};
  again = subgroupMatrixMultiplyAccumulate(a, b0, again);
  workgroupBarrier();
  subgroupMatrixStore<row_major>(&sum_tile, ${sumAt}, again, ${sumPitch}u);
  workgroupBarrier();
  for (var i = thread; i < ${(subgroups * m * n) / 4}u; i += ${THREADS}u) {
    let row = i / ${n / 4}u;
    product[i] = sum_tile[row * ${sumPitch}u + i - row * ${n / 4}u];
  }
}
`;
}
