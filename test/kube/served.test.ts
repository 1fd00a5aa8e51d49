// The cache of a kind that comes with a CustomResourceDefinition: it opens and closes with it, and never blocks anything.
import assert from 'node:assert/strict';
import { VirtualClock } from '@tranche/sandbox/clock';
import type { KubeObject } from '../../src/api/types.ts';
import { ApiError } from '../../src/kube/errors.ts';
import { silent } from '../../src/kube/log.ts';
import { Reflector } from '../../src/kube/reflector.ts';
import { Served } from '../../src/kube/served.ts';
import { FakeApi } from './fake-api.ts';

const NAME = 'clonesets.apps.kruise.io';
const forbidden = (): ApiError => new ApiError(403, { code: 403, message: 'clonesets is forbidden' });

/** `definitions`: the API of definitions; `objects`: that of the kind. */
function setUp() {
  const clock = new VirtualClock(1);
  const definitions = new FakeApi(clock);
  const objects = new FakeApi(clock);
  const heard: string[] = [];
  const said: (string | undefined)[] = [];
  const served = new Served<KubeObject>({
    api: definitions,
    clock,
    logger: silent,
    definition: NAME,
    version: 'v1alpha1',
    what: 'CloneSets',
    make: (onTrouble) =>
      new Reflector<KubeObject>({
        api: objects,
        clock,
        path: '/clonesets',
        indexes: { all: () => ['x'] },
        onRestart: onTrouble,
      }),
  });
  served.on(({ type, key }) => void heard.push(`${type} ${key}`));
  served.onAbsence(() => void said.push(served.absence?.message));
  const define = (more: { readonly versions?: object[]; readonly status?: string } = {}): void => {
    const versions = more.versions ?? [{ name: 'v1alpha1', served: true, schema: {} }];
    const conditions = [{ type: 'Established', status: more.status ?? 'True' }];
    definitions.version += 1;
    const metadata = { name: NAME, uid: 'u', resourceVersion: String(definitions.version) };
    const object = { metadata, spec: { versions }, status: { conditions } } as KubeObject;
    definitions.objects.set(NAME, object);
    definitions.tell({ type: 'MODIFIED', object });
  };
  return { clock, definitions, objects, served, heard, said, define };
}

describe('a kind that comes with a definition', () => {
  it('is empty and complete without it, opens no watch of its own, and says what it waits for', async () => {
    const { clock, definitions, objects, served } = setUp();
    served.start();
    const synced = served.whenSynced();
    await clock.run(60_000);
    assert.equal(await synced, true);
    assert.deepEqual(
      [served.synced, served.problem, served.doubt, served.refused],
      [true, undefined, undefined, undefined],
    );
    assert.deepEqual([[...served.values()], served.by('all', 'x'), served.get('ns/a')], [[], [], undefined]);
    assert.equal(objects.calls.length, 0);
    assert.match(
      served.absence?.message ?? '',
      /^the cluster has no CloneSets: waiting for CustomResourceDefinition clonesets/,
    );
    assert.equal(served.absence?.gone, true);
    assert.equal(definitions.lists[0]?.query?.['fieldSelector'], `metadata.name=${NAME}`);
    await served.stop();
  });

  it('is read when the definition comes, and forgotten when it goes', async () => {
    const { clock, definitions, objects, served, heard, said, define } = setUp();
    objects.put('a');
    served.start();
    await clock.run(10);
    define();
    await clock.run(10);
    assert.equal(served.synced, true);
    assert.deepEqual([heard, served.absence], [['added ns/a'], undefined]);
    objects.put('b');
    await clock.run(10);
    assert.deepEqual([heard.at(-1), served.by('all', 'x').length], ['added ns/b', 2]);
    definitions.remove(NAME);
    await clock.run(10);
    assert.deepEqual(heard.slice(2), ['deleted ns/a', 'deleted ns/b']);
    assert.deepEqual([[...served.values()], served.absence?.gone], [[], true]);
    assert.deepEqual(objects.watches.length, 0, 'its watch is closed');
    define();
    await clock.run(10);
    assert.equal(served.by('all', 'x').length, 2);
    assert.equal(said.length, 4, said.join());
    await served.stop();
  });

  it('waits until the definition is established, and serves the version', async () => {
    const { clock, objects, served, define } = setUp();
    served.start();
    define({ status: 'False' });
    await clock.run(10);
    define({
      versions: [
        { name: 'v1alpha1', served: false },
        { name: 'v1', served: true },
      ],
    });
    await clock.run(10);
    assert.equal(objects.calls.length, 0);
    assert.deepEqual(served.absence, {
      message: `waiting until CustomResourceDefinition ${NAME} serves v1alpha1`,
      gone: false,
    });
    await served.stop();
  });

  it('does not block its readers without the right to read it, and says so', async () => {
    const { clock, objects, served, define } = setUp();
    for (let i = 0; i < 3; i++) objects.failures.push(forbidden());
    define();
    served.start();
    const synced = served.whenSynced();
    await clock.run(300);
    assert.equal(await synced, true);
    assert.deepEqual(served.absence, { message: 'cannot read CloneSets: clonesets is forbidden', gone: false });
    await clock.run(60_000);
    assert.deepEqual([served.absence, served.synced], [undefined, true], 'the right was given');
    await served.stop();
  });

  it('does not block its readers without the right to read definitions', async () => {
    const { clock, definitions, served } = setUp();
    for (let i = 0; i < 50; i++) definitions.failures.push(forbidden());
    served.start();
    await clock.run(300);
    assert.deepEqual([served.synced, served.absence?.gone, served.doubt], [true, false, undefined]);
    await served.stop();
  });

  it('is not complete before the definition and its objects were read', async () => {
    const { clock, definitions, objects, served, define } = setUp();
    definitions.failures.push(new Error('away'));
    served.start();
    await clock.run(10);
    assert.deepEqual([served.synced, served.absence], [false, undefined]);
    objects.failures.push(new Error('away too'));
    define();
    await clock.run(1_000);
    assert.equal(served.synced, false);
    await clock.run(10_000);
    assert.equal(served.synced, true);
    await served.stop();
  });
});
