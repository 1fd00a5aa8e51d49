// Records field ownership with each change, if it is tracked.
import { timestamp } from './names.ts';
import type { Call, FieldTracker, Machinery } from './call.ts';
import type { WriteOptions } from './options.ts';
import type { KubeObject } from './types.ts';

/** Records the owners of the fields that the request changed. Returns undefined immediately if ownership is not tracked. */
export function track(
  m: Machinery,
  call: Call,
  old: KubeObject | undefined,
  next: KubeObject,
  options: WriteOptions,
): Promise<void> | undefined {
  if (m.fields) return writeOwners(m.fields, m, call, old, next, options);
  delete next.metadata.managedFields;
  return undefined;
}

async function writeOwners(
  fields: FieldTracker,
  m: Machinery,
  call: Call,
  old: KubeObject | undefined,
  next: KubeObject,
  options: WriteOptions,
): Promise<void> {
  const entries = await fields.trackUpdate({
    old,
    next,
    manager: options.manager,
    type: call.type,
    subresource: call.info.subresource,
    time: timestamp(m.clock.now()),
  });
  if (entries.length) next.metadata.managedFields = entries;
  else delete next.metadata.managedFields;
}
