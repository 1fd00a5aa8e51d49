// The result of a conversion, and helpers for it.
import type { Source } from './checks.ts';
import { isObject, type Json } from '../../api/json.ts';
import { ROLLOUTS } from '../../api/resources.ts';

export interface Converted {
  /** Objects to apply, in this order. */
  readonly objects: readonly Json[];
  readonly remarks: readonly Remark[];
  /** The MetricSources that the checks need. */
  readonly sources?: readonly Source[];
}

export interface Remark {
  /** Something is dropped, or something else stands for it. False: something to know or to do. */
  readonly lost: boolean;
  /** The field or the object, why, and what to do. */
  readonly text: string;
}

export const lost = (text: string): Remark => ({ lost: true, text });
export const note = (text: string): Remark => ({ lost: false, text });

export const asObject = (value: unknown): Json | undefined => (isObject(value) ? value : undefined);

/** `argoproj.io`; empty for the core group. */
export const groupOf = (object: Json): string => /^[^/]*(?=\/)/.exec(String(object['apiVersion'] ?? ''))?.[0] ?? '';

export const asList = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/** Annotations of the replaced controllers. Argo CD's own, such as sync waves, are kept. */
const LEFT_BEHIND =
  /^(kubectl\.kubernetes\.io\/last-applied-configuration|argocd\.argoproj\.io\/tracking-id|rollouts?\.argoproj\.io\/.*|notifications\.argoproj\.io\/.*|.*flagger.*)$/;

/** Keeps name, namespace, labels and annotations. */
export function metadataOf(metadata: Json | undefined): Json {
  const { name, namespace, labels, annotations } = metadata ?? {};
  const kept = Object.entries(asObject(annotations) ?? {}).filter(([key]) => !LEFT_BEHIND.test(key));
  return {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(labels === undefined ? {} : { labels }),
    ...(kept.length > 0 ? { annotations: Object.fromEntries(kept) } : {}),
  };
}

/** What belongs to the object itself and not to the one that replaces it. */
export const ownMetadata = (metadata: Json | undefined): Remark[] =>
  ['finalizers', 'ownerReferences']
    .filter((field) => metadata?.[field] !== undefined)
    .map((field) => lost(`metadata.${field}: belongs to the object that is replaced`));

/** A step while the steps are made. */
export interface Step {
  /** The share of the Pods in percent; 0: one Pod. */
  readonly weight: number;
  /** Undefined: it waits for approval. */
  seconds: number | undefined;
  /** How long checks watch the step, in seconds. */
  analysis?: number;
}

/**
 * At this place the release must not go on by itself: the step before waits for approval. A release has no wait before its first step, so a first
 * step of one Pod is added for it.
 */
export function hold(steps: Step[]): void {
  const last = steps.at(-1);
  if (last) last.seconds = undefined;
  else steps.push({ weight: 0, seconds: undefined });
}

/** Only the last step ends a release, so a wait with all Pods updated is a step of 100% before it. */
/** `routed`: a weight is also the share of the requests. */
export function stepsFrom(steps: readonly Step[], routed: boolean): Json[] {
  const written = steps.map((step) => stepOf(step.weight === 0 ? 1 : `${step.weight}%`, step, routed));
  const last = steps.at(-1);
  if (last?.weight !== 100 || last.seconds !== 0) return [...written, { replicas: '100%' }];
  const { analysis } = last;
  return [
    ...written.slice(0, -1),
    { replicas: '100%', ...(analysis !== undefined && { analysis: { seconds: analysis } }) },
  ];
}

function stepOf(replicas: number | string, step: Step, routed: boolean): Json {
  const { weight, seconds, analysis } = step;
  if (routed && weight > 0 && weight < 100) {
    const { replicas: pods, ...more } = stepOf(replicas, step, false);
    return { replicas: pods, traffic: `${weight}%`, ...more };
  }
  const watched = analysis === undefined ? {} : { analysis: { seconds: analysis } };
  // With analysis, a step waits for approval only if it has a pause.
  const waits = analysis === undefined ? {} : { pause: {} };
  if (seconds === undefined) return { replicas, ...waits, ...watched };
  return seconds === 0 && analysis !== undefined
    ? { replicas, ...watched }
    : { replicas, pause: { duration: seconds }, ...watched };
}

/** `metadata`: name and namespace, and what else the Rollout keeps. */
export const rollout = (
  metadata: Json,
  deployment: string,
  {
    steps,
    canary,
    paused = false,
  }: { readonly steps: readonly Step[]; readonly canary: Json; readonly paused?: boolean },
): Json => ({
  apiVersion: ROLLOUTS.apiVersion,
  kind: ROLLOUTS.kind,
  metadata,
  spec: {
    workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: deployment },
    strategy: {
      ...(paused ? { paused } : {}),
      canary: { ...canary, steps: stepsFrom(steps, canary['trafficRoutings'] !== undefined) },
    },
  },
});

/** The time for the Pods of a step, from a progressDeadlineSeconds. */
export const deadlineOf = (value: unknown): Json =>
  typeof value === 'number' ? { stepDeadlineSeconds: Math.max(0, Math.ceil(value)) } : {};

/** Parses `30s`, `5m`, `1h30m` and numbers of seconds. Undefined if the value is not a duration. */
export function secondsOf(value: unknown): number | undefined {
  if (typeof value === 'number') return Math.max(0, Math.ceil(value));
  if (typeof value !== 'string' || value === '') return undefined;
  if (/^\d+$/.test(value)) return Number(value);
  const parts = /^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?$/.exec(value);
  if (!parts) return undefined;
  const [hours, minutes, seconds] = parts.slice(1).map((part) => Number(part ?? 0)) as [number, number, number];
  return Math.ceil((hours * 60 + minutes) * 60 + seconds);
}
