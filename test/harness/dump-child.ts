/**
 * A process of its own that compiles shaders as a browser would, index clamps included, while Dawn
 * prints what it makes of them. Bundled and started by `dumpSpirv`.
 *
 *   argv   Dawn's name of the adapter
 *   stdin  JSON of WGSL texts
 *   stdout Dawn's dumps, in the order of the texts
 */
import { text } from 'node:stream/consumers';
import { createDevice } from '../../src/engine/node-device.ts';

const { device } = await createDevice({
  adapter: process.argv[2],
  toggles: {
    enable: ['dump_shaders', 'disable_symbol_renaming'],
    disable: ['disable_robustness'],
  },
});
for (const code of JSON.parse(await text(process.stdin)) as string[]) {
  const module = device.createShaderModule({ code });
  await device.createComputePipelineAsync({
    layout: 'auto',
    compute: { module, entryPoint: 'main' },
  });
}
device.destroy();
