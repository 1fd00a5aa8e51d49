// Policies and the operator, in virtual time: steps that wait for a window or for another release, and what is put on record.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { APPROVED, GLASS_BROKEN, PAUSED_UNSEEN } from '../../src/api/keys.ts';
import type { Approval, CanaryStatus, Deployment } from '../../src/api/types.ts';
import { releaseOf } from '../../src/engine/policy/break-glass.ts';
import { planDigest } from '../../src/engine/policy/plan.ts';
import { templateDigest } from '../../src/engine/lib/template.ts';
import { template, World } from './world.ts';

const STEPS = [{ replicas: 1 }, { replicas: '50%' }, { replicas: '100%' }];
const HOUR = 3_600_000;
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

describe('a release under a policy', () => {
  let world: World;

  beforeEach(async () => {
    world = await new World({ seed: 7, policies: true }).start();
    await world.createDeployment();
    await world.createRollout(STEPS);
    await world.untilHealthy();
    await world.virtual.settled();
  });
  afterEach(() => world.stop());

  /** Closed from a minute from now on, for two hours. */
  const closeSoon = async (more: object = {}): Promise<{ opensAt: number }> => {
    const at = new Date(Math.ceil(world.now / 60_000) * 60_000 + 60_000);
    const schedule = `${at.getUTCMinutes()} ${at.getUTCHours()} ${at.getUTCDate()} ${at.getUTCMonth() + 1} *`;
    const windows = { deny: [{ schedule, durationSeconds: 7200, reason: 'freeze' }] };
    await world.createPolicy('production', { windows, ...more });
    return { opensAt: at.getTime() + 2 * HOUR };
  };
  /** What a mark of broken glass is about. */
  const release = (): object => releaseOf(world.deployment, (template) => templateDigest(template, sha256));
  const plan = (): string => planDigest(world.rollout, world.canary as CanaryStatus, sha256);
  const messages = (reason: string): string[] => [
    ...new Set(world.events.filter((event) => event.reason === reason).map(({ message }) => message)),
  ];

  it('that a window closes on finishes its step; the next one begins when it opens, and nobody asks before', async () => {
    const { opensAt } = await closeSoon();
    await world.release('v2');
    await world.untilPaused(1);
    await world.run(2 * 60_000);
    await world.approve();
    await world.until('it is blocked', () => world.condition('PolicyBlocked')?.status === 'True');
    assert.equal(world.condition('PolicyBlocked')?.reason, 'WindowClosed');
    assert.match(
      world.rollout.status?.message ?? '',
      /^step 1\/3 waits: policy production is closed until .*Z \(freeze\)$/,
    );
    assert.equal(world.canary.currentStepState, 'StepReady', 'the approval is not lost');
    await world.virtual.settled();
    assert.match(messages('PolicyBlocked').join(), /policy production is closed/);
    const before = world.calls.filter(({ query }) => query?.['watch'] === undefined).length;
    const reads = (): number => world.calls.filter(({ method, query }) => method !== 'GET' && !query?.['watch']).length;
    const writes = reads();
    await world.run(opensAt - world.now - 60_000);
    assert.equal(reads(), writes, 'nothing is written while it waits');
    assert.ok(
      world.calls.filter(({ query }) => query?.['watch'] === undefined).length - before < 200,
      'and nothing is polled but the caches compared',
    );
    assert.deepEqual(world.sizes, { v1: 9, v2: 1 });
    await world.untilPaused(2, 120_000);
    assert.ok(world.now >= opensAt);
    assert.equal(world.condition('PolicyBlocked'), undefined);
  });

  it('goes on when the policy goes', async () => {
    await closeSoon();
    await world.release('v2');
    await world.untilPaused(1);
    await world.run(2 * 60_000);
    await world.approve();
    await world.until('it is blocked', () => world.condition('PolicyBlocked')?.status === 'True');
    await world.deletePolicy('production');
    await world.untilPaused(2);
  });

  it('rolls back immediately, window or not', async () => {
    await closeSoon();
    await world.release('v2');
    await world.untilPaused(1);
    await world.run(2 * 60_000);
    await world.approve();
    await world.until('it is blocked', () => world.condition('PolicyBlocked')?.status === 'True');
    await world.release('v1');
    await world.until(
      'all is v1 again',
      () => world.sizes['v2'] === undefined && world.rollout.status?.phase === 'Healthy',
    );
    assert.equal(world.condition('PolicyBlocked'), undefined);
  });

  it('that nobody intercepted waits for the window before its first step', async () => {
    await closeSoon();
    await world.run(2 * 60_000);
    world.webhook = false;
    await world.release('v2');
    await world.until('it is blocked', () => world.condition('PolicyBlocked')?.status === 'True');
    assert.equal(world.canary.currentStepState, 'BeforeStepUpgrade');
    assert.equal(world.held, true);
    await world.untilPaused(1, 3 * HOUR);
  });

  it('that only warns or tells blocks nothing', async () => {
    await closeSoon({ enforcement: 'Warn' });
    await world.release('v2');
    await world.untilPaused(1);
    await world.run(2 * 60_000);
    await world.approve();
    await world.untilPaused(2);
  });

  it('whose glass was broken goes on, and its history says by whom and why', async () => {
    await closeSoon({ breakGlass: { groups: ['sre'] } });
    await world.release('v2');
    await world.untilPaused(1);
    await world.run(2 * 60_000);
    await world.approve();
    await world.until('it is blocked', () => world.condition('PolicyBlocked')?.status === 'True');
    const glass = { user: 'eve', reason: 'outage 7', time: '2026-01-05T10:00:00Z' };
    const mark = {
      ...glass,
      policies: ['production'],
      ...release(),
      step: 1,
    };
    await world.patchRollout({ metadata: { annotations: { [GLASS_BROKEN]: JSON.stringify(mark) } } });
    await world.untilPaused(2);
    assert.deepEqual(world.history[0]?.brokenGlass, [glass]);
    assert.deepEqual(messages('GlassBroken'), ['eve bypassed the policy: outage 7']);
    await world.approve();
    await world.until('it is blocked again', () => world.condition('PolicyBlocked')?.status === 'True');
    assert.equal(world.canary.currentStepIndex, 2, 'it was good for one step');
  });

  it('is held by a policy that was not opened, whatever else was', async () => {
    await closeSoon({ breakGlass: { groups: ['sre'] } });
    await world.release('v2');
    await world.untilPaused(1);
    await world.run(2 * 60_000);
    await world.approve();
    await world.until('it is blocked', () => world.condition('PolicyBlocked')?.status === 'True');
    const markFor = (policies: string[]): Promise<unknown> => {
      const mark = { user: 'eve', reason: 'outage 7', time: '2026-01-05T10:00:00Z', policies, ...release(), step: 1 };
      return world.patchRollout({ metadata: { annotations: { [GLASS_BROKEN]: JSON.stringify(mark) } } });
    };
    await markFor(['databases']);
    await world.until('the mark is seen', () => messages('GlassBroken').length > 0);
    await world.run(60_000);
    assert.equal(world.canary.currentStepIndex, 1);
    assert.equal(world.condition('PolicyBlocked')?.reason, 'WindowClosed');
    await markFor(['databases', 'production']);
    await world.untilPaused(2);
  });

  it('waits for as many approvals as the policy says, and keeps them', async () => {
    await world.createPolicy('production', { approval: { required: 2 } });
    await world.release('v2');
    await world.untilPaused(1);
    await world.until(
      'it says so',
      () =>
        world.rollout.status?.message ===
        'step 1/3 done: waiting for approval (0 of 2); to roll back: kubectl tranche undo demo-rollout',
    );
    const record = (user: string): Approval => ({
      step: 1,
      rolloutID: world.canary.observedRolloutID ?? '',
      revision: world.canary.canaryRevision ?? '',
      user,
      time: world.canary.lastUpdateTime ?? '',
      plan: plan(),
    });
    await world.patchStatus({ canaryStatus: { approvals: [record('bob')] } });
    await world.until(
      'it counts one',
      () =>
        world.rollout.status?.message ===
        'step 1/3 done: waiting for approval (1 of 2); to roll back: kubectl tranche undo demo-rollout',
    );
    const approvals = [record('bob'), record('carol')];
    await world.patchStatus({ canaryStatus: { approvals, currentStepState: 'StepReady' } });
    await world.untilPaused(2);
    assert.deepEqual(world.canary.approvals, approvals);
    assert.deepEqual(messages('Approved'), ['step 1/3 approved by bob, carol']);
    const more = [...approvals, ...['bob', 'dave'].map((user) => ({ ...record(user), step: 2 }))];
    await world.patchStatus({ canaryStatus: { approvals: more, currentStepState: 'StepReady' } });
    await world.untilCompleted();
    assert.deepEqual(world.history[0]?.approvals, more);
  });

  it('records an approval that was an edit of the pause', async () => {
    await world.release('v2');
    await world.untilPaused(1);
    const approval: Approval = {
      step: 1,
      rolloutID: world.canary.observedRolloutID ?? '',
      revision: world.canary.canaryRevision ?? '',
      user: 'mia',
      time: world.canary.lastUpdateTime ?? '',
    };
    await world.patchRollout({
      metadata: { annotations: { [APPROVED]: JSON.stringify(approval) } },
      spec: { strategy: { canary: { steps: [{ replicas: 1, pause: { duration: 0 } }, ...STEPS.slice(1)] } } },
    });
    await world.untilPaused(2);
    assert.deepEqual(world.canary.approvals, [approval]);
  });

  it('is void with a new template', async () => {
    await world.createPolicy('production', { approval: { required: 2 } });
    await world.release('v2');
    await world.untilPaused(1);
    const {
      observedRolloutID: rolloutID = '',
      canaryRevision: revision = '',
      lastUpdateTime: time = '',
    } = world.canary;
    await world.patchStatus({ canaryStatus: { approvals: [{ step: 1, rolloutID, revision, user: 'bob', time }] } });
    await world.release('v3');
    await world.until(
      'step 1 of v3',
      () => world.runs === 'v3' && world.sizes['v3'] === 1 && world.canary.currentStepState === 'StepPaused',
    );
    assert.deepEqual(world.canary.approvals ?? [], []);
    assert.deepEqual(
      world.history[1]?.approvals?.map(({ user }) => user),
      ['bob'],
      'history keeps it',
    );
  });

  it('begins when there is room: one at the same time', async () => {
    await world.createPolicy('production', { maxConcurrentReleases: 1 });
    await world.virtual.createDeployment({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'other' },
      spec: { replicas: 2, selector: { matchLabels: { app: 'other' } }, template: labelled('v1') },
    });
    await world.createRollout([{ replicas: 1 }, { replicas: '100%' }], { name: 'other-rollout', workload: 'other' });
    await world.until('both are Healthy', () => world.rolloutOf('other-rollout')?.status?.phase === 'Healthy');
    await Promise.all([
      world.release('v2'),
      world.virtual.patchDeployment('other', { spec: { template: labelled('v2') } }),
    ]);
    const states = (): (string | undefined)[] =>
      ['demo-rollout', 'other-rollout']
        .map((name) => world.rolloutOf(name)?.status?.canaryStatus?.currentStepState)
        .sort();
    await world.until('one waits, one is at its first step', () => states().join() === 'BeforeStepUpgrade,StepPaused');
    await world.run(120_000);
    assert.deepEqual(states(), ['BeforeStepUpgrade', 'StepPaused']);
    const first = world.canary.currentStepState === 'StepPaused' ? 'demo' : 'other';
    await world.virtual.patchDeployment(first, {
      spec: { template: first === 'demo' ? template('v1') : labelled('v1') },
    });
    await world.until('the other begins', () => states().join() === 'Completed,StepPaused');
  });

  it('that the API server paused while nobody was there is not paused by its user', async () => {
    world.crash();
    world.webhook = false;
    const paused = {
      metadata: { annotations: { [PAUSED_UNSEEN]: 'false' } },
      spec: { template: template('v2'), paused: true },
    };
    await world.patch(paused);
    await world.run(60_000);
    assert.deepEqual(world.sizes, { v1: 10 });
    world.webhook = true;
    world.startOperator();
    await world.untilPaused(1);
    await world.approve();
    await world.untilPaused(2);
    await world.approve();
    await world.untilCompleted();
    const { spec, metadata } = world.deployment;
    assert.equal((spec as Deployment['spec']).paused ?? false, false);
    assert.equal(metadata.annotations?.[PAUSED_UNSEEN], undefined);
  });

  it('that is nobody’s any more is not left paused by the API server', async () => {
    await world.patchRollout({ spec: { disabled: true } });
    await world.until('it is disabled', () => world.rollout.status?.phase === 'Disabled');
    world.webhook = false;
    await world.patch({
      metadata: { annotations: { [PAUSED_UNSEEN]: 'false' } },
      spec: { template: template('v2'), paused: true },
    });
    await world.patchRollout({ metadata: { labels: { look: 'again' } } });
    await world.until('it went out', () => world.sizes['v2'] === 10);
  });
});

const labelled = (version: string): object => ({
  metadata: { labels: { app: 'other' } },
  spec: { containers: [{ name: 'main', image: `demo/${version}:ok` }] },
});
