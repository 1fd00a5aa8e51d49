// The annotation on the workload that says that a leg carries requests: with it, admission does not give the workload back at once.
import { TRAFFIC } from '../../api/keys.ts';
import type { TrafficMode } from '../../api/traffic.ts';
import { patchObject } from '../workload/effects.ts';
import { kindOf } from '../workload/registry.ts';
import type { Scene, TrafficStep } from './scene.ts';

/**
 * Set before the first requests go to a leg, and removed (null) when all proxies have the user's route. Undefined if it is as wanted. Users can write
 * it: it only makes a rollback wait for traffic, and the operator looks at the route whether it is there or not.
 */
export function carried(scene: Scene, mode: TrafficMode | null): TrafficStep | undefined {
  const { workload, rollout, known } = scene;
  const kind = kindOf(rollout.spec.workloadRef);
  if (workload === undefined || kind === undefined) return undefined;
  const effects = patchObject('route', kind.resource, workload, { annotations: { [TRAFFIC]: mode } });
  if (effects.length === 0) return undefined;
  return {
    reached: false,
    effects,
    waits: `${kind.resource.kind} ${workload.metadata.name} is written`,
    status: known,
  };
}
