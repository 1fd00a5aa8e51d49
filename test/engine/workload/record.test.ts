// What the record of a hold has in common for all kinds: whoever can write the annotation can write anything.
import assert from 'node:assert/strict';
import { HELD } from '../../../src/api/keys.ts';
import { inProgressing, readRecord, recordOn, timesOf } from '../../../src/engine/workload/record.ts';
import { ago, deployment, rows } from '../build.ts';

const whole = { v: 1, rollout: 'web-rollout', stable: 'abc123', user: { paused: null } };
const trace = { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`, admitted: '2026-01-01T11:59:00.000Z' };

describe('a record', () => {
  const none: readonly (readonly [what: string, text: string | undefined])[] = [
    ['that is not there', undefined],
    ['that is empty', ''],
    ['that is no JSON', '{'],
    ['that is null', 'null'],
    ['of another version', JSON.stringify({ ...whole, v: 2 })],
    ['without a Rollout', JSON.stringify({ ...whole, rollout: undefined })],
    ['whose stable digest is none', JSON.stringify({ ...whole, stable: '../x' })],
    ['whose stable digest is too long', JSON.stringify({ ...whole, stable: 'a'.repeat(65) })],
    ['whose stable digest is a number', JSON.stringify({ ...whole, stable: 7 })],
    ['without the user’s settings', JSON.stringify({ ...whole, user: null })],
    ['whose settings are a text', JSON.stringify({ ...whole, user: 'x' })],
  ];
  rows(
    none.map(([what, text]) => [`${what} is none`, text] as const),
    (text) => assert.equal(readRecord(text), undefined),
  );

  const kept: readonly (readonly [what: string, more: object, expected: object])[] = [
    ['is kept', {}, {}],
    ['has a stable digest, or an empty one', { stable: '' }, { stable: '' }],
    ['names nobody where the name is none', { rollout: '../x' }, { rollout: '' }],
    [
      'keeps what was bypassed, in one line and short',
      { bypassed: `a\nb${'x'.repeat(300)}` },
      { bypassed: `a b${'x'.repeat(197)}` },
    ],
    ['keeps nothing that was bypassed where it is empty', { bypassed: '' }, {}],
    ['keeps nothing that was bypassed where it is no text', { bypassed: 7 }, {}],
    ['keeps its trace', { trace }, { trace }],
    ['keeps no trace that is none', { trace: { traceparent: 'x' } }, {}],
    ['keeps its times', { moved: ago(1), reminded: ago(2) }, { moved: ago(1), reminded: ago(2) }],
    ['keeps no time that is none', { moved: 'soon', reminded: 7 }, {}],
    ['keeps the generation before a revert', { reverted: 'generation 12' }, { reverted: 'generation 12' }],
    ['keeps the digest after a revert', { reverted: 'abc' }, { reverted: 'abc' }],
    ['keeps no other text about a revert', { reverted: 'generation x' }, {}],
    ['keeps nothing else', { other: 1 }, {}],
  ];
  rows(kept, (more, expected) => {
    const text = JSON.stringify({ ...whole, ...more });
    const read = readRecord(text);
    assert.deepEqual(read?.record, { ...whole, ...expected });
    assert.deepEqual(read?.raw, JSON.parse(text), 'what is of its kind alone is read from here');
  });

  it('is read from any workload', () => {
    assert.deepEqual(recordOn(deployment({ annotations: { [HELD]: JSON.stringify(whole) } })), whole);
    assert.equal(recordOn(deployment()), undefined);
    assert.equal(recordOn({ metadata: { name: 'bare' } }), undefined);
  });
});

describe('beside the record', () => {
  it('OpenKruise’s clients read which Rollout it is', () => {
    assert.equal(inProgressing('web-rollout'), '{"rolloutName":"web-rollout"}');
  });

  it('what is no time is left out', () => {
    assert.deepEqual(timesOf({ moved: ago(1), reminded: undefined }), { moved: ago(1) });
  });
});
