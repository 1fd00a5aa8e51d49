// A Deployment that is applied on the server, as Helm 4, Flux and kubectl --server-side do: its users never meet a conflict with us.
import assert from 'node:assert/strict';
import { HELD } from '../../src/api/keys.ts';
import type { Deployment } from '../../src/api/types.ts';
import { parseHeld } from '../../src/engine/hold.ts';
import { disownOps } from '../../src/operator/disown.ts';
import { deploymentPath, rollout, startPlayground, Stage, type Playground } from '../cli/support.ts';
import { until } from './cluster.ts';

describe('a Deployment that is applied on the server', function () {
  this.timeout(120_000);
  let playground: Playground;

  before(async () => {
    playground = await startPlayground();
  });
  after(() => playground.stop());

  it('takes other values, and a newer template, at every moment of a release and after it', async () => {
    const { api } = playground.cluster;
    const stage = await Stage.open(playground, 'applied', {
      rollout: rollout('applied', [{ replicas: 2 }, { replicas: '100%' }]),
    });
    const apply = async (version: string, maxSurge: number, query = {}): Promise<Deployment> => {
      const deployment = {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'web' },
        spec: {
          strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable: 0 } },
          selector: { matchLabels: { app: 'web' } },
          template: {
            metadata: { labels: { app: 'web' } },
            spec: { containers: [{ name: 'app', image: `web:${version}` }] },
          },
        },
      };
      const call = {
        method: 'PATCH',
        path: deploymentPath('applied'),
        query: { fieldManager: 'helm', ...query },
        contentType: 'application/apply-patch+yaml',
        body: deployment,
      } as const;
      return (await api.request(call)) as Deployment;
    };
    const intended = async (): Promise<unknown> =>
      parseHeld((await stage.deployment()).metadata.annotations?.[HELD])?.user.maxSurge;
    const isOurs = async (): Promise<boolean> =>
      (
        (await stage.deployment()).metadata as { managedFields?: { manager?: string; subresource?: string }[] }
      ).managedFields!.some(({ manager }) => manager === 'tranche');
    const isNotOurs = (when: string): Promise<void> =>
      until(
        async () => !(await isOurs()),
        () => `${when}: fields of it are ours`,
      );

    // The image is also of whoever created it: the first release takes it from him.
    await apply('v2', 1, { force: 'true' });
    await stage.waits(1);
    await isNotOurs('held');
    await apply('v2', 2);
    assert.equal(await intended(), 2);
    await apply('v3', 3);
    await until(
      async () => (await stage.deployment()).spec.paused !== true,
      () => 'it does not move',
    );
    await isNotOurs('moving');
    // Not 2: that is the budget that stands there, and nobody can tell who wrote it.
    await apply('v3', 1);
    assert.equal(await intended(), 1);
    await stage.waits(1);
    assert.equal((await stage.tranche('approve', 'web')).code, 0);
    await stage.ends('Completed');
    await isNotOurs('given back');
    assert.equal((await stage.deployment()).spec.strategy?.rollingUpdate?.maxSurge, 1);
    await apply('v3', 3);
    assert.equal((await stage.deployment()).spec.strategy?.rollingUpdate?.maxSurge, 3);
  });

  it('is told from one that nobody applies there, which costs no call', () => {
    const entry = (manager: string, operation: string, subresource?: string): object => ({
      manager,
      operation,
      ...(subresource && { subresource }),
    });
    const of = (...managedFields: object[]) => disownOps({ metadata: { name: 'web', managedFields } as never });
    assert.equal(of(entry('kubectl', 'Update'), entry('tranche', 'Update')), undefined);
    assert.equal(of(entry('helm', 'Apply'), entry('tranche', 'Update', 'status')), undefined);
    assert.deepEqual(of(entry('helm', 'Apply'), entry('kubectl', 'Update'), entry('tranche', 'Update'))?.at(-1), {
      op: 'remove',
      path: '/metadata/managedFields/2',
    });
    assert.equal(disownOps({ metadata: { name: 'web' } }), undefined);
  });
});
