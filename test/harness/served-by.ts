/** A script of ours that serves a page, started as a person would: its address, as it prints it, until it is disposed of. */
import { spawn } from 'node:child_process';

/** Less than that of the tests, which would leave the script running. */
const PATIENCE_MS = 100_000;

export async function servedBy(
  args: readonly string[],
  options: { readonly cwd?: string } = {},
): Promise<AsyncDisposable & { readonly url: string }> {
  const child = spawn(process.execPath, args, {
    ...options,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<never>((_, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`the server ended (${code})`)));
  });
  const stop = async (): Promise<void> => {
    child.kill();
    await ended.catch(() => {});
  };
  let timer: NodeJS.Timeout | undefined;
  const silent = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('the server prints no address')), PATIENCE_MS);
  });
  let text = '';
  const printed = new Promise<string>((resolve) =>
    child.stdout.setEncoding('utf8').on('data', (part: string) => {
      text += part;
      const [, found] = /(http:\S+)\s/.exec(text) ?? [];
      if (found) resolve(found);
    }),
  );
  try {
    const url = await Promise.race([ended, silent, printed]);
    return { url, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
