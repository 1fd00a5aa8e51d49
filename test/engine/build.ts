// Builders for table tests of the engine: small frozen objects with good defaults, so that a row of a table is a line or two.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  PLAN_HASH,
  POD_TEMPLATE_HASH,
  ROLLOUT_BATCH_ID,
  ROLLOUT_FINALIZER,
  ROLLOUT_ID,
  STABLE_REVISION,
  WORKLOAD_TYPE,
} from '../../src/api/keys.ts';
import { asDigest } from '../support/digests.ts';
import type { ProgressingReason } from '../../src/api/reasons.ts';
import type {
  CanaryStatus,
  CanaryStep,
  CanaryStrategy,
  Condition,
  Deployment,
  Held,
  HistoryEntry,
  IntOrString,
  KubeObject,
  ObjectMeta,
  Pod,
  PodTemplate,
  ReplicaSet,
  Rollout,
  RolloutStatus,
  StepState,
  TemplateDigest,
} from '../../src/api/types.ts';
import type { Decision, Effect } from '../../src/engine/decision.ts';
import { canonicalJson, canonicalTemplate, sameTemplate } from '../../src/engine/lib/template.ts';
import { stepTarget } from '../../src/engine/lib/replicas.ts';
import { formatTime } from '../../src/engine/lib/time.ts';
import type { Children, Snapshot } from '../../src/engine/snapshot.ts';
import { draftOf } from '../../src/engine/status.ts';
import type { Run } from '../../src/engine/steps/run.ts';
import {
  heldAnnotations,
  heldLabels,
  heldSettings,
  MARK,
  markedSettings,
  movingSettings,
  NO_BUDGET,
  withSettings,
  type Settings,
} from '../../src/engine/workload/deployment/hold.ts';
import { deploymentKind } from '../../src/engine/workload/deployment/kind.ts';
import type { View } from '../../src/engine/workload/deployment/view.ts';

/** Every snapshot is taken at noon. */
export const NOW = Date.UTC(2026, 0, 1, 12);
/** The time so many seconds before that. */
export const ago = (seconds: number): string => formatTime(NOW - seconds * 1000);
export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  for (const one of Object.values(value)) frozen(one);
  return Object.freeze(value);
}

/** A row of a table: what it is about, and what `check` is given. */
type RowOfTable = readonly [what: string, ...cells: unknown[]];
type CellsOf<R extends RowOfTable> = R extends readonly [unknown, ...infer Cells] ? Cells : never;

/** One test for each row. */
export function rows<R extends RowOfTable>(table: readonly R[], check: (...cells: CellsOf<R>) => void): void {
  for (const [what, ...cells] of table) it(what, () => check(...(cells as CellsOf<R>)));
}

/** The template of a version: its image is called `v1`, `v2` and so on. */
export const template = (version: string, annotations?: Record<string, string>): PodTemplate =>
  frozen({
    metadata: { labels: { app: 'web' }, ...(annotations && { annotations }) },
    spec: { containers: [{ name: 'main', image: version }] },
  });

/** The digest of `template('v1')` is "v1": rows can name it. Any other template has a digest of its own. */
export function digest(of: PodTemplate): TemplateDigest {
  const [container] = (of.spec?.['containers'] ?? []) as readonly { image: string }[];
  const version = container?.image ?? 'none';
  const plain = sameTemplate(of, template(version));
  return asDigest(plain ? version : `${version}x${sha256(canonicalTemplate(of)).slice(0, 6)}`);
}

/** The five fields as the user wrote them. */
export const USER: Settings = {
  paused: null,
  maxSurge: '25%',
  maxUnavailable: '25%',
  minReadySeconds: null,
  progressDeadlineSeconds: 600,
};

/** Some fields of a record or a status: digests are text, and what is undefined is left out. */
type Sketch<T> = {
  readonly [Field in keyof T]?: (T[Field] extends TemplateDigest | undefined ? string : T[Field]) | undefined;
};
export type HeldSketch = Sketch<Held>;
export type CanarySketch = Sketch<CanaryStatus>;

const over = <T extends object>(base: T, more: Sketch<T> | undefined): T =>
  Object.fromEntries(Object.entries({ ...base, ...more }).filter(([, value]) => value !== undefined)) as T;

export const held = (more: HeldSketch = {}): Held =>
  frozen(over<Held>({ v: 1, rollout: 'web-rollout', user: USER, stable: asDigest('v1'), budget: NO_BUDGET }, more));

/** A valid record of broken glass for the first step of the release of v2. */
export const GLASS = {
  policies: ['nights'],
  user: 'anna',
  reason: 'a fix',
  time: ago(20),
  rolloutID: 'r2',
  uid: 'uid-web',
  template: 'v2',
  stable: 'v1',
  step: 1,
};

export interface DeploymentSketch {
  readonly version?: string;
  readonly template?: PodTemplate;
  readonly replicas?: number;
  /** The fields that we borrow, where they do not stand there as usual: held when there is a record, else the user's. */
  readonly settings?: Partial<Settings>;
  readonly held?: Held;
  readonly labels?: Record<string, string | undefined>;
  readonly annotations?: Record<string, string>;
  readonly metadata?: Partial<ObjectMeta>;
  readonly type?: string;
  readonly status?: Deployment['status'];
}

/** `web` in namespace `shop`: enrolled, ten replicas of v1, all available. The release that brings v2 has the id r2. */
export function deployment(sketch: DeploymentSketch = {}): Deployment {
  const { version = 'v1', replicas = 10, settings, held: record } = sketch;
  const wanted = {
    app: 'web',
    [WORKLOAD_TYPE]: 'deployment',
    [ROLLOUT_ID]: `r${version.slice(1)}`,
    ...(record && heldLabels(record)),
    ...sketch.labels,
  };
  const labels = Object.fromEntries(Object.entries(wanted).filter(([, value]) => (value ?? undefined) !== undefined));
  const spec: Deployment['spec'] = {
    replicas,
    selector: { matchLabels: { app: 'web' } },
    template: sketch.template ?? template(version),
    strategy: { type: sketch.type ?? 'RollingUpdate' },
  };
  const all = { replicas, updatedReplicas: replicas, readyReplicas: replicas, availableReplicas: replicas };
  return frozen({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: {
      name: 'web',
      namespace: 'shop',
      uid: 'uid-web',
      resourceVersion: '100',
      generation: 5,
      labels: labels as Record<string, string>,
      annotations: { ...(record && heldAnnotations(record)), ...sketch.annotations },
      ...sketch.metadata,
    },
    spec: withSettings(spec, { ...(record ? heldSettings(record) : USER), ...settings }),
    status: { observedGeneration: 5, ...all, ...sketch.status },
  });
}

const owned = (by: KubeObject): Partial<ObjectMeta> => ({
  ownerReferences: [
    {
      apiVersion: 'apps/v1',
      kind: by.kind ?? '',
      name: by.metadata.name,
      uid: by.metadata.uid ?? '',
      controller: true,
    },
  ],
});

export interface ReplicaSetSketch {
  readonly size?: number;
  /** By the native controller's count. */
  readonly available?: number;
  readonly ready?: number;
  readonly marked?: boolean;
  readonly template?: PodTemplate;
  readonly metadata?: Partial<ObjectMeta>;
  readonly annotations?: Record<string, string>;
  readonly status?: ReplicaSet['status'];
}

/** `web-v1`, older than `web-v2`; the hash by which its Pods are labelled is "v1". */
export function replicaSet(version: string, sketch: ReplicaSetSketch = {}): ReplicaSet {
  const { size = 10, marked = false, available = marked ? 0 : size, ready = available } = sketch;
  const made = sketch.template ?? template(version);
  const labels = { ...made.metadata?.labels, [POD_TEMPLATE_HASH]: version };
  return frozen({
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: `web-${version}`,
      namespace: 'shop',
      uid: `uid-${version}`,
      resourceVersion: '200',
      generation: 3,
      creationTimestamp: ago(100_000 - 1_000 * Number(version.slice(1))),
      labels,
      annotations: sketch.annotations ?? {},
      ...owned({ kind: 'Deployment', metadata: { name: 'web', uid: 'uid-web' } }),
      ...sketch.metadata,
    },
    spec: {
      replicas: size,
      selector: {},
      template: { ...made, metadata: { ...made.metadata, labels } },
      ...(marked ? { minReadySeconds: MARK.minReadySeconds } : {}),
    },
    status: {
      observedGeneration: 3,
      replicas: size,
      readyReplicas: ready,
      availableReplicas: available,
      ...sketch.status,
    },
  });
}

export interface PodSketch {
  readonly version?: string;
  /** Seconds since it became Ready; null: it is not. */
  readonly ready?: number | null;
  /** Seconds since it was made. */
  readonly age?: number;
  /** Why its container waits. */
  readonly waits?: string;
  readonly labels?: Record<string, string>;
  readonly metadata?: Partial<ObjectMeta>;
  readonly status?: Pod['status'];
}

/** A Pod of v2, Ready for a minute, with the labels of step 1. */
export function pod(name: string, { version = 'v2', ready = 60, age = 100, ...sketch }: PodSketch = {}): Pod {
  const condition: Condition =
    ready === null
      ? { type: 'Ready', status: 'False', lastTransitionTime: ago(age) }
      : { type: 'Ready', status: 'True', lastTransitionTime: ago(ready) };
  return frozen({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'shop',
      uid: `uid-${name}`,
      resourceVersion: '300',
      creationTimestamp: ago(age),
      labels: {
        app: 'web',
        [POD_TEMPLATE_HASH]: version,
        [ROLLOUT_ID]: `r${version.slice(1)}`,
        [ROLLOUT_BATCH_ID]: '1',
        ...sketch.labels,
      },
      ...owned({ kind: 'ReplicaSet', metadata: { name: `web-${version}`, uid: `uid-${version}` } }),
      ...sketch.metadata,
    },
    status: {
      phase: 'Running',
      conditions: [condition],
      ...(sketch.waits && { containerStatuses: [{ name: 'main', state: { waiting: { reason: sketch.waits } } }] }),
      ...sketch.status,
    },
  });
}

/** `v2-1`, `v2-2` and so on. */
export const pods = (version: string, count: number, sketch: PodSketch = {}): readonly Pod[] =>
  Array.from({ length: count }, (_, i) => pod(`${version}-${i + 1}`, { version, ...sketch }));

export interface Stage {
  /** R = 10. */
  readonly replicas?: number;
  readonly version?: string;
  /** n and a: Pods of the new version, and those available. */
  readonly updated?: number;
  readonly available?: number;
  /** Pods of the old versions; a number: of v1. */
  readonly old?: number | Readonly<Record<string, number>>;
  /** Old Pods that are not available, of v1. */
  readonly lacking?: number;
  /** ReplicaSets with a mark, beside the new one while the Deployment has it. */
  readonly marked?: readonly string[];
  /** held: at rest in a release; marked: about to move; moving: it spends the budget; free: not held. */
  readonly state?: 'held' | 'marked' | 'moving' | 'free';
  /** The user's maxSurge and maxUnavailable: 25% and 25%, which is 3 and 2 of ten Pods. */
  readonly user?: readonly [IntOrString, IntOrString];
  /** maxSurge and maxUnavailable as we left them: 0 and 1. */
  readonly budget?: readonly [IntOrString, IntOrString];
  readonly record?: HeldSketch;
  readonly deployment?: DeploymentSketch;
  /** New Pods, where they are not to be plain ones. */
  readonly pods?: readonly Pod[];
}

/** A release from v1 to v2, and everything under it, as the native controller would have it: it has seen all that there is to see. */
export function stage(sketch: Stage = {}): { readonly workload: Deployment; readonly children: Children } {
  const { replicas = 10, version = 'v2', updated = 0, available = updated, lacking = 0, state = 'held' } = sketch;
  const old = typeof sketch.old === 'object' ? sketch.old : { v1: sketch.old ?? Math.max(0, replicas - updated) };
  const [maxSurge, maxUnavailable] = sketch.user ?? ['25%', '25%'];
  const [surge, unavailable] = sketch.budget ?? [NO_BUDGET.maxSurge, NO_BUDGET.maxUnavailable];
  const record = held({
    user: { ...USER, maxSurge, maxUnavailable },
    budget: { maxSurge: surge, maxUnavailable: unavailable },
    ...sketch.record,
  });
  const settings = {
    free: { ...USER, maxSurge, maxUnavailable },
    held: heldSettings(record),
    marked: markedSettings(record),
    moving: movingSettings(record),
  }[state];
  const ofNew = state === 'marked' || state === 'moving';
  const newPods = sketch.pods ?? [...pods(version, available), ...notReady(version, available, updated - available)];
  const sets = [
    ...Object.entries(old).map(([name, size]) => {
      const missing = name === 'v1' ? lacking : 0;
      const marked = sketch.marked?.includes(name) ?? false;
      const ready = size - missing;
      return replicaSet(name, { size, marked, ready, ...(missing > 0 && !marked && { available: ready }) });
    }),
    ...(updated > 0
      ? [replicaSet(version, { size: updated, marked: ofNew, available: ofNew ? 0 : available, ready: available })]
      : []),
  ];
  const sum = (field: 'replicas' | 'readyReplicas' | 'availableReplicas'): number =>
    sets.reduce((all, { status }) => all + (status?.[field] ?? 0), 0);
  const workload = deployment({
    version,
    replicas,
    settings,
    ...(state === 'free' ? {} : { held: record }),
    ...sketch.deployment,
    labels: { ...(state === 'free' ? {} : { [STABLE_REVISION]: 'v1' }), ...sketch.deployment?.labels },
    status: {
      replicas: sum('replicas'),
      updatedReplicas: updated,
      readyReplicas: sum('readyReplicas'),
      availableReplicas: sum('availableReplicas'),
      ...sketch.deployment?.status,
    },
  });
  const oldPods = Object.entries(old).flatMap(([name, size]) => {
    const missing = name === 'v1' ? lacking : 0;
    return [...pods(name, size - missing), ...notReady(name, size - missing, missing)];
  });
  return frozen({ workload, children: { replicaSets: sets, pods: [...oldPods, ...newPods] } });
}

const notReady = (version: string, from: number, count: number): readonly Pod[] =>
  Array.from({ length: count }, (_, i) => pod(`${version}-${from + i + 1}`, { version, ready: null }));

export interface RolloutSketch {
  /** `replicas` of each step, or the steps. */
  readonly steps?: readonly (IntOrString | CanaryStep)[];
  readonly canary?: Partial<CanaryStrategy>;
  readonly paused?: boolean;
  readonly disabled?: boolean;
  readonly annotations?: Record<string, string>;
  readonly metadata?: Partial<ObjectMeta>;
  readonly workloadRef?: Partial<Rollout['spec']['workloadRef']>;
  readonly status?: RolloutStatus;
}

/** `web-rollout` for Deployment `web`: 20%, 50%, 100%, each with approval. The operator has seen it before. */
export function rollout(sketch: RolloutSketch = {}): Rollout {
  const steps = (sketch.steps ?? ['20%', '50%', '100%']).map((one) =>
    typeof one === 'object' ? one : { replicas: one },
  );
  const canary: CanaryStrategy = { steps, ...sketch.canary };
  return frozen({
    apiVersion: 'rollouts.kruise.io/v1beta1',
    kind: 'Rollout',
    metadata: {
      name: 'web-rollout',
      namespace: 'shop',
      uid: 'uid-rollout',
      resourceVersion: '50',
      generation: 2,
      creationTimestamp: ago(200_000),
      finalizers: [ROLLOUT_FINALIZER],
      ...sketch.metadata,
      annotations: { [PLAN_HASH]: planHash(canary), ...sketch.annotations },
    },
    spec: {
      workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', ...sketch.workloadRef },
      strategy: { canary, ...(sketch.paused === undefined ? {} : { paused: sketch.paused }) },
      ...(sketch.disabled === undefined ? {} : { disabled: sketch.disabled }),
    },
    ...(sketch.status && { status: sketch.status }),
  });
}

/** As the operator writes it: pauses and the threshold are no part of the plan. */
const planHash = ({ failureThreshold: _, steps, ...rest }: CanaryStrategy): string =>
  sha256(canonicalJson({ ...rest, steps: steps?.map(({ pause: __, ...step }) => step) }));

export interface StatusSketch {
  readonly phase?: RolloutStatus['phase'];
  readonly message?: string;
  /** Of the condition Progressing. */
  readonly reason?: ProgressingReason | undefined;
  readonly conditions?: readonly Condition[];
  readonly canary?: CanarySketch;
  readonly history?: readonly HistoryEntry[];
}

const statusOf = (sketch: StatusSketch, canary: CanaryStatus): RolloutStatus =>
  frozen({
    observedGeneration: 2,
    phase: sketch.phase ?? '',
    message: sketch.message ?? 'as it was',
    currentStepIndex: canary.currentStepIndex,
    currentStepState: canary.currentStepState,
    conditions: [
      ...(sketch.reason ? [condition('Progressing', 'True', sketch.reason)] : []),
      ...(sketch.conditions ?? []),
    ],
    canaryStatus: over(canary, sketch.canary),
    ...(sketch.history && { history: sketch.history }),
  });

/** A condition as it has been for ten minutes. */
export const condition = (type: string, status: 'True' | 'False', reason = '', seconds = 600): Condition => ({
  type,
  status,
  reason,
  message: 'as it was',
  lastUpdateTime: ago(seconds),
  lastTransitionTime: ago(seconds),
});

/** Nothing is released: this version is the stable one. */
export const healthy = (version = 'v1', sketch: StatusSketch = {}): RolloutStatus =>
  statusOf(
    { phase: 'Healthy', ...sketch },
    {
      observedWorkloadGeneration: 5,
      observedRolloutID: `r${version.slice(1)}`,
      stableRevision: version,
      canaryRevision: version,
      podTemplateHash: version,
      canaryReplicas: 10,
      canaryReadyReplicas: 10,
      currentStepIndex: 3,
      nextStepIndex: -1,
      currentStepState: 'Completed',
      finalisingStep: '',
      templateDigest: asDigest(version),
      stableDigest: asDigest(version),
      lastUpdateTime: ago(5_000),
    },
  );

/** A release from v1 to v2 that has been at this step for a minute; its plan is 20%, 50%, 100%. */
export const atStep = (index: number, state: StepState, sketch: StatusSketch = {}): RolloutStatus =>
  statusOf(
    {
      phase: 'Progressing',
      reason: 'InRolling',
      history: [{ rolloutID: 'r2', revision: 'v2', startTime: ago(90) }],
      ...sketch,
    },
    {
      observedWorkloadGeneration: 5,
      observedRolloutID: 'r2',
      stableRevision: 'v1',
      canaryRevision: 'v2',
      podTemplateHash: 'v2',
      canaryReplicas: 2,
      canaryReadyReplicas: 2,
      currentStepIndex: index,
      nextStepIndex: index < 3 ? index + 1 : -1,
      currentStepState: state,
      finalisingStep: '',
      templateDigest: asDigest('v2'),
      stableDigest: asDigest('v1'),
      keepsReplicas: false,
      stepReplicas: 10,
      plan: ['20%', '50%', '100%'],
      lastUpdateTime: ago(60),
    },
  );

/** At noon, of a Deployment at rest whose Rollout has never been looked at, with nobody else about. */
export const snapshot = (facts: Partial<Snapshot> = {}): Snapshot => ({
  now: NOW,
  rollout: rollout(),
  workload: deployment(),
  children: { replicaSets: [replicaSet('v1')], pods: pods('v1', 10) },
  alone: true,
  reportedAt: undefined,
  digest,
  sha256,
  ...facts,
});

/** What a Deployment and its children of a snapshot say. */
export function progressOf(shot: Snapshot): View {
  assert.ok(shot.workload && shot.children);
  return deploymentKind.progress(shot, shot.workload, shot.children);
}

/** A release that goes through its steps, while the decision about one of them is made. */
export function runOf(facts: Partial<Snapshot>, more: Partial<Run> = {}): Run {
  const shot = snapshot(facts);
  const progress = progressOf(shot);
  const draft = draftOf(shot.rollout);
  const steps = shot.rollout.spec.strategy.canary?.steps ?? [];
  const index = draft.canary?.currentStepIndex ?? 1;
  const step = steps[index - 1] ?? { replicas: '100%' };
  const last = index >= steps.length;
  const target = stepTarget(step.replicas, progress.replicas, last);
  const ends = target >= progress.replicas;
  const goal = { target, tolerated: 0, keeps: false, last: ends, goesOn: false, young: false };
  const record = progress.held ?? held();
  const name = `step ${index}/${steps.length}`;
  return { snapshot: shot, progress, held: record, steps, index, step, name, goal, ends, draft, events: [], ...more };
}

/** A decision in one line: what is written | the status | events | what it needs. A dash is nothing. */
export function brief(decision: Decision): string {
  const { effects, status, events, needsChildren, needsCopy, againAfterMs } = decision;
  const needs = [
    ...(needsChildren ? ['children'] : []),
    ...(needsCopy === undefined ? [] : [`copy ${needsCopy}`]),
    ...(againAfterMs === undefined ? [] : [`again in ${againAfterMs / 1000} s`]),
  ];
  const parts = [effects.map(written), status ? [inShort(status)] : [], events.map(({ reason }) => reason), needs];
  return parts.map((part) => part.join(', ') || '-').join(' | ');
}

/** `move`; with its name where it is not the Deployment. */
export function written(effect: Effect): string {
  if (effect.kind === 'Patch') {
    const { name } = effect.before.metadata;
    return name === 'web' ? effect.why : `${effect.why} ${name}`;
  }
  if (effect.kind === 'Evict') return `evict ${effect.pod.metadata.name}`;
  return effect.kind === 'Create' ? `create ${effect.object.metadata.name}` : `delete ${effect.name}`;
}

/** `Progressing 1 StepUpgrade`, and those conditions that are True with their reasons. */
function inShort({ phase, currentStepIndex, currentStepState, conditions = [] }: RolloutStatus): string {
  const is = conditions.filter(({ status }) => status === 'True').map(({ type, reason }) => `${type}=${reason ?? ''}`);
  const step = currentStepState === '' ? [] : [`${currentStepIndex} ${currentStepState}`];
  return [phase, ...step, ...is].join(' ');
}

/** The patch of the only effect, which must be a merge patch. */
export function mergePatchOf(effects: readonly Effect[]): {
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly spec?: Readonly<Record<string, unknown>>;
} {
  const [effect, ...more] = effects;
  assert.equal(more.length, 0);
  assert.ok(effect?.kind === 'Patch' && 'metadata' in effect.patch);
  return effect.patch;
}
