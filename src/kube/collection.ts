// A cached collection of objects in all namespaces or in some: one reflector, or one for each namespace, with a common interface.
import type { KubeObject } from '../api/types.ts';
import type { ChangeHandler, Reflector } from './reflector.ts';

/** The part of a reflector's interface that its readers use. */
export type Collection<T extends KubeObject> = Pick<
  Reflector<T>,
  | 'synced'
  | 'problem'
  | 'refused'
  | 'doubt'
  | 'whenSynced'
  | 'get'
  | 'by'
  | 'values'
  | 'on'
  | 'onListed'
  | 'start'
  | 'stop'
>;

/** Without namespaces: one reflector for all of them. `make` gets the namespace, or undefined for all. */
export function inNamespaces<T extends KubeObject>(
  namespaces: readonly string[],
  make: (namespace: string | undefined) => Reflector<T>,
): Collection<T> {
  if (namespaces.length === 0) return make(undefined);
  const each = new Map(namespaces.map((namespace) => [namespace, make(namespace)]));
  const all = [...each.values()];
  return {
    get synced() {
      return all.every(({ synced }) => synced);
    },
    get problem() {
      return all.find(({ problem }) => problem !== undefined)?.problem;
    },
    get refused() {
      return all.find(({ refused }) => refused !== undefined)?.refused;
    },
    get doubt() {
      return all.find(({ doubt }) => doubt !== undefined)?.doubt;
    },
    whenSynced: async () => (await Promise.all(all.map((one) => one.whenSynced()))).every(Boolean),
    // The key has the form `namespace/name`.
    get: (key) => each.get(key.split('/', 1)[0]!)?.get(key),
    by: (index, value) => all.flatMap((one) => one.by(index, value)),
    values: () => all.flatMap((one) => [...one.values()]),
    on(handler: ChangeHandler<T>) {
      const ends = all.map((one) => one.on(handler));
      return () => ends.map((end) => end()).every(Boolean);
    },
    onListed(listener) {
      const ends = [...each].map(([namespace, one]) => one.onListed((listing) => listener({ ...listing, namespace })));
      return () => ends.map((end) => end()).every(Boolean);
    },
    start() {
      for (const one of all) one.start();
    },
    async stop() {
      await Promise.all(all.map((one) => one.stop()));
    },
  };
}

/** An empty collection, for a kind that the cluster does not serve. */
export const noObjects = <T extends KubeObject>(): Collection<T> => ({
  synced: true,
  problem: undefined,
  refused: undefined,
  doubt: undefined,
  whenSynced: () => Promise.resolve(true),
  get: () => undefined,
  by: () => [],
  values: () => [],
  on: () => () => false,
  onListed: () => () => false,
  start: () => undefined,
  stop: () => Promise.resolve(),
});
