// Argo Rollouts: a canary by weights becomes a Deployment released by the same shares of Pods.
import type { Json } from '../../api/json.ts';
import { asList, asObject, metadataOf, rollout, secondsOf, step, type Converted } from './types.ts';

const DEPLOYMENT_FIELDS = [
  'replicas',
  'selector',
  'template',
  'minReadySeconds',
  'revisionHistoryLimit',
  'paused',
  'progressDeadlineSeconds',
] as const;

/** Fields of spec that are here in another place, or have no effect to lose. */
const SPEC_KNOWN = new Set<string>([...DEPLOYMENT_FIELDS, 'workloadRef', 'strategy']);
const CANARY_KNOWN = new Set(['steps', 'maxSurge', 'maxUnavailable']);

export function convertArgo(object: Json): Converted {
  const metadata = metadataOf(asObject(object['metadata']));
  const spec = asObject(object['spec']) ?? {};
  const strategy = asObject(spec['strategy']) ?? {};
  const notes: string[] = [];
  for (const key of Object.keys(asObject(asObject(object['metadata'])?.['annotations']) ?? {}))
    if (key.startsWith('notifications.argoproj.io/'))
      notes.push(
        `metadata.annotations[${key}]: see the Events of the Rollout, and the metrics and alerts of the chart`,
      );
  const canary = asObject(strategy['canary']) ?? {};
  if (strategy['blueGreen'] !== undefined)
    notes.push(
      'spec.strategy.blueGreen: there is no blue-green release here; all Pods are released in one step that waits for nothing: write steps that suit you',
    );
  for (const field of Object.keys(spec))
    if (!SPEC_KNOWN.has(field)) notes.push(`spec.${field}: ${SPEC_NOTES[field] ?? 'has no counterpart'}`);
  for (const field of Object.keys(canary))
    if (!CANARY_KNOWN.has(field))
      notes.push(`spec.strategy.canary.${field}: ${CANARY_NOTES[field] ?? 'has no counterpart'}`);
  const written = asList(canary['steps']);
  if (strategy['canary'] !== undefined && written.length === 0)
    notes.push('spec.strategy.canary: it has no steps; all Pods are released in one: write steps that suit you');
  const full = asObject(canary['trafficRouting'])?.['maxTrafficWeight'];
  const steps = stepsOf(written, typeof full === 'number' && full > 0 ? full : 100, notes);
  const deployment = deploymentOf(metadata, spec, canary, notes);
  return {
    objects: [
      ...(deployment.object ? [deployment.object] : []),
      rollout(
        metadata,
        deployment.name,
        steps,
        spec['progressDeadlineAbort'] === true ? { onFailure: 'Rollback' } : {},
      ),
    ],
    notes,
  };
}

const SPEC_NOTES: Readonly<Record<string, string>> = {
  analysis: 'there is no analysis by metrics; failing Pods stop a step by themselves (stepDeadlineSeconds, onFailure)',
  restartAt: 'restart with: kubectl tranche restart',
  rollbackWindow: 'a rollback is always at once, not in steps',
  progressDeadlineAbort: 'becomes spec.strategy.canary.onFailure: Rollback',
};

const CANARY_NOTES: Readonly<Record<string, string>> = {
  trafficRouting:
    'traffic is not routed: a weight becomes that share of the Pods, and the Service spreads requests over all of them',
  canaryService: 'there is no second Service; Pods of a release have the label rollouts.kruise.io/rollout-id',
  stableService:
    'there is no second Service; when Argo Rollouts is gone, take the selector rollouts-pod-template-hash off the one that stays',
  analysis: 'there is no analysis by metrics; failing Pods stop a step by themselves (stepDeadlineSeconds, onFailure)',
  antiAffinity: 'write it into the Pod template',
  canaryMetadata: 'Pods of a release have the labels rollouts.kruise.io/rollout-id and rollout-batch-id',
  dynamicStableScale: 'is always so: old Pods go as new ones come',
  replicaProgressThreshold: 'every Pod of a step is to be available; use failureThreshold',
  scaleDownDelaySeconds: 'old Pods go as soon as new ones are available',
};

/** A setWeight and the pauses behind it are one step. `full` is the weight that means all of the traffic. */
function stepsOf(written: readonly unknown[], full: number, notes: string[]): Json[] {
  const steps: { weight: number; seconds: number | undefined }[] = [];
  for (const [i, raw] of written.entries()) {
    const at = `spec.strategy.canary.steps[${i}]`;
    const [kind = '', value] = Object.entries(asObject(raw) ?? {})[0] ?? [];
    const last = steps.at(-1);
    if (kind === 'setWeight' && typeof value === 'number') {
      const weight = Math.min(100, Math.ceil((value * 100) / full));
      if (value <= 0) notes.push(`${at}: setWeight 0 is left out: before the first step no Pod is new`);
      else if (last && weight <= last.weight)
        notes.push(`${at}: setWeight ${value} is left out: steps cannot go back or stand still`);
      else steps.push({ weight, seconds: 0 });
    } else if (kind === 'pause') {
      const given = asObject(value)?.['duration'];
      const seconds = secondsOf(given);
      if (!last) notes.push(`${at}: a pause before the first weight is left out: use spec.strategy.paused`);
      else if (given === undefined || last.seconds === undefined) last.seconds = undefined;
      else if (seconds === undefined) {
        notes.push(`${at}: duration ${JSON.stringify(given)} is not understood: the step waits for approval`);
        last.seconds = undefined;
      } else last.seconds += seconds;
    } else notes.push(`${at}: ${kind || 'it'} ${STEP_NOTES[kind] ?? 'has no counterpart'}`);
  }
  const final = steps.at(-1);
  if (final?.weight === 100 && final.seconds !== 0)
    notes.push(
      'spec.strategy.canary.steps: the wait at the end is left out: every Pod is new by then, and the release is done',
    );
  const converted = steps.map(({ weight, seconds }) => step(`${weight}%`, weight === 100 ? undefined : seconds));
  return final?.weight === 100 ? converted : [...converted, step('100%', undefined)];
}

const STEP_NOTES: Readonly<Record<string, string>> = {
  analysis:
    'has no counterpart: the step is not judged by metrics; make it a pause for approval if somebody should look',
  experiment: 'has no counterpart',
  setCanaryScale: 'has no counterpart: the share of Pods is the step itself',
  setHeaderRoute: 'has no counterpart: traffic is not routed',
  setMirrorRoute: 'has no counterpart: traffic is not routed',
  plugin: 'has no counterpart',
};

function deploymentOf(metadata: Json, spec: Json, canary: Json, notes: string[]): { name: string; object?: Json } {
  const ref = asObject(spec['workloadRef']);
  if (ref) {
    notes.push(
      `spec.workloadRef: Deployment "${String(ref['name'])}" stays as it is; scale it up again before the Argo Rollout goes (scaleDown: ${String(ref['scaleDown'] ?? 'never')})`,
    );
    return { name: String(ref['name']) };
  }
  const fields = Object.fromEntries(
    DEPLOYMENT_FIELDS.filter((field) => spec[field] !== undefined).map((field) => [field, spec[field]]),
  );
  const template = asObject(fields['template']);
  if (template) fields['template'] = { ...template, metadata: withoutTimestamp(asObject(template['metadata'])) };
  const limits = Object.fromEntries(
    (['maxSurge', 'maxUnavailable'] as const)
      .filter((field) => canary[field] !== undefined)
      .map((field) => [field, canary[field]]),
  );
  const strategy = Object.keys(limits).length > 0 ? { strategy: { type: 'RollingUpdate', rollingUpdate: limits } } : {};
  return {
    name: String(metadata['name']),
    object: { apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec: { ...fields, ...strategy } },
  };
}

/** Servers write `creationTimestamp: null` into templates. */
function withoutTimestamp(metadata: Json | undefined): Json {
  const { creationTimestamp: _, ...rest } = metadata ?? {};
  return rest;
}
