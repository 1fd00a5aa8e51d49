// Templates in ControllerRevisions, for the workload kinds that keep their versions there.
import { CONTROLLER_REVISION_HASH } from '../../api/keys.ts';
import type { ControllerRevision, KubeObject, PodTemplate } from '../../api/types.ts';

/** The version of a Pod: the name of its ControllerRevision, or the hash in that name (DaemonSets). */
export const revisionOf = ({ metadata }: KubeObject): string | undefined => metadata.labels?.[CONTROLLER_REVISION_HASH];

/** The data of a revision are immutable, so each template is made once, and its digest too. */
const templates = new WeakMap<object, PodTemplate>();
const NONE: PodTemplate = {};

/** The data are a strategic merge patch, with a directive in the template. */
export function templateIn({ data }: ControllerRevision): PodTemplate {
  const stored = data?.spec?.template;
  if (stored === undefined || stored === null) return NONE;
  let template = templates.get(stored);
  if (template === undefined) {
    const { $patch: _, ...rest } = stored;
    templates.set(stored, (template = rest));
  }
  return template;
}
