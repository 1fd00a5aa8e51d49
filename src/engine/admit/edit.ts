// An edit of a workload, as the rules of admission see it, and the ruling of a rule.
import * as keys from '../../api/keys.ts';
import type { Deployment, Rollout, TemplateDigest, Workload } from '../../api/types.ts';
import type { Grant, GrantFacts } from '../release/completed.ts';
import type { Sha256, TemplateChange } from '../lib/template.ts';
import type { Tracing } from '../trace/trace.ts';
import type { Violation } from '../validate/violation.ts';
import type { WorkloadEdit } from '../workload/edits.ts';
import type { Owned } from '../workload/field-owners.ts';
import type { PatchOp } from '../lib/json-patch.ts';
import type { WorkloadKind } from '../workload/kind.ts';
import type { Wanted } from './patch.ts';

export interface Edit extends WorkloadEdit<Deployment> {
  /** The kind of the workload. Defaults to Deployment. */
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
  /** What decides whether a version may be restored without steps. Absent: none may. */
  readonly granting?: () => Pick<GrantFacts, 'policies' | 'now'>;
  /** Releases are traced. */
  readonly tracing?: Tracing | undefined;
}

export type Verdict =
  /** The edit does not concern Tranche, or nothing has to change. */
  | 'Passed'
  /** A workload that a Rollout names got the enrolment label. */
  | 'Enrolled'
  /** A release starts: the workload is held. */
  | 'Held'
  /** A newer version during a release: the workload stays held, and the release starts at step 1. */
  | 'Superseded'
  /** The stable version again: the workload is given back and rolls back without steps. */
  | 'RolledBack'
  /** A version that was completed before: it is rolled out without steps, within rollbackWindow or with an approval. */
  | 'Restored'
  /** Another edit during a release: the user's settings are recorded, and Tranche's settings restored. */
  | 'Kept'
  /** Resumed without a governing Rollout: given back with the user's settings. */
  | 'Freed'
  /** A template change without steps, for the reason in the warning. */
  | 'Bypassed'
  /** The edit adds a record to take over a release of OpenKruise. This requires the verb takeover. */
  | 'TakenOver'
  | 'Refused';

/** The result of the rule that applies to an edit, before policies are checked. */
export interface Ruling {
  readonly verdict: Verdict;
  /** True for operations that change no settings of the user. A patch of only such operations is `Passed`. Absent if the verdict always stays. */
  readonly isQuiet?: (op: PatchOp) => boolean;
  /** The wanted state of the object. Absent if it does not change. Marks are added later. */
  readonly wanted?: Wanted;
  /** Warnings for the user, which the API server returns to the client. */
  readonly warnings: readonly string[];
  /** Set when refused. */
  readonly refusal?: Violation;
}

/** An edit with the facts that the rules need. */
export interface Context extends Edit, InterceptOptions {
  readonly kind: WorkloadKind;
  /** The Rollout that names this workload, even if it is disabled or being deleted. */
  readonly rollout: Rollout | undefined;
  /** What the edit does to the template. */
  readonly change: TemplateChange;
  /** `change` is not `None`. */
  readonly changed: boolean;
  /** Digest of the template of the old or new object, computed once for each. */
  readonly digest: (workload: Workload) => TemplateDigest;
  /** The new template was completed before. `grant`: why it may be restored without steps. Computed at the first call. */
  readonly earlier: () => { readonly grant: Grant | undefined } | undefined;
  /** Owners of the borrowed fields, computed at the first call. */
  readonly owned: (old: Workload) => Owned;
}

/** True for the operator's own edits. Outside a cluster a user may have the same username, so the field manager must match too. */
export const isOperators = (by: Pick<Edit, 'user' | 'fieldManager'>, operatorUser: string): boolean =>
  by.user === operatorUser && by.fieldManager === keys.FIELD_MANAGER;

/** True if the Rollout is neither disabled nor being deleted. */
export const governs = (rollout: Rollout | undefined): rollout is Rollout =>
  rollout !== undefined && rollout.metadata.deletionTimestamp === undefined && rollout.spec.disabled !== true;

/** True if the object has the enrolment label or a record, even an invalid one. */
export const isMarkedAsOurs = (metadata: Deployment['metadata'] | undefined): boolean =>
  metadata?.labels?.[keys.WORKLOAD_TYPE] !== undefined || metadata?.annotations?.[keys.HELD] !== undefined;

export const labelOf = (d: Workload | undefined, key: string): string | undefined => d?.metadata.labels?.[key];
export const annotationOf = (d: Workload | undefined, key: string): string | undefined =>
  d?.metadata.annotations?.[key];

/** The labels that the edit dropped, with their old values. Changed labels keep the user's value. */
export const keepLabels = (old: Workload, next: Workload, names: readonly string[]): Record<string, string> =>
  Object.fromEntries(
    names.flatMap((key) => {
      const before = labelOf(old, key);
      return before !== undefined && labelOf(next, key) === undefined ? [[key, before]] : [];
    }),
  );
