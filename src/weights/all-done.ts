/**
 * What reads that began together give, when none of them is under way any more, since the memory they fill
 * is used again; rejects as the first that failed.
 */
export async function allDone<T>(reads: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(reads);
  return Promise.all(reads);
}
