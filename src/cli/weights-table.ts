/** What a pull would do, for people and for programs. */
import { grouped } from '../weights/error.ts';
import type { HubModel } from '../weights/hub/models.ts';
import type { PlannedItem, PullPlan } from '../weights/hub/pull.ts';
import { humanBytes } from './transfer-progress.ts';

/** Of one file, for people. */
const stateOf = ({ found, resumedBytes, remote }: PlannedItem): string => {
  if (found) return found.isElsewhere ? 'copied from the cache' : 'there';
  if (resumedBytes === 0) return 'to fetch';
  return `to fetch, ${Math.floor((100 * resumedBytes) / Math.max(1, remote.size))} % there`;
};

/** Files, bytes, what is there, room on the disk, licences. */
export function tableOf(
  model: HubModel,
  plan: PullPlan,
  folder: string,
  endpoint: string,
): string[] {
  const { items, missingBytes, freeBytes } = plan;
  const name = Math.max(...items.map((item) => item.target.length));
  const size = Math.max(...items.map((item) => grouped(item.remote.size).length));
  const free = freeBytes === undefined ? '' : `, ${humanBytes(freeBytes)} free there`;
  return [
    `${model.name}: ${items.length} files, ${humanBytes(plan.bytes)}`,
    ...items.map((item) => {
      const bytes = grouped(item.remote.size).padStart(size);
      return `  ${item.target.padEnd(name)}  ${bytes}  ${stateOf(item)}`;
    }),
    `to fetch: ${humanBytes(missingBytes)} from ${endpoint} to ${folder}${free}`,
    'licences:',
    ...model.sources.map(
      ({ repo, licence }) => `  ${repo}: ${licence.name}, ${licence.terms}; ${licence.url}`,
    ),
  ];
}

/** The same for programs. */
export const summaryOf = (model: HubModel, plan: PullPlan, folder: string) => ({
  model: model.name,
  folder,
  bytes: plan.bytes,
  fetchedBytes: plan.missingBytes,
  freeBytes: plan.freeBytes ?? null,
  revisions: plan.revisions,
  files: plan.items.map(({ target, remote, found, resumedBytes }) => ({
    file: target,
    repo: remote.repo,
    bytes: remote.size,
    checksum: remote.checksum ?? null,
    state: found ? 'there' : 'fetch',
    resumedBytes,
  })),
  licences: model.sources.map(({ repo, licence }) => ({ repo, ...licence })),
});
