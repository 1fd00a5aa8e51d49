// Converts Argo Rollouts: each weight of a canary becomes the same percentage of Pods (and of requests, with the Gateway API), and metrics become checks. What has no counterpart becomes a
// wait for approval.
import type { Json } from '../../api/json.ts';
import { convertAnalysis, type ArgoContext } from './argo-analysis.ts';
import { deploymentOf } from './argo-deployment.ts';
import { CheckList } from './checks.ts';
import { argoRoutes } from './routes.ts';
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
export function convertArgo(object: Json, all: readonly Json[]): Converted {
  const metadata = asObject(object['metadata']) ?? {};
  const spec = asObject(object['spec']) ?? {};
  const strategy = asObject(spec['strategy']) ?? {};
  const canary = asObject(strategy['canary']);
  const deployment = deploymentOf(metadataOf(metadata), spec, canary ?? {});
  const remarks: Remark[] = [...inMetadata(metadata), ...inSpec(spec), ...deployment.remarks];
  const checks = new CheckList();
  const routes = argoRoutes(canary ?? {}, metadata['namespace']);
  remarks.push(...routes.remarks);
  const isRouted = routes.canary.trafficRoutings !== undefined;
  const steps: Step[] = canary ? stepsOf(canary, { metadata, all, checks, remarks }, isRouted) : [];
  for (const name of Object.keys(strategy).filter((one) => one !== 'canary'))
    remarks.push(...withoutCounterpart(`spec.strategy.${name}`, asObject(strategy[name]) ?? {}));
  if (!canary) {
    hold(steps);
    remarks.push(
      lost(
        `spec.strategy: only canary releases are supported: the first step updates one Pod and waits for approval, then all others follow; write your own steps`,
      ),
    );
  }
  const { name, namespace } = metadata;
  // Without a Deployment that has them, labels and annotations stay on the Rollout.
  const own = deployment.object ? { name, ...(namespace === undefined ? {} : { namespace }) } : metadataOf(metadata);
  const failure = spec['progressDeadlineAbort'] === true ? { onFailure: 'Rollback' } : {};
  const made = rollout(own, deployment.name, {
    steps,
    canary: {
      ...deadlineOf(spec['progressDeadlineSeconds']),
      ...failure,
      ...windowOf(spec),
      ...routes.canary,
      ...(checks.checks.length > 0 && { analysis: checks.checks }),
    },
    paused: spec['paused'] === true,
  });
  return { objects: [...(deployment.object ? [deployment.object] : []), made], remarks, sources: checks.sources };
}

function* inMetadata(metadata: Json): Generator<Remark> {
  for (const key of Object.keys(asObject(metadata['annotations']) ?? {}))
    if (key.startsWith('notifications.argoproj.io/'))
      yield lost(
        `metadata.annotations[${key}]: use the Events of the Rollout, and the metrics and alerts of the chart`,
      );
  yield* ownMetadata(metadata);
}

/** Fields of spec that are converted here or in argo-deployment.ts. */
const SPEC_KNOWN = new Set([
  'replicas',
  'selector',
  'template',
  'minReadySeconds',
  'revisionHistoryLimit',
  'paused',
  'progressDeadlineSeconds',
  'progressDeadlineAbort',
  'rollbackWindow',
  'workloadRef',
  'strategy',
]);

/** A Rollout has ten versions to go back to. */
function windowOf(spec: Json): Json | undefined {
  const revisions = asObject(spec['rollbackWindow'])?.['revisions'];
  return typeof revisions === 'number' && revisions >= 1
    ? { rollbackWindow: { revisions: Math.min(10, revisions) } }
    : undefined;
}

const SPEC_LOST: Readonly<Record<string, string>> = {
  analysis: 'there are no runs to keep',
  restartAt: 'use kubectl tranche restart',
};

function* inSpec(spec: Json): Generator<Remark> {
  for (const field of Object.keys(spec))
    if (!SPEC_KNOWN.has(field)) yield lost(`spec.${field}: ${SPEC_LOST[field] ?? 'has no counterpart'}`);
  if (spec['progressDeadlineSeconds'] !== undefined)
    yield note(
      'spec.progressDeadlineSeconds: becomes spec.strategy.canary.stepDeadlineSeconds, to which minReadySeconds are added',
    );
  if (windowOf(spec) !== undefined)
    yield note('spec.rollbackWindow: becomes spec.strategy.canary.rollbackWindow; it counts completed versions only');
  else if (spec['rollbackWindow'] !== undefined)
    yield lost('spec.rollbackWindow: has no revisions, so earlier versions go through the steps');
  if (spec['paused'] === true) yield note('spec.paused: becomes spec.strategy.paused of the Rollout');
  if (spec['progressDeadlineAbort'] === true)
    yield note('spec.progressDeadlineAbort: becomes spec.strategy.canary.onFailure: Rollback');
}

const CANARY_KNOWN = new Set(['steps', 'analysis', 'maxSurge', 'maxUnavailable', 'trafficRouting']);

const CANARY_LOST: Readonly<Record<string, string>> = {
  canaryService:
    'there is no canary Service, or a release makes its own; Pods of a release have the label rollouts.kruise.io/rollout-id',
  stableService:
    'there is no stable Service; after you remove Argo Rollouts, remove rollouts-pod-template-hash from the selector of the remaining Service',
  antiAffinity: 'add it to the Pod template',
  canaryMetadata: 'Pods of a release have the labels rollouts.kruise.io/rollout-id and rollout-batch-id',
  dynamicStableScale: 'always on: old Pods are removed when new Pods are available',
  pingPong: 'there are no ping and pong Services; one Service selects the Pods of both versions',
  replicaProgressThreshold: 'all Pods of a step must be available; use failureThreshold',
  scaleDownDelaySeconds: 'old Pods are removed when new Pods are available',
  abortScaleDownDelaySeconds: 'after a rollback, new Pods are removed when old Pods are available',
};

/** Names what the object has, such as a Service: `"web-canary"`. */
const named = (value: unknown): string => {
  if (typeof value === 'string') return ` ${JSON.stringify(value)}`;
  const keys = Object.keys(asObject(value) ?? {});
  return keys.length > 0 ? ` (${keys.join(', ')})` : '';
};

const withoutCounterpart = (at: string, fields: Json): Remark[] =>
  Object.keys(fields).length === 0
    ? [lost(`${at}: has no counterpart`)]
    : Object.entries(fields).map(([field, value]) =>
        lost(`${at}.${field}${named(value)}: has no counterpart: blue-green releases are not supported`),
      );

function stepsOf(canary: Json, context: ArgoContext, isRouted: boolean): Step[] {
  const { remarks } = context;
  for (const [field, value] of Object.entries(canary))
    if (!CANARY_KNOWN.has(field))
      remarks.push(lost(`spec.strategy.canary.${field}${named(value)}: ${CANARY_LOST[field] ?? 'has no counterpart'}`));
  const written = asList(canary['steps']);
  const traffic = asObject(canary['trafficRouting']);
  const full = traffic?.['maxTrafficWeight'];
  const steps = readSteps(
    written,
    typeof full === 'number' && full > 0 ? full : 100,
    traffic !== undefined && !isRouted,
    context,
  );
  if (canary['analysis'] !== undefined && !watchesBeside(canary['analysis'], context)) {
    for (const step of steps) if (step.weight < 100 || step.seconds !== 0) step.seconds = undefined;
    if (steps.every(({ seconds }) => seconds !== undefined)) steps.unshift({ weight: 0, seconds: undefined });
  } else if (written.length === 0)
    remarks.push(note('spec.strategy.canary: has no steps: all Pods are updated in one step, as in Argo Rollouts'));
  return steps;
}

/** The analysis in the background. False if not all of its metrics are checks. */
function watchesBeside(value: unknown, context: ArgoContext): boolean {
  const analysis = asObject(value) ?? {};
  const at = 'spec.strategy.canary.analysis';
  const { complete } = convertAnalysis(analysis, context);
  if (analysis['startingStep'] !== undefined)
    context.remarks.push(lost(`${at}.startingStep: the checks watch the release from its first step on`));
  context.remarks.push(
    complete
      ? note(`${at}: becomes spec.strategy.canary.analysis: its checks watch all steps`)
      : lost(`${at}${named(value)}: not all of its metrics are converted: each step waits for approval`),
  );
  return complete;
}

/** A setWeight and the pauses after it become one step. `full`: the weight for all traffic. `traffic`: it was routed, and is not any more. */
function readSteps(written: readonly unknown[], full: number, traffic: boolean, context: ArgoContext): Step[] {
  const { remarks } = context;
  const steps: Step[] = [];
  const waits = (text: string, which = 'the step before it'): void => {
    const how =
      steps.length === 0 ? 'a first step of one Pod is added, and waits for approval' : `${which} waits for approval`;
    hold(steps);
    remarks.push(lost(`${text}: ${how}`));
  };
  for (const [i, raw] of written.entries()) {
    const at = `spec.strategy.canary.steps[${i}]`;
    const entries = Object.entries(asObject(raw) ?? {});
    const [kind = '', value] = entries.length === 1 ? entries[0]! : [];
    const last = steps.at(-1);
    if (kind === 'setWeight' && typeof value === 'number') {
      const weight = Math.min(100, Math.ceil((value * 100) / full));
      if (weight <= 0) waits(`${at}: setWeight ${value} has no counterpart: a step has at least one Pod`);
      else if (last && weight < last.weight)
        waits(`${at}: setWeight ${value} has no counterpart: updated Pods stay updated until a rollback`);
      else if (weight === last?.weight)
        remarks.push(note(`${at}: setWeight ${value} is the weight of the step before`));
      else {
        steps.push({ weight, seconds: 0 });
        if (traffic && weight < 100 && goesOn(written[i + 1]))
          waits(`${at}: setWeight ${value} without a pause routes traffic, but here it updates Pods`, 'the step');
      }
    } else if (kind === 'pause') {
      const given = asObject(value)?.['duration'];
      const seconds = secondsOf(given);
      if (!last) waits(`${at}: a pause before the first weight has no counterpart`);
      else if (given === undefined || last.seconds === undefined) last.seconds = undefined;
      else if (seconds === undefined) waits(`${at}: invalid duration ${JSON.stringify(given)}`, 'the step');
      else last.seconds += seconds;
    } else if (kind === 'analysis') {
      const { complete, seconds } = convertAnalysis(asObject(value) ?? {}, context);
      if (last && seconds > 0) last.analysis = Math.max(last.analysis ?? 0, seconds);
      if (!complete || !last) waits(`${at}: analysis ${STEP_LOST['analysis']}`);
      else
        remarks.push(
          note(
            `${at}: becomes analysis.seconds: ${seconds} of the step before it; its checks watch the other steps, too`,
          ),
        );
    } else waits(`${at}: ${kind || 'it'} ${STEP_LOST[kind] ?? 'has no counterpart'}`);
  }
  const end = steps.at(-1);
  if (end?.weight === 100 && end.seconds !== 0)
    remarks.push(
      note('spec.strategy.canary.steps: while the pause at the end lasts, all Pods are new; then the release is done'),
    );
  return steps;
}

/** The release goes on at once to this step, without a pause. */
const goesOn = (next: unknown): boolean => next === undefined || 'setWeight' in (asObject(next) ?? {});

const STEP_LOST: Readonly<Record<string, string>> = {
  analysis: 'has metrics that are not converted: run their queries before kubectl tranche approve',
  experiment: 'has no counterpart',
  setCanaryScale: 'has no counterpart: the step itself sets the number of Pods',
  setHeaderRoute: 'has no counterpart: write matches in a step, with trafficRoutings',
  setMirrorRoute: 'has no counterpart: requests are not mirrored',
  plugin: 'has no counterpart',
};
