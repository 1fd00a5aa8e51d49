// Attacks on the broken glass: what somebody opened for one release in an emergency opens no other.
import assert from 'node:assert/strict';
import { BREAK_GLASS, GLASS_BROKEN, ROLLOUT_ID } from '../../src/api/keys.ts';
import type { ReleasePolicySpec } from '../../src/api/policy.ts';
import type { CanaryStep } from '../../src/api/types.ts';
import { template } from '../operator/world.ts';
import { accepted, person, Stage } from './approval-stage.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const STEPS: CanaryStep[] = [{ replicas: 1 }, { replicas: '50%' }, { replicas: '100%' }];
const eve = person('eve', 'sre');
const ed = person('ed');

describe('glass that was broken for one release', () => {
  let stage: Stage;
  afterEach(() => stage.stop());

  /** The world begins at midnight: closed from 00:10 to 02:10 of each day. */
  const begin = async (more: ReleasePolicySpec = {}): Promise<void> => {
    const deny = [{ schedule: '10 0 * * *', durationSeconds: 7200, reason: 'freeze' }];
    const spec = { windows: { deny }, breakGlass: { groups: ['sre'] }, ...more };
    stage = await new Stage().start(spec, STEPS);
  };
  const closed = async (): Promise<void> => {
    const { world } = stage;
    const next = Math.ceil((world.now - 15 * 60_000) / DAY) * DAY + 15 * 60_000;
    await world.run(next - world.now);
  };
  const open = async (): Promise<void> => stage.world.run(3 * HOUR);
  const id = (): string => stage.world.deployment.metadata.labels?.[ROLLOUT_ID] ?? '';
  const broken = (version: string, reason = 'outage 7'): Promise<string | undefined> =>
    stage.release(eve, version, { metadata: { annotations: { [BREAK_GLASS]: reason } } });
  const approveAll = async (): Promise<void> => {
    for (const step of [1, 2]) {
      await stage.world.untilPaused(step);
      accepted(await stage.approve(ed));
    }
  };
  const completed = (version: string): Promise<void> =>
    stage.world.until('all is out', () => stage.world.sizes[version] === 10 && !stage.world.held);
  /** The first step is done, it is approved, and the window is closed: nothing goes on. */
  const waits = async (version: string): Promise<void> => {
    accepted(await stage.approve(ed));
    await stage.world.until('it is blocked', () => stage.world.condition('PolicyBlocked')?.status === 'True');
    await stage.world.run(10 * 60_000);
    assert.equal(stage.world.sizes[version], 1, stage.world.describe());
  };

  it('lets that release go on in a closed window, and is gone at its end', async () => {
    await begin();
    await closed();
    assert.match((await stage.release(ed)) ?? '', /spec.template: Forbidden: policy documented is closed/);
    accepted(await broken('v2'));
    await approveAll();
    await completed('v2');
    await stage.world.until('it is Healthy', () => stage.world.rollout.status?.phase === 'Healthy');
    assert.equal(stage.world.deployment.metadata.annotations?.[GLASS_BROKEN], undefined);
    assert.deepEqual(
      stage.world.history[0]?.brokenGlass?.map(({ user, reason }) => [user, reason]),
      [['eve', 'outage 7']],
    );
    assert.match((await broken('v3')) ?? '', /was already used for an earlier change/);
  });

  it('is not good for another release that carries its id', async () => {
    await begin();
    await closed();
    accepted(await broken('v2'));
    const first = id();
    await approveAll();
    await completed('v2');
    await open();
    // Another id in between, so that the first one is a new one again.
    accepted(await stage.release(ed, 'v3', { metadata: { labels: { [ROLLOUT_ID]: 'other' } } }));
    await stage.world.untilPaused(1);
    accepted(await stage.release(ed, 'v2'));
    await completed('v2');
    accepted(await stage.release(ed, 'v4', { metadata: { labels: { [ROLLOUT_ID]: first } } }));
    assert.equal(id(), first);
    await stage.world.untilPaused(1);
    await closed();
    await waits('v4');
  });

  it('is not good for a newer template of the same release', async () => {
    await begin();
    await closed();
    accepted(await broken('v2'));
    await stage.world.untilPaused(1);
    const first = id();
    await open();
    accepted(await stage.release(ed, 'v3', { metadata: { labels: { [ROLLOUT_ID]: first } } }));
    await stage.world.until('v3 is at its first step', () => stage.world.sizes['v3'] === 1);
    await stage.world.untilPaused(1);
    await closed();
    await waits('v3');
  });

  it('is not good again when its mark comes back from elsewhere', async () => {
    await begin();
    await closed();
    accepted(await broken('v2'));
    const mark = stage.world.deployment.metadata.annotations?.[GLASS_BROKEN] ?? '';
    const first = id();
    assert.notEqual(mark, '');
    await approveAll();
    await completed('v2');
    await open();
    const labels = { [ROLLOUT_ID]: first };
    accepted(await stage.release(ed, 'v3', { metadata: { labels: { [ROLLOUT_ID]: 'x' } } }));
    accepted(await stage.release(ed, 'v2'));
    await completed('v2');
    // Past admission, too: a backup that is restored, or a webhook that was away.
    await stage.world.patch({ metadata: { labels, annotations: { [GLASS_BROKEN]: mark } } });
    accepted(await stage.release(ed, 'v4'));
    await stage.world.untilPaused(1);
    await stage.world.patch({ metadata: { labels, annotations: { [GLASS_BROKEN]: mark } } });
    await closed();
    await waits('v4');
  });

  it('of a step is not good for that step of another release, and is gone at the end', async () => {
    await begin({ approval: { required: 2 } });
    accepted(await stage.release(ed));
    await stage.world.untilPaused(1);
    const first = id();
    accepted(await stage.editRollout(eve, { metadata: { annotations: { [BREAK_GLASS]: 'outage 8' } } }));
    const mark = stage.world.rollout.metadata.annotations?.[GLASS_BROKEN] ?? '';
    accepted(await stage.editDeployment(ed, { spec: { template: template('v1') } }));
    await completed('v1');
    await stage.world.until(
      'the mark is gone',
      () => stage.world.rollout.metadata.annotations?.[GLASS_BROKEN] === undefined,
    );
    accepted(await stage.release(ed, 'v3', { metadata: { labels: { [ROLLOUT_ID]: 'other' } } }));
    accepted(await stage.release(ed, 'v4', { metadata: { labels: { [ROLLOUT_ID]: first } } }));
    await stage.world.untilPaused(1);
    await stage.world.patchRollout({ metadata: { annotations: { [GLASS_BROKEN]: mark } } });
    accepted(await stage.approve(eve));
    await stage.world.run(HOUR);
    assert.equal(stage.world.canary.currentStepIndex, 1);
    assert.equal(stage.world.canary.currentStepState, 'StepPaused');
  });

  it('lets its person, and nobody else, approve alone', async () => {
    await begin({ approval: { required: 2 } });
    accepted(await stage.release(ed));
    await stage.world.untilPaused(1);
    accepted(await stage.editRollout(eve, { metadata: { annotations: { [BREAK_GLASS]: 'outage 8' } } }));
    accepted(await stage.approve(ed));
    await stage.world.run(60_000);
    assert.equal(stage.world.canary.currentStepIndex, 1);
    accepted(await stage.approve(eve));
    await stage.world.until('step 2', () => stage.world.canary.currentStepIndex === 2);
    assert.deepEqual(
      stage.world.canary.approvals?.map(({ user, past }) => [user, past]),
      [
        ['ed', undefined],
        ['eve', ['documented']],
      ],
    );
  });
});
