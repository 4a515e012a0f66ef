/** `invsr bench`: how fast this machine is. bench/main.ts has the same commands and more, from a clone. */
import { Command } from 'commander';
import { VERSION } from '../version.ts';
import { kernelsCommand } from './bench-kernels.ts';
import { modelCommand } from './bench-model.ts';
import type { CommandContext } from './progress.ts';

export function benchCommand(context: CommandContext): Command {
  const host = { commit: `invsr ${VERSION}` };
  const command = new Command('bench')
    .description('Measure speed on this machine.')
    .addCommand(modelCommand(context, host))
    .addCommand(kernelsCommand(context, host));
  // What main.ts sets for its own commands; these are a level below.
  for (const below of command.commands) {
    below.exitOverride().configureOutput({ outputError: () => {} });
  }
  return command;
}
