// The spans that ended with a change of a Rollout. They are derived from its status, so any leader can emit them.
import { kindOf } from '../workload/registry.ts';
import type { CheckStatus } from '../../api/analysis.ts';
import type { HistoryEntry, Rollout } from '../../api/types.ts';
import { conditionOf, progressingReason } from '../status.ts';
import { pauseSeconds } from '../lib/pause.ts';
import { formatTime, parseTime } from '../lib/time.ts';
import { newTrace, parseTraceparent, spanIdOf, type Sampling } from './trace.ts';
import type { Sha256 } from '../lib/template.ts';
import { seenBy, stepOf } from '../messages.ts';

export type Attributes = Readonly<Record<string, string | number>>;

/** A finished span. Times are milliseconds since the epoch. */
export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId?: string;
  /** The parent span is from another program. */
  readonly remoteParent?: true;
  readonly name: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Attributes;
  readonly events: readonly SpanEvent[];
  /** Set if the operation failed. */
  readonly error?: string;
}

export interface SpanEvent {
  readonly name: string;
  readonly atMs: number;
  readonly attributes: Attributes;
}

interface Stage {
  /** Stages with the same key are the same stage. */
  readonly key: string;
  readonly name: string;
  readonly since: number | undefined;
  readonly attributes: Attributes;
}

/**
 * Spans that ended between two states of a Rollout. Empty if its trace is not sampled. `now`: milliseconds since the epoch, used if the status has
 * no end time. The same change gives the same spans and ids.
 */
export function endedSpans(before: Rollout, after: Rollout, now: number, sampling: Sampling, sha256: Sha256): Span[] {
  const entries = after.status?.history ?? [];
  const known = new Map((before.status?.history ?? []).map((entry) => [keyOf(entry), entry]));
  return entries.flatMap((entry) => {
    const then = known.get(keyOf(entry));
    if (then?.endTime !== undefined) return [];
    const trace = traceOf(after, entry, sampling, sha256);
    if (!trace) return [];
    return [
      ...(then ? [] : admission(trace, entry)),
      ...(then
        ? [...stages(trace, before, after, entry, now), ...interruptions(trace, before, after, entry, now)]
        : []),
      ...(entry.endTime === undefined
        ? []
        : [whole(trace, entry, parseTime(entry.endTime) ?? now, checksOf(before, entry))]),
    ];
  });
}

/** The last spans of a Rollout that was deleted during a release. */
export function spansOfDeleted(rollout: Rollout, now: number, sampling: Sampling, sha256: Sha256): Span[] {
  const at = rollout.metadata.deletionTimestamp ?? formatTime(now);
  const history = rollout.status?.history?.map((entry) =>
    entry.endTime === undefined ? { ...entry, endTime: at, outcome: 'Deleted' } : entry,
  );
  const ended = { ...rollout, status: { ...rollout.status!, ...(history && { history }) } };
  return rollout.status ? endedSpans(rollout, ended, now, sampling, sha256) : [];
}

const keyOf = ({ rolloutID, startTime }: HistoryEntry): string => `${rolloutID} ${startTime}`;

interface Trace {
  readonly traceId: string;
  readonly rootId: string;
  readonly parentId?: string;
  readonly admittedMs: number | undefined;
  readonly attributes: Attributes;
  readonly sha256: Sha256;
}

/** The trace of a release. Without a webhook, its ids are derived from the history. */
function traceOf(rollout: Rollout, entry: HistoryEntry, sampling: Sampling, sha256: Sha256): Trace | undefined {
  const { namespace = '', name, uid = '' } = rollout.metadata;
  const { rolloutID, startTime, revision, author } = entry;
  const facts = [uid, rolloutID, startTime];
  const context = entry.trace ?? newTrace(facts, { ...sampling, admitted: startTime }, undefined, sha256);
  const root = parseTraceparent(context.traceparent);
  if (!root?.sampled) return undefined;
  return {
    traceId: root.traceId,
    rootId: root.spanId,
    ...(entry.trace?.parent && { parentId: entry.trace.parent }),
    admittedMs: parseTime(entry.trace?.admitted),
    attributes: {
      'k8s.namespace.name': namespace,
      [`k8s.${kindOf(rollout.spec.workloadRef)?.workloadType ?? 'deployment'}.name`]: rollout.spec.workloadRef.name,
      'tranche.rollout': name,
      'tranche.rollout_id': rolloutID,
      ...(revision && { 'tranche.revision': revision }),
      ...(author && { 'tranche.author': author }),
    },
    sha256,
  };
}

function child(
  { traceId, rootId, attributes, sha256 }: Trace,
  name: string,
  startMs: number,
  endMs: number,
  more: Attributes = {},
  events: readonly SpanEvent[] = [],
): Span {
  return {
    traceId,
    spanId: spanIdOf(sha256, name, rootId, String(startMs)),
    parentId: rootId,
    name,
    startMs,
    endMs: Math.max(startMs, endMs),
    attributes: { ...attributes, ...more },
    events,
  };
}

/** From the webhook's response until the operator starts the release. */
function admission(trace: Trace, { startTime }: HistoryEntry): Span[] {
  const { admittedMs } = trace;
  return admittedMs === undefined ? [] : [child(trace, 'admission', admittedMs, parseTime(startTime) ?? admittedMs)];
}

/** What the checks of this release said last. */
const checksOf = ({ status }: Rollout, { rolloutID }: HistoryEntry): readonly CheckStatus[] =>
  status?.canaryStatus?.observedRolloutID === rolloutID ? (status.canaryStatus.analysis ?? []) : [];

const judged = (check: CheckStatus): SpanEvent => {
  const { name, verdict, since, total, bad, evidence } = check;
  return happened('check', since, {
    check: name,
    verdict,
    seen: seenBy(check),
    ...(total === undefined ? {} : { total }),
    ...(bad === undefined ? {} : { bad }),
    ...(evidence === undefined ? {} : { evidence }),
  });
};

function whole(trace: Trace, entry: HistoryEntry, endMs: number, checks: readonly CheckStatus[]): Span {
  const { outcome = '', approvals = [], brokenGlass = [] } = entry;
  const { traceId, rootId: spanId, parentId, attributes, admittedMs } = trace;
  const startMs = Math.min(admittedMs ?? Infinity, parseTime(entry.startTime) ?? endMs);
  return {
    traceId,
    spanId,
    ...(parentId && { parentId, remoteParent: true }),
    name: 'release',
    startMs,
    endMs: Math.max(startMs, endMs),
    attributes: { ...attributes, 'tranche.outcome': outcome },
    events: [
      ...approvals.map((approval) => approved(approval)),
      ...brokenGlass.map(({ user, reason, time }) => happened('glass broken', time, { user, reason })),
      ...checks.map(judged),
    ],
    ...(outcome === 'Failed' && { error: failure(checks) }),
  };
}

const failure = (checks: readonly CheckStatus[]): string => {
  const worse = checks.find(({ verdict }) => verdict === 'Worse');
  return worse === undefined ? 'Pods of the new version failed' : `check ${worse.name} was Worse`;
};

const approved = ({ step, user, time }: { step: number; user: string; time: string }): SpanEvent =>
  happened('approved', time, { user, step });

const happened = (name: string, time: string, attributes: Attributes): SpanEvent => ({
  name,
  atMs: parseTime(time) ?? 0,
  attributes,
});

/** Spans of the stages. A release is always in one stage, and its span ends when the next starts. */
function stages(trace: Trace, before: Rollout, after: Rollout, entry: HistoryEntry, now: number): Span[] {
  const [was, is] = [stageOf(before), stageOf(after)];
  const ended = entry.endTime !== undefined;
  if (was?.since === undefined || (!ended && was.key === is?.key)) return [];
  const endMs = (ended ? parseTime(entry.endTime) : is?.since) ?? now;
  const given = entry.approvals ?? after.status?.canaryStatus?.approvals ?? [];
  const events = given.filter(({ step, rolloutID }) => was.key === `wait ${step}` && rolloutID === entry.rolloutID);
  return [child(trace, was.name, was.since, endMs, was.attributes, events.map(approved))];
}

/** Spans of interruptions: stalled, blocked and paused. Each starts and ends with a condition. */
function interruptions(trace: Trace, before: Rollout, after: Rollout, entry: HistoryEntry, now: number): Span[] {
  const ended = entry.endTime === undefined ? undefined : (parseTime(entry.endTime) ?? now);
  const was = (type: string) => conditionOf(before.status?.conditions, type);
  const is = (type: string) => conditionOf(after.status?.conditions, type);
  const goes = (type: string) => was(type)?.status === 'True' && is(type)?.status !== 'True';
  const over = (name: string, type: string, from: string | undefined, to: string | undefined): Span[] => {
    const startMs = parseTime(from);
    const { reason = '', message = '' } = was(type) ?? {};
    const what = { 'tranche.reason': reason, 'tranche.message': message };
    return startMs === undefined ? [] : [child(trace, name, startMs, ended ?? parseTime(to) ?? now, what)];
  };
  const stalled = was('Stalled')?.status === 'True' && (ended !== undefined || goes('Stalled'));
  const blocked = was('PolicyBlocked')?.status === 'True' && (ended !== undefined || goes('PolicyBlocked'));
  const paused =
    progressingReason(before) === 'Paused' && (ended !== undefined || progressingReason(after) !== 'Paused');
  const begun = after.status?.canaryStatus?.lastUpdateTime;
  return [
    ...(stalled
      ? over('stalled', 'Stalled', was('Stalled')?.lastTransitionTime, is('Stalled')?.lastTransitionTime)
      : []),
    ...(blocked ? over('blocked by a policy', 'PolicyBlocked', was('PolicyBlocked')?.lastTransitionTime, begun) : []),
    ...(paused
      ? over('paused', 'Progressing', was('Progressing')?.lastUpdateTime, is('Progressing')?.lastUpdateTime)
      : []),
  ];
}

function stageOf({ spec, status }: Rollout): Stage | undefined {
  const canary = status?.canaryStatus;
  if (!canary) return undefined;
  const progressing = conditionOf(status.conditions, 'Progressing');
  if (progressing?.reason === 'Cancelling') {
    return { key: 'cancel', name: 'roll back', since: parseTime(progressing.lastUpdateTime), attributes: {} };
  }
  const { currentStepIndex: index, currentStepState: state, lastUpdateTime, canaryReplicas } = canary;
  const steps = spec.strategy.canary?.steps ?? [];
  const since = parseTime(lastUpdateTime);
  if (state === 'Completed') return { key: 'finish', name: 'give back', since, attributes: {} };
  const seconds = pauseSeconds(steps[index - 1]);
  const [key, what] = {
    '': ['begin', 'wait to begin'],
    BeforeStepUpgrade: ['begin', 'wait to begin'],
    StepUpgrade: ['upgrade', 'upgrade'],
    StepTrafficRouting: ['wait', 'wait'],
    StepMetricsAnalysis: ['watch', 'watched by the checks'],
    StepPaused: ['wait', seconds === Infinity ? 'wait for approval' : `wait ${seconds} s`],
    StepReady: ['wait', seconds === Infinity ? 'wait for approval' : `wait ${seconds} s`],
  }[state] as [string, string];
  return {
    key: `${key} ${index}`,
    name: `${stepOf(index, Math.max(steps.length, 1))}: ${what}`,
    since,
    attributes: { 'tranche.step': index, 'tranche.pods': canaryReplicas },
  };
}
