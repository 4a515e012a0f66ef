/** `invsr weights`: one file per subcommand, weights-<name>.ts. */
import { Command } from 'commander';
import type { CommandContext } from './upscale.ts';
import { synthCommand } from './weights-synth.ts';

export function weightsCommand(context: CommandContext): Command {
  return new Command('weights')
    .description("models' weights: fetch, check, convert")
    .addCommand(synthCommand(context));
}
