/** Runs a graph of external tensors once and reads its output `result`. */
import type { EngineContext } from '../../src/engine/context.ts';
import { byteLength, type Target } from '../../src/engine/kernel.ts';
import { readBuffer } from '../../src/engine/readback.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { lower } from '../../src/graph/lower.ts';
import { fromF16Bits, toF16Bits } from './half.ts';
import { openExecutor } from './plans.ts';

export async function runGraph(
  context: EngineContext,
  graph: Graph,
  target: Target,
  data: Readonly<Record<string, Float32Array>>,
): Promise<Float32Array> {
  const plan = lower(graph, target);
  const executor = await openExecutor(context, plan);
  const externals = Object.fromEntries(
    Object.entries(plan.externals).map(([name, type]) => {
      const size = Math.ceil(byteLength(type) / 16) * 16;
      const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
      const buffer = context.device.createBuffer({ size, usage });
      const values = data[name];
      if (values) {
        const bits = type.dtype === 'f16' ? toF16Bits(values) : values;
        const bytes = new Uint8Array(size);
        bytes.set(new Uint8Array(bits.buffer, bits.byteOffset, byteLength(type)));
        context.device.queue.writeBuffer(buffer, 0, bytes);
      }
      return [name, buffer];
    }),
  );
  try {
    await executor.run({ externals });
    const type = plan.externals['result']!;
    const bytes = await readBuffer(context.device, externals['result']!, byteLength(type));
    return type.dtype === 'f16' ? fromF16Bits(new Uint16Array(bytes)) : new Float32Array(bytes);
  } finally {
    executor.dispose();
    for (const buffer of Object.values(externals)) buffer.destroy();
  }
}
