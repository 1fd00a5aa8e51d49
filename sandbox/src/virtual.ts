// A whole cluster in virtual time: store, pipeline, controllers and kubelet in one process. One seed is one interleaving.
import { ADMIN, Cluster, type ClusterOptions } from './cluster.ts';
import { Controllers, type ControllersOptions, type Range } from './controllers/index.ts';
import { DEPLOYMENTS, pathOf } from './controllers/framework/meta.ts';
import { VirtualClock } from './core/clock.ts';
import type { Change } from './core/store.ts';
import type { Client, KubeObject } from './core/types.ts';

export interface VirtualOptions extends Omit<ControllersOptions, 'clock' | 'clientOf' | 'store' | 'registry'> {
  /** Determines all random choices: delays, order, names. */
  seed: number;
  /** Webhooks and policies in the same process. */
  admission?: ClusterOptions['admission'];
  /** Tracks managedFields, which costs time. */
  fields?: ClusterOptions['fields'];
}

const LAG_MS: Range = [0, 100];
const REQUEST_MS: Range = [0, 5];
const JITTER: Range = [0.5, 1.5];

export class VirtualCluster {
  readonly clock: VirtualClock;
  readonly cluster: Cluster;
  readonly controllers: Controllers;
  /** A client with the rights of cluster-admin. */
  readonly client: Client;
  /** Errors that controllers retried, except conflicts. */
  readonly errors: { controller: string; key: string; error: unknown }[] = [];
  private readonly quietMs: number;

  constructor(options: VirtualOptions) {
    const { seed, admission, fields, ...rest } = options;
    this.clock = new VirtualClock(seed);
    this.cluster = new Cluster({ clock: this.clock, admission, fields });
    this.client = this.cluster.client(ADMIN);
    const settings = {
      lagMs: LAG_MS,
      requestMs: REQUEST_MS,
      jitter: JITTER,
      readyMs: 300,
      stopMs: 100,
      verbose: false,
      nodes: 1,
      masters: true,
      ...rest,
    };
    this.controllers = new Controllers({
      clock: this.clock,
      store: this.cluster.store,
      registry: this.cluster.registry,
      clientOf: (user) => this.cluster.client(user),
      onError: (controller, key, error) => this.errors.push({ controller, key, error }),
      ...settings,
    });
    // Longer than all pauses without writes: Pod starts, cache delays, first retries.
    this.quietMs =
      2 * Math.max(settings.readyMs * settings.jitter[1] * 10, settings.stopMs * settings.jitter[1]) +
      4 * settings.lagMs[1] +
      500;
  }

  async start(): Promise<this> {
    await this.controllers.start();
    return this;
  }

  stop(): void {
    this.controllers.stop();
  }

  /** Advances the time. */
  run(ms: number): Promise<void> {
    return this.clock.run(ms);
  }

  /** Advances the time until the condition is true. Returns false after `ms`. */
  until(condition: () => boolean, ms = 60_000): Promise<boolean> {
    return this.clock.runUntil(condition, ms);
  }

  /** Advances the time until there are no more writes. Returns false after `ms`. */
  async settled(ms = 600_000): Promise<boolean> {
    const end = this.clock.now() + ms;
    while (this.clock.now() < end) {
      const before = this.cluster.store.revision;
      await this.clock.run(this.quietMs);
      if (this.cluster.store.revision === before) return true;
    }
    return false;
  }

  /** Calls the listener for each change of each object, within its commit. */
  observe(listener: (change: Change) => void): () => void {
    return this.cluster.store.observe(listener);
  }

  /** The stored Deployment, without a request. */
  deployment(name: string, namespace = 'default'): KubeObject | undefined {
    return this.cluster.store.get('apps/deployments', namespace, name);
  }

  replicaSets(namespace = 'default'): readonly KubeObject[] {
    return this.cluster.store.list('apps/replicasets', namespace);
  }

  pods(namespace = 'default'): readonly KubeObject[] {
    return this.cluster.store.list('/pods', namespace);
  }

  createDeployment(deployment: object, namespace = 'default'): Promise<KubeObject> {
    return this.client.request('POST', pathOf(DEPLOYMENTS, namespace), { body: deployment });
  }

  patchDeployment(
    name: string,
    body: object,
    type = 'application/merge-patch+json',
    namespace = 'default',
  ): Promise<KubeObject> {
    return this.client.request('PATCH', pathOf(DEPLOYMENTS, namespace, name), { type, body });
  }

  scale(name: string, replicas: number, namespace = 'default'): Promise<KubeObject> {
    const type = 'application/merge-patch+json';
    return this.client.request('PATCH', pathOf(DEPLOYMENTS, namespace, name, 'scale'), {
      type,
      body: { spec: { replicas } },
    });
  }
}
