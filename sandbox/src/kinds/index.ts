// The native kinds, one row each. Routes, discovery, validation and printing use this table.
import { definitions, definitionName, schemaFor } from '../schema/index.ts';
import { appsTypes } from './apps.ts';
import { batchTypes } from './batch.ts';
import { coreTypes } from './core.ts';
import { extensionTypes } from './extensions.ts';
import { otherTypes } from './others.ts';
import { rbacTypes } from './rbac.ts';
import { registrationTypes, type PolicyChecks } from './registration.ts';
import { volumeTypes } from './volumes.ts';
import type { ResourceType } from '../core/types.ts';
import type { Store } from '../core/store.ts';

export function nativeTypes(store: Store, checks: PolicyChecks): ResourceType[] {
  const rows = [
    ...coreTypes(store),
    ...volumeTypes(),
    ...appsTypes(),
    ...batchTypes(),
    ...otherTypes(),
    ...rbacTypes(),
    ...registrationTypes(checks),
    ...extensionTypes(),
  ];
  return rows.map((row) =>
    definitionName(row.group, row.version, row.kind)
      ? { ...row, schema: schemaFor(row.group, row.version, row.kind), definitions }
      : row,
  );
}
