/** What this device can do, and what of it is in use. */
import { nameOf } from '../../src/engine/device.ts';
import * as app from '../state/app.ts';
import { bytesInWords } from '../state/progress.ts';
import { Dialog } from './dialog.tsx';

export function InfoDialog({ onClose }: { readonly onClose: () => void }) {
  const state = app.device.value;
  if (state.kind !== 'ready') return null;
  const { capabilities } = state;
  const { features, limits, shaderF16, isSoftware } = capabilities;
  const used = app.memoryBytes.value;
  const facts: readonly (readonly [string, string])[] = [
    ['Adapter', nameOf(capabilities)],
    ['Precision', shaderF16 ? 'half and full (f16, f32)' : 'full (f32)'],
    [
      'Features in use',
      features.filter((name) => name !== 'core-features-and-limits').join(', ') || 'none',
    ],
    ['Largest buffer', bytesInWords(limits.maxBufferSize)],
    ['Largest binding', bytesInWords(limits.maxStorageBufferBindingSize)],
    ['Shared memory', bytesInWords(limits.maxComputeWorkgroupStorageSize)],
    ['Memory in use', used === null ? 'none yet' : bytesInWords(used)],
  ];
  return (
    <Dialog title="This device" onClose={onClose}>
      {isSoftware && (
        <p class="remark">
          No graphics card is in use: the processor does its work, which takes much longer.
        </p>
      )}
      {!shaderF16 && (
        <p class="remark">
          This adapter has no half precision (shader-f16). Everything works, more slowly and with
          more memory.
        </p>
      )}
      <dl class="fact-list">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
