// Is a release in flight? The workload's own record says so first; the Rollout's status follows it.
import { HELD, PAUSED_UNSEEN } from '../../api/keys.ts';
import type { KubeObject, Rollout } from '../../api/types.ts';

const PHASES: ReadonlySet<string> = new Set(['Progressing', 'Disabling', 'Terminating']);

/** A record that cannot be read counts as well. */
export const isHeld = (workload: KubeObject | undefined): boolean =>
  [HELD, PAUSED_UNSEEN].some((key) => workload?.metadata.annotations?.[key] !== undefined);

export const isInFlight = ({ status }: Rollout, workload: KubeObject | undefined): boolean =>
  isHeld(workload) || PHASES.has(status?.phase ?? '');
