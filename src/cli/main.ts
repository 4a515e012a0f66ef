#!/usr/bin/env node
/** `invsr`: parses the command line, runs a command, turns every failure into one sentence. */
import { Command, CommanderError } from 'commander';
import { VERSION } from '../version.ts';
import { benchCommand } from './bench.ts';
import { describe, EXIT, exitCodeOf } from './errors.ts';
import { infoCommand } from './info.ts';
import { jsonReporter, type Reporter, textReporter } from './progress.ts';
import { upscaleCommand } from './upscale.ts';

async function main(): Promise<void> {
  const controller = new AbortController();
  // First Ctrl-C stops cleanly after the running submit; a second one kills.
  process.once('SIGINT', () => controller.abort());
  process.once('SIGTERM', () => controller.abort());

  const json = process.argv.includes('--json');
  const reporter: Reporter = json ? jsonReporter() : textReporter();
  const context = { reporter, signal: controller.signal };
  const program = new Command('invsr')
    .description('x4 image super-resolution (InvSR) on WebGPU')
    .version(VERSION)
    .exitOverride()
    .configureOutput({
      // Commander's own "error: …" line goes through the reporter instead.
      outputError: () => {},
    })
    .showHelpAfterError(false)
    .addCommand(upscaleCommand(context))
    .addCommand(infoCommand(context))
    .addCommand(benchCommand(context));
  for (const command of program.commands) {
    command.exitOverride().configureOutput({ outputError: () => {} });
  }

  try {
    await program.parseAsync();
  } catch (error) {
    reporter.stop();
    process.exitCode = report(error, reporter);
  }
}

function report(error: unknown, reporter: Reporter): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return EXIT.done; // --help, --version
    const message = error.message.replace(/^error: /, '');
    // Bare `invsr` prints help and counts as a wrong command line.
    if (error.code !== 'commander.help') reporter.error(`${message}; see invsr --help`);
    return EXIT.usage;
  }
  reporter.error(describe(error));
  return exitCodeOf(error);
}

await main();
