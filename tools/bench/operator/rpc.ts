// Remote procedure calls between a bench and its child processes, over Node's IPC channel.
import type { ChildProcess } from 'node:child_process';

type Handler = (...args: never[]) => unknown;

interface Asked {
  readonly id: number;
  readonly method: string;
  readonly args: readonly unknown[];
}

interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

/** In the child: handles calls of the parent. */
export function serve(methods: Readonly<Record<string, Handler>>): void {
  process.on('message', ({ id, method, args }: Asked) => {
    void Promise.resolve()
      .then(() => methods[method]!(...(args as never[])))
      .then(
        (result) => process.send!({ id, result } satisfies Answer),
        (error: unknown) => process.send!({ id, error: String((error as Error).stack ?? error) } satisfies Answer),
      );
  });
}

/** In the parent: calls the child. Rejects with the child's error, or if the child ends. */
export function caller(child: ChildProcess): (method: string, ...args: unknown[]) => Promise<unknown> {
  const open = new Map<number, PromiseWithResolvers<unknown>>();
  let last = 0;
  child.on('message', ({ id, result, error }: Answer) => {
    const call = open.get(id);
    open.delete(id);
    if (error === undefined) call?.resolve(result);
    else call?.reject(new Error(error));
  });
  child.once('exit', (code, signal) => {
    for (const { reject } of open.values()) reject(new Error(`the process ended: ${signal ?? code}`));
    open.clear();
  });
  return (method, ...args) => {
    const call = Promise.withResolvers<unknown>();
    open.set(++last, call);
    child.send({ id: last, method, args } satisfies Asked);
    return call.promise;
  };
}
