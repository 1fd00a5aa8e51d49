// Applies the JSON patch operations that our webhooks answer with, as strictly as an API server: a missing parent is an error.
import assert from 'node:assert/strict';
import type { PatchOp } from '../../src/engine/lib/json-patch.ts';

type Node = Record<string, unknown>;

export function applyOps<T>(object: T, ops: readonly PatchOp[]): T {
  const copy = structuredClone(object);
  for (const op of ops) {
    const path = op.path
      .split('/')
      .slice(1)
      .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
    const key = path.pop() ?? '';
    const parent = path.reduce<unknown>((node, part) => (node as Node | undefined)?.[part], copy);
    assert.ok(typeof parent === 'object' && parent !== null, `${op.op} ${op.path}: no parent`);
    if (op.op !== 'add') assert.ok(Object.hasOwn(parent, key), `${op.op} ${op.path}: nothing there`);
    if (op.op === 'remove') delete (parent as Node)[key];
    else (parent as Node)[key] = op.value;
  }
  return copy;
}
