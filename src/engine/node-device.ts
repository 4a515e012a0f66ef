/**
 * Devices in Node, through Dawn (npm `webgpu`): of an adapter that node-adapters.ts chooses.
 *
 * Clean exit: await your last run, call `device.destroy()`, let the event loop drain. No
 * `process.exit`. Verified by test/cli/exit.test.ts on every adapter.
 */
import { globals } from 'webgpu';
import { type Capabilities, capabilitiesOf, requiredDevice } from './device.ts';
import type { SubgroupMatrix } from './kernel.ts';
import { matrixCandidates } from './matrix-candidates.ts';
import { checkMatrices } from './matrix-check.ts';
import { type MatrixFinding, reportMatrices } from './matrix-report.ts';
import { adapters, chooseAdapter, type DeviceOptions, isSwiftShader } from './node-adapters.ts';
import { quietPolling } from './node-polling.ts';

export interface NodeDevice {
  /** Yours: destroy it at the end. */
  readonly device: GPUDevice;
  readonly adapter: GPUAdapter;
  readonly capabilities: Capabilities;
  /**
   * Subgroup matrices that multiply rightly on it: for {@link createContext}. Absent on software
   * adapters, where `INVSR_MATRIX=off` says so, and where the check fails.
   */
  readonly matrix?: SubgroupMatrix;
  /** One line for the user when `auto` found no GPU. */
  readonly notice?: string;
}

/** Adds what browsers have as globals (GPUBufferUsage and so on), and replaces nothing. */
function installGlobals(): void {
  for (const [name, value] of Object.entries(globals)) {
    if (!(name in globalThis)) {
      Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
    }
  }
}

/** As `invsr info` prints it. */
export interface ListedAdapter extends Capabilities {
  /** Whether each of `matrixConfigs` would be used. */
  readonly matrices: readonly MatrixFinding[];
}

/** Adapters on this machine, software ones included; makes a device where there are matrices to check. */
export async function listAdapters(): Promise<ListedAdapter[]> {
  installGlobals();
  const list: ListedAdapter[] = [];
  for await (const adapter of adapters()) {
    const capabilities = capabilitiesOf(adapter);
    let device: GPUDevice | undefined;
    const matrices = await reportMatrices(capabilities, {
      whyOff: whyMatricesOff(capabilities),
      open: async () => (device = await adapter.requestDevice(requiredDevice(adapter))),
    });
    device?.destroy();
    list.push({ ...capabilities, matrices });
  }
  return list;
}

/** Undefined where matrices that are right are used. */
function whyMatricesOff({ isSoftware }: Capabilities): string | undefined {
  if (isSoftware) return 'not on software adapters';
  return process.env['INVSR_MATRIX'] === 'off' ? 'INVSR_MATRIX=off' : undefined;
}

/** A device for the CLI, tests and Node programs; the caller owns and destroys it. */
export async function createDevice(options: DeviceOptions = {}): Promise<NodeDevice> {
  installGlobals();
  const adapter = await chooseAdapter(options);
  const device = await adapter.requestDevice({ label: 'invsr', ...requiredDevice(adapter) });
  const capabilities = capabilitiesOf(device);
  if (capabilities.isSoftware) quietPolling(device);
  const matrix =
    whyMatricesOff(capabilities) === undefined
      ? await checkMatrices(device, matrixCandidates(capabilities))
      : undefined;
  const notice =
    capabilities.isSoftware && (options.adapter ?? 'auto') === 'auto'
      ? isSwiftShader(capabilities)
        ? 'no GPU found: running on SwiftShader (CPU), slow'
        : 'no GPU found: running on lavapipe (CPU)'
      : undefined;
  return {
    device,
    adapter,
    capabilities,
    ...(matrix && { matrix }),
    ...(notice !== undefined && { notice }),
  };
}
