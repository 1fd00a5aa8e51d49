// Converts Canaries of Flagger: each weight becomes the same percentage of Pods.
import type { Json } from '../../api/json.ts';
import { asList, asObject, metadataOf, rollout, secondsOf, step, type Converted } from './types.ts';

const GATES = new Set(['confirm-rollout', 'confirm-promotion', 'confirm-traffic-increase']);

export function convertFlagger(object: Json): Converted {
  const metadata = metadataOf(asObject(object['metadata']));
  const spec = asObject(object['spec']) ?? {};
  const analysis = asObject(spec['analysis']) ?? asObject(spec['canaryAnalysis']) ?? {};
  const target = asObject(spec['targetRef']) ?? {};
  const notes: string[] = [];
  const name = String(target['name'] ?? metadata['name']);
  if (target['kind'] !== undefined && target['kind'] !== 'Deployment')
    notes.push(`spec.targetRef: kind ${String(target['kind'])} is not supported: name a Deployment`);
  notes.push(
    `before you delete the Canary, scale Deployment "${name}" up and let the Service select it: it replaces "${name}-primary"`,
  );
  for (const field of Object.keys(spec))
    if (!SPEC_KNOWN.has(field)) notes.push(`spec.${field}: ${SPEC_NOTES[field] ?? 'has no counterpart'}`);
  for (const field of Object.keys(analysis))
    if (!ANALYSIS_KNOWN.has(field))
      notes.push(`spec.analysis.${field}: ${ANALYSIS_NOTES[field] ?? 'has no counterpart'}`);
  const gates = hooksOf(asList(analysis['webhooks']), notes);
  const interval = secondsOf(analysis['interval'] ?? '60s');
  const weights = weightsOf(analysis, notes);
  const steps = weights.map((weight, i) => {
    const waits = gates.has('confirm-traffic-increase') || (i === weights.length - 1 && gates.has('confirm-promotion'));
    return step(`${weight}%`, waits ? undefined : interval);
  });
  const deadline = secondsOf(spec['progressDeadlineSeconds']);
  const canary = { ...(deadline === undefined ? {} : { stepDeadlineSeconds: deadline }), onFailure: 'Rollback' };
  const off = spec['skipAnalysis'] === true;
  if (off) notes.push('spec.skipAnalysis: all Pods are released in one step, as in Flagger');
  return {
    objects: [rollout(metadata, name, off ? [step('100%', undefined)] : [...steps, step('100%', undefined)], canary)],
    notes,
  };
}

/** Fields that are converted, or whose loss has no effect. */
const SPEC_KNOWN = new Set([
  'targetRef',
  'analysis',
  'canaryAnalysis',
  'progressDeadlineSeconds',
  'skipAnalysis',
  'revertOnDeletion',
]);
const ANALYSIS_KNOWN = new Set(['interval', 'stepWeight', 'stepWeights', 'maxWeight', 'webhooks']);

const SPEC_NOTES: Readonly<Record<string, string>> = {
  autoscalerRef: 'the autoscaler targets the Deployment itself, and a release follows its changes',
  ingressRef: 'traffic routing is not supported: a weight becomes the same percentage of Pods',
  provider: 'traffic routing is not supported: a weight becomes the same percentage of Pods',
  routeRef: 'traffic routing is not supported: a weight becomes the same percentage of Pods',
  service: 'write a Service for the Deployment yourself; Flagger no longer creates it',
  suspend: 'use spec.disabled of the Rollout',
};

const ANALYSIS_NOTES: Readonly<Record<string, string>> = {
  metrics: 'analysis by metrics is not supported; failing Pods roll the release back (onFailure: Rollback)',
  threshold: 'analysis by metrics is not supported',
  iterations: 'blue-green and A/B releases are not supported: the Pods are released in steps',
  match: 'A/B releases are not supported',
  mirror: 'traffic routing is not supported',
  alerts: 'use the Events of the Rollout, and the metrics of the operator',
  sessionAffinity: 'traffic routing is not supported',
  primaryReadyThreshold: 'all Pods of a step must be available; use failureThreshold',
  canaryReadyThreshold: 'all Pods of a step must be available; use failureThreshold',
};

function hooksOf(webhooks: readonly unknown[], notes: string[]): Set<string> {
  const gates = new Set<string>();
  for (const raw of webhooks) {
    const hook = asObject(raw) ?? {};
    const type = String(hook['type'] ?? 'rollout');
    const name = `spec.analysis.webhooks "${String(hook['name'])}" (${type})`;
    if (type === 'confirm-rollout')
      notes.push(`${name}: releases start at once; to prevent this, use spec.strategy.paused or a policy`);
    else if (GATES.has(type)) notes.push(`${name}: becomes a step that waits for approval`);
    else
      notes.push(
        `${name}: has no counterpart: run it in the pipeline, between kubectl tranche status --until approval and approve`,
      );
    if (GATES.has(type)) gates.add(type);
  }
  return gates;
}

const isWeight = (value: unknown): value is number => typeof value === 'number' && value > 0 && value < 100;

/** Without 100 %, which is a separate step: Flagger promotes after the last weight. */
function weightsOf(analysis: Json, notes: string[]): number[] {
  const listed = asList(analysis['stepWeights']).filter(isWeight);
  if (listed.length > 0) return [...new Set(listed)].sort((a, b) => a - b);
  const size = analysis['stepWeight'];
  if (!isWeight(size)) {
    notes.push('spec.analysis: has no weights; the first step releases 1% of the Pods: write your own steps');
    return [1];
  }
  const most = Math.min(99, typeof analysis['maxWeight'] === 'number' ? analysis['maxWeight'] : 99);
  const weights: number[] = [];
  for (let weight = size; weight <= most && weights.length < 49; weight += size) weights.push(weight);
  return weights.length > 0 ? weights : [size];
}
