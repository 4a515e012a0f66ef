/** `invsr weights`: one file per subcommand, weights-<name>.ts. */
import { Command } from 'commander';
import type { CommandContext } from './progress.ts';
import { convertCommand } from './weights-convert.ts';
import { listCommand } from './weights-list.ts';
import { pullCommand } from './weights-pull.ts';
import { removeCommand } from './weights-remove.ts';
import { synthCommand } from './weights-synth.ts';
import { verifyCommand } from './weights-verify.ts';

export function weightsCommand(context: CommandContext): Command {
  return new Command('weights')
    .description("Models' weights: fetch, check, convert.")
    .addCommand(pullCommand(context))
    .addCommand(listCommand(context))
    .addCommand(verifyCommand(context))
    .addCommand(removeCommand(context))
    .addCommand(convertCommand(context))
    .addCommand(synthCommand(context));
}
