// The controllers that Kubernetes brings along, a scheduler and a kubelet, each on its own lagging view of one cluster.
import type { Registry } from '../core/resources.ts';
import type { Store } from '../core/store.ts';
import type { Client, Clock, User } from '../core/types.ts';
import { createAutoscaler } from './autoscale.ts';
import { createDeploymentController } from './deployment/controller.ts';
import { createDisruptionController } from './disruption.ts';
import { createEndpointsController } from './endpoints.ts';
import type { Controller, ControllerOptions, Range } from './frame/controller.ts';
import { createGarbageCollector } from './garbage.ts';
import { createNamespaceController, createNamespaceDefaults } from './namespace.ts';
import { createKubelet } from './node/kubelet.ts';
import { createNodes } from './node/nodes.ts';
import { createScheduler } from './node/scheduler.ts';
import { createReplicaSetController } from './replicaset/controller.ts';

export type { Controller, Range } from './frame/controller.ts';

export interface ControllersOptions {
  clock: Clock;
  /** Storage and the table of resources, for the controllers that look after every kind. */
  store: Store;
  registry: Registry;
  /** A client for a user; the controllers come as who they are in Kubernetes. */
  clientOf(user: User): Client;
  /** How far each controller's view of each kind is behind, drawn for every event. Default 0–3 ms. */
  lagMs?: Range;
  /** How long a controller's request takes. Default 0. */
  requestMs?: Range;
  /** From a Pod being scheduled to being Ready. Default 300. */
  readyMs?: number;
  /** From a Pod being deleted to being gone. Default 100. */
  stopMs?: number;
  /** Each delay of a Pod is multiplied by a number drawn from here. Default [1, 1]. */
  jitter?: Range;
  /** How many nodes there are. Default 3; Pods go to the first with room. */
  nodes?: number;
  /** PEM of the cluster's CA. With it every namespace gets its ServiceAccount `default` and ConfigMap kube-root-ca.crt. */
  caBundle?: string;
  /** Write Events and report containers being created, as people want to see them. Default true. */
  verbose?: boolean;
  /** Hears of what went wrong and is tried again, conflicts apart. */
  onError?(controller: string, key: string, error: unknown): void;
}

export type ControllerName =
  | 'deployment'
  | 'replicaset'
  | 'scheduler'
  | 'kubelet'
  | 'garbage'
  | 'namespace'
  | 'defaults'
  | 'endpoints'
  | 'disruption'
  | 'autoscaler';

export class Controllers {
  readonly byName: Readonly<Record<ControllerName, Controller>>;
  private readonly options: ControllersOptions;

  constructor(options: ControllersOptions) {
    this.options = options;
    const { store, registry } = options;
    const frame = (user: User): ControllerOptions => ({
      client: options.clientOf(user),
      clock: options.clock,
      lagMs: options.lagMs ?? [0, 3],
      requestMs: options.requestMs ?? [0, 0],
      events: options.verbose ?? true,
      onError: options.onError,
    });
    this.byName = {
      deployment: createDeploymentController(frame(serviceAccount('deployment-controller'))),
      replicaset: createReplicaSetController(frame(serviceAccount('replicaset-controller'))),
      scheduler: createScheduler(frame(component('system:kube-scheduler'))),
      kubelet: createKubelet({
        ...frame(component('system:node:n0', 'system:nodes')),
        readyMs: options.readyMs ?? 300,
        stopMs: options.stopMs ?? 100,
        jitter: options.jitter ?? [1, 1],
        reportCreating: options.verbose ?? true,
      }),
      garbage: createGarbageCollector({ ...frame(serviceAccount('generic-garbage-collector')), store, registry }),
      namespace: createNamespaceController({ ...frame(serviceAccount('namespace-controller')), store, registry }),
      defaults: createNamespaceDefaults({
        ...frame(serviceAccount('service-account-controller')),
        caBundle: options.caBundle,
      }),
      endpoints: createEndpointsController(frame(serviceAccount('endpointslice-controller'))),
      disruption: createDisruptionController(frame(serviceAccount('disruption-controller'))),
      autoscaler: createAutoscaler({ ...frame(serviceAccount('horizontal-pod-autoscaler')), registry }),
    };
  }

  get all(): Controller[] {
    return Object.values(this.byName);
  }

  /** Nobody has anything to do at this moment (timers and events under way aside). */
  get idle(): boolean {
    return this.all.every((controller) => controller.idle);
  }

  async start(): Promise<void> {
    const { clientOf, clock, nodes } = this.options;
    await createNodes(clientOf(component('system:node:n0', 'system:nodes')), nodes ?? 3, clock.now());
    for (const controller of this.all) controller.start();
  }

  stop(): void {
    for (const controller of this.all) controller.crash();
  }
}

/** In system:masters too: what they may do is not what anybody tests here. */
const component = (username: string, ...groups: string[]): User => ({
  username,
  groups: [...groups, 'system:masters', 'system:authenticated'],
});

const serviceAccount = (name: string): User =>
  component(
    `system:serviceaccount:kube-system:${name}`,
    'system:serviceaccounts',
    'system:serviceaccounts:kube-system',
  );
