// The shared part of --watch: watches collections, calls back on each change, and updates the screen in place.
import type { Resource } from '../../api/resources.ts';
import type { KubeObject } from '../../api/types.ts';
import type { Reflector } from '../../kube/reflector.ts';
import type { Cluster } from '../cluster.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit.ts';
import type { Timeout } from '../flags.ts';
import { control, fit } from '../paint.ts';

export interface Collection {
  readonly resource: Resource;
  /** Undefined: all namespaces. */
  readonly namespace: string | undefined;
  /** Only the object with this name. */
  readonly only?: string;
}

export interface Watching {
  readonly collections: readonly Collection[];
  readonly timeout: Timeout | undefined;
  /** Shows the objects, one list per collection. `changed`: false if only time has passed. Returns an exit code to end the watch. */
  look(objects: readonly (readonly KubeObject[])[], changed: boolean): Promise<number | undefined>;
  /** Why the watch has not ended, for the message of a timeout. */
  reason(objects: readonly (readonly KubeObject[])[]): string;
}

/** The interval at which a terminal is redrawn to update ages. */
const REDRAW_MS = 1000;
const NEVER_MS = 60_000;

/** Watches until `look` ends it, until the timeout, or until Ctrl-C. Returns the exit code. Throws ApiError if the user has no permission. */
export async function watchUntilOver(context: Context, cluster: Cluster, watching: Watching): Promise<number> {
  const { io } = context;
  let wake = (): void => undefined;
  let changed = true;
  let pending = false;
  let refused: unknown;
  const look = (): void => {
    pending = true;
    wake();
  };
  const notice = (): void => {
    changed = true;
    look();
  };
  const reflectors = await reflect(cluster, watching.collections, notice, (error) => {
    refused = error;
    look();
  });
  io.signal.addEventListener('abort', look);
  const { timeout } = watching;
  const deadline = timeout === undefined ? undefined : io.now() + timeout.ms;
  try {
    for (;;) {
      pending = false;
      if (io.signal.aborted) return EXIT.interrupted;
      if (refused !== undefined) throw refused as Error;
      const synced = reflectors.every((one) => one.synced);
      const objects = reflectors.map(({ store }) => [...store.values()]);
      if (synced) {
        const news = changed;
        changed = false;
        const end = await watching.look(objects, news);
        if (end !== undefined) return end;
      }
      if (deadline !== undefined && io.now() >= deadline) {
        const problem = reflectors.map((one) => one.problem).find((one) => one !== undefined);
        const why = synced ? watching.reason(objects) : (problem ?? 'the cluster has not answered');
        io.err(`error: timed out after ${timeout?.text}: ${why}\n`);
        return EXIT.timedOut;
      }
      const most = io.terminal ? REDRAW_MS : NEVER_MS;
      const ms = deadline === undefined ? most : Math.max(0, Math.min(most, deadline - io.now()));
      // Handle changes that arrived in the meantime at once.
      if (!pending) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, ms);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
    }
  } finally {
    io.signal.removeEventListener('abort', look);
    await Promise.all(reflectors.map((one) => one.stop()));
  }
}

async function reflect(
  cluster: Cluster,
  collections: readonly Collection[],
  notice: () => void,
  refuse: (error: unknown) => void,
): Promise<Reflector<KubeObject>[]> {
  const { Reflector: Kept } = await import('../../kube/reflector.ts');
  const { realClock } = await import('../../kube/clock.ts');
  const { ApiError } = await import('../../kube/errors.ts');
  const { silent } = await import('../../kube/log.ts');
  const { nameSelector, pathOf } = await import('../../kube/path.ts');
  const logger = {
    ...silent,
    // A reflector retries for ever, but retries do not grant permission.
    warn(_: string, { error }: { error?: unknown } = {}) {
      if (error instanceof ApiError && (error.code === 401 || error.code === 403)) refuse(error);
    },
    child: () => logger,
  };
  return collections.map(({ resource, namespace, only }) => {
    const path = pathOf(resource, { namespace });
    const fieldSelector = only === undefined ? {} : { fieldSelector: nameSelector(only) };
    const reflector = new Kept<KubeObject>({ api: cluster.api, clock: realClock, path, ...fieldSelector, logger });
    reflector.on(notice);
    reflector.start();
    void reflector.whenSynced().then(notice);
    return reflector;
  });
}

/** Replaces the previous picture. Cuts it to the size of the terminal. */
export class Screen {
  private readonly context: Context;
  private drawn = 0;

  constructor(context: Context) {
    this.context = context;
  }

  draw(picture: string): void {
    const { io } = this.context;
    const lines = picture
      .split('\n')
      .slice(0, -1)
      .slice(0, Math.max(1, io.rows - 1))
      .map((line) => fit(line, io.columns));
    const back = this.drawn > 0 ? control(`${this.drawn}A`) : '';
    io.out(`${back}${lines.map((line) => `${line}${control('K')}\n`).join('')}${control('J')}`);
    this.drawn = lines.length;
  }
}
