// The 409 error if two managers want different values. It lists managers and fields.
import { ApiError } from '../core/types.ts';
import type { Manager } from './managers.ts';
import { pathText } from './set.ts';
import type { Path } from './set.ts';

export interface Conflict {
  id: string;
  manager: Manager;
  path: Path;
}

/** A separate error, because kubectl's conflicts with its own client-side apply may be ignored. */
export class Conflicts extends Error {
  override readonly name = 'Conflicts';
  readonly conflicts: Conflict[];
  constructor(conflicts: Conflict[]) {
    super(`${conflicts.length} conflicts`);
    this.conflicts = conflicts;
  }
}

function describe({ name, operation, apiVersion, subresource }: Manager): string {
  const who = JSON.stringify(name) + (subresource ? ` with subresource ${JSON.stringify(subresource)}` : '');
  return operation === 'Update' ? `${who} using ${apiVersion}` : who;
}

export function conflictError(conflicts: Conflict[]): ApiError {
  const causes = conflicts.map(({ manager, path }) => ({
    reason: 'FieldManagerConflict',
    message: `conflict with ${describe(manager)}`,
    field: pathText(path),
  }));
  return new ApiError({ code: 409, reason: 'Conflict', message: messageOf(conflicts), details: { causes } });
}

function messageOf(conflicts: Conflict[]): string {
  const [first] = conflicts;
  if (first && conflicts.length === 1)
    return `Apply failed with 1 conflict: conflict with ${describe(first.manager)}: ${pathText(first.path)}`;
  const ids = [...new Set(conflicts.map(({ id }) => id))].sort();
  const lines = ids.flatMap((id) => {
    const own = conflicts.filter((conflict) => conflict.id === id);
    return [`conflicts with ${describe(own[0]!.manager)}:`, ...own.map(({ path }) => `- ${pathText(path)}`)];
  });
  return `Apply failed with ${conflicts.length} conflicts: ${lines.join('\n')}`;
}
