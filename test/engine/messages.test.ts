// The sentences of status.message and events, each as a reader gets it.
import assert from 'node:assert/strict';
import * as words from '../../src/engine/messages.ts';
import { deployment, rollout, rows } from './build.ts';

const pod = (name: string, why = 'not ready') => ({ pod: name, why });
const of = (namespace: string | undefined, more: object = {}) =>
  rollout({ metadata: { namespace: namespace!, ...more } });

describe('what others say', () => {
  const table: readonly (readonly [what: string, text: string, longest: number, cleaned: string])[] = [
    ['is one line', 'a\nb\r\n\tc', 30, 'a b c'],
    ['has nothing that steers a terminal', 'a\u001b[31mb\u2028c\u202ed', 30, 'a [31mb c d'],
    ['has no space around it', '  a  ', 30, 'a'],
    ['is cut', 'abcdefgh', 5, 'abcd…'],
    ['is not cut where it fits', 'abcde', 5, 'abcde'],
    ['is cut between characters', '😀😀😀😀', 3, '😀😀…'],
  ];
  rows(table, (text, longest, cleaned) => assert.equal(words.cleaned(text, longest), cleaned));

  it('is at most three hundred characters long', () => {
    assert.equal(words.cleaned('x'.repeat(1_000)).length, 300);
    assert.equal(words.cleaned('x'.repeat(300)).length, 300);
  });
});

describe('a sentence', () => {
  const approach = { starts: false, changed: false, next: undefined };
  const table: readonly (readonly [sentence: string, made: string])[] = [
    ['a (not ready)', words.namePods([pod('a')])],
    ['a (x), b (not ready), c (not ready)', words.namePods([pod('a', 'x'), pod('b'), pod('c')])],
    [
      'a (not ready), b (not ready), c (not ready) and 2 more',
      words.namePods(['a', 'b', 'c', 'd', 'e'].map((name) => pod(name))),
    ],
    ['step 1/3', words.stepOf(1, 3)],
    ['s: 1 of 2 Pods updated, waiting for b', words.updating('s', 1, 2, 'b')],
    ['s: 0 of 1 Pod updated, waiting for b', words.updating('s', 0, 1, 'b')],
    ['s done: waiting for approval (0 of 1)', words.waitsForApproval('s', 0, 1)],
    [
      's done: waiting for approval (1 of 2), because the number of steps changed',
      words.waitsForApproval('s', 1, 2, { ...approach, changed: true }),
    ],
    [
      's not started: waiting for approval (0 of 1); continues with step 3',
      words.waitsForApproval('s', 0, 1, { ...approach, starts: true, next: 3 }),
    ],
    ['s done: waiting for approval (0 of 2) to jump to step 3', words.waitsForJump('s', 0, 2, 3)],
    ['s updates all Pods: waiting for approval (0 of 2) before it starts', words.waitsBeforeAll('s', 0, 2)],
    [
      's: StepReady was reset to StepPaused: policy p requires more approvals (1 of 2)',
      words.notApproved('s', 'p', 1, 2),
    ],
    ['s waits: why', words.blocked('s', 'why')],
    ['s done: continuing at t (pause of 9 s)', words.waitsUntil('s', 't', 9)],
    ['s done: waiting for approval (1 of 2), and until t', words.waitsForTimeAndApproval('s', 1, 2, 't')],
    ['s stalled: a (x); no further Pod is replaced until they are available', words.stalled('s', [pod('a', 'x')])],
    ['1 Pod is not created', words.notMade(1)],
    ['2 Pods are not created', words.notMade(2)],
    ['x; 1 earlier Pod failed too', words.again('x', 1)],
    ['x; 2 earlier Pods failed too', words.again('x', 2)],
    ['w natively: 1 of 2 Pods updated', words.natively('w', 1, 2)],
    ['w natively: 0 of 1 Pod updated', words.natively('w', 0, 1)],
  ];
  rows(
    table.map(([sentence, made]) => [sentence, sentence, made] as const),
    (sentence, made) => assert.equal(made, sentence),
  );
});

describe('a command in a sentence', () => {
  const undo = 'kubectl tranche undo web-rollout';
  const takeover = 'kubectl tranche takeover web';
  const describeIt = 'kubectl describe deployment web';
  const table: readonly (readonly [what: string, made: string, end: string])[] = [
    ['names the namespace', words.withWayBack('x', of('shop'), true), `x; to roll back: ${undo} -n shop`],
    ['does not name the default namespace', words.withWayBack('x', of('default'), true), `; to roll back: ${undo}`],
    [
      'does not name a namespace that is not known',
      words.withWayBack('x', of(undefined), true),
      `; to roll back: ${undo}`,
    ],
    [
      'is none where no ReplicaSet has the version',
      words.withWayBack('x', of('shop'), false),
      'apply the manifest of the stable version (no ReplicaSet has it)',
    ],
    ['takes a release over', words.leftByOpenKruise(of('shop')), `: ${takeover} -n shop`],
    ['takes it over in the default namespace', words.leftByOpenKruise(of('default')), `: ${takeover}`],
    [
      'ends it where its Rollout is deleted',
      words.leftByOpenKruise(of('shop', { deletionTimestamp: 'x' })),
      `${takeover} -n shop --finish`,
    ],
    [
      'ends it where its Rollout is disabled',
      words.leftByOpenKruise(rollout({ disabled: true })),
      `${takeover} -n shop --finish`,
    ],
    ['looks at a Deployment', words.noReplicaSet(deployment()), `: ${describeIt} -n shop`],
    [
      'looks at one in the default namespace',
      words.noReplicaSet(deployment({ metadata: { namespace: 'default' } })),
      `: ${describeIt}`,
    ],
  ];
  rows(table, (made, end) => assert.ok(made.endsWith(end), made));

  it('can be left away', () => {
    assert.equal(words.withoutWayBack(words.withWayBack('step 1/3: x', of('shop'), true)), 'step 1/3: x');
    assert.equal(words.withoutWayBack('x'), 'x');
  });
});

describe('a workload that stays held', () => {
  it('is named, and what to do', () => {
    assert.match(
      words.stableChanged('Deployment', 'web'),
      /^Deployment "web" stays held: .*apply the manifest of the stable version$/,
    );
    assert.match(
      words.stableUnknown('Deployment', 'web'),
      /^Deployment "web" stays held: .*apply the manifest of the stable version$/,
    );
  });
});
