// An edit of a workload as the rules of admission see it, and what one of them says about it.
import * as keys from '../../api/keys.ts';
import type { Deployment, Rollout, TemplateDigest, Workload } from '../../api/types.ts';
import type { Sha256, TemplateChange } from '../lib/template.ts';
import type { Tracing } from '../trace/trace.ts';
import type { Violation } from '../validate/violation.ts';
import type { WorkloadEdit } from '../workload/edits.ts';
import type { Owned } from '../workload/field-owners.ts';
import type { PatchOp } from '../lib/json-patch.ts';
import type { WorkloadKind } from '../workload/kind.ts';
import type { Wanted } from './patch.ts';

export interface Edit extends WorkloadEdit<Deployment> {
  /** What is edited; absent = a Deployment, the only kind that webhooks are called for. */
  readonly kind?: WorkloadKind;
  readonly operation: 'CREATE' | 'UPDATE';
  /** Undefined on CREATE. */
  readonly old: Deployment | undefined;
  /** `userInfo.username` of the review. */
  readonly user: string;
}

export interface InterceptOptions {
  /** The username the operator's own requests carry. */
  readonly operatorUser: string;
  readonly sha256: Sha256;
  /** Releases are traced. */
  readonly tracing?: Tracing | undefined;
}

export type Verdict =
  /** Nothing to do with us, or nothing to change. */
  | 'Passed'
  /** A Deployment that a Rollout names got its label. */
  | 'Enrolled'
  /** A release begins: held. */
  | 'Held'
  /** A newer version in the middle of a release: stays held, starts again at step 1. */
  | 'Superseded'
  /** The stable version again: freed, native rollback. */
  | 'RolledBack'
  /** An edit beside the hold: the user's settings noted, ours put back. */
  | 'Kept'
  /** Un-paused with no Rollout to say otherwise: given back as the user wrote it. */
  | 'Freed'
  /** A template change that goes out without steps, for the reason in the warning. */
  | 'Bypassed'
  /** A release that OpenKruise left is to become ours, by a record that this edit brings: only for whoever has the verb for it. */
  | 'TakenOver'
  | 'Refused';

/** What the rule that fits an edit says, before policies are asked. */
export interface Ruling {
  readonly verdict: Verdict;
  /** Tells the operations that change nothing of the user's: a patch of these alone is `Passed`. Absent = whatever the patch is, the verdict stays. */
  readonly isQuiet?: (op: PatchOp) => boolean;
  /** What the object is to be; absent = as it is. The marks that only we write come on top. */
  readonly wanted?: Wanted;
  /** Sentences for the user; the API server hands them to the client. */
  readonly warnings: readonly string[];
  /** Set when refused. */
  readonly refusal?: Violation;
}

/** An edit with everything that the rules ask about it. */
export interface Context extends Edit, InterceptOptions {
  readonly kind: WorkloadKind;
  /** The Rollout that names this Deployment; disabled and terminating ones count too. */
  readonly rollout: Rollout | undefined;
  /** What the edit does to the template. */
  readonly change: TemplateChange;
  /** `change` is not `None`. */
  readonly changed: boolean;
  /** Of the template of the old object or the new; each is worked out once. */
  readonly digest: (workload: Workload) => TemplateDigest;
  /** Who owns the fields that are borrowed; worked out when first asked for. */
  readonly owned: (old: Workload) => Owned;
}

/** Outside a cluster the operator and a person may share a username, so the field manager must fit too. */
export const isOperators = (by: Pick<Edit, 'user' | 'fieldManager'>, operatorUser: string): boolean =>
  by.user === operatorUser && by.fieldManager === keys.FIELD_MANAGER;

/** The Rollout is neither disabled nor on its way out. */
export const governs = (rollout: Rollout | undefined): rollout is Rollout =>
  rollout !== undefined && rollout.metadata.deletionTimestamp === undefined && rollout.spec.disabled !== true;

/** It carries our label or a record of ours, whatever that says. */
export const isMarkedAsOurs = (metadata: Deployment['metadata'] | undefined): boolean =>
  metadata?.labels?.[keys.WORKLOAD_TYPE] !== undefined || metadata?.annotations?.[keys.HELD] !== undefined;

export const labelOf = (d: Workload | undefined, key: string): string | undefined => d?.metadata.labels?.[key];
export const annotationOf = (d: Workload | undefined, key: string): string | undefined =>
  d?.metadata.annotations?.[key];

/** Labels that the edit dropped, as they were; a label that it changed is the user's. */
export const keepLabels = (old: Workload, next: Workload, names: readonly string[]): Record<string, string> =>
  Object.fromEntries(
    names.flatMap((key) => {
      const before = labelOf(old, key);
      return before !== undefined && labelOf(next, key) === undefined ? [[key, before]] : [];
    }),
  );
