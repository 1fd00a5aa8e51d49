// Policies and the operator: approvals, windows, broken glass, and room for one release.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import * as keys from '../../../src/api/keys.ts';
import type { Approval } from '../../../src/api/types.ts';
import { templateDigest } from '../../../src/engine/lib/template.ts';
import { releaseOf } from '../../../src/engine/policy/break-glass.ts';
import { template } from '../world.ts';
import { MINUTE, overKinds, STEPS } from './stage.ts';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

overKinds('under a policy', (stage) => {
  /** Closed from a minute from now on, for two hours. */
  const closeSoon = async (more: object = {}): Promise<number> => {
    const at = new Date(Math.ceil(stage.world.now / MINUTE) * MINUTE + MINUTE);
    const schedule = `${at.getUTCMinutes()} ${at.getUTCHours()} ${at.getUTCDate()} ${at.getUTCMonth() + 1} *`;
    const windows = { deny: [{ schedule, durationSeconds: 7200, reason: 'freeze' }] };
    await stage.world.createPolicy('production', { windows, ...more });
    return at.getTime() + 120 * MINUTE;
  };
  const untilBlocked = (): Promise<void> =>
    stage.world.until('it is blocked', () => stage.world.condition('PolicyBlocked')?.status === 'True');
  const approval = (user: string): Approval => ({
    step: 1,
    rolloutID: stage.world.canary.observedRolloutID ?? '',
    revision: stage.world.canary.canaryRevision ?? '',
    user,
    time: stage.world.canary.lastUpdateTime ?? '',
  });

  it('waits for its approvals, and records them', async () => {
    const world = await stage.begin({ policies: true });
    await world.createPolicy('production', { approval: { required: 2 } });
    await world.release('v2');
    await stage.to(1);
    await world.until('it says so', () => /approval \(0 of 2\)/.test(stage.message));
    await world.approve();
    await world.run(MINUTE);
    assert.deepEqual(world.sizes, { v1: 5, v2: 1 }, 'nobody is named');
    const plan = world.plan();
    const approvals = ['bob', 'carol'].map((user) => ({ ...approval(user), plan }));
    await world.patchStatus({ canaryStatus: { approvals, currentStepState: 'StepReady' } });
    await world.untilPaused(2);
    assert.deepEqual(stage.messages('Approved'), ['step 1/3 approved by bob, carol']);
    assert.deepEqual(world.sizes, { v1: 3, v2: 3 });
  });

  it('finishes its step when a window closes, waits, and goes on when it opens', async () => {
    const world = await stage.begin({ policies: true });
    const opensAt = await closeSoon();
    await world.release('v2');
    await stage.to(1);
    await world.run(2 * MINUTE);
    await world.approve();
    await untilBlocked();
    assert.equal(world.condition('PolicyBlocked')?.reason, 'WindowClosed');
    await world.run(opensAt - world.now - MINUTE);
    assert.deepEqual(world.sizes, { v1: 5, v2: 1 });
    await world.untilPaused(2, 2 * MINUTE);
    assert.ok(world.now >= opensAt);
  });

  it('rolls back although a window is closed', async () => {
    const world = await stage.begin({ policies: true });
    await closeSoon();
    await world.release('v2');
    await stage.to(1);
    await world.run(2 * MINUTE);
    await world.approve();
    await untilBlocked();
    await world.release('v1');
    await stage.untilWithout('v2');
  });

  it('that nobody intercepted waits for the window before its first step', async () => {
    const world = await stage.begin({ policies: true });
    await closeSoon();
    await world.run(2 * MINUTE);
    world.webhook = false;
    await world.release('v2');
    await untilBlocked();
    assert.equal(world.held, true);
    await world.virtual.settled();
    const { sizes } = world;
    assert.ok((sizes['v1'] ?? 0) > 0, 'caught before its last Pod');
    await world.run(MINUTE);
    assert.deepEqual(world.sizes, sizes);
    await world.untilPaused(1, 180 * MINUTE);
  });

  it('whose glass was broken goes on for one step, and the history says by whom and why', async () => {
    const world = await stage.begin({ policies: true });
    await closeSoon({ breakGlass: { groups: ['sre'] } });
    await world.release('v2');
    await stage.to(1);
    await world.run(2 * MINUTE);
    await world.approve();
    await untilBlocked();
    const glass = { user: 'eve', reason: 'outage 7', time: '2026-01-05T10:00:00Z' };
    const release = releaseOf(world.deployment, (template) => templateDigest(template, sha256));
    const mark = { ...glass, policies: ['production'], ...release, step: 1 };
    await world.patchRollout({ metadata: { annotations: { [keys.GLASS_BROKEN]: JSON.stringify(mark) } } });
    await world.untilPaused(2);
    assert.deepEqual(stage.last.brokenGlass, [glass]);
    await world.approve();
    await untilBlocked();
    assert.equal(world.canary.currentStepIndex, 2);
  });

  it('is counted by maxConcurrentReleases, and begins when there is room', async () => {
    const world = await stage.begin({ policies: true });
    await world.createPolicy('production', { maxConcurrentReleases: 1 });
    const labelled = (version: string): object => {
      const { spec, metadata } = template(version) as { spec: object; metadata: object };
      return { spec, metadata: { ...metadata, labels: { app: 'other' } } };
    };
    const spec = { selector: { matchLabels: { app: 'other' } }, template: labelled('v1') };
    await world.createDeployment({ metadata: { name: 'other' }, replicas: 2, spec });
    await world.createRollout(STEPS, { name: 'other', workload: 'other' });
    await world.until('the other is enrolled', () => world.rolloutOf('other')?.status?.phase === 'Healthy');
    await world.virtual.settled();
    await world.patch({ spec: { template: labelled('v2') } }, undefined, 'other');
    await world.until('the other has begun', () => world.rolloutOf('other')?.status?.phase === 'Progressing');
    await world.run(5_000);
    await world.release('v2');
    await untilBlocked();
    assert.match(stage.message, /maxConcurrentReleases|1 release/);
    assert.deepEqual(world.sizes, { v1: 6 });
    await world.deleteRollout('other');
    await world.untilPaused(1, 3 * MINUTE);
  });
});
