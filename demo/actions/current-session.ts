/** The session in use: another one after the device was lost, null while there is none. */
import type { Session } from '../engine/session.ts';

let session: Session | null = null;

export const currentSession = (): Session | null => session;

export const setSession = (next: Session | null): void => {
  session = next;
};
