// Converts Canaries of Flagger: each weight becomes the same percentage of Pods, and metrics become checks. What has no counterpart becomes a wait
// for approval.
import type { Json } from '../../api/json.ts';
import { plural } from '../../engine/lib/text.ts';
import { CheckList } from './checks.ts';
import { flaggerRoutes } from './routes.ts';
import { convertMetrics } from './flagger-metrics.ts';
import {
  asList,
  asObject,
  deadlineOf,
  hold,
  lost,
  metadataOf,
  note,
  ownMetadata,
  rollout,
  secondsOf,
  type Converted,
  type Remark,
  type Step,
} from './types.ts';

/** `all`: all objects of the files. */
export function convertFlagger(object: Json, all: readonly Json[]): Converted {
  const metadata = metadataOf(asObject(object['metadata']));
  const spec = asObject(object['spec']) ?? {};
  const analysis = asObject(spec['analysis']) ?? asObject(spec['canaryAnalysis']) ?? {};
  const target = asObject(spec['targetRef']) ?? {};
  const name = String(target['name'] ?? metadata['name']);
  if (target['kind'] !== undefined && target['kind'] !== 'Deployment')
    return {
      objects: [],
      remarks: [
        lost(`spec.targetRef: kind ${String(target['kind'])} is not supported: only Deployments are converted`),
      ],
    };
  const routes = flaggerRoutes(spec, name);
  const remarks: Remark[] = [
    note(
      `before you delete the Canary, scale Deployment "${name}" up and let the Service select it: it replaces "${name}-primary"`,
    ),
    ...ownMetadata(asObject(object['metadata'])),
    ...inSpec(spec, name),
    ...routes.remarks,
    ...inAnalysis(analysis),
  ];
  const deadline = deadlineOf(spec['progressDeadlineSeconds']);
  if ('stepDeadlineSeconds' in deadline)
    remarks.push(
      note(
        'spec.progressDeadlineSeconds: becomes spec.strategy.canary.stepDeadlineSeconds, to which minReadySeconds are added',
      ),
    );
  const checks = new CheckList();
  const skipped = spec['skipAnalysis'] === true;
  const { complete, seconds } = skipped
    ? { complete: true, seconds: 0 }
    : convertMetrics(analysis, { metadata, spec, all, checks, remarks });
  if (!complete)
    remarks.push(lost('spec.analysis.metrics: not all of them are converted: each step waits for approval'));
  const steps = stepsOf(spec, analysis, { complete, seconds }, remarks);
  const watched = checks.checks.length > 0 ? { analysis: checks.checks } : {};
  const made = rollout(metadata, name, {
    steps,
    canary: { ...deadline, onFailure: 'Rollback', ...routes.canary, ...watched },
  });
  return { objects: [made], remarks, sources: checks.sources };
}

/** Fields that are converted, or whose loss has no effect. */
const SPEC_KNOWN = new Set([
  'targetRef',
  'analysis',
  'canaryAnalysis',
  'autoscalerRef',
  'progressDeadlineSeconds',
  'skipAnalysis',
  'revertOnDeletion',
  'provider',
]);

const NO_ROUTING = 'only routes of the Gateway API are supported: a weight becomes the same percentage of Pods';
const SPEC_LOST: Readonly<Record<string, string>> = {
  ingressRef: NO_ROUTING,
  routeRef: NO_ROUTING,
  upstreamRef: NO_ROUTING,
  metricsServer: 'name a MetricSource in the checks',
  suspend: 'use spec.disabled of the Rollout',
};

function* inSpec(spec: Json, target: string): Generator<Remark> {
  for (const [field, value] of Object.entries(spec)) {
    if (SPEC_KNOWN.has(field)) continue;
    if (field === 'service') {
      const name = String(asObject(value)?.['name'] ?? target);
      yield lost(
        `spec.service: write Service "${name}" for the Deployment yourself; Flagger no longer creates it, nor "${name}-primary", "${name}-canary" and their routes`,
      );
    } else yield lost(`spec.${field}${named(value)}: ${SPEC_LOST[field] ?? 'has no counterpart'}`);
  }
  const scaler = asObject(spec['autoscalerRef']);
  if (scaler)
    yield note(
      `spec.autoscalerRef${named(scaler)}: the autoscaler targets the Deployment itself, and a release follows its changes`,
    );
}

/** ` "istio"`, or the name that a reference has. */
function named(value: unknown): string {
  const name = typeof value === 'string' ? value : asObject(value)?.['name'];
  return typeof name === 'string' ? ` ${JSON.stringify(name)}` : '';
}

const ANALYSIS_KNOWN = new Set([
  'interval',
  'threshold',
  'metrics',
  'stepWeight',
  'stepWeights',
  'maxWeight',
  'webhooks',
]);

const ANALYSIS_LOST: Readonly<Record<string, string>> = {
  iterations: 'blue-green and A/B releases are not supported: the Pods are released in steps that wait for approval',
  match:
    'A/B releases are not supported: the Pods are released in steps that wait for approval; with trafficRoutings, write matches in a step',
  mirror: 'requests are not mirrored: each step waits for approval',
  mirrorWeight: 'requests are not mirrored',
  stepWeightPromotion: 'the Pods that are left are updated in one step, within maxSurge and maxUnavailable',
  alerts: 'use the Events of the Rollout, and the metrics of the operator',
  sessionAffinity: 'requests are sent to any Pod of a version',
  primaryReadyThreshold: 'all Pods of a step must be available; use failureThreshold',
  canaryReadyThreshold: 'all Pods of a step must be available; use failureThreshold',
};

function* inAnalysis(analysis: Json): Generator<Remark> {
  for (const field of Object.keys(analysis))
    if (!ANALYSIS_KNOWN.has(field))
      yield lost(`spec.analysis.${field}: ${ANALYSIS_LOST[field] ?? 'has no counterpart'}`);
}

/** The parts of an analysis that decide whether a release goes on. Without them its steps only take time. */
const DECIDING = ['iterations', 'match', 'mirror'];

/** `complete`: each metric has become a check. `seconds`: how long the checks must watch a step; 0 without checks. */
function stepsOf(
  spec: Json,
  analysis: Json,
  measured: { readonly complete: boolean; readonly seconds: number },
  remarks: Remark[],
): Step[] {
  if (spec['skipAnalysis'] === true) {
    remarks.push(note('spec.skipAnalysis: all Pods are updated in one step, and metrics are left out, as in Flagger'));
    return [];
  }
  const { before, all, end } = gatesOf(asList(analysis['webhooks']), remarks);
  const decides = DECIDING.filter((field) => analysis[field] !== undefined).some(
    (field) => asList(analysis[field]).length > 0 || !Array.isArray(analysis[field]),
  );
  const interval = secondsOf(analysis['interval'] ?? '60s');
  if (interval === undefined)
    remarks.push(
      lost(
        `spec.analysis.interval: invalid duration ${JSON.stringify(analysis['interval'])}: each step waits for approval`,
      ),
    );
  const steps: Step[] = [];
  if (before) hold(steps);
  const weights = weightsOf(analysis, remarks);
  const waits = all || decides || !measured.complete;
  for (const weight of weights)
    steps.push({
      weight,
      // Checks watch the step for the time of the pause.
      seconds: waits || interval === undefined ? undefined : measured.seconds > 0 ? 0 : interval,
      ...(measured.seconds > 0 && { analysis: measured.seconds }),
    });
  if (end || weights.length === 0) hold(steps);
  return steps;
}

interface Gates {
  /** The release waits before its first step, at the end of each, at the end of the last. */
  readonly before: boolean;
  readonly all: boolean;
  readonly end: boolean;
}

/** Flagger's webhooks that decide nothing: it goes on whatever they answer. */
const TELLING = new Set(['event', 'post-rollout']);

function gatesOf(webhooks: readonly unknown[], remarks: Remark[]): Gates {
  const types = new Set<string>();
  for (const raw of webhooks) {
    const hook = asObject(raw) ?? {};
    const type = String(hook['type'] ?? 'rollout');
    types.add(type);
    remarks.push(lost(`spec.analysis.webhooks ${JSON.stringify(hook['name'] ?? '')} (${type}): ${insteadOf(type)}`));
  }
  const deciding = [...types].filter((type) => !TELLING.has(type) && !type.startsWith('confirm-'));
  return {
    before: types.has('confirm-rollout'),
    all: types.has('confirm-traffic-increase') || deciding.length > 0,
    end: types.has('confirm-promotion'),
  };
}

function insteadOf(type: string): string {
  if (type === 'confirm-rollout') return 'a first step of one Pod is added, and waits for approval';
  if (type === 'confirm-promotion') return 'the last step before 100% waits for approval';
  if (type === 'confirm-traffic-increase') return 'each step waits for approval';
  if (type === 'event') return 'use the Events of the Rollout';
  if (type === 'post-rollout')
    return 'has no counterpart: run it in the pipeline, after kubectl tranche status --watch';
  return 'each step waits for approval: run it in the pipeline, between kubectl tranche status --watch --until approval and approve';
}

const isWeight = (value: unknown): value is number => typeof value === 'number' && value > 0 && value < 100;

/** With 100%, a Rollout has at most 50 steps. */
const MOST_WEIGHTS = 48;

/** Without 100%, which is a separate step: Flagger promotes after the last weight. */
function weightsOf(analysis: Json, remarks: Remark[]): number[] {
  const listed = asList(analysis['stepWeights']).filter(isWeight);
  if (listed.length > 0)
    return atMost(
      [...new Set(listed)].sort((a, b) => a - b),
      'stepWeights',
      remarks,
    );
  const size = analysis['stepWeight'];
  if (!isWeight(size)) {
    remarks.push(
      lost(
        'spec.analysis: has no weights: a first step of one Pod waits for approval, then all others follow; write your own steps',
      ),
    );
    return [];
  }
  const most = Math.min(99, typeof analysis['maxWeight'] === 'number' ? analysis['maxWeight'] : 99);
  const weights: number[] = [];
  for (let weight = size; weight <= most; weight += size) weights.push(weight);
  return atMost(weights.length > 0 ? weights : [size], 'stepWeight', remarks);
}

/** Leaves out every second weight until the others fit. The first and the last stay. */
function atMost(weights: readonly number[], field: string, remarks: Remark[]): number[] {
  let kept = [...weights];
  while (kept.length > MOST_WEIGHTS) kept = kept.filter((_, i) => i % 2 === 0 || i === kept.length - 1);
  const fewer = weights.length - kept.length;
  if (fewer > 0)
    remarks.push(
      lost(`spec.analysis.${field}: ${plural(fewer, 'weight')} left out, because a Rollout has at most 50 steps`),
    );
  return kept;
}
