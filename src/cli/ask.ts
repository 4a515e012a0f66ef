/** A question before something that cannot be taken back; `--yes` answers it. */
import { createInterface } from 'node:readline';
import { InputError } from './errors.ts';

export interface Question {
  /** Without a question mark. */
  readonly text: string;
  /** What `--yes` agrees to, for those whom nobody can ask. */
  readonly consent: string;
  readonly yes: boolean;
  readonly signal: AbortSignal;
}

/** InputError where there is no terminal to ask on and no --yes. */
export async function agreed({ text, consent, yes, signal }: Question): Promise<boolean> {
  if (yes) return true;
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new InputError(
      `nobody to ask: there is no terminal; add --yes ${consent}, or --dry-run to only look`,
    );
  }
  // Not as a terminal: Ctrl-C stays a signal, which main.ts handles.
  const lines = createInterface({ input: process.stdin, terminal: false });
  process.stderr.write(`${text}? [y/N] `);
  try {
    const answer = await new Promise<string>((resolve, reject) => {
      lines.once('line', resolve);
      lines.once('close', () => resolve(''));
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    });
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    lines.close();
  }
}
