// Who owns what we borrow: after a release as if there had been none, whatever was applied and edited in it.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  ownersAfter,
  readOwners,
  withOwners,
  type Field,
} from '../../../../src/engine/workload/deployment/field-owners.ts';
import { writeOwners, type ManagedFields } from '../../../../src/engine/workload/field-owners.ts';
import { FIELDS, type Settings } from '../../../../src/engine/workload/deployment/hold.ts';

type Values = Partial<Record<Field, number>>;
type Edit =
  | { readonly kind: 'Apply'; readonly manager: string; readonly values: Values }
  | { readonly kind: 'Update'; readonly manager: string; readonly field: Field; readonly value: number };

const BELOW: Readonly<Record<Field, (leaf: object) => object>> = {
  paused: (leaf) => ({ 'f:paused': leaf }),
  minReadySeconds: (leaf) => ({ 'f:minReadySeconds': leaf }),
  progressDeadlineSeconds: (leaf) => ({ 'f:progressDeadlineSeconds': leaf }),
  maxSurge: (leaf) => ({ 'f:strategy': { 'f:rollingUpdate': { 'f:maxSurge': leaf } } }),
  maxUnavailable: (leaf) => ({ 'f:strategy': { 'f:rollingUpdate': { 'f:maxUnavailable': leaf } } }),
};

/** An entry that owns these, and an image. */
function entry(manager: string, operation: string, fields: readonly Field[], time = ''): ManagedFields {
  const own: Record<string, unknown> = { 'f:template': {} };
  for (const field of fields) {
    const { 'f:strategy': strategy, ...plain } = BELOW[field]({}) as Record<string, Record<string, object>>;
    Object.assign(own, plain);
    if (strategy === undefined) continue;
    const known = (own['f:strategy'] ?? {}) as Record<string, object>;
    own['f:strategy'] = { 'f:rollingUpdate': { ...known['f:rollingUpdate'], ...strategy['f:rollingUpdate'] } };
  }
  const fieldsV1 = { 'f:spec': own };
  return { manager, operation, apiVersion: 'apps/v1', time, fieldsType: 'FieldsV1', fieldsV1 };
}

/** What the API server does with edits; who owns a field by what he has applied last, or by having changed it. */
class Plain {
  readonly values = new Map<Field, number>();
  readonly owners = new Map<string, Set<Field>>();

  edit(edit: Edit): void {
    const by = `${edit.manager}/${edit.kind}`;
    const before = this.owners.get(by) ?? new Set<Field>();
    const wanted = edit.kind === 'Apply' ? edit.values : { [edit.field]: edit.value };
    const written = FIELDS.filter((field) => wanted[field] !== undefined);
    for (const field of written) {
      if (this.values.get(field) === wanted[field]) continue;
      for (const others of this.owners.values()) others.delete(field);
      this.values.set(field, wanted[field]!);
    }
    this.owners.set(by, new Set(edit.kind === 'Apply' ? written : [...before, ...written]));
    for (const field of before)
      if (![...this.owners.values()].some((fields) => fields.has(field))) this.values.delete(field);
  }

  get entries(): ManagedFields[] {
    return [...this.owners].map(([by, fields]) => entry(by.split('/')[0]!, by.split('/')[1]!, [...fields]));
  }
}

const owned = (entries: readonly ManagedFields[]): Record<string, readonly string[]> => {
  const text = (fields: unknown): string => JSON.stringify(fields);
  return Object.fromEntries(
    entries
      .map(({ manager, operation, fieldsV1 }) => {
        const fields = FIELDS.filter((field) => text(fieldsV1).includes(`"f:${field}"`));
        return [`${manager}/${operation}`, fields] as const;
      })
      .filter(([, fields]) => fields.length > 0)
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
  );
};

const settings = (values: ReadonlyMap<Field, number>): Settings =>
  Object.fromEntries(FIELDS.map((field) => [field, values.get(field) ?? null])) as never;

/** In a release: nobody owns what is borrowed, and no value is the user's; both are in records. */
function duringRelease(
  before: Plain,
  edits: readonly Edit[],
): { user: Map<Field, number>; owners: Record<string, readonly string[]> } {
  const user = new Map(before.values);
  const managers = new Map(before.entries.map((one) => [`${one.manager}/${one.operation}`, one]));
  let record = writeOwners(
    ownersAfter([], { old: () => before.entries, next: before.entries, manager: 'kubectl-set', edited: [] }).owners,
  );
  const strip = (): ManagedFields[] =>
    [...managers.values()].map(({ manager, operation, time }) => entry(manager!, operation!, [], time));
  edits.forEach((edit, index) => {
    const old = strip();
    const wanted: Values = edit.kind === 'Apply' ? edit.values : { [edit.field]: edit.value };
    const written = FIELDS.filter((field) => wanted[field] !== undefined);
    const by = `${edit.manager}/${edit.kind}`;
    managers.set(by, entry(edit.manager, edit.kind, [], `${index + 1}`));
    const next = strip().map((one) =>
      `${one.manager}/${one.operation}` === by ? entry(edit.manager, edit.kind, written, `${index + 1}`) : one,
    );
    const edited = written.filter((field) => user.get(field) !== wanted[field]);
    const after = ownersAfter(readOwners(record ?? undefined), { old: () => old, next, manager: edit.manager, edited });
    for (const field of edited) user.set(field, wanted[field]!);
    for (const field of after.dropped) user.delete(field);
    record = writeOwners(after.owners);
  });
  const live = [...strip(), entry('tranche', 'Update', [...FIELDS])];
  return { user, owners: owned(withOwners(live, readOwners(record ?? undefined), settings(user), 'now')) };
}

const field = fc.constantFrom(...FIELDS);
const manager = fc.constantFrom('helm', 'flux', 'hand');
const value = fc.integer({ min: 1, max: 3 });
const applied = fc.record({
  kind: fc.constant('Apply' as const),
  manager,
  values: fc.dictionary(field, value, { maxKeys: 5 }) as fc.Arbitrary<Values>,
});
const updated = fc.record({ kind: fc.constant('Update' as const), manager, field, value });
const edits = fc.array(fc.oneof(applied, updated), { maxLength: 6 });

describe('the owners of borrowed fields', () => {
  it('are after a release as if there had been none: every manager, every field, every edit before and in it', () => {
    fc.assert(
      fc.property(edits, edits, (before, during) => {
        const plain = new Plain();
        before.forEach((edit) => plain.edit(edit));
        const start = new Plain();
        before.forEach((edit) => start.edit(edit));
        // Who writes by hand what is the user's setting already, writes it over ours and so owns it: no news to the record.
        const news: Edit[] = [];
        for (const edit of during) {
          if (edit.kind === 'Update' && plain.values.get(edit.field) === edit.value) continue;
          plain.edit(edit);
          news.push(edit);
        }
        const { user, owners } = duringRelease(start, news);
        assert.deepEqual(owners, owned(plain.entries));
        assert.deepEqual(settings(user), settings(plain.values));
      }),
      { numRuns: 2_000 },
    );
  });

  it('get a new entry where theirs has gone, and none for a field that is not there', () => {
    const owner = {
      manager: 'ops',
      operation: 'Apply',
      apiVersion: 'apps/v1',
      fields: ['maxSurge', 'paused'],
    } as const;
    const other = entry('helm', 'Apply', ['minReadySeconds']);
    const status = { ...entry('ops', 'Apply', []), subresource: 'status' };
    const [first, second, third, ...none] = withOwners(
      [other, status, entry('tranche', 'Update', ['maxSurge'])],
      [owner],
      settings(new Map([['maxSurge', 1]])),
      '2026-01-01T00:00:00Z',
    );
    assert.deepEqual([first, second, none], [other, status, []]);
    assert.deepEqual(third, {
      manager: 'ops',
      operation: 'Apply',
      apiVersion: 'apps/v1',
      time: '2026-01-01T00:00:00Z',
      fieldsType: 'FieldsV1',
      fieldsV1: { 'f:spec': { 'f:strategy': { 'f:rollingUpdate': { 'f:maxSurge': {} } } } },
    });
  });

  it('are nobody where the annotation cannot be read, whatever it holds', () => {
    const good = { manager: 'helm', operation: 'Apply', apiVersion: 'apps/v1', fields: ['maxSurge'] };
    assert.deepEqual(readOwners(JSON.stringify([good])), [good]);
    for (const bad of [
      undefined,
      '',
      '{',
      'null',
      '7',
      '{}',
      ...[
        { ...good, manager: 'tranche' },
        { ...good, manager: 'x'.repeat(200) },
        { ...good, manager: 7 },
        { ...good, operation: 'Delete' },
        { ...good, apiVersion: null },
        { ...good, fields: ['template'] },
        { ...good, fields: ['toString'] },
        { ...good, fields: 'maxSurge' },
        { ...good, subresource: 'status' },
        null,
        [],
      ].map((one) => JSON.stringify([one])),
    ])
      assert.deepEqual(readOwners(bad), [], bad);
    assert.equal(readOwners(JSON.stringify(Array.from({ length: 1_000 }, () => good))).length, 20);
  });
});
