// A Rollout that releases nothing now, and why.
import assert from 'node:assert/strict';
import { standAside } from '../../../src/engine/release/stand-aside.ts';
import { unreachedBy } from '../../../src/engine/release/reach.ts';
import {
  ago,
  atStep,
  brief,
  condition,
  deployment,
  healthy,
  held,
  rollout,
  rows,
  snapshot,
  type RolloutSketch,
} from '../build.ts';

type Reason = Parameters<typeof standAside>[1];
const unreached = unreachedBy({ watched: ['other'] })('shop')!;
const stalled = (reason: string, status: 'True' | 'False' = 'True') => ({
  status: healthy('v1', { conditions: [condition('Stalled', status, reason)] }),
});

describe('a Rollout that stands aside', () => {
  const table: readonly (readonly [
    what: string,
    sketch: RolloutSketch,
    reason: Reason,
    decision: string,
    message: RegExp,
  ])[] = [
    ['says why', {}, 'RecreateStrategy', '- | Initial Stalled=RecreateStrategy | Stalled | -', /^by$/],
    [
      'says which Rollout is older',
      {},
      'WorkloadTaken',
      '- | Initial Stalled=WorkloadTaken | Stalled | -',
      /^Rollout "by" already releases Deployment "web": delete one of the two$/,
    ],
    [
      'says that its reference is none',
      {},
      'InvalidWorkloadRef',
      '- | Initial Stalled=InvalidWorkloadRef | Stalled | -',
      /^this Rollout has no effect: by$/,
    ],
    [
      'says that the webhooks do not reach it',
      {},
      'NotReached',
      '- | Initial Stalled=NotReached | Stalled | -',
      /^Deployment "web" is not released in steps: namespace "shop"/,
    ],
    [
      'says that a release of OpenKruise’s is to be taken over',
      {},
      'LeftByOpenKruise',
      '- | Initial Stalled=LeftByOpenKruise | Stalled | -',
      /kubectl tranche takeover web -n shop$/,
    ],
    [
      'waits for a workload that does not exist, and alarms nobody',
      {},
      'WorkloadNotFound',
      '- | Initial Stalled=WorkloadNotFound | - | again in 60 s',
      /^Deployment "web" does not exist: waiting for it$/,
    ],
    [
      'says it once',
      stalled('WorkloadTaken'),
      'WorkloadTaken',
      '- | Healthy 3 Completed Stalled=WorkloadTaken | - | -',
      /already releases/,
    ],
    [
      'says another reason',
      stalled('RecreateStrategy'),
      'WorkloadTaken',
      '- | Healthy 3 Completed Stalled=WorkloadTaken | Stalled | -',
      /already releases/,
    ],
    [
      'says a reason that is there again',
      stalled('WorkloadTaken', 'False'),
      'WorkloadTaken',
      '- | Healthy 3 Completed Stalled=WorkloadTaken | Stalled | -',
      /already releases/,
    ],
    [
      'ends a release that another Rollout governs now',
      { status: atStep(1, 'StepUpgrade') },
      'WorkloadTaken',
      '- | Initial Stalled=WorkloadTaken | Stalled | -',
      /already releases/,
    ],
    [
      'keeps such a release if it has changed a route',
      { status: atStep(1, 'StepUpgrade', { canary: { traffic: {} as never } }) },
      'WorkloadTaken',
      '- | Progressing 1 StepUpgrade Progressing=InRolling Stalled=WorkloadTaken | Stalled | -',
      /already releases/,
    ],
    [
      'ends a release that its controller finishes without steps',
      { status: atStep(1, 'StepUpgrade') },
      'RecreateStrategy',
      '- | Initial Stalled=RecreateStrategy | Stalled | -',
      /^by$/,
    ],
    [
      'ends the disabling of such a Rollout, too',
      { status: healthy('v1', { phase: 'Disabling' }) },
      'RecreateStrategy',
      '- | Initial Stalled=RecreateStrategy | Stalled | -',
      /^by$/,
    ],
    [
      'keeps its release where nobody finishes it',
      { status: atStep(1, 'StepUpgrade') },
      'LeftByOpenKruise',
      '- | Progressing 1 StepUpgrade Progressing=InRolling Stalled=LeftByOpenKruise | Stalled | -',
      /takeover/,
    ],
    [
      'without its workload, forgets the release',
      { status: atStep(1, 'StepUpgrade', { conditions: [condition('Succeeded', 'True')] }) },
      'WorkloadNotFound',
      '- | Initial Stalled=WorkloadNotFound | - | again in 60 s',
      /does not exist/,
    ],
  ];
  rows(table, (sketch, reason, decision, message) => {
    const made = standAside(snapshot({ rollout: rollout(sketch), unreached }), reason, 'by');
    assert.equal(brief(made), decision);
    assert.match(made.status?.message ?? '', message);
  });

  it('keeps the release of a held workload, which waits for it', () => {
    const workload = deployment({ held: held(), type: 'Recreate' });
    const made = standAside(
      snapshot({ rollout: rollout({ status: atStep(1, 'StepUpgrade') }), workload }),
      'RecreateStrategy',
    );
    assert.equal(
      brief(made),
      '- | Progressing 1 StepUpgrade Progressing=InRolling Stalled=RecreateStrategy | Stalled | -',
    );
  });

  it('says how a release ended that it does not govern any more', () => {
    const sketch = { status: atStep(1, 'StepUpgrade') };
    const outcome = (reason: Reason) =>
      standAside(snapshot({ rollout: rollout(sketch) }), reason, 'by').status?.history?.map((one) => one.outcome);
    assert.deepEqual(outcome('WorkloadTaken'), ['Superseded']);
    assert.deepEqual(outcome('RecreateStrategy'), ['Bypassed']);
  });

  it('says that its kind cannot be read, and keeps its release', () => {
    const absence = { message: 'cannot read CloneSets: forbidden', gone: false };
    const sketch = { status: atStep(1, 'StepUpgrade') };
    const made = standAside({ ...snapshot({ rollout: rollout(sketch) }), absence }, 'KindNotServed');
    assert.equal(
      brief(made),
      '- | Progressing 1 StepUpgrade Progressing=InRolling Stalled=KindNotServed | Stalled | -',
    );
    assert.equal(made.status?.message, absence.message);
  });

  it('says that its kind is not there, forgets the release, and alarms nobody', () => {
    const absence = { message: 'waiting for CustomResourceDefinition clonesets.apps.kruise.io', gone: true };
    const sketch = { status: atStep(1, 'StepUpgrade') };
    const made = standAside({ ...snapshot({ rollout: rollout(sketch) }), absence }, 'KindNotServed');
    assert.equal(brief(made), '- | Initial Stalled=KindNotServed | - | -');
    assert.equal(made.status?.message, absence.message);
  });

  it('without its workload closes the history', () => {
    const { status } = standAside(
      snapshot({ rollout: rollout({ status: atStep(1, 'StepUpgrade') }) }),
      'WorkloadNotFound',
    );
    assert.deepEqual(
      status?.history?.map(({ outcome, endTime }) => [outcome, endTime]),
      [['WorkloadGone', ago(0)]],
    );
    assert.equal(status?.canaryStatus, undefined);
    assert.deepEqual(
      status?.conditions?.map(({ type }) => type),
      ['Stalled'],
    );
  });
});
