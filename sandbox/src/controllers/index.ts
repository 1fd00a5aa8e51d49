// The controllers of Kubernetes, a scheduler and a kubelet, each with its own delayed view of one cluster.
import type { Registry } from '../core/resources.ts';
import type { Store } from '../core/store.ts';
import type { Client, Clock, User } from '../core/types.ts';
import { createAutoscaler } from './autoscale.ts';
import { createDaemonSetController } from './daemonset/controller.ts';
import { createDeploymentController } from './deployment/controller.ts';
import { createDisruptionController } from './disruption.ts';
import { createEndpointsController } from './endpoints/endpoints.ts';
import { createEndpointSliceController } from './endpoints/slices.ts';
import type { Controller, ControllerOptions, Range } from './framework/controller.ts';
import { createGarbageCollector } from './garbage.ts';
import {
  CONFIG_MAPS,
  createInEveryNamespace,
  createNamespaceController,
  defaultServiceAccount,
  rootCertificate,
  SERVICE_ACCOUNTS,
} from './namespace.ts';
import { createKubelet } from './node/kubelet.ts';
import { createNodes } from './node/nodes.ts';
import { createPodGarbageCollector } from './node/pod-garbage.ts';
import { createScheduler } from './node/scheduler.ts';
import { createReplicaSetController } from './replicaset/controller.ts';
import { createStatefulSetController } from './statefulset/controller.ts';
import type { Serving } from '../serving/index.ts';

export type { Controller, Range } from './framework/controller.ts';

export interface ControllersOptions {
  clock: Clock;
  /** Storage and the table of resources, for controllers of all kinds. */
  store: Store;
  registry: Registry;
  /** Returns a client for a user. Controllers use their Kubernetes service accounts. */
  clientOf(user: User): Client;
  /** All controllers are in system:masters: for clusters without the default roles. */
  masters?: boolean;
  /** The delay of each cache, drawn for each event. Default 0–3 ms. */
  lagMs?: Range;
  /** The duration of a controller's request. Default 0. */
  requestMs?: Range;
  /** Milliseconds from scheduling to Ready. Default 300. */
  readyMs?: number;
  /** Milliseconds from deletion to removal. Default 100. */
  stopMs?: number;
  /** Each delay of a Pod is multiplied by a number from this range. Default [1, 1]. */
  jitter?: Range;
  /** Number of nodes. Default 3. Pods go to the first node with room. */
  nodes?: number | undefined;
  /** PEM of the cluster's CA. With it, each namespace gets the ServiceAccount `default` and the ConfigMap kube-root-ca.crt. */
  caBundle?: string;
  /** Write Events, and report containers that are being created. Default true. */
  verbose?: boolean;
  /** Serves the ports of Pods. Absent: nothing listens. In real time only. */
  serving?: Serving | undefined;
  /** Called for errors that are retried, except conflicts. */
  onError?: ((controller: string, key: string, error: unknown) => void) | undefined;
}

export type ControllerName =
  | 'deployment'
  | 'replicaset'
  | 'scheduler'
  | 'kubelet'
  | 'garbage'
  | 'namespace'
  | 'serviceAccounts'
  | 'rootCertificates'
  | 'endpoints'
  | 'endpointSlices'
  | 'disruption'
  | 'autoscaler'
  | 'statefulset'
  | 'daemonset'
  | 'podGarbage';

export class Controllers {
  readonly byName: Readonly<Record<ControllerName, Controller>>;
  private readonly options: ControllersOptions;

  constructor(options: ControllersOptions) {
    this.options = options;
    const { store, registry, caBundle } = options;
    const as = (user: User): ControllerOptions => ({
      client: this.clientOf(user),
      clock: options.clock,
      lagMs: options.lagMs ?? [0, 3],
      requestMs: options.requestMs ?? [0, 0],
      events: options.verbose ?? true,
      onError: options.onError,
    });
    this.byName = {
      deployment: createDeploymentController(as(serviceAccount('deployment-controller'))),
      replicaset: createReplicaSetController(as(serviceAccount('replicaset-controller'))),
      scheduler: createScheduler(as(component('system:kube-scheduler'))),
      kubelet: createKubelet({
        ...as(component('system:node:n0', 'system:nodes')),
        readyMs: options.readyMs ?? 300,
        stopMs: options.stopMs ?? 100,
        jitter: options.jitter ?? [1, 1],
        reportCreating: options.verbose ?? true,
        serving: options.serving,
      }),
      garbage: createGarbageCollector({ ...as(serviceAccount('generic-garbage-collector')), store, registry }),
      namespace: createNamespaceController({ ...as(serviceAccount('namespace-controller')), store, registry }),
      serviceAccounts: createInEveryNamespace(
        'service-account-controller',
        as(serviceAccount('service-account-controller')),
        SERVICE_ACCOUNTS,
        caBundle === undefined ? undefined : defaultServiceAccount,
      ),
      rootCertificates: createInEveryNamespace(
        'root-ca-cert-publisher',
        as(serviceAccount('root-ca-cert-publisher')),
        CONFIG_MAPS,
        caBundle === undefined ? undefined : rootCertificate(caBundle),
      ),
      endpoints: createEndpointsController(as(serviceAccount('endpoint-controller'))),
      endpointSlices: createEndpointSliceController(as(serviceAccount('endpointslice-controller'))),
      disruption: createDisruptionController(as(serviceAccount('disruption-controller'))),
      autoscaler: createAutoscaler({ ...as(serviceAccount('horizontal-pod-autoscaler')), registry }),
      podGarbage: createPodGarbageCollector(as(serviceAccount('pod-garbage-collector'))),
      daemonset: createDaemonSetController(as(serviceAccount('daemon-set-controller'))),
      statefulset: createStatefulSetController(as(serviceAccount('statefulset-controller'))),
    };
  }

  get all(): Controller[] {
    return Object.values(this.byName);
  }

  /** No controller has work at this moment. Timers and pending events do not count. */
  get idle(): boolean {
    return this.all.every((controller) => controller.idle);
  }

  async start(): Promise<void> {
    const { clock, nodes } = this.options;
    await createNodes(this.clientOf(component('system:node:n0', 'system:nodes')), nodes ?? 3, clock.now());
    for (const controller of this.all) controller.start();
  }

  private clientOf({ username, groups }: User): Client {
    return this.options.clientOf({ username, groups: this.options.masters ? [...groups, 'system:masters'] : groups });
  }

  stop(): void {
    for (const controller of this.all) controller.crash();
  }
}

const component = (username: string, ...groups: string[]): User => ({
  username,
  groups: [...groups, 'system:authenticated'],
});

const serviceAccount = (name: string): User =>
  component(
    `system:serviceaccount:kube-system:${name}`,
    'system:serviceaccounts',
    'system:serviceaccounts:kube-system',
  );
