// Which objects can be converted, and by whom.
import type { Json } from '../../api/json.ts';
import { convertArgo } from './argo.ts';
import { convertCompanion } from './companions.ts';
import { convertFlagger } from './flagger.ts';
import { asObject, groupOf, type Converted } from './types.ts';

/** Undefined for what has nothing to do with Argo Rollouts or Flagger. `all`: everything in the files. */
export function convertObject(object: Json, all: readonly Json[]): Converted | undefined {
  if (isArgo(object)) return convertArgo(object);
  if (groupOf(object) === 'flagger.app' && object['kind'] === 'Canary') return convertFlagger(object);
  return convertCompanion(object, (rollout) => deploymentOf(rollout, all));
}

/** An Argo Rollout with a workloadRef has a Deployment of another name, perhaps. */
function deploymentOf(rollout: string, all: readonly Json[]): string {
  const argo = all.find((one) => isArgo(one) && asObject(one['metadata'])?.['name'] === rollout);
  const ref = asObject(asObject(argo?.['spec'])?.['workloadRef']);
  return String(ref?.['name'] ?? rollout);
}

const isArgo = (object: Json): boolean => groupOf(object) === 'argoproj.io' && object['kind'] === 'Rollout';

export const isRollout = ({ kind }: Json): boolean => kind === 'Rollout';
export const nameOf = (object: Json): string => String(asObject(object['metadata'])?.['name']);
