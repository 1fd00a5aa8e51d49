// Converts Argo Rollouts: each weight of a canary becomes the same percentage of Pods.
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

/** Fields of spec that are converted, or whose loss has no effect. */
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
        `metadata.annotations[${key}]: use the Events of the Rollout, and the metrics and alerts of the chart`,
      );
  const canary = asObject(strategy['canary']) ?? {};
  if (strategy['blueGreen'] !== undefined)
    notes.push(
      'spec.strategy.blueGreen: blue-green releases are not supported; all Pods are released in one step: write your own steps',
    );
  for (const field of Object.keys(spec))
    if (!SPEC_KNOWN.has(field)) notes.push(`spec.${field}: ${SPEC_NOTES[field] ?? 'has no counterpart'}`);
  for (const field of Object.keys(canary))
    if (!CANARY_KNOWN.has(field))
      notes.push(`spec.strategy.canary.${field}: ${CANARY_NOTES[field] ?? 'has no counterpart'}`);
  const written = asList(canary['steps']);
  if (strategy['canary'] !== undefined && written.length === 0)
    notes.push('spec.strategy.canary: has no steps; all Pods are released in one step: write your own steps');
  const full = asObject(canary['trafficRouting'])?.['maxTrafficWeight'];
  const steps = stepsOf(written, typeof full === 'number' && full > 0 ? full : 100, notes);
  const deployment = deploymentOf(metadata, spec, canary, notes);
  return {
    objects: [
      ...(deployment.object ? [deployment.object] : []),
      rollout(metadata, deployment.name, steps, {
        ...(spec['progressDeadlineAbort'] === true && { onFailure: 'Rollback' }),
        ...windowOf(asObject(spec['rollbackWindow'])?.['revisions']),
      }),
    ],
    notes,
  };
}

const windowOf = (revisions: unknown): Json =>
  typeof revisions === 'number' && revisions >= 1 ? { rollbackWindow: { revisions: Math.min(10, revisions) } } : {};

const SPEC_NOTES: Readonly<Record<string, string>> = {
  analysis: 'analysis by metrics is not supported; failing Pods stop a step (stepDeadlineSeconds, onFailure)',
  restartAt: 'use kubectl tranche restart',
  rollbackWindow: 'becomes spec.strategy.canary.rollbackWindow; it counts completed versions only',
  progressDeadlineAbort: 'becomes spec.strategy.canary.onFailure: Rollback',
};

const CANARY_NOTES: Readonly<Record<string, string>> = {
  trafficRouting:
    'traffic routing is not supported: a weight becomes the same percentage of Pods, and the Service sends requests to all Pods',
  canaryService: 'there is no canary Service; Pods of a release have the label rollouts.kruise.io/rollout-id',
  stableService:
    'there is no stable Service; after you remove Argo Rollouts, remove rollouts-pod-template-hash from the selector of the remaining Service',
  analysis: 'analysis by metrics is not supported; failing Pods stop a step (stepDeadlineSeconds, onFailure)',
  antiAffinity: 'add it to the Pod template',
  canaryMetadata: 'Pods of a release have the labels rollouts.kruise.io/rollout-id and rollout-batch-id',
  dynamicStableScale: 'always on: old Pods are removed when new Pods are available',
  replicaProgressThreshold: 'all Pods of a step must be available; use failureThreshold',
  scaleDownDelaySeconds: 'old Pods are removed when new Pods are available',
};

/** A setWeight and the pauses after it become one step. `full`: the weight for all traffic. */
function stepsOf(written: readonly unknown[], full: number, notes: string[]): Json[] {
  const steps: { weight: number; seconds: number | undefined }[] = [];
  for (const [i, raw] of written.entries()) {
    const at = `spec.strategy.canary.steps[${i}]`;
    const [kind = '', value] = Object.entries(asObject(raw) ?? {})[0] ?? [];
    const last = steps.at(-1);
    if (kind === 'setWeight' && typeof value === 'number') {
      const weight = Math.min(100, Math.ceil((value * 100) / full));
      if (value <= 0) notes.push(`${at}: setWeight 0 is omitted: no Pods are new before the first step`);
      else if (last && weight <= last.weight)
        notes.push(`${at}: setWeight ${value} is omitted: each step must be larger than the previous one`);
      else steps.push({ weight, seconds: 0 });
    } else if (kind === 'pause') {
      const given = asObject(value)?.['duration'];
      const seconds = secondsOf(given);
      if (!last) notes.push(`${at}: a pause before the first weight is omitted: use spec.strategy.paused`);
      else if (given === undefined || last.seconds === undefined) last.seconds = undefined;
      else if (seconds === undefined) {
        notes.push(`${at}: invalid duration ${JSON.stringify(given)}: the step waits for approval`);
        last.seconds = undefined;
      } else last.seconds += seconds;
    } else notes.push(`${at}: ${kind || 'it'} ${STEP_NOTES[kind] ?? 'has no counterpart'}`);
  }
  const final = steps.at(-1);
  if (final?.weight === 100 && final.seconds !== 0)
    notes.push(
      'spec.strategy.canary.steps: the pause at the end is omitted: the release is done when all Pods are new',
    );
  const converted = steps.map(({ weight, seconds }) => step(`${weight}%`, weight === 100 ? undefined : seconds));
  return final?.weight === 100 ? converted : [...converted, step('100%', undefined)];
}

const STEP_NOTES: Readonly<Record<string, string>> = {
  analysis:
    'has no counterpart: analysis by metrics is not supported; to check the step yourself, write a pause instead',
  experiment: 'has no counterpart',
  setCanaryScale: 'has no counterpart: the step itself sets the number of Pods',
  setHeaderRoute: 'has no counterpart: traffic routing is not supported',
  setMirrorRoute: 'has no counterpart: traffic routing is not supported',
  plugin: 'has no counterpart',
};

function deploymentOf(metadata: Json, spec: Json, canary: Json, notes: string[]): { name: string; object?: Json } {
  const ref = asObject(spec['workloadRef']);
  if (ref) {
    notes.push(
      `spec.workloadRef: Deployment "${String(ref['name'])}" stays unchanged; scale it up before you delete the Argo Rollout (scaleDown: ${String(ref['scaleDown'] ?? 'never')})`,
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

/** Removes `creationTimestamp: null`, which some clients write into templates. */
function withoutTimestamp(metadata: Json | undefined): Json {
  const { creationTimestamp: _, ...rest } = metadata ?? {};
  return rest;
}
