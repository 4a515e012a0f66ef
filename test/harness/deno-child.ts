/** Run by Deno: loads a page's script and calls functions of what that puts on `window`; see deno.ts. */
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import process from 'node:process';
import { buffer } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { deserialize, serialize } from 'node:v8';

type Functions = Readonly<Record<string, (...args: unknown[]) => unknown>>;

Reflect.set(globalThis, 'window', globalThis); // Deno has none
await import(pathToFileURL(process.argv[2]!).href);

async function answer(request: IncomingMessage): Promise<Buffer> {
  const [object, name, args] = deserialize(await buffer(request)) as [string, string, unknown[]];
  const functions = Reflect.get(globalThis, object) as Functions;
  return serialize(await functions[name]!(...args));
}

const server = createServer((request, response) => {
  answer(request).then(
    (body) => response.end(body),
    (error: unknown) => {
      response.statusCode = 500;
      response.end(error instanceof Error ? error.stack : String(error));
    },
  );
});
server.listen(0, '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
});
process.stdin.on('end', () => process.exit()).resume();
