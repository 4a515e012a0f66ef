/** A script of ours that serves a page, started as a person would: its address, as it prints it, until it is disposed of. */
import { spawn } from 'node:child_process';

export async function servedBy(
  args: readonly string[],
  options: { readonly cwd?: string } = {},
): Promise<AsyncDisposable & { readonly url: string }> {
  const child = spawn(process.execPath, args, {
    ...options,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<never>((_, reject) =>
    child.once('exit', (code) => reject(new Error(`the server ended (${code})`))),
  );
  const url = await Promise.race([
    ended,
    new Promise<string>((resolve) =>
      child.stdout.on('data', (data: Buffer) => {
        const [found] = /http:\S+/.exec(data.toString()) ?? [];
        if (found) resolve(found);
      }),
    ),
  ]);
  return {
    url,
    [Symbol.asyncDispose]: async () => {
      child.kill();
      await ended.catch(() => {});
    },
  };
}
