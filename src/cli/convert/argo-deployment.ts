// The Deployment of an Argo Rollout: made from its template, or the one that its workloadRef names.
import type { Json } from '../../api/json.ts';
import { asObject, lost, note, type Remark } from './types.ts';

const FIELDS = [
  'replicas',
  'selector',
  'template',
  'minReadySeconds',
  'revisionHistoryLimit',
  'progressDeadlineSeconds',
] as const;
const LIMITS = ['maxSurge', 'maxUnavailable'] as const;

interface FoundDeployment {
  readonly name: string;
  /** Undefined: it exists already. */
  readonly object?: Json;
  readonly remarks: readonly Remark[];
}

/** `metadata`: what is kept of the Argo Rollout's. */
export function deploymentOf(metadata: Json, spec: Json, canary: Json): FoundDeployment {
  const ref = asObject(spec['workloadRef']);
  if (ref) return { name: String(ref['name']), remarks: [...ofReference(ref, spec, canary)] };
  const fields = Object.fromEntries(
    FIELDS.filter((field) => spec[field] !== undefined).map((field) => [field, spec[field]]),
  );
  const template = asObject(fields['template']);
  if (template) fields['template'] = { ...template, metadata: withoutTimestamp(asObject(template['metadata'])) };
  const limits = Object.fromEntries(
    LIMITS.filter((field) => canary[field] !== undefined).map((field) => [field, canary[field]]),
  );
  const strategy = Object.keys(limits).length > 0 ? { strategy: { type: 'RollingUpdate', rollingUpdate: limits } } : {};
  return {
    name: String(metadata['name']),
    object: { apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec: { ...fields, ...strategy } },
    remarks: [],
  };
}

/** The Deployment has its own settings, so those of the Argo Rollout go nowhere. */
function* ofReference(ref: Json, spec: Json, canary: Json): Generator<Remark> {
  const name = JSON.stringify(String(ref['name']));
  if (ref['kind'] !== undefined && ref['kind'] !== 'Deployment')
    yield lost(`spec.workloadRef: kind ${String(ref['kind'])} is not supported: write a Deployment`);
  yield note(
    `spec.workloadRef: Deployment ${name} stays unchanged; scale it up before you delete the Argo Rollout (scaleDown: ${String(ref['scaleDown'] ?? 'never')})`,
  );
  for (const field of FIELDS)
    if (spec[field] !== undefined && field !== 'progressDeadlineSeconds')
      yield lost(`spec.${field}${shown(spec[field])}: set it in Deployment ${name}`);
  for (const field of LIMITS)
    if (canary[field] !== undefined)
      yield lost(
        `spec.strategy.canary.${field}${shown(canary[field])}: set it in spec.strategy.rollingUpdate of Deployment ${name}`,
      );
}

const shown = (value: unknown): string => (typeof value === 'object' ? '' : ` ${JSON.stringify(value)}`);

/** Removes `creationTimestamp: null`, which some clients write into templates. */
function withoutTimestamp(metadata: Json | undefined): Json {
  const { creationTimestamp: _, ...rest } = metadata ?? {};
  return rest;
}
