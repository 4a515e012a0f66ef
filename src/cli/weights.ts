/** `invsr weights`: one file per subcommand, weights-<name>.ts. */
import { Command } from 'commander';
import type { CommandContext } from './upscale.ts';

export function weightsCommand(_context: CommandContext): Command {
  return new Command('weights').description("models' weights: fetch, check, convert");
}
