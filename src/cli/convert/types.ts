// The result of a conversion, and helpers for it.
import { isObject, type Json } from '../../api/json.ts';
import { ROLLOUTS } from '../../api/resources.ts';

export interface Converted {
  /** Objects to apply, in this order. */
  readonly objects: readonly Json[];
  /** Fields without a counterpart or with another meaning, and what to do. */
  readonly notes: readonly string[];
}

export const asObject = (value: unknown): Json | undefined => (isObject(value) ? value : undefined);

/** `argoproj.io`; empty for the core group. */
export const groupOf = (object: Json): string => /^[^/]*/.exec(String(object['apiVersion'] ?? ''))?.[0] ?? '';

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

/** A step that waits for `seconds`, or for approval if they are undefined. */
export const step = (replicas: number | string, seconds: number | undefined): Json =>
  seconds === undefined ? { replicas } : { replicas, pause: { duration: seconds } };

export function rollout(metadata: Json, deployment: string, steps: readonly Json[], canary: Json = {}): Json {
  const { name, namespace } = metadata;
  return {
    apiVersion: ROLLOUTS.apiVersion,
    kind: ROLLOUTS.kind,
    metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
    spec: {
      workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: deployment },
      strategy: { canary: { ...canary, steps } },
    },
  };
}

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
