// Validates a Rollout: all errors at once, and warnings for its author. Pure: the facts are passed in.
import * as keys from '../../api/keys.ts';
import type { CanaryStep, CanaryStrategy, Deployment, IntOrString, RollbackWindow, Rollout } from '../../api/types.ts';
import { groupOf } from '../../api/resources.ts';
import { knownReplicas, percentOf } from '../lib/replicas.ts';
import { namespaceFlag } from '../lib/text.ts';
import { isInFlight } from '../release/in-flight.ts';
import { kindOf, KINDS as WORKLOAD_KINDS } from '../workload/registry.ts';
import { advise } from './advice.ts';
import { analysisFields } from './analysis.ts';
import { misnamedWorkload } from './names.ts';
import { checkTraffic, type RoutedFacts } from '../traffic/check.ts';
import { trafficErrors } from './traffic.ts';
import { show, type Violation } from './violation.ts';

export interface RolloutEdit {
  /** The Rollout in v1beta1. */
  readonly rollout: Rollout;
  /** The stored Rollout. Undefined on CREATE. */
  readonly old?: Rollout | undefined;
  /** The version that the user wrote. Errors name the fields of this version. */
  readonly version: 'v1alpha1' | 'v1beta1';
  /** Another Rollout that names the same workload. */
  readonly other?: Rollout | undefined;
  /** The workload, if it is known. */
  readonly deployment?: Deployment | undefined;
  /** The installation changes routes. Undefined: not known. */
  readonly gatewayApi?: boolean | undefined;
  /** What the Rollout routes requests with. */
  readonly routed?: Pick<RoutedFacts, 'route' | 'service' | 'legs'> | undefined;
}

export interface Findings {
  readonly violations: readonly Violation[];
  readonly warnings: readonly string[];
}

const MAX_STEPS = 50;
/** One year. A longer duration is probably in another unit. */
const MAX_SECONDS = 31_536_000;
/** The status keeps this number of earlier versions. */
const MAX_REVISIONS = 10;
const NOT_YET = 'not supported yet';
const CANARY = 'spec.strategy.canary';
const SHARE = 'must be a number of Pods or a percentage';

/** Kinds that OpenKruise supports and Tranche does not support yet. */
const KINDS_NOT_YET = new Set(['apps/ReplicaSet']);

/** Annotations with a fixed set of values. The first value is the default. */
const CHOICES: Readonly<Record<string, readonly string[]>> = {
  [keys.ON_RESTART]: ['Release', 'Batches', 'Native'],
  [keys.ON_DELETE]: ['Finish', 'Rollback'],
};

export function validateRollout(edit: RolloutEdit): Findings {
  const { rollout, old } = edit;
  // A Rollout that is being deleted must be able to lose its finalizers. Without a change of the spec, labels and finalizers may change even if
  // the stored spec is invalid.
  if (rollout.metadata.deletionTimestamp !== undefined) return { violations: [], warnings: [] };
  const specChanged = old === undefined || JSON.stringify(old.spec) !== JSON.stringify(rollout.spec);
  const violations = [...annotationChoices(rollout, old)];
  if (!specChanged) return { violations, warnings: [] };
  violations.push(...workload(edit), ...strategy(edit), ...frozen(edit));
  const named = (found: readonly Violation[]): Violation[] =>
    found.map((violation) => nameInVersion(edit.version, violation));
  if (violations.length > 0) return { violations: named(violations), warnings: [] };
  const traffic = checkTraffic(routedFactsOf(edit));
  if (traffic.violations.length > 0) return { violations: named(traffic.violations), warnings: [] };
  const advice = advise({ ...edit, minReadySeconds: minReadyIn(edit) });
  return { violations: [], warnings: [...advice, ...traffic.warnings, ...warningsOf(edit)] };
}

const routedFactsOf = ({ rollout, deployment, routed }: RolloutEdit): RoutedFacts => ({
  rollout,
  ...routed,
  template: deployment?.spec.template,
  replicas: deployment && knownReplicas(deployment),
});

/** The supported kinds of an API group: `Deployment or StatefulSet`. */
const kindsOf = (group: string): string =>
  WORKLOAD_KINDS.filter(({ resource }) => groupOf(resource.apiVersion) === group)
    .map(({ resource }) => resource.kind)
    .join(', ')
    .replace(/, (?=[^,]*$)/, ' or ');

/** minReadySeconds of the workload. 0 if it is not known. */
const minReadyIn = ({ rollout, deployment }: RolloutEdit): number =>
  (deployment && kindOf(rollout.spec.workloadRef)?.minReadySeconds(deployment)) ?? 0;

/** What a release means for a workload of this kind. */
const warningsOf = ({ rollout, deployment }: RolloutEdit): readonly string[] =>
  (deployment && kindOf(rollout.spec.workloadRef)?.warnings?.(deployment)) ?? [];

function* annotationChoices(rollout: Rollout, old: Rollout | undefined): Generator<Violation> {
  for (const [key, choices] of Object.entries(CHOICES)) {
    const value = rollout.metadata.annotations?.[key];
    if (value === undefined || value === old?.metadata.annotations?.[key] || choices.includes(value)) continue;
    yield {
      field: `metadata.annotations[${key}]`,
      value,
      type: 'Unsupported',
      reason: '',
      remedy: `write ${choices.slice(1).join(' or ')}, or remove it for ${choices[0] ?? ''}`,
    };
  }
}

function* workload({ rollout, other, deployment }: RolloutEdit): Generator<Violation> {
  const { apiVersion, kind, name } = rollout.spec.workloadRef;
  const group = groupOf(apiVersion);
  const of = kindOf(rollout.spec.workloadRef);
  if (of === undefined || group !== groupOf(of.resource.apiVersion)) {
    const known = KINDS_NOT_YET.has(`${group}/${kind}`);
    yield {
      field: 'spec.workloadRef',
      value: { apiVersion, kind },
      type: 'Unsupported',
      reason: known ? `this kind is ${NOT_YET}` : 'this kind cannot be released',
      remedy: `write a ${kindsOf('apps')} of apps/v1, or a ${kindsOf('apps.kruise.io')} of apps.kruise.io`,
    };
    return;
  }
  const misnamed = misnamedWorkload(rollout);
  if (misnamed) yield misnamed;
  // A Rollout that is being deleted gives up its workload.
  const rival = other !== undefined && other.metadata.deletionTimestamp === undefined ? other.metadata.name : undefined;
  if (rival !== undefined && rival !== rollout.metadata.name) {
    yield {
      field: 'spec.workloadRef.name',
      value: name,
      reason: `already released by Rollout ${rival}`,
      remedy: `change that Rollout, or delete it first: kubectl delete ${keys.ROLLOUT_RESOURCE} ${rival}${namespaceFlag(rollout)}`,
    };
  }
  const obstacle = deployment && of.obstacle(deployment);
  if (obstacle !== undefined) {
    yield {
      field: 'spec.workloadRef.name',
      value: name,
      reason: `the ${kind} has ${obstacle.strategy}, which ${obstacle.why}`,
      remedy: `in the ${kind}, ${obstacle.remedy} first`,
    };
  }
}

function* strategy({ rollout, version, gatewayApi }: RolloutEdit): Generator<Violation> {
  const { canary, blueGreen } = rollout.spec.strategy;
  if (blueGreen !== undefined) {
    yield notYet('spec.strategy.blueGreen', 'set', 'blue-green releases are', 'write spec.strategy.canary');
  }
  if (canary === undefined) {
    if (blueGreen === undefined) {
      yield { field: CANARY, value: undefined, reason: '', remedy: 'add it with at least one step' };
    }
    return;
  }
  yield* canaryFields(canary, rollout, version);
  yield* trafficErrors(canary, rollout, gatewayApi);
  const steps = canary.steps ?? [];
  if (steps.length === 0) {
    yield {
      field: `${CANARY}.steps`,
      value: canary.steps,
      type: 'Required',
      reason: '',
      remedy: 'add at least one step',
    };
  }
  if (steps.length > MAX_STEPS) {
    const reason = `must have at most ${MAX_STEPS} steps`;
    yield { field: `${CANARY}.steps`, value: steps.length, reason, remedy: 'remove steps' };
  }
  const routed = (canary.trafficRoutings ?? []).length > 0;
  for (const [index, step] of steps.entries()) yield* stepFields(step, `${CANARY}.steps[${index}]`, version, routed);
  yield* order(steps, version);
  yield* analysisFields(canary);
}

function* canaryFields(canary: CanaryStrategy, rollout: Rollout, version: string): Generator<Violation> {
  if (canary.enableExtraWorkloadForCanary === true) {
    yield version === 'v1alpha1'
      ? rollingStyle(rollout)
      : notYet(`${CANARY}.enableExtraWorkloadForCanary`, true, 'extra canary Deployments are', 'remove it');
  }
  const { patchPodTemplateMetadata } = canary as { readonly patchPodTemplateMetadata?: unknown };
  if (patchPodTemplateMetadata !== undefined) {
    const field = `${CANARY}.patchPodTemplateMetadata`;
    yield notYet(field, patchPodTemplateMetadata, 'extra canary Deployments are', 'remove it');
  }
  const { failureThreshold, stepDeadlineSeconds, rollbackWindow } = canary;
  if (failureThreshold !== undefined && !isShare(failureThreshold, 0)) {
    const [field, remedy] = [`${CANARY}.failureThreshold`, 'write 0 or more, or "0%" to "100%"'];
    yield { field, value: failureThreshold, reason: SHARE, remedy };
  }
  if (stepDeadlineSeconds !== undefined) yield* seconds(`${CANARY}.stepDeadlineSeconds`, stepDeadlineSeconds);
  if (rollbackWindow !== undefined) yield* window(rollbackWindow);
}

function* window({ revisions, seconds }: RollbackWindow): Generator<Violation> {
  const field = `${CANARY}.rollbackWindow`;
  if (revisions === undefined && seconds === undefined) {
    const reason = 'revisions or seconds is required';
    yield { field, value: {}, type: 'Required', reason, remedy: 'write for example revisions: 1, or remove it' };
  }
  if (revisions !== undefined && !(Number.isInteger(revisions) && revisions >= 1 && revisions <= MAX_REVISIONS)) {
    const reason = `must be between 1 and ${MAX_REVISIONS}`;
    const remedy = 'write 1 for the version before the stable one, or remove it';
    yield { field: `${field}.revisions`, value: revisions, reason, remedy };
  }
  if (seconds !== undefined && !(Number.isInteger(seconds) && seconds >= 1 && seconds <= MAX_SECONDS)) {
    const reason = `must be between 1 and ${MAX_SECONDS} seconds`;
    yield {
      field: `${field}.seconds`,
      value: seconds,
      reason,
      remedy: 'write whole seconds such as 3600, or remove it',
    };
  }
}

/** In v1alpha1, an annotation selects the style. Without it, the style is canary with an extra Deployment. */
function rollingStyle(rollout: Rollout): Violation {
  const value = rollout.metadata.annotations?.[keys.ROLLING_STYLE];
  const known = value === undefined || value === '' || value.toLowerCase() === 'canary';
  return {
    field: `metadata.annotations[${keys.ROLLING_STYLE}]`,
    value,
    type: known ? undefined : 'Unsupported',
    reason: known ? `the canary style, with an extra Deployment, is ${NOT_YET}` : '',
    remedy: 'write "partition"',
  };
}

/** A step of v1alpha1 may have a weight only. The conversion sets both fields from it. */
const isWeight = ({ replicas, traffic }: CanaryStep, version: string): boolean =>
  version === 'v1alpha1' && traffic !== undefined && traffic === replicas;

function* stepFields(step: CanaryStep, at: string, version: string, routed: boolean): Generator<Violation> {
  if (isWeight(step, version)) {
    const [field, value] = [`${at}.traffic`, step.traffic];
    if (!isShare(value!, 1))
      yield { field, value, reason: 'must be a percentage of the Pods', remedy: 'write 1 to 100' };
  } else if (step.replicas === undefined) {
    const { traffic } = step;
    const remedy =
      traffic !== undefined && isShare(traffic, 1)
        ? `write replicas: ${show(traffic)} instead of the weight`
        : 'add a number of Pods such as 1, or a percentage such as "50%"';
    yield { field: `${at}.replicas`, value: undefined, reason: '', remedy };
  } else if (!isShare(step.replicas, 1)) {
    const remedy = 'write 1 or more, or "1%" to "100%"';
    yield { field: `${at}.replicas`, value: step.replicas, reason: SHARE, remedy };
  }
  // Without a route, the weight of a step has no effect. It must still be valid.
  if (
    !routed &&
    step.traffic !== undefined &&
    step.replicas !== undefined &&
    !isWeight(step, version) &&
    !isShare(step.traffic, 1)
  ) {
    const [field, remedy] = [
      `${at}.traffic`,
      `remove it, or write ${version === 'v1alpha1' ? '1 to 100' : '"1%" to "100%"'}`,
    ];
    yield { field, value: step.traffic, reason: 'must be a percentage', remedy };
  }
  if (step.pause?.duration !== undefined) yield* seconds(`${at}.pause.duration`, step.pause.duration);
}

/** Numbers must not decrease, and percentages must not decrease. Numbers and percentages are compared when the size is known (advice.ts). */
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
        reason: `must not be less than step ${before.number} (${show(before.value)})`,
        remedy: `write ${weight ? amount(before.value) : before.value} or more, or remove the step`,
      };
    } else last.set(typeof replicas, { value: replicas, number: index + 1 });
  }
}

function* frozen({ rollout, old }: RolloutEdit): Generator<Violation> {
  if (old === undefined || !isInFlight(old, undefined)) return;
  const remedy = 'wait until the release ends, or roll it back first';
  // With an invalid name nothing is released, so the name can always be corrected.
  const renamed = JSON.stringify(old.spec.workloadRef) !== JSON.stringify(rollout.spec.workloadRef);
  if (renamed && !misnamedWorkload(old)) {
    const reason = 'cannot change during a release';
    yield { field: 'spec.workloadRef', value: rollout.spec.workloadRef, type: 'Forbidden', reason, remedy };
  }
}

function* seconds(field: string, value: number): Generator<Violation> {
  if (Number.isInteger(value) && value >= 0 && value <= MAX_SECONDS) return;
  yield {
    field,
    value,
    reason: `must be between 0 and ${MAX_SECONDS} seconds`,
    remedy: 'write whole seconds such as 600',
  };
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
  type: 'Forbidden',
  reason: `${what} ${NOT_YET}`,
  remedy,
});

/** Renames the field to its name in the version that the user wrote. */
export const nameInVersion = (version: RolloutEdit['version'], violation: Violation): Violation => {
  if (version === 'v1beta1') return violation;
  const field = violation.field
    .replace(/^spec\.workloadRef/, 'spec.objectRef.workloadRef')
    .replace(/^(spec\.strategy\.canary\.steps\[\d+\])\.traffic$/, '$1.weight')
    .replace(/^spec\.strategy\.canary\.trafficRoutingRef$/, `metadata.annotations[${keys.TRAFFIC_ROUTING}]`);
  const weight = field.endsWith('.weight') ? percentOf(String(violation.value)) : undefined;
  return { ...violation, field, value: weight ?? violation.value };
};
