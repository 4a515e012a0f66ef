/** Functions that the script of a test page put on its window, called from outside. */
import type { Page } from 'playwright-core';

/** Arguments and results are cloned. */
export type Calls<Functions> = <Name extends keyof Functions>(
  name: Name,
  ...args: Functions[Name] extends (...given: infer Given) => unknown ? Given : never
) => Functions[Name] extends (...given: never[]) => infer Result ? Result : never;

/** `page()` is open when they are called. */
export const callsInPage = <Key extends 'engine' | 'app'>(
  page: () => Page,
  key: Key,
): Calls<Window[Key]> =>
  ((name: string, ...args: unknown[]) =>
    page().evaluate(
      ([object, of, given]) => {
        const functions = window[object] as unknown as Record<
          string,
          (...all: unknown[]) => unknown
        >;
        return functions[of]!(...given);
      },
      [key, name, args] as const,
    )) as unknown as Calls<Window[Key]>;
