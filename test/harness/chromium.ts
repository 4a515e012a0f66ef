/**
 * Headless Chromium from @sparticuz/chromium, driven over its DevTools pipe: for tests of pages, and to
 * look at them. Unpacked once per user and version, beside SwiftShader, whose Vulkan driver is also
 * Chromium's WebGPU here.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createReadStream, createWriteStream, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createBrotliDecompress } from 'node:zlib';
import { cacheFolder, makeWhole, packageRoot } from '../../src/engine/swiftshader.ts';

export interface Page {
  /** Exceptions and console errors so far. */
  readonly errors: readonly string[];
  goto(url: string): Promise<void>;
  /** Runs JavaScript in every document that follows, before its own. */
  beforeLoad(script: string): Promise<void>;
  /** The value of a JavaScript expression, awaited. */
  evaluate<T>(expression: string): Promise<T>;
  /** Until the expression is true. */
  waitFor(expression: string, milliseconds: number): Promise<void>;
  /** Width, theme and medium hold from then on. */
  view(view: {
    readonly width: number;
    readonly height?: number;
    readonly dark?: boolean;
    /** As on paper. */
    readonly print?: boolean;
  }): Promise<void>;
  /** Key events as a person's. */
  press(key: string): Promise<void>;
  /** PNG of the whole page, or of what the window shows. */
  screenshot(part?: 'page' | 'window'): Promise<Buffer>;
}

export interface Browser {
  newPage(): Promise<Page>;
  close(): Promise<void>;
}

type Params = Readonly<Record<string, unknown>>;

/** Throws where it is not installed or does not start. */
export async function openBrowser(): Promise<Browser> {
  const folder = await chromiumFolder();
  const profile = mkdtempSync(join(tmpdir(), 'invsr-chromium-'));
  const child = spawn(
    join(folder, 'chromium'),
    [
      '--headless=shell',
      '--no-sandbox',
      '--no-proxy-server',
      '--no-first-run',
      '--disable-dev-shm-usage',
      '--hide-scrollbars',
      '--enable-unsafe-webgpu',
      '--use-webgpu-adapter=swiftshader',
      '--remote-debugging-pipe',
      `--user-data-dir=${profile}`,
      'about:blank',
    ],
    {
      stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'],
      env: { ...process.env, LD_LIBRARY_PATH: `${join(folder, 'lib')}:${folder}`, HOME: profile },
      // A group of its own, so that its helpers end with it.
      detached: true,
    },
  );
  const connection = connect(child);
  const close = async (): Promise<void> => {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    if (child.exitCode === null && child.pid !== undefined) {
      process.kill(-child.pid, 'SIGKILL');
      await ended;
    }
    rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  };
  try {
    await connection.send('Browser.getVersion');
  } catch (error) {
    await close();
    throw error;
  }
  return { newPage: () => newPage(connection), close };
}

async function chromiumFolder(): Promise<string> {
  const root = packageRoot();
  if (root === undefined) {
    throw new Error('@sparticuz/chromium is not installed, or has no binaries for this system');
  }
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    version: string;
  };
  const folder = join(cacheFolder(), `chromium-${version}`);
  await makeWhole(folder, async (partial) => {
    const { extract } = createRequire(join(root, 'package.json'))('tar-fs') as {
      extract: (folder: string) => NodeJS.WritableStream;
    };
    const unpack = (name: string, to: NodeJS.WritableStream): Promise<void> =>
      pipeline(createReadStream(join(root, 'bin', name)), createBrotliDecompress(), to);
    await unpack('chromium.br', createWriteStream(join(partial, 'chromium'), { mode: 0o755 }));
    // Its Vulkan driver, and the libraries that bare systems lack (in lib/).
    await unpack('swiftshader.tar.br', extract(partial));
    await unpack('al2023.tar.br', extract(partial));
  });
  return folder;
}

// --- the protocol: JSON messages, each ended by a zero byte ----------------------------------------

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly sessionId?: string;
  readonly params?: Params;
  readonly result?: Params;
  readonly error?: { readonly message: string };
}

interface Connection {
  readonly send: <T = Params>(method: string, params?: Params, sessionId?: string) => Promise<T>;
  readonly onEvent: (listener: (message: Message) => void) => void;
}

function connect(child: ChildProcess): Connection {
  const [, , stderr, input, output] = child.stdio as unknown as [
    unknown,
    unknown,
    Readable,
    Writable,
    Readable,
  ];
  const waiting = new Map<number, { ok: (value: never) => void; fail: (error: Error) => void }>();
  const listeners: ((message: Message) => void)[] = [];
  let said = '';
  let ended: Error | undefined;
  stderr.on('data', (data: Buffer) => (said = `${said}${data.toString()}`.slice(-2000)));
  const end = (why: string): void => {
    ended = new Error(`Chromium ${why}: ${said}`);
    for (const { fail } of waiting.values()) fail(ended);
    waiting.clear();
  };
  child.once('error', (error) => end(error.message));
  child.once('exit', (code, signal) => end(`ended (${signal ?? code})`));
  input.on('error', () => {}); // it has ended; `exit` says so
  let rest = '';
  output.on('data', (data: Buffer) => {
    const parts = `${rest}${data.toString()}`.split('\0');
    rest = parts.pop() ?? '';
    for (const part of parts) {
      const message = JSON.parse(part) as Message;
      const asked = message.id === undefined ? undefined : waiting.get(message.id);
      if (!asked) {
        for (const listener of listeners) listener(message);
        continue;
      }
      waiting.delete(message.id ?? 0);
      if (message.error) asked.fail(new Error(message.error.message));
      else asked.ok(message.result as never);
    }
  });
  let id = 0;
  return {
    send: (method, params = {}, sessionId) =>
      new Promise((ok, fail) => {
        if (ended) return fail(ended);
        waiting.set(++id, { ok, fail });
        input.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
      }),
    onEvent: (listener) => void listeners.push(listener),
  };
}

async function newPage({ send, onEvent }: Connection): Promise<Page> {
  const { targetId } = await send<{ targetId: string }>('Target.createTarget', {
    url: 'about:blank',
  });
  const { sessionId } = await send<{ sessionId: string }>('Target.attachToTarget', {
    targetId,
    flatten: true,
  });
  const call = <T = Params>(method: string, params: Params = {}): Promise<T> =>
    send<T>(method, params, sessionId);
  const errors: string[] = [];
  let loaded = (): void => {};
  onEvent((message) => {
    if (message.sessionId !== sessionId) return;
    if (message.method === 'Page.loadEventFired') loaded();
    if (message.method === 'Runtime.exceptionThrown') errors.push(JSON.stringify(message.params));
    if (message.method === 'Runtime.consoleAPICalled' && message.params?.['type'] === 'error') {
      errors.push(JSON.stringify(message.params['args']));
    }
  });
  await call('Page.enable');
  await call('Runtime.enable');

  const evaluate = async <T>(expression: string): Promise<T> => {
    const { result, exceptionDetails } = await call<{
      result: { value: T };
      exceptionDetails?: { exception?: { description?: string }; text: string };
    }>('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
    if (exceptionDetails) {
      throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    }
    return result.value;
  };

  return {
    errors,
    async goto(url) {
      const load = new Promise<void>((resolve) => (loaded = resolve));
      const { errorText } = await call<{ errorText?: string }>('Page.navigate', { url });
      if (errorText !== undefined) throw new Error(`${url}: ${errorText}`);
      await load;
    },
    async beforeLoad(script) {
      await call('Page.addScriptToEvaluateOnNewDocument', { source: script });
    },
    evaluate,
    async waitFor(expression, milliseconds) {
      const until = performance.now() + milliseconds;
      while (!(await evaluate<boolean>(`Boolean(${expression})`))) {
        if (performance.now() > until) {
          throw new Error(
            `not within ${milliseconds} ms: ${expression}; errors: ${errors.join(' ')}`,
          );
        }
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    async view({ width, height = 900, dark = false, print = false }) {
      await call('Emulation.setDeviceMetricsOverride', {
        width,
        height,
        deviceScaleFactor: 1,
        mobile: false,
      });
      const features = [{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }];
      await call('Emulation.setEmulatedMedia', { media: print ? 'print' : '', features });
    },
    async press(key) {
      await call('Input.dispatchKeyEvent', { type: 'keyDown', key, code: key });
      await call('Input.dispatchKeyEvent', { type: 'keyUp', key, code: key });
    },
    async screenshot(part = 'page') {
      const { data } = await call<{ data: string }>('Page.captureScreenshot', {
        format: 'png',
        captureBeyondViewport: part === 'page',
      });
      return Buffer.from(data, 'base64');
    },
  };
}
