// A whole small world in virtual time: a cluster, its users, the webhook's decisions in process, and the operator, which may crash.
import { deploymentKind } from '../../src/engine/workload/deployment/kind.ts';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { Admission } from '@tranche/sandbox/cluster';
import { resource } from '@tranche/sandbox/resources';
import type { Store } from '@tranche/sandbox/store';
import type { AdmissionRequest, KubeObject } from '@tranche/sandbox/types';
import { VirtualCluster, type VirtualOptions } from '@tranche/sandbox/virtual';
import { GROUP, HELD, WORKLOAD_TYPE } from '../../src/api/keys.ts';
import type {
  CanaryStatus,
  CanaryStep,
  Deployment,
  HistoryEntry,
  KubeObject as ApiObject,
  Pod,
  ReplicaSet,
  Rollout,
} from '../../src/api/types.ts';
import type { TrafficRoutingObject } from '../../src/api/traffic.ts';
import { TRAFFIC_ROUTINGS } from '../../src/api/resources.ts';
import type { ReleasePolicy, ReleasePolicySpec } from '../../src/api/policy.ts';
import { intercept } from '../../src/engine/admit/intercept.ts';
import { isApprovable } from '../../src/engine/lib/pause.ts';
import type { Children } from '../../src/engine/snapshot.ts';
import { planDigest } from '../../src/engine/policy/plan.ts';
import { routedKeys } from '../../src/engine/traffic/rivals.ts';
import type { Version, WorkloadKind } from '../../src/engine/workload/kind.ts';
import type { Span } from '../../src/engine/trace/spans.ts';
import type { Sampling } from '../../src/engine/trace/trace.ts';
import { digest } from '../../src/kube/digest.ts';
import type { EventInput } from '../../src/kube/events.ts';
import { silent, type Logger } from '../../src/kube/log.ts';
import { pathOf } from '../../src/kube/path.ts';
import { Reflector } from '../../src/kube/reflector.ts';
import type { MetricSources } from '../../src/metric-sources/source.ts';
import { createOperator, type Operator, type OperatorDeps, type OperatorMetrics } from '../../src/operator/operator.ts';
import { heldIndex, PolicyLookup } from '../../src/operator/policies.ts';
import { routingIndex } from '../../src/operator/traffic-routings.ts';
import { traceReleases } from '../../src/operator/trace.ts';
import { kindIndex, workloadIndex } from '../../src/operator/workload.ts';
import { createCalendar } from '../../src/schedule/calendar.ts';
import { applyOps } from '../support/json-patch.ts';
import { fixtureOf, type KindFixture } from './kinds/fixtures.ts';
import { OPERATOR, VirtualApi, type Misbehaviour } from './api.ts';

export interface WorldOptions extends Partial<VirtualOptions> {
  seed?: number;
  misbehaviour?: (world: World) => Misbehaviour;
  decide?: OperatorDeps['decide'];
  decideRouting?: OperatorDeps['decideRouting'];
  unreached?: OperatorDeps['unreached'];
  /** The kind of the workload. Default: a Deployment. */
  kind?: WorkloadKind;
  /** Pods that block a release may be evicted. */
  evicts?: boolean;
  /** Pods of every release are labelled. */
  labelsPods?: boolean;
  /** With a cache of ReleasePolicies. */
  policies?: boolean;
  /** Source of metrics for checks. */
  metrics?: (world: World) => MetricSources;
  /** The operator may change routes and Services. */
  routesTraffic?: boolean;
  /** TrafficRoutings are served, and the operator reads them. */
  routings?: boolean;
  /** Releases are traced, and their spans put here. */
  spans?: Span[];
  /** What the operator says beside events and statuses. */
  logger?: Logger;
}

const ALL_TRACES: Sampling = { ratio: 1, parentBased: true };

export const NAME = 'demo';
export const ROLLOUT = 'demo-rollout';
const MERGE = 'application/merge-patch+json';
const ROLLOUTS = `/apis/${GROUP}/v1beta1/namespaces/default/rollouts`;
const POLICIES = '/apis/tranche.dev/v1alpha1/releasepolicies';
const COLLECTION = `${GROUP}/rollouts`;
const REVISIONS = 'apps/controllerrevisions';

export class World {
  readonly virtual: VirtualCluster;
  readonly events: EventInput[] = [];
  /** False: as if the webhook were not there. */
  webhook = true;
  /** A webhook or policy of others, asked after ours about every write: it may change the object, or throw. */
  others: ((request: AdmissionRequest) => void) | undefined;
  /** Of the operator that runs now, and of those before it. */
  readonly apis: VirtualApi[] = [];
  private readonly misbehaviour: Misbehaviour | undefined;
  private readonly decide: OperatorDeps['decide'];
  private readonly decideRouting: OperatorDeps['decideRouting'];
  private readonly unreached: OperatorDeps['unreached'];
  private readonly policies: boolean;
  readonly kind: WorkloadKind;
  /** What a world needs to know about the kind. */
  readonly fixture: KindFixture;
  private readonly evicts: boolean;
  private readonly labelsPods: boolean;
  private readonly routesTraffic: boolean;
  private readonly routings: boolean;
  private readonly spans: Span[] | undefined;
  private readonly logger: Logger;
  private readonly metrics: WorldOptions['metrics'];
  private operator: { stop: () => Promise<void> } | undefined;

  constructor(options: WorldOptions = {}) {
    const { kind = deploymentKind } = options;
    this.fixture = fixtureOf(kind);
    const {
      seed = 1,
      misbehaviour,
      decide,
      decideRouting,
      unreached,
      policies = false,
      kind: _,
      evicts = false,
      labelsPods = false,
      routesTraffic = false,
      routings = false,
      spans,
      logger,
      metrics,
      ...rest
    }: WorldOptions = { ...this.fixture.options, ...options };
    this.metrics = metrics;
    this.spans = spans;
    this.logger = logger ?? (process.env['TRANCHE_DEBUG'] ? loud : silent);
    this.decide = decide;
    this.decideRouting = decideRouting;
    this.unreached = unreached;
    this.policies = policies;
    this.kind = kind;
    this.evicts = evicts;
    this.labelsPods = labelsPods;
    this.routesTraffic = routesTraffic;
    this.routings = routings;
    this.virtual = new VirtualCluster({
      seed,
      admission: (store) => this.admission(store),
      ...rest,
    });
    this.virtual.cluster.registry.add(
      resource(GROUP, 'v1beta1', 'Rollout', 'rollouts', {
        custom: true,
        status: true,
        generation: true,
        strategicMerge: false,
      }),
    );
    if (routings) {
      const options = { custom: true, status: true, generation: true, strategicMerge: false };
      this.virtual.cluster.registry.add(resource(GROUP, 'v1alpha1', 'TrafficRouting', 'trafficroutings', options));
    }
    const policyKind = { custom: true, status: true, generation: true, namespaced: false, strategicMerge: false };
    this.virtual.cluster.registry.add(
      resource('tranche.dev', 'v1alpha1', 'ReleasePolicy', 'releasepolicies', policyKind),
    );
    this.fixture.install?.(this.virtual);
    this.misbehaviour = misbehaviour?.(this);
  }

  async start(): Promise<this> {
    await this.virtual.start();
    this.startOperator();
    return this;
  }

  async stop(): Promise<void> {
    this.crash();
    this.virtual.stop();
  }

  get now(): number {
    return this.virtual.clock.now();
  }

  run(ms: number): Promise<void> {
    return this.virtual.run(ms);
  }

  // The operator -----------------------------------------------------------------------------------------------------

  startOperator(): void {
    assert.ok(!this.operator, 'it runs already');
    const api = new VirtualApi(this.virtual, this.misbehaviour);
    this.apis.push(api);
    const { clock } = api;
    const rollouts = new Reflector<Rollout>({
      api,
      clock,
      path: `/apis/${GROUP}/v1beta1/rollouts`,
      indexes: { workload: workloadIndex, kind: kindIndex, routed: routedKeys, routing: routingIndex },
    });
    const deployments = new Reflector<Deployment>({
      api,
      clock,
      path: pathOf(this.kind.resource),
      labelSelector: WORKLOAD_TYPE,
      indexes: { held: heldIndex },
    });
    const routings = this.routings
      ? new Reflector<TrafficRoutingObject>({ api, clock, logger: this.logger, path: pathOf(TRAFFIC_ROUTINGS) })
      : undefined;
    const policies = new Reflector<ReleasePolicy>({ api, clock, path: '/apis/tranche.dev/v1alpha1/releasepolicies' });
    const namespaces = new Reflector<ApiObject>({ api, clock, path: '/api/v1/namespaces' });
    const lookup = new PolicyLookup({
      policies,
      namespaces,
      rollouts,
      workloads: new Map([[this.kind, deployments]]),
      clock,
      calendar: createCalendar(),
      exempt: new Set(['kube-system']),
    });
    if (this.policies) {
      policies.start();
      namespaces.start();
    }
    const { spans } = this;
    const emit = (ended: readonly Span[]): void => void spans?.push(...ended);
    const tracer = spans && traceReleases({ rollouts, sampling: ALL_TRACES, emit, now: clock.now });
    const note = { budgetMove: (move: string, key: string) => tracer?.note(key, move) };
    const operator: Operator = createOperator({
      api,
      clock,
      rollouts,
      workloads: new Map([[this.kind, deployments]]),
      ...(this.policies ? { policies: lookup } : {}),
      ...(this.decide ? { decide: this.decide } : {}),
      ...(this.decideRouting ? { decideRouting: this.decideRouting } : {}),
      ...(this.metrics ? { evidence: { sources: this.metrics(this), findObject: async () => undefined } } : {}),
      evicts: () => this.evicts,
      labelsPods: this.labelsPods,
      routesTraffic: this.routesTraffic,
      routings,
      ...(this.unreached ? { unreached: this.unreached } : {}),
      ...(tracer ? { metrics: { ...noMetrics, ...note } } : {}),
      logger: this.logger,
      events: { record: (event) => void this.events.push(event) },
    });
    rollouts.start();
    deployments.start();
    routings?.start();
    operator.start();
    this.operator = {
      stop: async () => {
        await operator.stop();
        await Promise.all([rollouts.stop(), deployments.stop(), policies.stop(), namespaces.stop(), routings?.stop()]);
      },
    };
  }

  /** From one moment to the next it is gone; what it was doing stays half done. */
  crash(): void {
    const api = this.apis.at(-1);
    if (api) api.dead = true;
    this.operator = undefined;
  }

  /** What the operator has asked for, but for what was refused. */
  get calls(): VirtualApi['calls'] {
    return this.apis.flatMap((api) => api.calls.filter((call) => !api.refused.has(call)));
  }

  // The users --------------------------------------------------------------------------------------------------------

  async createDeployment(
    more: { replicas?: number; spec?: object; metadata?: object; version?: string } = {},
  ): Promise<void> {
    const { apiVersion, kind } = this.kind.resource;
    const body = {
      apiVersion,
      kind,
      metadata: { name: NAME, ...more.metadata },
      spec: {
        ...this.fixture.spec(more.replicas ?? 10),
        selector: { matchLabels: { app: NAME } },
        template: template(more.version ?? 'v1'),
        ...more.spec,
      },
    };
    await this.virtual.client.request('POST', pathOf(this.kind.resource, { namespace: 'default' }), { body });
  }

  async createRollout(
    steps: readonly CanaryStep[],
    more: { name?: string; canary?: object; metadata?: object; workload?: string; spec?: object } = {},
  ): Promise<void> {
    await this.virtual.client.request('POST', ROLLOUTS, {
      body: {
        apiVersion: `${GROUP}/v1beta1`,
        kind: 'Rollout',
        metadata: { name: more.name ?? ROLLOUT, ...more.metadata },
        spec: {
          workloadRef: {
            apiVersion: this.kind.resource.apiVersion,
            kind: this.kind.resource.kind,
            name: more.workload ?? NAME,
          },
          strategy: { canary: { steps, ...more.canary } },
          ...more.spec,
        },
      },
    });
  }

  async createPolicy(name: string, spec: ReleasePolicySpec): Promise<void> {
    const body = { apiVersion: 'tranche.dev/v1alpha1', kind: 'ReleasePolicy', metadata: { name }, spec };
    await this.virtual.client.request('POST', POLICIES, { body });
  }

  async deletePolicy(name: string): Promise<void> {
    await this.virtual.client.request('DELETE', `${POLICIES}/${name}`);
  }

  /** kubectl set image. */
  release(version: string): Promise<KubeObject> {
    return this.patch({ spec: { template: template(version) } });
  }

  patch(body: object, type = MERGE, name = NAME): Promise<KubeObject> {
    return this.virtual.client.request('PATCH', this.path({ name }), { type, body });
  }

  async scale(replicas: number): Promise<unknown> {
    if (this.fixture.resize) return this.fixture.resize(this, replicas);
    return this.virtual.client.request('PATCH', this.path({ subresource: 'scale' }), {
      type: MERGE,
      body: { spec: { replicas } },
    });
  }

  private path(more: { name?: string; subresource?: string } = {}): string {
    return pathOf(this.kind.resource, { namespace: 'default', name: NAME, ...more });
  }

  /** Approves the waiting step, as `kubectl-kruise rollout approve` does. `early`: also while checks watch it, as `kubectl tranche approve` does. */
  async approve(early = false): Promise<boolean> {
    const { canary } = this;
    if (canary.currentStepState !== 'StepPaused' && !(early && isApprovable(canary as CanaryStatus))) return false;
    await this.patchStatus({ canaryStatus: { currentStepState: 'StepReady' } });
    return true;
  }

  patchStatus(status: object): Promise<KubeObject> {
    return this.virtual.client.request('PATCH', `${ROLLOUTS}/${ROLLOUT}/status`, { type: MERGE, body: { status } });
  }

  patchRollout(body: object, name = ROLLOUT): Promise<KubeObject> {
    return this.virtual.client.request('PATCH', `${ROLLOUTS}/${name}`, { type: MERGE, body });
  }

  deleteRollout(name = ROLLOUT): Promise<KubeObject> {
    return this.virtual.client.request('DELETE', `${ROLLOUTS}/${name}`);
  }

  // What there is ----------------------------------------------------------------------------------------------------

  private get group(): string {
    return groupOf(this.kind.resource.apiVersion);
  }

  /** The workload, of any kind. */
  get deployment(): Deployment {
    const found = this.virtual.cluster.store.get(`${this.group}/${this.kind.resource.plural}`, 'default', NAME);
    assert.ok(found, 'the workload exists');
    return found as unknown as Deployment;
  }

  rolloutOf(name = ROLLOUT): Rollout | undefined {
    return this.virtual.cluster.store.get(COLLECTION, 'default', name) as unknown as Rollout | undefined;
  }

  get rollout(): Rollout {
    const found = this.rolloutOf();
    assert.ok(found, 'the Rollout exists');
    return found;
  }

  get canary(): Partial<CanaryStatus> {
    return this.rolloutOf()?.status?.canaryStatus ?? {};
  }

  get history(): readonly HistoryEntry[] {
    return this.rolloutOf()?.status?.history ?? [];
  }

  condition(type: string): { status: string; reason?: string; message?: string } | undefined {
    return this.rolloutOf()?.status?.conditions?.find((condition) => condition.type === type);
  }

  /** The version that the Deployment asks for. */
  get runs(): string {
    return versionOf(this.deployment.spec.template);
  }

  get held(): boolean {
    return this.deployment.metadata.annotations?.[HELD] !== undefined;
  }

  get running(): boolean {
    return this.operator !== undefined;
  }

  get replicaSets(): ReplicaSet[] {
    return this.virtual.replicaSets().filter((set) => ownedBy(set, this.deployment.metadata.uid)) as never;
  }

  get pods(): Pod[] {
    return this.virtual.pods().filter((pod) => !pod.metadata.deletionTimestamp) as never;
  }

  /** Sizes by version, e.g. {v1: 9, v2: 1}; versions without Pods left out. */
  get sizes(): Record<string, number> {
    if (!this.kind.children.includes('replicaSets')) {
      const found: Record<string, number> = {};
      for (const pod of this.pods.filter(({ metadata }) => metadata.labels?.['app'] === NAME))
        found[versionOf(pod)] = (found[versionOf(pod)] ?? 0) + 1;
      return found;
    }
    const sets = this.replicaSets.filter((set) => (set.spec.replicas ?? 0) > 0);
    return Object.fromEntries(sets.map((set) => [versionOf(set.spec.template), set.spec.replicas ?? 0]));
  }

  get children(): Children {
    const { replicaSets, pods } = this;
    return { replicaSets, pods, revisions: this.virtual.cluster.store.list(REVISIONS, 'default') as never };
  }

  /** The versions of the workload that its controller keeps, the newest first. */
  get versions(): readonly Version[] {
    const { now, kind } = this;
    const nobody = { metadata: { name: '' }, spec: { workloadRef: { kind: '' }, strategy: {} } } as unknown as Rollout;
    const facts = { now, rollout: this.rolloutOf() ?? nobody, digest };
    const { newVersion, oldVersions } = kind.progress(facts, this.deployment, this.children);
    return newVersion ? [newVersion, ...oldVersions] : oldVersions;
  }

  /** The digest of the plan, as an approval names it. */
  plan(): string {
    return planDigest(this.rollout, this.canary as CanaryStatus, sha256);
  }

  get readyPods(): number {
    return this.pods.filter(isReady).length;
  }

  // Waiting ----------------------------------------------------------------------------------------------------------

  async until(what: string, condition: () => boolean, ms = 60_000): Promise<void> {
    if (await this.virtual.until(condition, ms)) return;
    assert.fail(`not within ${ms / 1000} s: ${what}\n${this.describe()}`);
  }

  untilPaused(step: number, ms?: number): Promise<void> {
    return this.until(
      `step ${step} is done`,
      () => this.canary.currentStepIndex === step && this.canary.currentStepState === 'StepPaused',
      ms,
    );
  }

  untilHealthy(ms?: number): Promise<void> {
    return this.until('the Rollout is Healthy', () => this.rolloutOf()?.status?.phase === 'Healthy', ms);
  }

  untilCompleted(ms?: number): Promise<void> {
    return this.until('the release is completed', () => this.condition('Succeeded')?.status === 'True', ms);
  }

  /** For the message of a failure. */
  describe(): string {
    const { spec, status } = this.deployment;
    const { paused, minReadySeconds, strategy, replicas } = spec;
    const sets = this.replicaSets.map(
      (set) =>
        `${versionOf(set.spec.template)}=${set.spec.replicas}(${set.status?.readyReplicas ?? 0}r ${set.status?.availableReplicas ?? 0}a${set.spec.minReadySeconds ? ' M' : ''})`,
    );
    return [
      `R=${replicas} paused=${paused} minReady=${minReadySeconds} ${JSON.stringify(strategy?.rollingUpdate)} template=${versionOf(spec.template)} ${sets.join(' ')} status.available=${status?.availableReplicas}`,
      `rollout ${JSON.stringify(this.rolloutOf()?.status, undefined, 1)}`,
      `annotations ${JSON.stringify(this.deployment.metadata.annotations)}`,
      `errors ${JSON.stringify(this.virtual.errors.slice(-3).map(({ controller, error }) => `${controller}: ${String(error)}`))}`,
    ].join('\n');
  }

  // The webhook ------------------------------------------------------------------------------------------------------

  private admission(store: Store): Admission {
    return {
      concerns: (attributes) => this.others !== undefined || this.isOurs(attributes),
      mutate: async (request) => {
        if (this.isOurs(request.attributes)) this.mutate(store, request);
        this.others?.(request);
      },
      validate: async () => {},
    };
  }

  private isOurs({ resource: kind, subresource, group }: AdmissionRequest['attributes']): boolean {
    return this.webhook && group === this.group && kind === this.kind.resource.plural && subresource === '';
  }

  private storedPolicies(store: Store): ReleasePolicy[] {
    return this.policies ? (store.list('tranche.dev/releasepolicies', undefined) as unknown as ReleasePolicy[]) : [];
  }

  private mutate(store: Store, request: AdmissionRequest): void {
    const { operation, attributes, options } = request;
    if (operation !== 'CREATE' && operation !== 'UPDATE') return;
    const named = store.list(COLLECTION, attributes.namespace) as unknown as Rollout[];
    const rollout = named
      .filter(({ spec }) => spec.workloadRef.name === request.object?.metadata.name)
      .sort((a, b) => ((a.metadata.creationTimestamp ?? '') < (b.metadata.creationTimestamp ?? '') ? -1 : 1))[0];
    const decision = intercept(
      {
        kind: this.kind,
        operation,
        old: (request.oldObject ?? undefined) as Deployment | undefined,
        next: request.object as unknown as Deployment,
        user: attributes.user.username,
        fieldManager: String(options['fieldManager'] ?? ''),
      },
      rollout,
      {
        operatorUser: OPERATOR.username,
        sha256,
        granting: () => ({ policies: this.storedPolicies(store), now: this.now }),
        tracing: this.spans && { ...ALL_TRACES, admitted: new Date(this.now).toISOString() },
      },
    );
    if (decision.patch.length > 0) request.object = applyOps(request.object!, decision.patch);
  }
}

const noMetrics: OperatorMetrics = {
  reconcile() {},
  watchQueue() {},
  budgetMove() {},
  bypass() {},
  watchRestart() {},
  watchDrift() {},
  look() {},
  watchChecks() {},
};

const groupOf = (apiVersion: string): string => apiVersion.slice(0, apiVersion.indexOf('/'));
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** `v2`, or `v2:broken`, `v2:crash`, `v2:slow` as the stand-in kubelet understands them. */
export const template = (version: string): object => ({
  metadata: { labels: { app: NAME } },
  spec: { containers: [{ name: 'main', image: `demo/${version}${version.includes(':') ? '' : ':ok'}` }] },
});

export const versionOf = (of: Pick<Deployment['spec']['template'], 'spec'> | undefined): string =>
  ((of?.spec?.['containers'] as { image: string }[] | undefined)?.[0]?.image ?? '')
    .replace('demo/', '')
    .replace(':ok', '');

export const isReady = (pod: Pod): boolean =>
  pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;

const ownedBy = (object: KubeObject, uid: string | undefined): boolean =>
  object.metadata.ownerReferences?.some((ref) => ref.controller && ref.uid === uid) ?? false;

const loud = {
  ...silent,
  info: (message: string, fields?: unknown) => void process.stderr.write(`${message} ${JSON.stringify(fields)}\n`),
  warn: (message: string, fields?: unknown) => void process.stderr.write(`${message} ${JSON.stringify(fields)}\n`),
  debug: (message: string, fields?: unknown) => void process.stderr.write(`${message} ${JSON.stringify(fields)}\n`),
  error: (message: string, fields?: { error?: unknown }) =>
    void process.stderr.write(`${message} ${String((fields?.error as Error | undefined)?.stack ?? fields?.error)}\n`),
  child: () => loud,
} as typeof silent;
