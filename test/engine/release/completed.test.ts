// Which versions a Rollout remembers as completed, and which of them may be restored without steps.
import assert from 'node:assert/strict';
import type { CompletedVersion, Rollout } from '../../../src/api/types.ts';
import { earlierVersions, grantFor, remember, UNDO_SECONDS } from '../../../src/engine/release/completed.ts';
import type { ReleasePolicySpec } from '../../../src/api/policy.ts';
import { asDigest } from '../../support/digests.ts';
import { policy } from '../policy/support.ts';
import { ago, atStep, healthy, NOW, rollout, rows, sha256, type RolloutSketch } from '../build.ts';
import { planDigest } from '../../../src/engine/policy/plan.ts';
import { undoStatus } from '../../../src/engine/release/completed.ts';

const version = (name: string, more: Partial<CompletedVersion> = {}): CompletedVersion => ({
  workload: 'Deployment/web',
  templateDigest: asDigest(name),
  revision: name,
  completedTime: ago(9_000),
  ...more,
});
const inShort = (list: readonly CompletedVersion[]): string =>
  list.map(({ revision, replacedTime }) => (replacedTime === undefined ? revision : `${revision}!`)).join(' ');

describe('the record of completed versions', () => {
  const v1 = version('v1');
  const both = [version('v2'), version('v1', { replacedTime: ago(100) })];
  const table: readonly (readonly [
    what: string,
    known: readonly CompletedVersion[],
    next: string,
    completed: boolean,
    after: string,
  ])[] = [
    ['starts with the first completed version', [], 'v1', true, 'v1'],
    ['gets the next one in front, and the other one was replaced', [v1], 'v2', true, 'v2 v1!'],
    ['does not get a version that was not completed; the other one was replaced', [v1], 'evil', false, 'v1!'],
    ['stays empty where nothing was completed', [], 'evil', false, ''],
    ['is the same after a rollback to the stable version', both, 'v2', false, 'v2 v1!'],
    ['has the restored version in front', both, 'v1', false, 'v1 v2!'],
    ['has a version that was completed again in front', both, 'v1', true, 'v1 v2!'],
    ['drops the versions of another workload', [version('v1', { workload: 'Deployment/other' })], 'v2', false, ''],
  ];
  rows(table, (known, next, completed, after) =>
    assert.equal(inShort(remember(known, version(next), completed, NOW)), after),
  );

  it('keeps the time of its completion, and that of its first replacement', () => {
    const [first, second] = remember(both, version('v1'), false, NOW);
    assert.deepEqual([first?.completedTime, second?.replacedTime], [ago(9_000), ago(0)]);
    assert.equal(remember(both, version('v3'), true, NOW)[2]?.replacedTime, ago(100));
  });

  it('keeps the stable version and ten before it', () => {
    let known: readonly CompletedVersion[] = [];
    for (let i = 1; i <= 20; i++) known = remember(known, version(`v${i}`), true, NOW);
    assert.equal(known.length, 11);
    assert.equal(known.at(-1)?.revision, 'v10');
  });
});

describe('a version may be restored without steps', () => {
  /** v3 is stable; v2 was replaced 100 s ago, v1 1000 s ago. */
  const completedVersions = [
    version('v3'),
    version('v2', { replacedTime: ago(100) }),
    version('v1', { replacedTime: ago(1_000) }),
  ];
  const grant = (
    window: NonNullable<RolloutSketch['canary']>['rollbackWindow'],
    back: string,
    more: { spec?: ReleasePolicySpec; status?: Rollout['status']; list?: readonly CompletedVersion[] } = {},
  ): string => {
    const status = { ...(more.status ?? healthy('v3')), completedVersions: more.list ?? completedVersions };
    const facts = {
      rollout: rollout({ status, ...(window && { canary: { rollbackWindow: window } }) }),
      deployment: undefined,
      policies: more.spec ? [policy('p', more.spec)] : [],
      now: NOW,
      sha256,
    };
    return grantFor(facts, asDigest(back)) ?? '-';
  };
  const inRelease = atStep(1, 'StepUpgrade', { canary: { stableDigest: 'v3', templateDigest: 'v4' } });
  type Row = readonly [what: string, ...asked: Parameters<typeof grant>, granted: string];
  const table: readonly Row[] = [
    ['by no window: off by default', undefined, 'v2', {}, '-'],
    ['by its place', { revisions: 1 }, 'v2', {}, 'Window'],
    ['not further back than that', { revisions: 1 }, 'v1', {}, '-'],
    ['further back', { revisions: 2 }, 'v1', {}, 'Window'],
    ['by the time since it was replaced', { seconds: 100 }, 'v2', {}, 'Window'],
    ['not after that time', { seconds: 99 }, 'v2', {}, '-'],
    ['any number of versions back where only the time counts', { seconds: 1_000 }, 'v1', {}, 'Window'],
    ['only where both limits are kept: place', { revisions: 1, seconds: 5_000 }, 'v1', {}, '-'],
    ['only where both limits are kept: time', { revisions: 2, seconds: 500 }, 'v1', {}, '-'],
    ['not one that was never completed', { revisions: 10, seconds: 9_999_999 }, 'evil', {}, '-'],
    ['not the stable one, which has its own rule', { revisions: 10 }, 'v3', {}, '-'],
    ['during a release, counted from its stable version', { revisions: 1 }, 'v2', { status: inRelease }, 'Window'],
    [
      'not before the operator has looked',
      { revisions: 1 },
      'v2',
      { status: { ...healthy('v3'), phase: 'Initial' } },
      '-',
    ],
    [
      'with the first completed version next, where the stable one bypassed the steps',
      { revisions: 1 },
      'v3',
      { status: healthy('v9') },
      'Window',
    ],
    [
      'not by a time that cannot be read',
      { seconds: 500 },
      'v2',
      { list: [version('v3'), version('v2', { replacedTime: 'soon' })] },
      '-',
    ],
    ['as far as a policy allows', { revisions: 5 }, 'v2', { spec: { rollbackWindow: { maxRevisions: 1 } } }, 'Window'],
    ['no further than a policy allows', { revisions: 5 }, 'v1', { spec: { rollbackWindow: { maxRevisions: 1 } } }, '-'],
    ['no longer than a policy allows', { revisions: 5 }, 'v2', { spec: { rollbackWindow: { maxSeconds: 99 } } }, '-'],
    ['not where a policy forbids it', { revisions: 5 }, 'v2', { spec: { rollbackWindow: { maxRevisions: 0 } } }, '-'],
    [
      'not where a policy forbids it by time',
      { revisions: 5 },
      'v2',
      { spec: { rollbackWindow: { maxSeconds: 0 } } },
      '-',
    ],
    [
      'where a policy only warns',
      { revisions: 5 },
      'v2',
      { spec: { enforcement: 'Warn', rollbackWindow: { maxRevisions: 0 } } },
      'Window',
    ],
  ];
  rows(table, (window, back, more, granted) => assert.equal(grant(window, back, more), granted));

  describe('with approvals', () => {
    const base = healthy('v3').canaryStatus!;
    const planOf = (back: string): string => planDigest(rollout(), undoStatus(base, asDigest(back)), sha256);
    const approval = (user: string, back: string, seconds = 10, more: object = {}) => ({
      ...{ step: 0, rolloutID: 'r3', revision: 'v3', user, time: ago(seconds), plan: planOf(back) },
      ...more,
    });
    const by = (approvals: readonly ReturnType<typeof approval>[], back: string, spec?: ReleasePolicySpec): string =>
      grant(undefined, back, { status: healthy('v3', { canary: { approvals } }), ...(spec && { spec }) });
    const two: ReleasePolicySpec = { approval: { required: 2 } };
    const cases: readonly (readonly [
      string,
      ReturnType<typeof approval>[],
      string,
      (ReleasePolicySpec | undefined)?,
      string?,
    ])[] = [
      ['one is enough without a policy', [approval('anna', 'v1')], 'v1', undefined, 'Approval'],
      ['for this version only', [approval('anna', 'v1')], 'v2'],
      ['not for one that was never completed', [approval('anna', 'evil')], 'evil'],
      ['not an approval of a step', [approval('anna', 'v1', 10, { step: 3 })], 'v1'],
      ['not one for another stable version', [approval('anna', 'v1', 10, { revision: 'v2' })], 'v1'],
      ['not one from before the end of the last release', [approval('anna', 'v1', 6_000)], 'v1'],
      ['a short time after it', [approval('anna', 'v1', UNDO_SECONDS)], 'v1', undefined, 'Approval'],
      ['not later', [approval('anna', 'v1', UNDO_SECONDS + 1)], 'v1'],
      ['one is too few where a policy asks for two', [approval('anna', 'v1')], 'v1', two],
      ['not twice by one person', [approval('anna', 'v1'), approval('anna', 'v1', 5)], 'v1', two],
      ['two are enough', [approval('anna', 'v1', 2_000), approval('ben', 'v1')], 'v1', two, 'Approval'],
      [
        'not by somebody whom the policy does not list',
        [approval('eve', 'v1')],
        'v1',
        { approval: { users: ['anna'] } },
      ],
      [
        'whatever a policy says about the window',
        [approval('anna', 'v1')],
        'v1',
        { rollbackWindow: { maxRevisions: 0 } },
        'Approval',
      ],
    ];
    for (const [what, approvals, back, spec, granted = '-'] of cases)
      it(what, () => assert.equal(by(approvals, back, spec), granted));
  });

  it('lists all but the stable one', () => {
    const status = { ...healthy('v3'), completedVersions };
    assert.deepEqual(
      earlierVersions(rollout({ status })).map(({ revision }) => revision),
      ['v2', 'v1'],
    );
  });

  it('are none of another workload that the Rollout named before', () => {
    const status = { ...healthy('v2'), completedVersions: [version('v1', { workload: 'Deployment/other' })] };
    assert.deepEqual(earlierVersions(rollout({ status })), []);
  });
});
