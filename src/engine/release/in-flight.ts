// Is a release in flight? The Deployment's own record says so first; the Rollout's status follows it.
import { HELD, PAUSED_UNSEEN } from '../../api/keys.ts';
import type { Deployment, Rollout } from '../../api/types.ts';

const PHASES: ReadonlySet<string> = new Set(['Progressing', 'Disabling', 'Terminating']);

/** A record that cannot be read counts as well. */
export const isHeld = (deployment: Deployment | undefined): boolean =>
  [HELD, PAUSED_UNSEEN].some((key) => deployment?.metadata.annotations?.[key] !== undefined);

export const isInFlight = ({ status }: Rollout, deployment: Deployment | undefined): boolean =>
  isHeld(deployment) || PHASES.has(status?.phase ?? '');
