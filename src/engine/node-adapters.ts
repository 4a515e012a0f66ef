/**
 * Adapters of Dawn in Node (npm `webgpu`), and which of them is taken.
 *
 * Choice of `auto`: a GPU, else lavapipe, else SwiftShader from npm. Vulkan drivers are chosen by
 * environment variables that the loader reads when Dawn enumerates, which happens synchronously in
 * `requestAdapter`; they are set for that moment only. Where the system has no Vulkan loader, the one
 * beside SwiftShader is loaded first and Dawn's dlopen finds it by its soname.
 */
import { create } from 'webgpu';
import { type Capabilities, capabilitiesOf, nameOf } from './device.ts';
import { AdapterNameError, DeviceError } from './errors.ts';
import {
  lavapipeIcd,
  loadLibrary,
  privateTemporaryFolder,
  swiftShaderFolder,
} from './swiftshader.ts';

export interface DeviceOptions {
  /**
   * `auto`, `software`, or part of a vendor, architecture, device or description as
   * `listAdapters` prints them, in any case. @default auto
   */
  readonly adapter?: string | undefined;
  /**
   * Dawn toggles besides our own, or against them: `{ disable: ['disable_robustness'] }` brings
   * index clamping back.
   */
  readonly toggles?: Toggles | undefined;
}

export interface Toggles {
  readonly enable?: readonly string[];
  readonly disable?: readonly string[];
}

/** Set for every device made here. */
const TOGGLES = {
  enable: [
    // Dawn hides shader-f16 on older NVIDIA drivers; without it the f16 kernels fall back to f32.
    'vulkan_enable_f16_on_nvidia',
    // No index clamping: 1.5 to 2 times as fast on SwiftShader. Our kernels stay inside their buffers
    // (test/kernels runs them between guard bands, without clamping too).
    'disable_robustness',
    // Shows the feature of subgroup matrices, where the driver has them.
    'allow_unsafe_apis',
  ],
  // Timestamps as the driver has them, not coarsened as for web pages.
  disable: ['timestamp_quantization'],
} as const satisfies Toggles;

/** Ours and the caller's, who wins where they contradict each other. */
export function mergeToggles({ enable = [], disable = [] }: Toggles = {}): Required<Toggles> {
  return {
    enable: [...TOGGLES.enable.filter((toggle) => !disable.includes(toggle)), ...enable],
    disable: [...TOGGLES.disable.filter((toggle) => !enable.includes(toggle)), ...disable],
  };
}

// Dawn's instances: the process crashes once the object that create() returned is collected while
// anything made from it is in use, and nothing else refers to it. They do not keep Node alive.
const instances: GPU[] = [];

const isLinux = process.platform === 'linux';

interface Request {
  /** Manifest of the only Vulkan driver to consider. @default the system's */
  readonly icd?: string | undefined;
  /** Dawn's name of the adapter. */
  readonly name?: string | undefined;
  readonly toggles?: Toggles | undefined;
  readonly isFallback?: boolean | undefined;
}

async function requestAdapter(request: Request = {}): Promise<GPUAdapter | null> {
  const { icd, name, toggles, isFallback = false } = request;
  const { enable, disable } = mergeToggles(toggles);
  const variables: Readonly<Record<string, string | undefined>> = icd
    ? // the newer name wins over the older where both are understood
      { VK_DRIVER_FILES: icd, VK_ICD_FILENAMES: icd, VK_ADD_DRIVER_FILES: undefined }
    : {};
  return withEnvironment(variables, () => {
    const gpu = create([
      ...(isLinux ? ['backend=vulkan'] : []),
      ...(name === undefined ? [] : [`adapter=${name}`]),
      `enable-dawn-features=${enable.join()}`,
      `disable-dawn-features=${disable.join()}`,
    ]);
    instances.push(gpu);
    return gpu.requestAdapter({
      powerPreference: 'high-performance',
      forceFallbackAdapter: isFallback,
    });
  });
}

function setVariable(name: string, value: string | undefined): void {
  if (value === undefined) delete process.env[name];
  else process.env[name] = value;
}

/** Calls `act` with environment variables replaced (undefined: removed), then restores them. */
function withEnvironment<T>(
  variables: Readonly<Record<string, string | undefined>>,
  act: () => T,
): T {
  const before = Object.keys(variables).map((name) => [name, process.env[name]] as const);
  for (const [name, value] of Object.entries(variables)) setVariable(name, value);
  try {
    return act();
  } finally {
    for (const [name, value] of before) setVariable(name, value);
  }
}

/** A Vulkan loader in the process, the system's or the bundled one. False: there is none. */
async function prepareVulkan(): Promise<boolean> {
  if (!isLinux) return true;
  // Mesa expects one, and containers have none.
  process.env['XDG_RUNTIME_DIR'] ||= privateTemporaryFolder('runtime');
  if (loadLibrary('libvulkan.so.1')) return true;
  const folder = await swiftShaderFolder();
  return folder !== undefined && loadLibrary(`${folder}/libvulkan.so.1`);
}

async function requestSoftware(toggles: Toggles | undefined): Promise<GPUAdapter | null> {
  if (!isLinux) return requestAdapter({ toggles, isFallback: true });
  const icd = lavapipeIcd();
  // Null where Mesa is too old for Dawn (22.3 is, 25.0 is not).
  const lavapipe = icd === undefined ? null : await requestAdapter({ icd, toggles });
  return lavapipe ?? requestSwiftShader(toggles);
}

async function requestSwiftShader(toggles: Toggles | undefined): Promise<GPUAdapter | null> {
  const folder = await swiftShaderFolder();
  if (folder === undefined) return null;
  return requestAdapter({ icd: `${folder}/vk_swiftshader_icd.json`, toggles });
}

/** Names as Dawn has them: it lists them all when asked for one that is not there. */
async function systemAdapterNames(): Promise<string[]> {
  try {
    await requestAdapter({ name: 'no adapter has this name' });
  } catch (error) {
    const text = error instanceof Error ? error.message : '';
    return [...new Set([...text.matchAll(/name: '(.*)'$/gm)].flatMap(([, name]) => name ?? []))];
  }
  return [];
}

/** Every adapter that `createDevice` can choose, the system's first. */
export async function* adapters(toggles?: Toggles): AsyncGenerator<GPUAdapter> {
  if (!(await prepareVulkan())) return;
  let hasSwiftShader = false;
  for (const name of await systemAdapterNames()) {
    const adapter = await requestAdapter({ name, toggles });
    if (!adapter) continue;
    hasSwiftShader ||= isSwiftShader(capabilitiesOf(adapter));
    yield adapter;
  }
  const swiftShader = hasSwiftShader || !isLinux ? null : await requestSwiftShader(toggles);
  if (swiftShader) yield swiftShader;
}

export const isSwiftShader = ({ architecture, description }: Capabilities): boolean =>
  /swiftshader/i.test(`${architecture} ${description}`);

/** What to do where there is no adapter. */
export const NO_ADAPTER_REMEDY = isLinux
  ? 'Install a GPU driver with Vulkan, or Mesa 23 or newer with lavapipe (apt install mesa-vulkan-drivers libvulkan1), or SwiftShader (npm install @sparticuz/chromium).'
  : 'Update the graphics driver.';

/** Throws AdapterNameError where `adapter` names none of several, DeviceError where there is none. */
export async function chooseAdapter({
  adapter = 'auto',
  toggles,
}: DeviceOptions): Promise<GPUAdapter> {
  const noAdapter = (needed: string, got: string): DeviceError =>
    new DeviceError({ what: `--adapter ${adapter}`, needed, got, remedy: NO_ADAPTER_REMEDY });
  if (adapter === 'auto' || adapter === 'software') {
    if (!(await prepareVulkan())) throw noAdapter('a WebGPU adapter', 'no Vulkan loader');
    if (adapter === 'auto') {
      const best = await requestAdapter({ toggles });
      // Dawn sorts GPUs before CPUs, so a software adapter here means that there is no GPU.
      if (best && (!capabilitiesOf(best).isSoftware || !isSwiftShader(capabilitiesOf(best)))) {
        return best;
      }
    }
    const software = await requestSoftware(toggles);
    if (!software) throw noAdapter('a WebGPU adapter', 'none');
    return software;
  }
  const seen: string[] = [];
  for await (const candidate of adapters(toggles)) {
    const { vendor, architecture, device, description } = capabilitiesOf(candidate);
    const text = [vendor, architecture, device, description].join(' ');
    if (text.toLowerCase().includes(adapter.toLowerCase())) return candidate;
    seen.push(nameOf(capabilitiesOf(candidate)));
  }
  if (seen.length === 0) throw noAdapter('a WebGPU adapter', 'none');
  throw new AdapterNameError({
    what: `--adapter ${adapter}`,
    needed: 'one whose vendor, architecture, device or description contains that',
    got: seen.join(' · '),
    remedy: 'Choose one of these, or auto, or software.',
  });
}
