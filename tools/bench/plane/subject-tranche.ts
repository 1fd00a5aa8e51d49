// Tranche, of this checkout or another one.
import { DEPLOYMENTS, ROLLOUTS } from '../../../src/api/resources.ts';
import { pathOf } from '../../../src/kube/path.ts';
import { OWN } from './audit.ts';
import { OPERATOR_USER, startInstalled } from './install.ts';
import { deployment, newVersion, rollout, seenRollout } from './objects.ts';
import type { Subject } from './subject.ts';

/** Of all programs with OpenKruise's API. */
export const onDeployments: Pick<Subject, 'deployment' | 'rollouts' | 'rollout' | 'release' | 'seen'> = {
  ...{ deployment, rollouts: ROLLOUTS, rollout, seen: seenRollout },
  release: (place, version) => ({
    method: 'PATCH',
    path: pathOf(DEPLOYMENTS, place),
    contentType: 'application/strategic-merge-patch+json',
    body: newVersion(version),
  }),
};

export const tranche = (checkout: string): Subject => ({
  ...onDeployments,
  ...{ own: { user: OPERATOR_USER, name: OWN }, hasMainThread: true },
  start: (plane, api) => startInstalled(plane, api, checkout),
});
