// Attacks on what keeps a release: forged records, Rollouts that others delete, ReplicaSets that are deleted or edited. No webhook answers.
import assert from 'node:assert/strict';
import { CHANGED_BY, HELD, ROLLOUT_FINALIZER, WORKLOAD_TYPE } from '../../src/api/keys.ts';
import type { ReplicaSet } from '../../src/api/types.ts';
import { parseHeld, writeHeld } from '../../src/engine/workload/deployment/hold.ts';
import { asDigest } from '../support/digests.ts';
import type { Misbehaviour } from '../operator/api.ts';
import { isReady, NAME, template, versionOf, World } from '../operator/world.ts';

const STEPS = [{ replicas: 3 }, { replicas: '50%' }, { replicas: '100%' }];
const SETS = '/apis/apps/v1/namespaces/default/replicasets';

describe('attacks on the record of a release', () => {
  let world: World;
  /** Requests for these paths do not reach the API server. */
  let unlisted: RegExp | undefined;

  beforeEach(async () => {
    unlisted = undefined;
    const misbehaviour = (): Misbehaviour => ({
      fault: ({ path }) => (unlisted?.test(path) === true ? 'broken' : undefined),
      line: () => undefined,
      onCrash: () => undefined,
    });
    world = await new World({ seed: 21, policies: true, misbehaviour }).start();
    await world.createDeployment();
    await world.createPolicy('production', { requireRollout: true, protectInFlight: true });
    await world.createRollout(STEPS);
    await world.untilHealthy();
    await world.virtual.settled();
  });
  afterEach(() => world.stop());

  const readyOf = (version: string): number =>
    world.pods.filter((pod) => isReady(pod) && versionOf(podTemplate(pod)) === version).length;
  const podTemplate = (pod: object): never => ({ spec: (pod as { spec: object }).spec }) as never;
  const setOf = (version: string): ReplicaSet => {
    const found = world.replicaSets.find((set) => versionOf(set.spec.template) === version);
    assert.ok(found, `a ReplicaSet of ${version}`);
    return found;
  };
  const untilAll = (version: string): Promise<void> =>
    world.until(`all Pods are ${version}`, () => readyOf(version) === 10 && world.sizes[version] === 10, 180_000);
  /** For some minutes; then looks again. */
  const never = async (what: string, bad: () => boolean): Promise<void> => {
    for (let i = 0; i < 60; i++) {
      assert.ok(!bad(), `${what}\n${world.describe()}`);
      await world.run(2_000);
    }
  };

  for (const when of ['at once', 'in the middle of a step'] as const) {
    it(`a Rollout that is deleted ${when} takes the Deployment back, whoever deletes it`, async () => {
      await world.release('v2');
      if (when !== 'at once') await world.untilPaused(1);
      await world.deleteRollout();
      await world.until('the Rollout is gone', () => world.rolloutOf() === undefined);
      await untilAll('v1');
      assert.equal(world.runs, 'v1');
      assert.equal(world.held, false);
    });

    it(`a Rollout that is disabled ${when} takes the Deployment back`, async () => {
      await world.release('v2');
      if (when !== 'at once') await world.untilPaused(1);
      await world.patchRollout({ spec: { disabled: true } });
      await untilAll('v1');
      await world.until('it is disabled', () => world.rollout.status?.phase === 'Disabled');
      assert.equal(world.runs, 'v1');
    });
  }

  /** Takes the finalizer off the Rollout and deletes it during a release, while no operator runs. */
  const loseRollout = async (): Promise<void> => {
    await world.release('v2');
    await world.untilPaused(1);
    world.crash();
    await world.patchRollout({ metadata: { finalizers: null } });
    await world.deleteRollout();
    assert.equal(world.rolloutOf(), undefined);
  };

  it('a Rollout whose finalizer is taken off, and that is deleted then, leaves a Deployment that goes back', async () => {
    await loseRollout();
    world.startOperator();
    await untilAll('v1');
    assert.equal(world.held, false);
    assert.match(
      world.events.map(({ message }) => message).join('\n'),
      /policy production protects releases in progress/,
    );
  });

  it('a leader that does not know the policies yet writes nothing, and then goes back', async () => {
    await loseRollout();
    unlisted = /\/releasepolicies$/;
    const before = world.calls.length;
    world.startOperator();
    await world.run(60_000);
    const writes = world.calls.slice(before).filter(({ method }) => method !== 'GET');
    assert.deepEqual([writes, world.held], [[], true]);
    unlisted = undefined;
    await untilAll('v1');
  });

  it('a template that no webhook saw, and the Rollout deleted in the same moment: it goes back', async () => {
    world.webhook = false;
    await world.release('v2');
    await world.deleteRollout();
    await world.until('the Rollout is gone', () => world.rolloutOf() === undefined);
    await untilAll('v1');
    assert.equal(world.runs, 'v1');
  });

  it('without a policy that protects, a Rollout that is deleted lets the release go on, as documented', async () => {
    await world.deletePolicy('production');
    await world.release('v2');
    await world.untilPaused(1);
    await world.deleteRollout();
    await untilAll('v2');
  });

  it('where the template to go back to is nowhere, it stays held and says so', async () => {
    await world.release('v2');
    await world.untilPaused(1);
    world.crash();
    const copies = '/apis/apps/v1/namespaces/default/controllerrevisions';
    const { items } = (await world.virtual.client.request('GET', copies)) as unknown as {
      items: { metadata: { name: string } }[];
    };
    for (const { metadata } of items) await world.virtual.client.request('DELETE', `${copies}/${metadata.name}`);
    await editTemplate(setOf('v1'), 'evil');
    world.startOperator();
    await world.deleteRollout();
    await world.until('it says so', () => world.condition('Stalled')?.reason === 'StableUnknown');
    await never('evil or v2 went out', () => (world.sizes['v2'] ?? 0) > 3 || world.runs === 'evil');
    assert.equal(world.held, true);
  });

  it('the copy of the stable template is there during a release, and only then', async () => {
    const copies = async (): Promise<number> => {
      const path = '/apis/apps/v1/namespaces/default/controllerrevisions';
      return ((await world.virtual.client.request('GET', path)) as unknown as { items: unknown[] }).items.length;
    };
    assert.equal(await copies(), 0);
    await world.release('v2');
    await world.untilPaused(1);
    assert.equal(await copies(), 1);
    await world.release('v3');
    await world.untilPaused(1);
    assert.equal(await copies(), 1);
    await world.release('v1');
    await world.untilHealthy();
    assert.equal(await copies(), 0);
  });

  // Records ------------------------------------------------------------------------------------------------------------

  /** Somebody makes a ReplicaSet of a version that never ran; the native controller adopts it. */
  const forgeSet = async (version: string): Promise<void> => {
    const labels = { app: NAME, 'pod-template-hash': 'forged' };
    const { spec } = template(version) as { spec: object };
    await world.virtual.client.request('POST', SETS, {
      body: {
        apiVersion: 'apps/v1',
        kind: 'ReplicaSet',
        metadata: { name: `${NAME}-forged`, labels },
        spec: { replicas: 0, selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
      },
    });
    await world.until('it is adopted', () => world.replicaSets.some((set) => versionOf(set.spec.template) === version));
  };
  const editTemplate = (set: ReplicaSet, version: string): Promise<unknown> =>
    world.virtual.client.request('PATCH', `${SETS}/${set.metadata.name}`, {
      type: 'application/merge-patch+json',
      body: { spec: { template: { spec: (template(version) as { spec: object }).spec } } },
    });
  const forgeRecord = async (change: object): Promise<void> => {
    const held = parseHeld(world.deployment.metadata.annotations?.[HELD]);
    assert.ok(held);
    await world.patch({ metadata: { annotations: { [HELD]: writeHeld({ ...held, ...change }) } } });
  };

  it('a record that names another stable version: what ran before stays the one to go back to', async () => {
    await world.release('v2');
    await world.untilPaused(1);
    await forgeSet('evil');
    const { digest } = await digestOf('evil');
    world.webhook = false;
    await forgeRecord({ stable: digest });
    await world.patch({ spec: { template: template('evil') } });
    await never('evil went out beyond its step', () => (world.sizes['evil'] ?? 0) > 3);
    assert.equal(world.condition('Progressing')?.reason, 'InRolling', 'it is a release, and no rollback');
    await world.release('v1');
    await untilAll('v1');
  });

  it('the same while the webhook answers: it is held, and not set free', async () => {
    await world.release('v2');
    await world.untilPaused(1);
    await forgeSet('evil');
    const { digest } = await digestOf('evil');
    world.webhook = false;
    await forgeRecord({ stable: digest });
    world.webhook = true;
    await world.patch({ spec: { template: template('evil') } });
    assert.equal(world.deployment.spec.paused, true);
    await never('evil went out beyond its step', () => (world.sizes['evil'] ?? 0) > 3);
  });

  it('settings in the record that Kubernetes would refuse do not stop a rollback', async () => {
    await world.release('v2');
    await world.untilPaused(1);
    world.webhook = false;
    const held = parseHeld(world.deployment.metadata.annotations?.[HELD])!;
    await forgeRecord({ user: { ...held.user, maxSurge: 'abc', progressDeadlineSeconds: -1 } });
    world.webhook = true;
    await world.release('v1');
    await untilAll('v1');
    assert.deepEqual(world.deployment.spec.strategy?.rollingUpdate, { maxSurge: '25%', maxUnavailable: '25%' });
  });

  it('nobody but the webhook says who changed the template, with a Rollout or without', async () => {
    const author = (): string | undefined => world.deployment.metadata.annotations?.[CHANGED_BY];
    await world.patch({ metadata: { annotations: { [CHANGED_BY]: 'bob' } } });
    assert.equal(author(), undefined);
    await world.patchRollout({ spec: { disabled: true } });
    await world.until('it is disabled', () => world.rollout.status?.phase === 'Disabled');
    await world.patch({ metadata: { annotations: { [CHANGED_BY]: 'bob' } } });
    assert.equal(author(), undefined);
  });

  // ReplicaSets --------------------------------------------------------------------------------------------------------

  it('all ReplicaSets of a held Deployment are deleted: the stable version comes back, and nothing is completed', async () => {
    await world.release('v2');
    await world.untilPaused(1);
    for (const set of world.replicaSets) await world.virtual.client.request('DELETE', `${SETS}/${set.metadata.name}`);
    await world.until('it is reported', () => world.events.some(({ reason }) => reason === 'Bypassed'));
    await untilAll('v1');
    assert.notEqual(world.condition('Succeeded')?.status, 'True');
    assert.ok(!world.history.some(({ outcome }) => outcome === 'Completed'));
  });

  it('all ReplicaSets are deleted before the operator has seen the release', async () => {
    world.crash();
    await world.release('v2');
    for (const set of world.replicaSets) await world.virtual.client.request('DELETE', `${SETS}/${set.metadata.name}`);
    world.startOperator();
    await never('v2 went out', () => (world.sizes['v2'] ?? 0) > 3);
  });

  it('the ReplicaSet of the stable version is deleted: it comes back where a policy protects the release', async () => {
    await world.release('v2');
    await world.untilPaused(1);
    await world.virtual.client.request('DELETE', `${SETS}/${setOf('v1').metadata.name}`);
    await world.until('it is reported', () => world.events.some(({ reason }) => reason === 'Bypassed'));
    await untilAll('v1');
    assert.ok(!world.history.some(({ outcome }) => outcome === 'Completed'));
  });

  it('without such a policy it is reported, waits as it did, and can go back', async () => {
    await world.deletePolicy('production');
    await world.release('v2');
    await world.untilPaused(1);
    await world.virtual.client.request('DELETE', `${SETS}/${setOf('v1').metadata.name}`);
    await world.until('it is reported', () => world.condition('Bypassed')?.status === 'True');
    await never('it was completed', () => world.condition('Succeeded')?.status === 'True');
    assert.equal(world.canary.currentStepState, 'StepPaused');
    await world.release('v1');
    await untilAll('v1');
  });

  it('the template of the stable ReplicaSet is edited: an automatic rollback does not write it into the Deployment', async () => {
    await world.patchRollout({ spec: { strategy: { canary: { onFailure: 'Rollback', stepDeadlineSeconds: 30 } } } });
    await world.release('v2:crash');
    await world.until('its step begins', () => world.sizes['v2:crash'] !== undefined);
    await editTemplate(setOf('v1'), 'evil');
    await never('evil is in the Deployment', () => world.runs === 'evil');
    await untilAll('v1');
  });

  it('the template of the stable ReplicaSet and of the Deployment are both made evil: that is a release', async () => {
    await world.release('v2');
    await world.untilPaused(1);
    await editTemplate(setOf('v1'), 'evil');
    await world.patch({ spec: { template: template('evil') } });
    await never('evil went out beyond its step', () => readyOf('evil') > 3);
  });

  async function digestOf(version: string): Promise<{ digest: string }> {
    const { createHash } = await import('node:crypto');
    const { templateDigest } = await import('../../src/engine/lib/template.ts');
    const set = setOf(version);
    return { digest: templateDigest(set.spec.template, (text) => createHash('sha256').update(text).digest('hex')) };
  }

  it('edited before the operator has seen the release: it stays held, and says why it does not go back', async () => {
    await world.patchRollout({ spec: { strategy: { canary: { onFailure: 'Rollback', stepDeadlineSeconds: 30 } } } });
    world.crash();
    await world.release('v2:crash');
    await editTemplate(setOf('v1'), 'evil');
    world.startOperator();
    await world.until('it says so', () => /is not found/.test(world.rollout.status?.message ?? ''));
    await never('evil is in the Deployment', () => world.runs === 'evil');
    assert.equal(world.held, true);
  });

  it('uses what a release carries', () => {
    assert.ok(world.rollout.metadata.finalizers?.includes(ROLLOUT_FINALIZER));
    assert.equal(world.deployment.metadata.labels?.[WORKLOAD_TYPE], 'deployment');
  });
});

describe('a record without a Rollout that names a ControllerRevision of others', () => {
  it('does not have the operator delete it', async () => {
    const world = await new World({ seed: 3 }).start();
    try {
      await world.createDeployment();
      const copies = '/apis/apps/v1/namespaces/default/controllerrevisions';
      const name = `${NAME}-stable-6c686cf846`;
      const body = { apiVersion: 'apps/v1', kind: 'ControllerRevision', metadata: { name }, revision: 1, data: {} };
      await world.virtual.client.request('POST', copies, { body });
      const user = {
        paused: null,
        maxSurge: 1,
        maxUnavailable: 1,
        minReadySeconds: null,
        progressDeadlineSeconds: null,
      };
      const record = writeHeld({ v: 1, rollout: 'gone', user, stable: asDigest('6c686cf846') });
      world.webhook = false;
      const labels = { [WORKLOAD_TYPE]: 'deployment' };
      await world.patch({ metadata: { labels, annotations: { [HELD]: record } }, spec: { paused: true } });
      await world.until('it is given back', () => !world.held);
      await world.run(5_000);
      const { metadata } = await world.virtual.client.request('GET', `${copies}/${name}`);
      assert.equal(metadata.name, name);
    } finally {
      await world.stop();
    }
  });
});
