// What is wrong with a Rollout, all of it at once, and what its author should know. Pure: what admission knows is passed in.
import * as keys from '../../api/keys.ts';
import type { CanaryStep, CanaryStrategy, Deployment, IntOrString, Rollout } from '../../api/types.ts';
import { percentOf } from '../lib/replicas.ts';
import { namespaceFlag } from '../lib/text.ts';
import { isInFlight } from '../release/in-flight.ts';
import { advise } from './advice.ts';
import { misnamedWorkload } from './names.ts';
import { show, type Violation } from './violation.ts';

export interface RolloutEdit {
  /** v1beta1, whatever version the user wrote. */
  readonly rollout: Rollout;
  /** Undefined on create. */
  readonly old?: Rollout | undefined;
  /** The version the user wrote: fields are named as there. */
  readonly version: 'v1alpha1' | 'v1beta1';
  /** Another Rollout that names the same workload. */
  readonly other?: Rollout | undefined;
  /** The workload, where it is known. */
  readonly deployment?: Deployment | undefined;
}

export interface Findings {
  readonly violations: readonly Violation[];
  readonly warnings: readonly string[];
}

const MAX_STEPS = 50;
/** A year: what is longer was meant in another unit. */
const MAX_SECONDS = 31_536_000;
const NOT_YET = 'which this version does not do yet';
const CANARY = 'spec.strategy.canary';

/** Kinds that OpenKruise releases and we do not, yet. */
const KINDS_NOT_YET = new Set([
  'apps/ReplicaSet',
  'apps/StatefulSet',
  'apps/DaemonSet',
  'apps.kruise.io/CloneSet',
  'apps.kruise.io/StatefulSet',
  'apps.kruise.io/DaemonSet',
]);

/** Annotations with a fixed set of values; the first is the default. */
const CHOICES: Readonly<Record<string, readonly string[]>> = {
  [keys.ON_RESTART]: ['Release', 'Batches', 'Native'],
  [keys.ON_DELETE]: ['Finish', 'Rollback'],
};

export function validateRollout(edit: RolloutEdit): Findings {
  const { rollout, old } = edit;
  // A Rollout on its way out only loses its finalizers; one whose spec stays may be labelled, or freed of them, however it came to be.
  if (rollout.metadata.deletionTimestamp !== undefined) return { violations: [], warnings: [] };
  const specChanged = old === undefined || JSON.stringify(old.spec) !== JSON.stringify(rollout.spec);
  const violations = [...annotationChoices(rollout, old)];
  if (!specChanged) return { violations, warnings: [] };
  violations.push(...workload(edit), ...strategy(edit), ...frozen(edit));
  return {
    violations: violations.map((violation) => nameInVersion(edit.version, violation)),
    warnings: violations.length > 0 ? [] : advise(edit),
  };
}

function* annotationChoices(rollout: Rollout, old: Rollout | undefined): Generator<Violation> {
  for (const [key, choices] of Object.entries(CHOICES)) {
    const value = rollout.metadata.annotations?.[key];
    if (value === undefined || value === old?.metadata.annotations?.[key] || choices.includes(value)) continue;
    yield {
      field: `metadata.annotations[${key}]`,
      value,
      reason: 'is not a choice',
      remedy: `write ${choices.slice(1).join(' or ')}, or remove it for ${choices[0] ?? ''}`,
    };
  }
}

function* workload({ rollout, other, deployment }: RolloutEdit): Generator<Violation> {
  const { apiVersion, kind, name } = rollout.spec.workloadRef;
  const group = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';
  if (group !== 'apps' || kind !== 'Deployment') {
    const known = KINDS_NOT_YET.has(`${group}/${kind}`);
    yield {
      field: 'spec.workloadRef',
      value: { apiVersion, kind },
      reason: known ? `is a kind of workload ${NOT_YET}` : 'is not a kind of workload that can be released',
      remedy: 'name a Deployment of apps/v1',
    };
    return;
  }
  const misnamed = misnamedWorkload(rollout);
  if (misnamed) yield misnamed;
  // One that is being deleted hands its Deployment over.
  const rival = other !== undefined && other.metadata.deletionTimestamp === undefined ? other.metadata.name : undefined;
  if (rival !== undefined && rival !== rollout.metadata.name) {
    yield {
      field: 'spec.workloadRef.name',
      value: name,
      reason: `is released by Rollout ${rival} already`,
      remedy: `change that one, or delete it first: kubectl delete ${keys.ROLLOUT_RESOURCE} ${rival}${namespaceFlag(rollout)}`,
    };
  }
  if (deployment?.spec.strategy?.type === 'Recreate') {
    yield {
      field: 'spec.workloadRef.name',
      value: name,
      reason: 'has the strategy Recreate, which cannot run two versions side by side',
      remedy: 'set spec.strategy.type of the Deployment to RollingUpdate first',
    };
  }
}

function* strategy({ rollout, version }: RolloutEdit): Generator<Violation> {
  const { canary, blueGreen } = rollout.spec.strategy;
  if (blueGreen !== undefined) {
    yield notYet('spec.strategy.blueGreen', 'set', 'is a blue-green release', 'use spec.strategy.canary');
  }
  if (canary === undefined) {
    if (blueGreen === undefined) {
      yield { field: CANARY, value: undefined, reason: 'is the strategy to write', remedy: 'add it with its steps' };
    }
    return;
  }
  yield* canaryFields(canary, rollout, version);
  const steps = canary.steps ?? [];
  if (steps.length === 0) {
    yield { field: `${CANARY}.steps`, value: canary.steps, reason: 'has no step', remedy: 'add at least one' };
  }
  if (steps.length > MAX_STEPS) {
    const [value, remedy] = [steps.length, `use ${MAX_STEPS} or fewer`];
    yield { field: `${CANARY}.steps`, value, reason: 'steps are too many', remedy };
  }
  for (const [index, step] of steps.entries()) yield* stepFields(step, `${CANARY}.steps[${index}]`, version);
  yield* order(steps, version);
}

function* canaryFields(canary: CanaryStrategy, rollout: Rollout, version: string): Generator<Violation> {
  if (canary.enableExtraWorkloadForCanary === true) {
    yield version === 'v1alpha1'
      ? rollingStyle(rollout)
      : notYet(`${CANARY}.enableExtraWorkloadForCanary`, true, 'asks for an extra canary Deployment', 'remove it');
  }
  if ((canary.trafficRoutings ?? []).length > 0) {
    yield notYet(`${CANARY}.trafficRoutings`, 'set', 'routes traffic', 'remove it: steps count Pods');
  }
  for (const field of ['trafficRoutingRef', 'patchPodTemplateMetadata'] as const) {
    const value = (canary as Record<string, unknown>)[field];
    if (value === undefined || value === '') continue;
    const what = field === 'trafficRoutingRef' ? 'routes traffic' : 'is for an extra canary Deployment';
    yield notYet(`${CANARY}.${field}`, value, what, 'remove it');
  }
  const { failureThreshold, stepDeadlineSeconds } = canary;
  if (failureThreshold !== undefined && !isShare(failureThreshold, 0)) {
    const [field, remedy] = [`${CANARY}.failureThreshold`, 'use a number of Pods from 0, or "0%" to "100%"'];
    yield { field, value: failureThreshold, reason: 'is neither a number of Pods nor a percent', remedy };
  }
  if (stepDeadlineSeconds !== undefined) yield* seconds(`${CANARY}.stepDeadlineSeconds`, stepDeadlineSeconds);
}

/** v1alpha1 says it with an annotation, and means the extra Deployment where that is missing. */
function rollingStyle(rollout: Rollout): Violation {
  const value = rollout.metadata.annotations?.[keys.ROLLING_STYLE];
  const known = value === undefined || value === '' || value.toLowerCase() === 'canary';
  return {
    field: `metadata.annotations[${keys.ROLLING_STYLE}]`,
    value,
    reason: known ? `means the canary style, with an extra Deployment, ${NOT_YET}` : 'is not a style',
    remedy: 'write "partition"',
  };
}

/** v1alpha1 may say it as a weight alone; converted, that is both. */
const isWeight = ({ replicas, traffic }: CanaryStep, version: string): boolean =>
  version === 'v1alpha1' && traffic !== undefined && traffic === replicas;

function* stepFields(step: CanaryStep, at: string, version: string): Generator<Violation> {
  if (isWeight(step, version)) {
    const [field, value] = [`${at}.traffic`, step.traffic];
    if (!isShare(value!, 1)) yield { field, value, reason: 'is not a percent of the Pods', remedy: 'use 1 to 100' };
  } else if (step.replicas === undefined) {
    const { traffic } = step;
    const remedy =
      traffic !== undefined && isShare(traffic, 1)
        ? `write replicas: ${show(traffic)} in place of the weight`
        : 'add a number of Pods such as 1, or a percent such as "50%"';
    yield { field: `${at}.replicas`, value: undefined, reason: 'is what a step is made of', remedy };
  } else if (!isShare(step.replicas, 1)) {
    const remedy = 'use a number of Pods from 1, or "1%" to "100%"';
    yield {
      field: `${at}.replicas`,
      value: step.replicas,
      reason: 'is neither a number of Pods nor a percent',
      remedy,
    };
  }
  // Without routes a weight says nothing; with them, they are what is refused.
  if (
    step.traffic !== undefined &&
    step.replicas !== undefined &&
    !isWeight(step, version) &&
    !isShare(step.traffic, 1)
  ) {
    const [field, remedy] = [
      `${at}.traffic`,
      `remove it, or use ${version === 'v1alpha1' ? '1 to 100' : '"1%" to "100%"'}`,
    ];
    yield { field, value: step.traffic, reason: 'is not a percent', remedy };
  }
  for (const field of ['matches', 'requestHeaderModifier'] as const) {
    const value = (step as Record<string, unknown>)[field];
    if (value === undefined || (Array.isArray(value) && value.length === 0)) continue;
    yield notYet(`${at}.${field}`, 'set', 'routes traffic', 'remove it');
  }
  if (step.pause?.duration !== undefined) yield* seconds(`${at}.pause.duration`, step.pause.duration);
}

/** Steps of one kind must not go back; a number and a percent are compared when the size is known (advice.ts). */
function* order(steps: readonly CanaryStep[], version: string): Generator<Violation> {
  const last = new Map<string, { readonly value: IntOrString; readonly number: number }>();
  for (const [index, step] of steps.entries()) {
    const { replicas } = step;
    if (replicas === undefined || !isShare(replicas, 1)) continue;
    const before = last.get(typeof replicas);
    if (before !== undefined && amount(replicas) < amount(before.value)) {
      const weight = isWeight(step, version);
      yield {
        field: `${CANARY}.steps[${index}].${weight ? 'traffic' : 'replicas'}`,
        value: replicas,
        reason: `is less than step ${before.number}'s ${show(before.value)}: steps must not go back`,
        remedy: `use ${weight ? amount(before.value) : before.value} or more, or remove the step`,
      };
    } else last.set(typeof replicas, { value: replicas, number: index + 1 });
  }
}

function* frozen({ rollout, old }: RolloutEdit): Generator<Violation> {
  if (old === undefined || !isInFlight(old, undefined)) return;
  const remedy = 'wait until the release ends, or roll it back first';
  // Under a name that is none, nothing is released: the name can always be put right.
  const renamed = JSON.stringify(old.spec.workloadRef) !== JSON.stringify(rollout.spec.workloadRef);
  if (renamed && !misnamedWorkload(old)) {
    const reason = 'cannot change during a release';
    yield { field: 'spec.workloadRef', value: rollout.spec.workloadRef, reason, remedy };
  }
}

function* seconds(field: string, value: number): Generator<Violation> {
  if (Number.isInteger(value) && value >= 0 && value <= MAX_SECONDS) return;
  yield { field, value, reason: 'is no number of seconds from 0 to a year', remedy: `use 0 to ${MAX_SECONDS}` };
}

const isShare = (value: IntOrString, least: number): boolean => {
  if (typeof value === 'number') return Number.isInteger(value) && value >= least;
  const percent = percentOf(value);
  return percent !== undefined && percent >= least && percent <= 100;
};

const amount = (value: IntOrString): number => (typeof value === 'number' ? value : (percentOf(value) ?? 0));

const notYet = (field: string, value: unknown, what: string, remedy: string): Violation => ({
  field,
  value,
  reason: `${what}, ${NOT_YET}`,
  remedy,
});

/** Names a field as the version that the user wrote does. */
export const nameInVersion = (version: RolloutEdit['version'], violation: Violation): Violation => {
  if (version === 'v1beta1') return violation;
  const field = violation.field
    .replace(/^spec\.workloadRef/, 'spec.objectRef.workloadRef')
    .replace(/^(spec\.strategy\.canary\.steps\[\d+\])\.traffic$/, '$1.weight')
    .replace(/^spec\.strategy\.canary\.trafficRoutingRef$/, `metadata.annotations[${keys.TRAFFIC_ROUTING}]`);
  const weight = field.endsWith('.weight') ? percentOf(String(violation.value)) : undefined;
  return { ...violation, field, value: weight ?? violation.value };
};
