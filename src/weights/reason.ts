/** The system's reason in plain words, for sentences. */
const KNOWN: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or folder',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'the file system does not take files of that size',
  EISDIR: 'it is a folder',
  ENOTDIR: 'a part of its path is a file, not a folder',
  EEXIST: 'a file of that name is in the way',
  ENAMETOOLONG: 'the name is too long',
};

/** `ENOENT` and the like; empty where there is none. Libraries such as libvips give the text only. */
export function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return '';
  if ('code' in error) return String(error.code);
  if (/no space left on device/i.test(error.message)) return 'ENOSPC';
  return /permission denied/i.test(error.message) ? 'EACCES' : '';
}

export const reasonOf = (error: unknown): string =>
  KNOWN[codeOf(error)] ?? (error instanceof Error ? error.message : String(error));
