// What a broken glass is good for: one release of one Deployment, from one version to one other. No label makes it good for the next.
import { ROLLOUT_ID } from '../../api/keys.ts';
import type { BrokenGlass } from '../../api/policy.ts';
import type { Deployment, PodTemplate } from '../../api/types.ts';
import { readHeld } from '../workload/deployment/hold.ts';

export type TemplateDigest = (template: PodTemplate) => string;
export type Release = Pick<BrokenGlass, 'rolloutID' | 'uid' | 'template' | 'stable'>;

/** The release that a Deployment is in, as a mark names it. */
export function releaseOf(deployment: Deployment, digest: TemplateDigest): Release {
  const { uid, labels } = deployment.metadata;
  const rolloutID = labels?.[ROLLOUT_ID];
  const stable = readHeld(deployment)?.stable;
  return {
    ...(rolloutID !== undefined && { rolloutID }),
    ...(uid !== undefined && { uid }),
    template: digest(deployment.spec.template),
    ...(stable !== undefined && { stable }),
  };
}

/** A mark that names no release, as older versions wrote it, is about none. */
export const isAbout = (glass: BrokenGlass, release: Release): boolean =>
  glass.template !== undefined &&
  (['rolloutID', 'uid', 'template', 'stable'] as const).every((fact) => glass[fact] === release[fact]);
