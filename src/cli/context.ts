// The context of a command: the terminal, the global flags and, on demand, the cluster.
import type { Cluster } from './cluster.ts';
import type { GlobalFlags } from './flags.ts';
import type { Io } from './io.ts';
import { painter, type Paint } from './paint.ts';

export interface Context {
  readonly io: Io;
  readonly flags: GlobalFlags;
  readonly paint: Paint;
  readonly version: string;
  /** Connects on first use, and loads the Kubernetes client only then. Throws ConnectionError. */
  cluster(): Promise<Cluster>;
  close(): void;
}

export function createContext(io: Io, flags: GlobalFlags, version: string): Context {
  let connected: Promise<Cluster> | undefined;
  let close = (): void => undefined;

  async function open(): Promise<Cluster> {
    const { connectCluster } = await import('./cluster.ts');
    const cluster = await connectCluster(io, flags, version);
    close = () => cluster.api.close();
    return cluster;
  }

  return {
    io,
    flags,
    version,
    paint: painter(io.terminal && flags.color && !io.env['NO_COLOR']),
    cluster: () => (connected ??= open()),
    close: () => close(),
  };
}
