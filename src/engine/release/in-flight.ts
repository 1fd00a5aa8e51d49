// Whether a release is in progress. The record on the workload is written first, and the Rollout's status follows.
import { HELD, PAUSED_UNSEEN } from '../../api/keys.ts';
import type { KubeObject, Rollout } from '../../api/types.ts';

const PHASES: ReadonlySet<string> = new Set(['Progressing', 'Disabling', 'Terminating']);

/** An invalid record counts as well. */
export const isHeld = (workload: KubeObject | undefined): boolean =>
  [HELD, PAUSED_UNSEEN].some((key) => workload?.metadata.annotations?.[key] !== undefined);

export const isInFlight = ({ status }: Rollout, workload: KubeObject | undefined): boolean =>
  isHeld(workload) || PHASES.has(status?.phase ?? '');
