// What an object is to be after an edit, and the JSON patch that makes it so: operations that change nothing but the fields we mean.
import type { Workload } from '../../api/types.ts';
import { patchMap, type PatchOp } from '../lib/json-patch.ts';
import type { Borrowed } from '../workload/edits.ts';
import type { WorkloadKind } from '../workload/kind.ts';

/** What the object should be; a key that is not named stays as it was received, `null` = absent. */
export interface Wanted {
  readonly labels?: Readonly<Record<string, string | null>>;
  readonly annotations?: Readonly<Record<string, string | null>>;
  readonly borrowed?: Borrowed | undefined;
}

/** Computed against the object exactly as it was received. */
export const patchFor = (kind: WorkloadKind, received: Workload, wanted: Wanted): PatchOp[] => [
  ...patchMap('/metadata/labels', received.metadata.labels, wanted.labels ?? {}),
  ...patchMap('/metadata/annotations', received.metadata.annotations, wanted.annotations ?? {}),
  ...(wanted.borrowed === undefined ? [] : kind.edits.patch(received, wanted.borrowed)),
];
