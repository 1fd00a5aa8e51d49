// Pods that answer HTTP: an address and a server for each Pod, without containers. For clusters in real time.
import type { Clock, KubeObject } from '../core/types.ts';
import type { Usage } from './behaviour.ts';
import { ContainerServer } from './container.ts';
import type { Place } from './endpoint.ts';
import { addressIn, takeNetwork, type Network } from './network.ts';

/** Annotation on a Pod: where its ports are served, if not at its address: `8080=127.0.0.1:40123`, separated by commas. */
export const LISTENS = 'sandbox.tranche.dev/listens';

export interface ServingOptions {
  readonly clock: Clock;
  /** Told once that Pods have no addresses of their own. */
  readonly say: (text: string) => void;
  /** False: all Pods share 127.0.0.1. */
  readonly ownAddresses?: boolean;
}

/** A running container. `restarts` differs after each of its restarts. */
export interface Running {
  readonly name: string;
  readonly image: string;
  readonly restarts: number;
}

interface Served {
  /** By container. */
  readonly servers: Map<string, { readonly of: Running; readonly server: ContainerServer; readonly places: string[] }>;
}

const SHARED = '127.0.0.1';

export class Serving {
  private readonly options: ServingOptions;
  private readonly network: Network;
  private readonly pods = new Map<string, Served>();
  /** uid → address. */
  private readonly addresses = new Map<string, string>();
  private last = 0;

  private constructor(options: ServingOptions, network: Network) {
    this.options = options;
    this.network = network;
    if (network.prefix === undefined)
      options.say(
        `Pods have no addresses of their own on this machine: they serve on free ports of ${SHARED}, in the annotation ${LISTENS}`,
      );
  }

  static async start(options: ServingOptions): Promise<Serving> {
    return new Serving(options, await takeNetwork(() => options.clock.random(), options.ownAddresses));
  }

  /** The address of a Pod. A Pod that has one keeps it. */
  addressOf(pod: KubeObject): string {
    const uid = pod.metadata.uid!;
    const { prefix } = this.network;
    if (prefix === undefined) return SHARED;
    let address = this.addresses.get(uid) ?? (pod.status?.podIP as string | undefined);
    if (!address?.startsWith('127.')) {
      const taken = new Set(this.addresses.values());
      do address = addressIn(prefix, ++this.last);
      while (taken.has(address));
    }
    this.addresses.set(uid, address);
    return address;
  }

  /** Serves these containers of the Pod, and no others. Returns the annotation LISTENS, or undefined if the Pod needs none. */
  async follow(pod: KubeObject, running: readonly Running[]): Promise<string | undefined> {
    const uid = pod.metadata.uid!;
    const served = this.pods.get(uid) ?? { servers: new Map() };
    this.pods.set(uid, served);
    for (const [name, { of, server }] of served.servers) {
      if (running.some((each) => each.name === name && each.image === of.image && each.restarts === of.restarts))
        continue;
      served.servers.delete(name);
      await server.kill();
    }
    for (const of of running) if (!served.servers.has(of.name)) await this.start(pod, served, of);
    return [...served.servers.values()].flatMap(({ places }) => places).join(',') || undefined;
  }

  private async start(pod: KubeObject, served: Served, of: Running): Promise<void> {
    const server = new ContainerServer({ clock: this.options.clock, pod: pod.metadata.name, image: of.image });
    const places: string[] = [];
    served.servers.set(of.name, { of, server, places });
    for (const port of portsOf(pod, of.name)) {
      const own: Place = { host: this.addressOf(pod), port };
      const wanted = own.host === SHARED ? { host: SHARED, port: 0 } : own;
      // Another program may listen on this port of all addresses.
      const place = await server.listen(wanted).catch(() => server.listen({ host: SHARED, port: 0 }));
      if (place.host !== own.host || place.port !== own.port) places.push(`${port}=${place.host}:${place.port}`);
    }
    // Removed in the meantime.
    if (this.pods.get(pod.metadata.uid!) !== served) await server.kill();
  }

  /** Ends the Pod's servers when their open requests are answered, after this time at the latest. */
  async drain(uid: string, ms: number): Promise<void> {
    await Promise.all([...(this.pods.get(uid)?.servers.values() ?? [])].map(({ server }) => server.drain(ms)));
  }

  /** Kills the servers of a Pod that is gone. */
  forget(uid: string): void {
    for (const { server } of this.pods.get(uid)?.servers.values() ?? []) void server.kill();
    this.pods.delete(uid);
    this.addresses.delete(uid);
  }

  /** After a restart of the kubelet: forgets Pods that are gone. */
  keepOnly(uids: ReadonlySet<string>): void {
    for (const uid of [...this.addresses.keys(), ...this.pods.keys()]) if (!uids.has(uid)) this.forget(uid);
  }

  /** Undefined if the container is not served. */
  usageOf(uid: string, container: string): Usage | undefined {
    return this.pods.get(uid)?.servers.get(container)?.server.usage;
  }

  async close(): Promise<void> {
    const servers = [...this.pods.values()].flatMap((served) => [...served.servers.values()]);
    this.pods.clear();
    await Promise.all(servers.map(({ server }) => server.kill()));
    this.network.close();
  }
}

interface Port {
  readonly containerPort: number;
  readonly protocol?: string;
}

function portsOf(pod: KubeObject, container: string): number[] {
  const found = (pod.spec.containers as { name: string; ports?: Port[] }[]).find(({ name }) => name === container);
  return (found?.ports ?? [])
    .filter(({ protocol }) => protocol === undefined || protocol === 'TCP')
    .map(({ containerPort }) => containerPort);
}

interface Hook {
  readonly sleep?: { readonly seconds?: number };
  readonly exec?: { readonly command?: readonly string[] };
}

/** The time that the preStop hooks of a Pod take, in milliseconds: `sleep`, or a command that is `sleep N`. Other hooks take none. */
export function preStopMs(pod: KubeObject): number {
  const hooks = (pod.spec.containers as { lifecycle?: { preStop?: Hook } }[]).map(
    ({ lifecycle }) => lifecycle?.preStop,
  );
  const seconds = hooks.map((hook) => {
    const command = /(?:^| )sleep (\d{1,5})$/.exec(hook?.exec?.command?.join(' ') ?? '')?.[1];
    return hook?.sleep?.seconds ?? Number(command ?? 0);
  });
  return Math.max(0, ...seconds) * 1000;
}
