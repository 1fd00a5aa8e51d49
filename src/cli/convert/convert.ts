// Calls the converter for an object.
import type { Json } from '../../api/json.ts';
import { convertArgo } from './argo.ts';
import { convertCompanion } from './companions.ts';
import { convertFlagger } from './flagger.ts';
import { asObject, groupOf, type Converted } from './types.ts';

/** `all`: all objects of the files. */
export function convertObject(object: Json, all: readonly Json[]): Converted {
  if (isArgo(object)) return convertArgo(object, all);
  if (groupOf(object) === 'flagger.app' && object['kind'] === 'Canary') return convertFlagger(object, all);
  return convertCompanion(object, (rollout) => deploymentOf(rollout, all));
}

/** The Deployment of an Argo Rollout: its workloadRef, otherwise the same name. */
function deploymentOf(rollout: string, all: readonly Json[]): string {
  const argo = all.find((one) => isArgo(one) && asObject(one['metadata'])?.['name'] === rollout);
  const ref = asObject(asObject(argo?.['spec'])?.['workloadRef']);
  return String(ref?.['name'] ?? rollout);
}

const isArgo = (object: Json): boolean => groupOf(object) === 'argoproj.io' && object['kind'] === 'Rollout';

export const isRollout = ({ kind }: Json): boolean => kind === 'Rollout';
export const nameOf = (object: Json): string => String(asObject(object['metadata'])?.['name']);
