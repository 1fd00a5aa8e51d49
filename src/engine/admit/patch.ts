// The wanted state of an object after an edit, and the JSON patch for it, which changes no other fields.
import type { Workload } from '../../api/types.ts';
import { patchMap, type PatchOp } from '../lib/json-patch.ts';
import type { Borrowed } from '../workload/edits.ts';
import type { WorkloadKind } from '../workload/kind.ts';

/** The wanted state. Keys that are not named stay as received. `null` means absent. */
export interface Wanted {
  readonly labels?: Readonly<Record<string, string | null>>;
  readonly annotations?: Readonly<Record<string, string | null>>;
  readonly borrowed?: Borrowed | undefined;
}

/** The patch for the object exactly as it was received. */
export const patchFor = (kind: WorkloadKind, received: Workload, wanted: Wanted): PatchOp[] => [
  ...patchMap('/metadata/labels', received.metadata.labels, wanted.labels ?? {}),
  ...patchMap('/metadata/annotations', received.metadata.annotations, wanted.annotations ?? {}),
  ...(wanted.borrowed === undefined ? [] : kind.edits.patch(received, wanted.borrowed)),
];
