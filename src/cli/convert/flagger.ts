// Flagger: the weights of a Canary become shares of the Pods of the Deployment that it names.
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
    notes.push(`spec.targetRef: a ${String(target['kind'])} cannot be released: name a Deployment`);
  notes.push(
    `Deployment "${name}" takes the requests again that Flagger sends to "${name}-primary": scale it up, and let the Service select it, before you delete the Canary`,
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
  if (off) notes.push('spec.skipAnalysis: everything is released in one step, as Flagger does then');
  return {
    objects: [rollout(metadata, name, off ? [step('100%', undefined)] : [...steps, step('100%', undefined)], canary)],
    notes,
  };
}

/** They are here in another place, or have no effect to lose. */
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
  autoscalerRef:
    'the autoscaler stays with the Deployment: its target is the Deployment itself, and a release follows it',
  ingressRef: 'traffic is not routed: a weight becomes that share of the Pods',
  provider: 'traffic is not routed: a weight becomes that share of the Pods',
  routeRef: 'traffic is not routed: a weight becomes that share of the Pods',
  service: 'Services stay as you write them: make one for the Deployment, Flagger makes no more of them',
  suspend: 'use spec.disabled of the Rollout',
};

const ANALYSIS_NOTES: Readonly<Record<string, string>> = {
  metrics: 'there is no analysis by metrics; failing Pods roll back by themselves (onFailure: Rollback)',
  threshold: 'there is no analysis by metrics to count',
  iterations: 'there is no blue-green or A/B release: the Pods are released in steps',
  match: 'traffic is not routed: there is no A/B release',
  mirror: 'traffic is not routed',
  alerts: 'see the Events of the Rollout, and the metrics of the operator',
  sessionAffinity: 'traffic is not routed',
  primaryReadyThreshold: 'every Pod of a step is to be available; use failureThreshold',
  canaryReadyThreshold: 'every Pod of a step is to be available; use failureThreshold',
};

function hooksOf(webhooks: readonly unknown[], notes: string[]): Set<string> {
  const gates = new Set<string>();
  for (const raw of webhooks) {
    const hook = asObject(raw) ?? {};
    const type = String(hook['type'] ?? 'rollout');
    const name = `spec.analysis.webhooks "${String(hook['name'])}" (${type})`;
    if (type === 'confirm-rollout')
      notes.push(`${name}: a release begins at once; hold it back with spec.strategy.paused, or a policy`);
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

/** 100 % is a step of its own: Flagger promotes after the last weight. */
function weightsOf(analysis: Json, notes: string[]): number[] {
  const listed = asList(analysis['stepWeights']).filter(isWeight);
  if (listed.length > 0) return [...new Set(listed)].sort((a, b) => a - b);
  const size = analysis['stepWeight'];
  if (!isWeight(size)) {
    notes.push('spec.analysis: it has no weights; one Pod is released first, write steps that suit you');
    return [1];
  }
  const most = Math.min(99, typeof analysis['maxWeight'] === 'number' ? analysis['maxWeight'] : 99);
  const weights: number[] = [];
  for (let weight = size; weight <= most && weights.length < 49; weight += size) weights.push(weight);
  return weights.length > 0 ? weights : [size];
}
