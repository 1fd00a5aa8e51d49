import assert from 'node:assert/strict';
import { ON_DELETE, ROLLOUT_FINALIZER } from '../../src/api/keys.ts';
import type { Deployment, Rollout } from '../../src/api/types.ts';
import { readReview } from '../../src/admission/review.ts';
import { mutateRollout, validateRolloutRequest } from '../../src/admission/webhooks/rollout.ts';
import { isOwnedBy } from '../../src/engine/workload/pods.ts';
import type { Api, ApiCall } from '../../src/kube/api.ts';
import { findObject, getObject, WrongObjectError } from '../../src/kube/get.ts';
import { DEPLOYMENTS, NAMESPACES } from '../../src/api/resources.ts';
import { assertSafePath, nameSelector, PathError, pathOf } from '../../src/kube/path.ts';
import { keyOf, splitKey } from '../../src/kube/store.ts';
import { aReview, aRollout, someDeps, type Json } from '../admission/support.ts';
import { ROLLOUT, template, World } from '../operator/world.ts';

const VICTIM = '../../victim/deployments/web';

/** None of them is a name that a Deployment can have. */
const ODD: Readonly<Record<string, string>> = {
  'another namespace': VICTIM,
  'a parent': '..',
  'the folder itself': '.',
  'two segments': 'a/b',
  'an encoded slash': 'a%2fb',
  'an encoded parent': '%2e%2e',
  'a query': 'x?y',
  'a fragment': 'x#y',
  NUL: 'nul\0',
  'a line feed': 'a\nb',
  'a trailing line feed': 'web\n',
  'a backslash': '..\\web',
  'a space': 'web ',
  'upper case': 'Web',
  nothing: '',
  '300 characters': 'a'.repeat(300),
  'a letter with an accent': 'wéb',
  'half a character': 'web\ud800',
  'a mark that turns the direction': '\u202eweb',
  'an empty label': 'a..b',
  'a leading hyphen': '-a',
  'a term of a selector': 'web,metadata.name!=web',
};

/** Also what was refused: to ask is to read. */
const askedFor = (world: World): readonly ApiCall[] => world.apis.flatMap(({ calls }) => calls);

describe('attack: a name that leads elsewhere', () => {
  describe('is refused by the webhook, with field, value, reason and remedy', () => {
    const named = (name: string): Rollout => {
      const rollout = aRollout(1, '100%');
      return { ...rollout, spec: { ...rollout.spec, workloadRef: { ...rollout.spec.workloadRef, name } } };
    };
    const status = async (review: Json): Promise<string[]> => {
      const request = readReview(review);
      const answers = [await mutateRollout(request, someDeps()), await validateRolloutRequest(request, someDeps())];
      return answers.map((answer) => answer.status?.message ?? answer.verdict);
    };

    for (const [what, name] of Object.entries(ODD)) {
      it(what, async () => {
        for (const message of await status(aReview(named(name)))) {
          assert.match(message, /^spec\.workloadRef\.name: Invalid value: "/);
          assert.doesNotMatch(message, /[\0-\x1f\x7f-\x9f\u202e]/);
          assert.match(message, /must (be|consist of) .*; write the name of a Deployment in the same namespace/);
        }
      });
    }

    it('and what is stored under such a name can be labelled, disabled, put right, and lose its finalizer', async () => {
      const stored = { ...named(VICTIM), metadata: { ...named(VICTIM).metadata, finalizers: [ROLLOUT_FINALIZER] } };
      const { metadata, spec } = stored;
      const progressing = { ...stored, status: { phase: 'Progressing' } };
      const edits = [
        { ...stored, metadata: { ...metadata, labels: { a: 'b' } } },
        { ...stored, metadata: { ...metadata, finalizers: [] } },
        { ...stored, spec: { ...spec, disabled: true } },
        { ...stored, spec: { ...spec, workloadRef: { ...spec.workloadRef, name: 'web' } } },
      ];
      for (const edit of edits) assert.deepEqual(await status(aReview(edit, progressing)), ['Passed', 'Passed']);
      const deletion = aReview(stored, stored, { operation: 'DELETE', object: null });
      assert.deepEqual(await status(deletion), ['Passed', 'Passed']);
      const [refused] = await status(
        aReview({ ...stored, spec: { ...spec, strategy: { canary: { steps: [] } } } }, stored),
      );
      assert.match(refused ?? '', /spec\.workloadRef\.name/);
    });
  });

  describe('goes past admission into the cache of the operator', () => {
    /** A Deployment of the same labels in each of the two namespaces. */
    async function withVictim(): Promise<World> {
      const world = await new World().start();
      const { client } = world.virtual;
      await client.request('POST', '/api/v1/namespaces', { body: { metadata: { name: 'victim' } } });
      const body = {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'web' },
        spec: { replicas: 3, selector: { matchLabels: { app: 'demo' } }, template: template('v1') },
      };
      await world.virtual.createDeployment(body, 'victim');
      await world.run(5_000);
      return world;
    }
    const victimOf = (world: World): Deployment => world.virtual.deployment('web', 'victim') as unknown as Deployment;

    for (const [what, name] of Object.entries(ODD)) {
      it(`${what}: nothing is read or written but the Rollout's own status, and it can be deleted`, async () => {
        const world = await withVictim();
        const before = JSON.stringify(victimOf(world));
        await world.createRollout([{ replicas: 1 }, { replicas: '100%' }], {
          workload: name,
          metadata: { annotations: { [ON_DELETE]: 'Rollback' }, finalizers: [ROLLOUT_FINALIZER] },
        });
        await world.until('the status says so', () => world.condition('Stalled')?.reason === 'InvalidWorkloadRef');
        assert.match(world.rollout.status?.message ?? '', /^this Rollout has no effect: spec\.workloadRef\.name: /);
        await world.run(120_000);
        await world.deleteRollout();
        await world.until('the Rollout is gone', () => world.rolloutOf() === undefined);
        await world.run(60_000);
        assert.equal(JSON.stringify(victimOf(world)), before);
        const own = `/apis/rollouts.kruise.io/v1beta1/namespaces/default/rollouts/${ROLLOUT}`;
        const collections = ['/apis/rollouts.kruise.io/v1beta1/rollouts', '/apis/apps/v1/deployments'];
        const asked = new Set(askedFor(world).map(({ path }) => path));
        assert.deepEqual(
          [...asked].filter((path) => ![own, `${own}/status`, ...collections].includes(path)),
          [],
        );
        await world.stop();
      });
    }

    it('and is disabled there without touching anything', async () => {
      const world = await withVictim();
      const before = JSON.stringify(victimOf(world));
      await world.createRollout([{ replicas: 1 }], { workload: VICTIM, spec: { disabled: true } });
      await world.until('it is disabled', () => world.rolloutOf()?.status?.phase === 'Disabled');
      assert.equal(JSON.stringify(victimOf(world)), before);
      await world.stop();
    });

    it('in the record of a hold: the Rollout that it names is not asked for', async () => {
      const world = await withVictim();
      world.webhook = false;
      const user = {
        paused: null,
        maxSurge: null,
        maxUnavailable: null,
        minReadySeconds: null,
        progressDeadlineSeconds: null,
      };
      const held = JSON.stringify({ v: 1, rollout: '../../victim/rollouts/x', user, stable: 'none' });
      const metadata = {
        annotations: { 'tranche.dev/held': held },
        labels: { 'rollouts.kruise.io/workload-type': 'deployment' },
      };
      await world.createDeployment({ replicas: 1, metadata });
      await world.until('it is given back', () => !world.held);
      assert.deepEqual(
        askedFor(world).filter(({ path }) => path.includes('victim')),
        [],
      );
      await world.stop();
    });
  });

  it("does not make a ReplicaSet of another namespace the victim's", async () => {
    const world = await new World().start();
    const { client } = world.virtual;
    await client.request('POST', '/api/v1/namespaces', { body: { metadata: { name: 'eds' } } });
    await world.createDeployment({ replicas: 3 });
    await world.createRollout([{ replicas: 1 }, { replicas: '100%' }], { canary: { onFailure: 'Rollback' } });
    await world.untilHealthy();
    const { uid } = world.deployment.metadata;
    const owner = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'demo', uid, controller: true };
    const body = {
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: { name: 'forged', ownerReferences: [owner], labels: { app: 'demo' } },
      spec: { replicas: 0, selector: { matchLabels: { app: 'demo' } }, template: template('evil') },
    };
    await client.request('POST', '/apis/apps/v1/namespaces/eds/replicasets', { body });
    await world.release('v2');
    await world.untilPaused(1);
    assert.deepEqual(world.sizes, { v1: 2, v2: 1 });
    await world.deleteRollout();
    await world.until('the Rollout is gone', () => world.rolloutOf() === undefined);
    assert.ok(askedFor(world).every(({ path }) => !path.includes('/namespaces/eds/')));
    await world.stop();
  });
});

describe('attack: an owner that is none', () => {
  const deployment = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace: 'victim', uid: 'u1' },
  };
  const ref = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', uid: 'u1', controller: true };
  const child = (namespace: string | undefined, owner: object) => ({
    metadata: { name: 'c', ...(namespace !== undefined && { namespace }), ownerReferences: [{ ...ref, ...owner }] },
  });

  it('counts for nothing', () => {
    assert.equal(isOwnedBy(child('victim', {}), deployment), true);
    assert.equal(isOwnedBy(child('victim', { apiVersion: 'extensions/v1beta1' }), deployment), true);
    const forged: Readonly<Record<string, ReturnType<typeof child>>> = {
      'another namespace': child('eds', {}),
      'no namespace': child(undefined, {}),
      'another uid': child('victim', { uid: 'u2' }),
      'no controller': child('victim', { controller: false }),
      'another kind': child('victim', { kind: 'ReplicaSet' }),
      'another group': child('victim', { apiVersion: 'evil.example/v1' }),
      'the core group': child('victim', { apiVersion: 'v1' }),
    };
    for (const [what, one] of Object.entries(forged)) assert.equal(isOwnedBy(one, deployment), false, what);
    const { uid: _, ...unborn } = deployment.metadata;
    assert.equal(isOwnedBy(child('victim', { uid: undefined }), { ...deployment, metadata: unborn }), false);
  });
});

describe('paths of the API', () => {
  it('are made of names that lead nowhere else', () => {
    assert.equal(pathOf(DEPLOYMENTS), '/apis/apps/v1/deployments');
    assert.equal(pathOf(DEPLOYMENTS, { namespace: 'a' }), '/apis/apps/v1/namespaces/a/deployments');
    assert.equal(
      pathOf(DEPLOYMENTS, { namespace: 'a', name: 'b.c', subresource: 'status' }),
      '/apis/apps/v1/namespaces/a/deployments/b.c/status',
    );
    assert.equal(pathOf(NAMESPACES, { name: 'a:b' }), '/api/v1/namespaces/a%3Ab');
    assert.throws(() => pathOf(DEPLOYMENTS, { name: 'web' }), /an empty namespace may not be set/);
  });

  it('are refused as kubectl refuses them', () => {
    const refusal = (name: string): string => {
      try {
        return pathOf(DEPLOYMENTS, { namespace: 'a', name });
      } catch (error) {
        assert.ok(error instanceof PathError);
        return error.message;
      }
    };
    assert.equal(refusal('..'), `invalid resource name "..": may not be '..'`);
    assert.equal(refusal(VICTIM), `invalid resource name "${VICTIM}": may not contain '/'`);
    assert.equal(refusal('%2e%2e'), `invalid resource name "%2e%2e": may not contain '%'`);
    assert.equal(refusal(''), 'invalid resource name "": may not be empty');
    assert.equal(refusal('a\nb'), 'invalid resource name "a\\nb": may not contain control characters');
    assert.throws(() => pathOf(DEPLOYMENTS, { namespace: '../b' }), /^PathError: invalid namespace "..\/b"/);
  });

  for (const [what, name] of Object.entries(ODD)) {
    it(`reach a server as they were made, with ${what} as a name too`, () => {
      let path: string;
      try {
        path = pathOf(DEPLOYMENTS, { namespace: 'a', name });
      } catch (error) {
        assert.ok(error instanceof PathError);
        assert.throws(() => nameSelector(name), PathError);
        return;
      }
      assertSafePath(path);
      const url = new URL('https://server');
      url.pathname = path;
      assert.equal(url.pathname, path);
      const [segment, ...more] = decodeURIComponent(url.pathname).split('/deployments/').slice(1);
      assert.deepEqual([segment, more], [name, []]);
    });
  }

  it('that were made elsewhere do not leave the program', () => {
    const made = [
      '/a/../b',
      '/a/./b',
      '/a//b',
      '/a/%2e%2E/b',
      '/a/b%2fc',
      '/a?b',
      '/a#b',
      '/a/%',
      '/a b',
      'a',
      '',
      '/a/',
      '/a\\b',
      '/%00',
    ];
    for (const path of made) assert.throws(() => assertSafePath(path), PathError, path);
    for (const path of ['/', '/version', '/apis/apps/v1/namespaces/a/deployments/b%3Ac']) assertSafePath(path);
  });

  it('keys have two halves, and a name with a slash is nobody’s key', () => {
    assert.deepEqual(splitKey('a/b'), { namespace: 'a', name: 'b' });
    assert.deepEqual(splitKey('b'), { namespace: '', name: 'b' });
    assert.throws(() => splitKey(keyOf({ metadata: { namespace: 'a', name: 'b/c' } })), /is not namespace\/name/);
  });
});

describe('an answer that is another object', () => {
  const right = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web', namespace: 'a', uid: 'u1' } };
  const asked: ApiCall[] = [];
  const answering = (answer: unknown): Api => ({
    request: (call) => (asked.push(call), Promise.resolve(answer)),
    watch: () => Promise.resolve(),
  });
  const get = (answer: unknown, uid?: string) =>
    getObject(answering(answer), DEPLOYMENTS, { namespace: 'a', name: 'web', uid });

  it('is never taken for the one that was asked for', async () => {
    assert.equal(await get(right), right);
    assert.equal(await get(right, 'u1'), right);
    const { metadata } = right;
    const wrong = [
      undefined,
      {},
      { ...right, kind: 'DeploymentList' },
      { ...right, apiVersion: 'v1' },
      { ...right, metadata: { ...metadata, name: 'other' } },
      { ...right, metadata: { ...metadata, namespace: 'victim' } },
    ];
    for (const answer of wrong) await assert.rejects(get(answer), WrongObjectError);
    await assert.rejects(get(right, 'u2'), /metadata\.uid is "u1", not "u2"/);
  });

  it('nor is a name asked for that is none', async () => {
    asked.length = 0;
    await assert.rejects(findObject(answering(right), DEPLOYMENTS, { namespace: 'a', name: '..' }), PathError);
    assert.deepEqual(asked, []);
  });
});
