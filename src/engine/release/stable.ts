// Which version a release may roll back to. Users who can edit a workload can write its record, so the record alone is not trusted.
import { STABLE_OF } from '../../api/keys.ts';
import { DAEMON_SETS, DEPLOYMENTS, type Resource } from '../../api/resources.ts';
import type {
  ControllerRevision,
  HoldRecord,
  KubeObject,
  PodTemplate,
  Rollout,
  Workload,
  TemplateDigest,
} from '../../api/types.ts';
import { isInFlight } from './in-flight.ts';
import { deploymentTemplate, type DigestOf } from '../lib/template.ts';
import { labelValueOf } from '../lib/text.ts';
import { progressingReason } from '../status.ts';
import type { Version } from '../workload/kind.ts';

/**
 * Digests of the templates that a release may roll back to, from the Rollout's status, which only the operator writes. Empty if the operator has
 * not written it yet, or OpenKruise wrote it. When the steps are done: the new template, for a newer change, and the previous stable one.
 */
function knownStables(rollout: Rollout | undefined): readonly TemplateDigest[] {
  const status = rollout?.status?.canaryStatus;
  if (rollout === undefined || status === undefined) return [];
  const known = isFinishing(rollout)
    ? [status.templateDigest, status.stableDigest]
    : [isInFlight(rollout, undefined) ? status.stableDigest : status.templateDigest];
  return known.filter((digest): digest is TemplateDigest => digest !== undefined && digest !== '');
}

/** The steps are done, and the workload's controller is not yet. */
const isFinishing = (rollout: Rollout): boolean =>
  isInFlight(rollout, undefined) && progressingReason(rollout) === 'Finalising';

export const knownStable = (rollout: Rollout): TemplateDigest | undefined => knownStables(rollout)[0];

/** True if admission itself may roll back to this template: record and status agree. */
export const isTrusted = (held: HoldRecord, rollout: Rollout | undefined): boolean =>
  knownStables(rollout).includes(held.stable);

/**
 * The digest of the version to roll back to. If record and status differ, the version with available Pods. If neither has any, the version of most
 * available Pods, but never the one that is released: with enough Pods it would end its own release. `template`: of the workload.
 */
export function stableDigest(
  { stable }: HoldRecord,
  rollout: Rollout,
  template: PodTemplate,
  versions: readonly Version[],
  digest: DigestOf,
): TemplateDigest {
  const known = knownStables(rollout);
  if (known.includes(stable)) return stable;
  const runs = (wanted: TemplateDigest): boolean =>
    versions.some((one) => one.available > 0 && digest(one.template) === wanted);
  const released = digest(template);
  const before = isFinishing(rollout) && known[0] === released ? known[1] : known[0];
  if (before !== undefined && (runs(before) || !runs(stable))) return before;
  if (runs(stable)) return stable;
  const others = versions.filter((one) => digest(one.template) !== released);
  const [largest] = others.toSorted((a, b) => b.available - a.available);
  return largest !== undefined && largest.available > 0 ? digest(largest.template) : stable;
}

/**
 * A copy of the stable template for the duration of a release. Neither revisionHistoryLimit nor users with Kubernetes' role `edit` can remove it,
 * because that role cannot write ControllerRevisions. Like Kubernetes' own ControllerRevisions, its data is a strategic merge patch: it restores
 * the template, and pauses a Deployment.
 */
export function stableCopy(
  kind: Resource,
  workload: Workload,
  template: PodTemplate,
  digest: TemplateDigest,
): ControllerRevision {
  const { name, namespace, uid } = workload.metadata;
  return {
    apiVersion: 'apps/v1',
    kind: 'ControllerRevision',
    metadata: {
      name: copyName(workload, digest),
      ...(namespace === undefined ? {} : { namespace }),
      labels: { [STABLE_OF]: labelValueOf(name) },
      ownerReferences: [
        {
          apiVersion: kind.apiVersion,
          kind: kind.kind,
          name,
          uid: uid ?? '',
          // The DaemonSet controller removes itself as the owner of revisions without the labels of its Pods.
          ...(kind.kind !== DAEMON_SETS.kind && { controller: true }),
        },
      ],
    },
    revision: 1,
    data: {
      spec: {
        ...(kind === DEPLOYMENTS && { paused: true }),
        template: { ...deploymentTemplate(template), $patch: 'replace' },
      },
    },
  };
}

const MAX_NAME = 230;

/** Workloads of different kinds may have the same name, and the same template. */
export function copyName({ kind, metadata: { name } }: KubeObject, digest: TemplateDigest): string {
  const of = kind === undefined || kind === DEPLOYMENTS.kind ? '' : `-${kind.toLowerCase()}`;
  return `${name.slice(0, MAX_NAME - of.length)}${of}-stable-${digest.slice(0, 10)}`;
}

/** The template in a copy. Undefined if its digest differs. */
export function templateOf(
  copy: ControllerRevision | undefined,
  wanted: TemplateDigest,
  digest: DigestOf,
): PodTemplate | undefined {
  const kept = copy?.data?.spec?.template;
  if (kept === undefined || kept === null) return undefined;
  const { $patch: _, ...template } = kept as PodTemplate & { $patch?: string };
  return digest(template) === wanted ? template : undefined;
}
