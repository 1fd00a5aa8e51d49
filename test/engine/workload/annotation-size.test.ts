// Annotations have a limit together, and the record of a release is one of them.
import assert from 'node:assert/strict';
import { HELD } from '../../../src/api/keys.ts';
import type { PatchOp } from '../../../src/engine/lib/json-patch.ts';
import { isTooLarge, recordTooLarge, tooLargeForUs } from '../../../src/engine/workload/annotation-size.ts';
import { sentence } from '../../../src/engine/validate/violation.ts';
import { deployment, rows } from '../build.ts';

const LIMIT = 262_144;
const RECORD = 'r'.repeat(100);
const record: PatchOp = { op: 'add', path: '/metadata/annotations/tranche.dev~1held', value: RECORD };
/** What others may have beside this record, to a byte. */
const MOST = LIMIT - 1_024 - HELD.length - RECORD.length;
const notes = (bytes: number, key = 'note', of = 'x'): Record<string, string> => ({
  [key]: of.repeat((bytes - key.length) / Buffer.byteLength(of)),
});
const with_ = (annotations: Record<string, string>) => deployment({ annotations });

describe('the record of a release', () => {
  type Row = readonly [
    what: string,
    old: Record<string, string> | undefined,
    received: Record<string, string>,
    patch: readonly PatchOp[],
    tooLarge: boolean,
  ];
  const table: readonly Row[] = [
    ['fits beside little', undefined, notes(1_000), [record], false],
    ['fits to the byte', undefined, notes(MOST), [record], false],
    ['does not fit with a byte more', undefined, notes(MOST + 1), [record], true],
    ['is none: nothing of ours is in the way', undefined, notes(MOST + 1), [], false],
    ['is none, and the others are all that is allowed', undefined, notes(LIMIT), [], false],
    [
      'is taken off, and the others are all that is allowed',
      undefined,
      { ...notes(LIMIT), [HELD]: RECORD },
      [{ op: 'remove', path: record.path }],
      false,
    ],
    [
      'comes beside a change of something else',
      undefined,
      notes(MOST),
      [record, { op: 'add', path: '/spec/paused', value: true }],
      false,
    ],
    ['is taken off', undefined, { ...notes(MOST + 1), [HELD]: RECORD }, [{ op: 'remove', path: record.path }], false],
    ['is there already, and is counted', undefined, { ...notes(MOST + 1), [HELD]: RECORD }, [], true],
    [
      'comes with all annotations',
      undefined,
      {},
      [{ op: 'add', path: '/metadata/annotations', value: { ...notes(MOST + 1), [HELD]: RECORD } }],
      true,
    ],
    ['is not the fault where the API server refuses it anyway', undefined, notes(LIMIT + 1), [record], false],
    ['is the fault up to that', undefined, notes(LIMIT), [record], true],
    [
      'is as large as it was in a release: it may pass',
      { ...notes(MOST + 5), [HELD]: RECORD },
      { ...notes(MOST + 5), [HELD]: RECORD },
      [],
      false,
    ],
    [
      'is larger than it was in a release',
      { ...notes(MOST + 5), [HELD]: RECORD },
      { ...notes(MOST + 6), [HELD]: RECORD },
      [],
      true,
    ],
    ['is new on an object that was as large', notes(MOST + 5), notes(MOST + 5), [record], true],
    [
      'fits beside wide characters, counted in bytes',
      undefined,
      notes(MOST - (MOST % 4) - 4, 'note', '😀'),
      [record],
      false,
    ],
    [
      'does not fit beside wide characters that are more bytes than letters',
      undefined,
      notes(MOST + 4 - (MOST % 4) + 4, 'note', '😀'),
      [record],
      true,
    ],
    [
      'does not fit beside characters of two bytes',
      undefined,
      notes(MOST + 2 - (MOST % 2), 'note', 'é'),
      [record],
      true,
    ],
    [
      'does not fit beside characters of three bytes',
      undefined,
      notes(MOST + 4 - ((MOST - 4) % 3) + 3 - 4, 'note', '€'),
      [record],
      true,
    ],
  ];
  rows(table, (old, received, patch, tooLarge) => {
    const found = recordTooLarge(old && with_(old), with_(received), patch);
    assert.equal(found !== undefined, tooLarge, found && sentence(found));
  });

  it('says how much is to go, and what is the largest', () => {
    const found = recordTooLarge(undefined, with_({ ...notes(MOST, 'big'), small: 'x' }), [record]);
    assert.match(found?.remedy ?? '', /^remove at least 6 bytes; the largest annotation is big \(\d+ bytes\)$/);
    const applied = notes(MOST + 1, 'kubectl.kubernetes.io/last-applied-configuration');
    assert.match(
      recordTooLarge(undefined, with_(applied), [record])?.remedy ?? '',
      /, which kubectl apply --server-side does not write$/,
    );
  });

  it('is told from another refusal of the API server', () => {
    assert.equal(isTooLarge(`metadata.annotations: Too long: may not be more than ${LIMIT} bytes`), true);
    assert.equal(isTooLarge('metadata.annotations: Invalid value'), false);
    assert.equal(isTooLarge(`spec: ${LIMIT}`), false);
    assert.match(tooLargeForUs(deployment()), /^the annotations of Deployment "web" are too large/);
    assert.match(tooLargeForUs({ metadata: { name: 'x' } }), /^the annotations of the workload "x"/);
  });
});
