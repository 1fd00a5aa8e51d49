// A revert that is not one, and words that offer only what works.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { Deployment, PodTemplate, Rollout } from '../../src/api/types.ts';
import { readHeld, writeHeld } from '../../src/engine/workload/deployment/hold.ts';
import { intercept, type Interception } from '../../src/engine/admit/intercept.ts';
import { templateDigest } from '../../src/engine/lib/template.ts';
import { differences } from '../../src/engine/lib/template-diff.ts';
import { HELD } from '../../src/api/keys.ts';
import { aDeployment, aRollout, OPERATOR } from '../admission/support.ts';
import { World } from '../operator/world.ts';
import { asDigest } from '../support/digests.ts';
import { applyOps } from '../support/json-patch.ts';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const edit = (old: Deployment, next: Deployment, rollout: Rollout = aRollout(1, '100%')): Interception =>
  intercept({ operation: 'UPDATE', old, next, user: 'alice', fieldManager: 'kubectl' }, rollout, {
    operatorUser: OPERATOR,
    sha256,
  });
const withTemplate = (from: Deployment, template: PodTemplate, spec = {}): Deployment => ({
  ...from,
  spec: { ...from.spec, ...spec, template },
});
const templateOf = (tag: string, env?: string): PodTemplate => {
  const container = { name: 'c', image: `web:${tag}`, ...(env && { env: [{ name: env, value: '1' }] }) };
  return { metadata: { labels: { app: 'web' } }, spec: { containers: [container] } };
};
const held = (): Deployment => {
  const next = aDeployment('v2');
  return applyOps(next, edit(aDeployment('v1'), next).patch);
};

describe('a revert by apply that keeps another tool’s field', () => {
  it('is a new release, whose warning names the way to go back', () => {
    const { verdict, warnings } = edit(held(), withTemplate(held(), templateOf('v1', 'INJECTED')));
    assert.equal(verdict, 'Superseded');
    assert.match(warnings.join(), /; to roll back to the stable version: kubectl tranche undo demo$/);
  });

  it('offers no undo where no ReplicaSet is kept', () => {
    const next = withTemplate(held(), templateOf('v1', 'INJECTED'), { revisionHistoryLimit: 0 });
    const { warnings } = edit(held(), next);
    assert.match(warnings.join(), /; to roll back, apply the manifest of the stable version$/);
    assert.doesNotMatch(warnings.join(), /undo|abort/);
  });

  it('is told apart by the operator, which names what differs', async () => {
    const world = await new World().start();
    try {
      await world.createDeployment();
      await world.createRollout([{ replicas: 1 }, { replicas: '100%' }]);
      await world.until('it is idle', () => world.rollout.status?.phase === 'Healthy');
      const stable = world.deployment.spec.template;
      await world.release('v2');
      await world.untilPaused(1);
      const [container] = stable.spec?.['containers'] as object[];
      const env = [{ name: 'INJECTED', value: '1' }];
      const template = { ...stable, spec: { ...stable.spec, containers: [{ ...container, env }] } };
      await world.patch({ spec: { template } });
      await world.until('it starts again', () => world.events.some(({ reason }) => reason === 'ReleaseSuperseded'));
      const said = world.events.find(({ reason }) => reason === 'ReleaseSuperseded')!.message;
      assert.match(said, /it differs from the stable version in spec\.containers\[\w+\]\.env$/);
    } finally {
      await world.stop();
    }
  });

  it('is compared by path, and no value is shown', () => {
    const [v1, v2] = [templateOf('v1', 'A'), templateOf('v2', 'B')];
    assert.equal(differences(v1, v1), '');
    assert.equal(differences(templateOf('v1'), templateOf('v2')), 'spec.containers[c].image');
    assert.equal(differences(v1, v2), 'spec.containers[c].image, spec.containers[c].env[A], spec.containers[c].env[B]');
    const labelled = { ...v1, metadata: { labels: { app: 'web', 'pod-template-hash': 'x', 'a.b/c': 'd' } } };
    assert.equal(differences(v1, labelled), 'metadata.labels[a.b/c]');
    const more = { ...v2, metadata: { labels: { app: 'other' } } };
    assert.match(differences(v1, more), /^metadata\.labels\.app, .* and 1 more$/);
    assert.doesNotMatch(differences(v1, { ...v1, spec: { ...v1.spec, x: 'secret' } }), /secret/);
  });
});

describe('a record with a foreign digest', () => {
  it('does not make the warning promise steps for what the operator takes back at once', () => {
    const old = held();
    const record = writeHeld({ ...readHeld(old)!, stable: asDigest('f'.repeat(64)) });
    const forged = {
      ...old,
      metadata: { ...old.metadata, annotations: { ...old.metadata.annotations, [HELD]: record } },
    };
    const status = {
      phase: 'Progressing',
      canaryStatus: { stableDigest: templateDigest(templateOf('v1'), sha256) },
    } as unknown as NonNullable<Rollout['status']>;
    const { warnings } = edit(forged, withTemplate(forged, templateOf('v1')), { ...aRollout(1, '100%'), status });
    assert.match(warnings.join(), /this is the stable version: Rollout demo cancels the release and rolls back/);
    assert.doesNotMatch(warnings.join(), /from step 1/);
  });
});

describe('the way back from a release that waits', () => {
  it('is in the warning of kubectl rollout resume, which native undo and restart ask for', () => {
    const old = held();
    const { warnings } = edit(old, { ...old, spec: { ...old.spec, paused: false } });
    assert.match(warnings.join(), /stays held: .*; approve with: kubectl tranche approve demo; roll back with: /);
    assert.match(
      warnings.join(),
      /roll back with: kubectl tranche undo demo, or kubectl-kruise rollout undo rollouts\.rollouts\.kruise\.io\/demo$/,
    );
  });

  for (const [what, spec, way] of [
    ['undo', {}, 'kubectl tranche undo demo-rollout'],
    [
      'the manifest, where a singleton keeps no history',
      { replicas: 1, revisionHistoryLimit: 0 },
      'apply the manifest of the stable version (no ReplicaSet has it)',
    ],
  ] as const)
    it(`is in the status: ${what}`, async () => {
      const world = await new World().start();
      try {
        await world.createDeployment({ replicas: 4, spec });
        await world.createRollout([{ replicas: 1 }, { replicas: 2 }, { replicas: '100%' }]);
        await world.until('it is idle', () => world.rollout.status?.phase === 'Healthy');
        await world.release('v2');
        const back = `step 1/3 done: waiting for approval (0 of 1); to roll back: ${way}`;
        await world.until(back, () => world.rollout.status?.message === back);
      } finally {
        await world.stop();
      }
    });
});
