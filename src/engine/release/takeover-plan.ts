// The next write of a takeover of a workload that OpenKruise Rollouts left, or why there is none: what is the same for all kinds.
import * as keys from '../../api/keys.ts';
import { DEPLOYMENTS } from '../../api/resources.ts';
import type { KubeObject, ReplicaSet, Rollout, Workload } from '../../api/types.ts';
import { patchFor } from '../admit/patch.ts';
import type { PatchOp } from '../lib/json-patch.ts';
import { namespaceFlag, workloadArgument } from '../lib/text.ts';
import { validateRollout } from '../validate/rollout.ts';
import { sentence } from '../validate/violation.ts';
import type { WorkloadKind } from '../workload/kind.ts';
import { tracesOf } from './openkruise.ts';

export interface Service extends KubeObject {
  readonly spec?: { readonly selector?: Readonly<Record<string, string>> };
}

/** How to end a release that no Rollout continues in steps. */
export type Ending = 'Finish' | 'Rollback';

/** One write, or why there is none. */
export type TakeoverPlan =
  | { readonly kind: 'Nothing'; readonly says: string }
  /** Another controller must act first. */
  | { readonly kind: 'Wait'; readonly waitsFor: string }
  /** One write of a ReplicaSet. A new plan follows. */
  | { readonly kind: 'PatchReplicaSet'; readonly set: ReplicaSet; readonly spec: object; readonly says: string }
  | {
      readonly kind: 'PatchWorkload';
      readonly ops: readonly PatchOp[];
      readonly says: string;
      /** The settings that OpenKruise did not keep, and the values that replace them. Undefined if it kept all. */
      readonly guessed?: string | undefined;
    }
  | { readonly kind: 'Refuse'; readonly reason: string; readonly remedy: string };

export const refuse = (reason: string, remedy: string): TakeoverPlan => ({ kind: 'Refuse', reason, remedy });
export const wait = (waitsFor: string): TakeoverPlan => ({ kind: 'Wait', waitsFor });

/** The Rollout that continues a release. Undefined if it is disabled or being deleted. */
export const governorOf = (owner: Rollout | undefined): Rollout | undefined =>
  owner && owner.metadata.deletionTimestamp === undefined && owner.spec.disabled !== true ? owner : undefined;

/** The Rollout for facts about a workload that no Rollout names. */
export const nobody = ({ resource: { apiVersion, kind } }: WorkloadKind, { metadata }: Workload): Rollout => ({
  metadata: { name: '', namespace: metadata.namespace ?? 'default' },
  spec: { workloadRef: { apiVersion, kind, name: metadata.name }, strategy: {} },
});

const argument = ({ resource }: WorkloadKind, workload: Workload): string =>
  `${workloadArgument(resource, workload.metadata.name)}${namespaceFlag(workload)}`;

/** How to end the release without its Rollout. */
export const endWithout = (kind: WorkloadKind, workload: Workload, rollout: Rollout): string =>
  `end this release without steps: kubectl delete ${keys.ROLLOUT_RESOURCE} ${rollout.metadata.name}${namespaceFlag(workload)} --wait=false, then ` +
  `kubectl tranche takeover ${argument(kind, workload)} --finish (or --rollback)`;

/** Refuses a Rollout that Tranche does not support. Undefined if it does. */
export function refuseUnsupported(kind: WorkloadKind, workload: Workload, rollout: Rollout): TakeoverPlan | undefined {
  const { violations } = validateRollout({ rollout, version: 'v1beta1' });
  if (violations.length === 0) return undefined;
  return refuse(
    `Tranche does not support Rollout ${rollout.metadata.name}: ${violations.map(sentence).join('; ')}`,
    `change the Rollout and try again, or ${endWithout(kind, workload, rollout)}`,
  );
}

/** The Rollout would continue with this step. `revision`: the hash of the new version. */
export function onward({ metadata, spec, status }: Rollout, revision: string): string {
  const steps = spec.strategy.canary?.steps?.length ?? 0;
  const canary = status?.canaryStatus;
  const same = revision !== '' && [canary?.canaryRevision, canary?.podTemplateHash].includes(revision);
  const step = status?.phase === 'Progressing' && canary && same ? Math.max(1, canary.currentStepIndex) : undefined;
  const how = step === undefined ? 'starts with step 1' : `continues with step ${step}`;
  return `Rollout ${metadata.name} ${how} of ${steps}`;
}

/** Refuses while a Service selects Pods of only one version of the workload. Without that version, the Service has no Pods. */
export function refusePinned(
  kind: WorkloadKind,
  { spec }: Workload,
  services: readonly Service[],
): TakeoverPlan | undefined {
  const label = kind.resource === DEPLOYMENTS ? keys.POD_TEMPLATE_HASH : keys.CONTROLLER_REVISION_HASH;
  const labels = spec.template.metadata?.labels ?? {};
  const pins = ({ spec: { selector = {} } = {} }: Service): boolean =>
    selector[label] !== undefined &&
    Object.entries(selector).every(([key, value]) => key === label || labels[key] === value);
  const pinned = services.find(pins);
  if (pinned === undefined) return undefined;
  return refuse(
    `Service ${pinned.metadata.name} selects only one version, because OpenKruise routed traffic; it would have no Pods when that version ends`,
    `kubectl patch service ${pinned.metadata.name}${namespaceFlag(pinned)} --type=json -p '[{"op":"remove","path":"/spec/selector/${label}"}]' ` +
      '(then all versions get traffic), or delete the Service if OpenKruise created it (NAME-canary); then try again',
  );
}

export function refuseEnding(kind: WorkloadKind, workload: Workload, rollout: Rollout): TakeoverPlan {
  const { name } = rollout.metadata;
  const where = namespaceFlag(workload);
  return refuse(
    `Rollout ${name} can continue this release in steps, so the takeover must not end it`,
    `kubectl tranche takeover ${argument(kind, workload)}, then kubectl tranche finish ${name}${where} or kubectl tranche abort ${name}${where}`,
  );
}

export function askForEnding(kind: WorkloadKind, workload: Workload, owner: Rollout | undefined): TakeoverPlan {
  const why =
    owner === undefined
      ? 'no Rollout names it'
      : `Rollout ${owner.metadata.name} is ${owner.metadata.deletionTimestamp === undefined ? 'disabled' : 'being deleted'}`;
  return refuse(
    `${why}, so it cannot be released in steps`,
    `kubectl tranche takeover ${argument(kind, workload)} --finish (a normal rolling update to its template), or --rollback (to the stable version)`,
  );
}

/** Removes OpenKruise's keys from a workload that it does not hold. */
export function clean(kind: WorkloadKind, workload: Workload): TakeoverPlan {
  const traces = tracesOf(workload);
  const own = workload.metadata.annotations?.[keys.HELD] !== undefined;
  const annotations = { ...traces.annotations, ...(own ? {} : { [keys.IN_PROGRESSING]: null }) };
  const ops = [version(workload), ...patchFor(kind, workload, { annotations, labels: traces.labels })];
  return { kind: 'PatchWorkload', ops, says: 'cleaned: it had only annotations of OpenKruise Rollouts' };
}

/** The write is refused if the object has changed. */
export const version = ({ metadata }: Workload): PatchOp => ({
  op: 'replace',
  path: '/metadata/resourceVersion',
  value: metadata.resourceVersion,
});
