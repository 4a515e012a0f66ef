#!/usr/bin/env node
/** `invsr`: parses the command line, runs a command, turns every failure into one sentence. */
import { Command, CommanderError } from 'commander';
import { VERSION } from '../version.ts';
import { benchCommand } from './bench.ts';
import { describe, EXIT, exitCodeOf, interrupted, reasonOf } from './errors.ts';
import { infoCommand } from './info.ts';
import { jsonReporter, type Reporter, textReporter } from './progress.ts';
import { tuneCommand } from './tune.ts';
import { upscaleCommand } from './upscale-flags.ts';
import { upscale } from './upscale.ts';
import { weightsCommand } from './weights.ts';
import { removePartials } from './whole-file.ts';

/**
 * A signal aborts, and the process ends by itself as soon as the submits and compilations under way
 * are done. On a software adapter one of them can take seconds: past this time the signal is let
 * through. (Not process.exit: it runs Mesa's destructors beside its compiler threads, and crashes.)
 */
const GRACE_MS = 700;
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

const EXAMPLES = `
Examples:
  invsr upscale photo.jpg -o photo-x4.png    one image
  invsr upscale scans/ -o larger/            every image of a folder
  invsr weights pull sd-turbo                the large model, for --model sd-turbo
  invsr info                                 what this machine can run on`;

async function main(): Promise<void> {
  const json = process.argv.includes('--json');
  const reporter: Reporter = json ? jsonReporter() : textReporter();
  const controller = new AbortController();
  const interrupt = (signal: NodeJS.Signals): void => {
    // A terminal and `npx` or `timeout` may each deliver it: one is enough.
    if (controller.signal.aborted) return;
    controller.abort();
    process.exitCode = EXIT.interrupted;
    setTimeout(() => {
      reporter.stop();
      reporter.error(interrupted());
      removePartials();
      for (const name of SIGNALS) process.removeListener(name, interrupt);
      process.kill(process.pid, signal);
    }, GRACE_MS).unref();
  };
  for (const signal of SIGNALS) process.on(signal, interrupt);
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      // The reader has gone (`invsr info | head -1`): nobody to tell, and files are still wanted.
      if (error.code === 'EPIPE') return;
      process.exitCode = EXIT.failed;
      if (stream === process.stderr) return;
      process.stderr.write(`invsr: cannot write to standard output: ${reasonOf(error)}\n`);
    });
  }

  const context = { reporter, signal: controller.signal };
  const program = new Command('invsr')
    .description('x4 image super-resolution (InvSR) on WebGPU.')
    .version(VERSION)
    .addHelpText('after', EXAMPLES)
    .addCommand(upscaleCommand((inputs, flags) => upscale(inputs, flags, context)))
    .addCommand(infoCommand(context))
    .addCommand(tuneCommand(context))
    .addCommand(benchCommand(context))
    .addCommand(weightsCommand(context));
  for (const command of [program, ...program.commands.flatMap((c) => [c, ...c.commands])]) {
    // Commander's own "error: …" line goes through the reporter instead.
    command.exitOverride().configureOutput({ outputError: () => {} });
  }

  try {
    await program.parseAsync();
  } catch (error) {
    reporter.stop();
    process.exitCode = report(error, reporter, askedCommand(program));
  }
}

/** The words of the command line that name a command: `invsr weights pull`. */
function askedCommand(program: Command): string {
  let command = program;
  const words = [program.name()];
  for (const word of process.argv.slice(2)) {
    const next = command.commands.find((c) => c.name() === word);
    if (!next) break;
    command = next;
    words.push(word);
  }
  return words.join(' ');
}

function report(error: unknown, reporter: Reporter, command: string): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return EXIT.done; // --help, --version
    // Bare `invsr` prints help and counts as a wrong command line.
    if (error.code !== 'commander.help') reporter.error(explain(error, command));
    return EXIT.usage;
  }
  reporter.error(describe(error));
  return exitCodeOf(error);
}

/** Commander's message as one line: its suggestion ("(Did you mean --steps?)") is on a second. */
function explain({ message }: CommanderError, command: string): string {
  const text = message
    .replace(/^error: /, '')
    .replaceAll('\n', ' ')
    .replace(/\.$/, '');
  return `${text}; see ${command} --help`;
}

await main();
