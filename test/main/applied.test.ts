// A Deployment that is applied on the server, as Helm 4, Flux and kubectl --server-side do: its users never meet a conflict with us.
import assert from 'node:assert/strict';
import { FIELD_OWNERS, HELD } from '../../src/api/keys.ts';
import type { Deployment } from '../../src/api/types.ts';
import { realClock } from '../../src/kube/clock.ts';
import { Reflector } from '../../src/kube/reflector.ts';
import { isConflict } from '../../src/kube/errors.ts';
import type { ManagedFields } from '../../src/engine/workload/field-owners.ts';
import { FIELDS, parseHeld } from '../../src/engine/workload/deployment/hold.ts';
import { deploymentPath, rollout, startPlayground, Stage, type Playground } from '../cli/support.ts';
import { until } from './cluster.ts';

describe('a Deployment that is applied on the server', () => {
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
    // Not 2: that is the budget that stands there, and nobody can tell who wrote it. Each move is ours for a moment.
    let refusal: unknown;
    await until(
      () =>
        apply('v3', 1).then(
          () => true,
          (error: unknown) => ((refusal = error), !isConflict(error)),
        ),
      () => `moving: ${String(refusal)}`,
    );
    assert.equal(await intended(), 1);
    await stage.waits(1);
    assert.equal((await stage.tranche('approve', 'web')).code, 0);
    await stage.ends('Completed');
    await isNotOurs('given back');
    assert.equal((await stage.deployment()).spec.strategy?.rollingUpdate?.maxSurge, 1);
    await apply('v3', 3);
    assert.equal((await stage.deployment()).spec.strategy?.rollingUpdate?.maxSurge, 3);
  });

  for (const [way, name] of [
    ['went through', 'owned-through'],
    ['was rolled back', 'owned-back'],
  ] as const)
    it(`belongs after a release that ${way} to whom it belonged before: a field that he no longer applies, goes`, async () => {
      const { api } = playground.cluster;
      const stage = await Stage.open(playground, name, {
        rollout: rollout(name, [{ replicas: 2 }, { replicas: '100%' }]),
      });
      const apply = (manager: string, spec: object): Promise<unknown> =>
        api.request({
          method: 'PATCH',
          path: deploymentPath(name),
          query: { fieldManager: manager, force: 'true' },
          contentType: 'application/apply-patch+yaml',
          body: { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web' }, spec },
        });
      const owners = async (): Promise<unknown> => {
        const { managedFields = [] } = (await stage.deployment()).metadata as { managedFields?: ManagedFields[] };
        const of = ({ fieldsV1 }: ManagedFields): string[] =>
          FIELDS.filter((field) => JSON.stringify(fieldsV1).includes(`"f:${field}"`));
        return managedFields
          .map((entry) => [entry.manager, entry.operation, ...of(entry)])
          .filter(({ length }) => length > 2)
          .toSorted();
      };
      const rollingUpdate = { maxSurge: 1, maxUnavailable: 0 };
      await apply('helm', { minReadySeconds: 1, strategy: { rollingUpdate } });
      await apply('ops', { progressDeadlineSeconds: 500, strategy: { rollingUpdate: { maxSurge: 1 } } });
      const before = await owners();
      const late = new Set<string>();
      const watch = new Reflector<Deployment>({
        api,
        clock: realClock,
        path: `/apis/apps/v1/namespaces/${name}/deployments`,
      });
      watch.on(({ object: { metadata } }) => {
        const { [HELD]: held, [FIELD_OWNERS]: noted } = metadata.annotations ?? {};
        if (held === undefined && noted !== undefined) late.add(metadata.resourceVersion!);
      });
      watch.start();
      await stage.release('web:v2');
      await stage.waits(1);
      if (way === 'went through') {
        assert.equal((await stage.tranche('approve', 'web')).code, 0);
        await stage.ends('Completed');
      } else {
        await stage.release('web:v1');
        await stage.ends('RolledBack');
      }
      await until(
        async () => (await stage.deployment()).metadata.annotations?.[FIELD_OWNERS] === undefined,
        () => 'owners were not given back',
      );
      assert.deepEqual(await owners(), before);
      await watch.stop();
      // The operator's own write gives them back at once. After the webhook's, the operator needs another one.
      assert.equal(late.size > 0, way !== 'went through');
      await apply('helm', { minReadySeconds: 1, strategy: { rollingUpdate: { maxSurge: 1 } } });
      assert.equal((await stage.deployment()).spec.strategy?.rollingUpdate?.maxUnavailable, '25%');
    });
});
