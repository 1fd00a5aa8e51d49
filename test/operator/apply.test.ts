import assert from 'node:assert/strict';
import { FIELD_OWNERS, HELD, TRAFFIC } from '../../src/api/keys.ts';
import { DEPLOYMENTS, HTTP_ROUTES } from '../../src/api/resources.ts';
import type { Deployment, Rollout } from '../../src/api/types.ts';
import type { Decision } from '../../src/engine/decision.ts';
import { deploymentKind } from '../../src/engine/workload/deployment/kind.ts';
import type { ApiCall } from '../../src/kube/api.ts';
import { ApiError } from '../../src/kube/errors.ts';
import { silent } from '../../src/kube/log.ts';
import { Applier } from '../../src/operator/apply.ts';
import { MutationCache } from '../../src/operator/mutation-cache.ts';

const rollout = {
  apiVersion: 'rollouts.kruise.io/v1beta1',
  kind: 'Rollout',
  metadata: { name: 'demo', namespace: 'default', uid: '1', resourceVersion: '7' },
  spec: { workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'demo' }, strategy: {} },
} as Rollout;
const decision = { effects: [], events: [], needsChildren: false, status: { phase: 'Healthy' } } as unknown as Decision;

describe('carrying out a decision', () => {
  const calls: ApiCall[] = [];
  const applierThatHears = (resourceVersion: string): Applier =>
    new Applier({
      api: {
        request: (call) => {
          calls.push(call);
          return Promise.resolve({ ...rollout, metadata: { ...rollout.metadata, resourceVersion } });
        },
        watch: () => Promise.resolve(),
      },
      clock: { now: () => 0, random: () => 0, after: () => () => {} },
      events: { record: () => {} },
      writes: new MutationCache(),
      logger: silent,
    });

  it('has changed something when the object has a new resourceVersion', async () => {
    assert.equal(await applierThatHears('8').carryOut('default/demo', decision, rollout, undefined), true);
  });

  it('notes who owns what it borrows, where no webhook has done so', async () => {
    const fieldsV1 = { 'f:spec': { 'f:minReadySeconds': {} } };
    const managedFields = [{ manager: 'helm', operation: 'Apply', apiVersion: 'apps/v1', fieldsV1 }];
    const metadata = { name: 'demo', namespace: 'default', uid: 'd', resourceVersion: '1', managedFields };
    const deployment = { apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec: {} };
    const made: ApiCall[] = [];
    const applier = new Applier({
      api: { request: (call) => (made.push(call), Promise.resolve(deployment)), watch: () => Promise.resolve() },
      clock: { now: () => 0, random: () => 0, after: () => () => {} },
      events: { record: () => {} },
      writes: new MutationCache(),
      logger: silent,
    });
    const patch = { metadata: { annotations: { [HELD]: '{}' } } };
    const markOf = (before: object): Decision =>
      ({
        ...decision,
        status: undefined,
        effects: [{ kind: 'Patch', why: 'mark', resource: DEPLOYMENTS, before, patch }],
      }) as unknown as Decision;
    await applier.carryOut('default/demo', markOf(deployment), undefined, deployment as never);
    const owners = [{ manager: 'helm', operation: 'Apply', apiVersion: 'apps/v1', fields: ['minReadySeconds'] }];
    assert.deepEqual(
      made.map(({ method, body }) => [method, body]),
      [
        ['GET', undefined],
        ['PATCH', { metadata: { annotations: { [HELD]: '{}', [FIELD_OWNERS]: JSON.stringify(owners) } } }],
      ],
    );
    const held = { ...deployment, metadata: { ...deployment.metadata, annotations: { [HELD]: '{}' } } };
    await applier.carryOut('default/demo', markOf(held), undefined, held as never);
    assert.equal(made.length, 3, 'nothing is read where it is held already');
  });

  it('drops what it owns in the next pass, when others wrote first each time', async () => {
    const helm = { manager: 'helm', operation: 'Apply', fieldsV1: {} };
    const ours = { manager: 'tranche', operation: 'Update', fieldsV1: { 'f:spec': {} } };
    let others = Infinity;
    let version = 1;
    let code = 422;
    const stored = { managedFields: [helm, ours] };
    const deployment = (): Deployment =>
      ({
        ...{ apiVersion: 'apps/v1', kind: 'Deployment', spec: {} },
        metadata: {
          ...{ name: 'demo', namespace: 'default', uid: 'd', resourceVersion: `${version}` },
          ...{ annotations: { [HELD]: '{}' }, managedFields: stored.managedFields },
        },
      }) as never;
    const made: string[] = [];
    const applier = new Applier({
      api: {
        request: ({ method, body }) => {
          const drops = Array.isArray(body);
          made.push(drops ? 'drop' : method);
          if (drops && others-- > 0) return Promise.reject(new ApiError(code, { reason: 'Invalid' }));
          if (drops) stored.managedFields = (body as { value: [] }[])[1]!.value;
          if (method === 'PATCH') version++;
          return Promise.resolve(deployment());
        },
        watch: () => Promise.resolve(),
      },
      clock: { now: () => 0, random: () => 0, after: () => () => {} },
      events: { record: () => {} },
      writes: new MutationCache(),
      logger: silent,
    });
    const again = () => applier.giveBackOwners('default/demo', deploymentKind, deployment());
    assert.equal(await again(), 'Done', 'nothing is due');
    const before = deployment();
    const effect = { kind: 'Patch', why: 'move', resource: DEPLOYMENTS, before, patch: { metadata: {}, spec: {} } };
    const moves = { ...decision, status: undefined, effects: [effect] } as unknown as Decision;
    assert.equal(await applier.carryOut('default/demo', moves, undefined, before), true);
    assert.deepEqual(made.splice(0), ['PATCH', 'drop', 'GET', 'drop', 'GET', 'drop', 'GET']);
    others = 1;
    assert.equal(await again(), 'Written');
    assert.deepEqual(made.splice(0), ['GET', 'drop', 'GET', 'drop']);
    assert.deepEqual(stored.managedFields, [helm]);
    assert.equal(await again(), 'Done');
    assert.deepEqual(made, [], 'nothing is read when nothing is due');
    [others, code] = [1, 503];
    stored.managedFields = [helm, ours];
    await assert.rejects(applier.carryOut('default/demo', moves, undefined, before));
    assert.equal(await again(), 'Written', 'the API server had failed');
    assert.deepEqual(stored.managedFields, [helm]);
  });

  it('a change of others that it read while it restored field owners, in vain, is decided on when the watch tells of it', async () => {
    const at = (resourceVersion: string): Deployment =>
      ({
        ...{ apiVersion: 'apps/v1', kind: 'Deployment', spec: {} },
        metadata: {
          ...{ name: 'demo', namespace: 'default', uid: 'd', resourceVersion },
          ...{ annotations: { [FIELD_OWNERS]: '[]' }, managedFields: [{ manager: 'helm', operation: 'Apply' }] },
        },
      }) as never;
    const table = [
      [403, 'Done'],
      [429, 'Failed'],
      [500, 'Failed'],
    ] as const;
    for (const [code, outcome] of table) {
      const writes = new MutationCache();
      const applier = new Applier({
        api: {
          request: ({ method }) =>
            method === 'GET' ? Promise.resolve(at('6')) : Promise.reject(new ApiError(code, {})),
          watch: () => Promise.resolve(),
        },
        clock: { now: () => 0, random: () => 0, after: () => () => {} },
        events: { record: () => {} },
        writes,
        logger: silent,
      });
      assert.equal(await applier.giveBackOwners('default/demo', deploymentKind, at('5')), outcome);
      assert.equal(writes.confirms('default/demo', at('6')), false, `after ${code}`);
    }
  });

  it('owns no field of a route: server-side apply of it meets no conflict, and the user owns all of it at the end', async () => {
    const ours = { manager: 'tranche', operation: 'Update', fieldsV1: { 'f:spec': { 'f:rules': {} } } };
    const by = (manager: string, operation: string): object => ({ manager, operation, fieldsV1: { 'f:spec': {} } });
    const written = async (managedFields: readonly object[], labels: Record<string, string>): Promise<unknown[]> => {
      const metadata = { name: 'demo', namespace: 'default', uid: 'r', resourceVersion: '2', managedFields, labels };
      const route = { apiVersion: HTTP_ROUTES.apiVersion, kind: HTTP_ROUTES.kind, metadata, spec: {} };
      const made: ApiCall[] = [];
      const applier = new Applier({
        api: { request: (call) => (made.push(call), Promise.resolve(route)), watch: () => Promise.resolve() },
        clock: { now: () => 0, random: () => 0, after: () => () => {} },
        events: { record: () => {} },
        writes: new MutationCache(),
        logger: silent,
      });
      const before = { ...route, metadata: { ...metadata, resourceVersion: '1' } };
      const effect = {
        kind: 'Patch',
        why: 'route',
        resource: HTTP_ROUTES,
        before,
        patch: [{ op: 'replace', path: '/spec/rules', value: [] }],
      };
      await applier.carryOut(
        'default/demo',
        { ...decision, status: undefined, effects: [effect] } as never,
        undefined,
        undefined,
      );
      return made.slice(1).map(({ body }) => body);
    };
    const flux = by('flux', 'Apply');
    const kubectl = by('kubectl-client-side-apply', 'Update');
    const without = (value: readonly object[]): object[] => [
      { op: 'test', path: '/metadata/resourceVersion', value: '2' },
      { op: 'replace', path: '/metadata/managedFields', value },
    ];
    const engaged = { [TRAFFIC]: 'demo' };
    assert.deepEqual(await written([flux, ours], engaged), [without([flux])]);
    assert.deepEqual(await written([kubectl, ours], engaged), [], 'it costs a call where nobody could meet a conflict');
    assert.deepEqual(await written([kubectl, ours], {}), [without([kubectl])]);
    assert.deepEqual(await written([kubectl], {}), []);
    assert.deepEqual(await written([ours], {}), [], 'an API server ignores an empty list');
  });

  it('removes the managers that a crash has left on a route, and needs no route', async () => {
    const ours = { manager: 'tranche', operation: 'Update', fieldsV1: { 'f:spec': { 'f:rules': {} } } };
    const flux = { manager: 'flux', operation: 'Apply', fieldsV1: { 'f:spec': {} } };
    const made: ApiCall[] = [];
    const disown = (managedFields: readonly object[] | undefined): Promise<boolean> => {
      const metadata = { name: 'web', namespace: 'default', uid: 'r', resourceVersion: '2', managedFields };
      const answer = { apiVersion: HTTP_ROUTES.apiVersion, kind: HTTP_ROUTES.kind, metadata, spec: {} };
      const applier = new Applier({
        api: {
          request: (call) => {
            made.push(call);
            return managedFields ? Promise.resolve(answer) : Promise.reject(new ApiError(404, { reason: 'NotFound' }));
          },
          watch: () => Promise.resolve(),
        },
        clock: { now: () => 0, random: () => 0, after: () => () => {} },
        events: { record: () => {} },
        writes: new MutationCache(),
        logger: silent,
      });
      const effect = { kind: 'Disown', why: 'route', resource: HTTP_ROUTES, name: 'web' };
      const plain = { effects: [effect], events: [], needsChildren: false } as Decision;
      return applier.carryOut('default/demo', plain, undefined, undefined);
    };
    assert.equal(await disown([flux, ours]), false);
    assert.deepEqual(
      made.map(({ method, body }) => [method, (body as { value: unknown }[] | undefined)?.[1]?.value]),
      [
        ['GET', undefined],
        ['PATCH', [flux]],
      ],
    );
    await disown([flux]);
    await disown(undefined);
    assert.equal(made.length, 4, 'a GET each');
  });

  it('remembers no Rollout that is gone', async () => {
    const applier = applierThatHears('8');
    const other = { ...rollout, metadata: { ...rollout.metadata, uid: '2', name: 'other' } };
    for (const one of [rollout, other]) await applier.carryOut('default/demo', decision, one, undefined);
    assert.deepEqual([applier.reportedAt('default/demo', other), applier.remembered], [0, 2]);
    applier.keepOnly('default/demo', [rollout]);
    assert.deepEqual([applier.reportedAt('default/demo', other), applier.remembered], [undefined, 1]);
    applier.keepOnly('default/demo', []);
    assert.equal(applier.remembered, 0);
    await applier.carryOut('default/demo', decision, rollout, undefined);
    applier.forget('default/demo', rollout);
    assert.equal(applier.remembered, 0);
  });

  it('has changed nothing when the server dropped what was written: nobody looks again until something happens', async () => {
    const before = calls.length;
    assert.equal(await applierThatHears('7').carryOut('default/demo', decision, rollout, undefined), false);
    assert.equal(calls.length, before + 1);
  });
});
