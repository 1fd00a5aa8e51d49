// Who owns which field: written down with every change, where somebody keeps books.
import { timestamp } from './names.ts';
import type { Call, FieldTracker, Machinery } from './call.ts';
import type { WriteOptions } from './options.ts';
import type { KubeObject } from './types.ts';

/** Writes down who owns what the request changed; undefined at once where nobody keeps books. */
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
