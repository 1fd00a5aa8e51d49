// When the children of a workload are listed, and when they are watched.
import assert from 'node:assert/strict';
import { VirtualClock } from '@tranche/sandbox/clock';
import { HELD } from '../../src/api/keys.ts';
import type { KubeObject, Workload } from '../../src/api/types.ts';
import { deploymentKind } from '../../src/engine/workload/deployment/kind.ts';
import { silent } from '../../src/kube/log.ts';
import { ChildWatches } from '../../src/operator/children.ts';
import { FakeApi } from '../kube/fake-api.ts';
import { webDeployment } from '../support/objects.ts';

const KEY = 'ns/web';
const workload = (metadata: object = {}): Workload =>
  webDeployment('v1', {}, { namespace: 'ns', uid: 'u1', ...metadata });

function setUp() {
  const clock = new VirtualClock(1);
  const api = new FakeApi(clock);
  const woken: string[] = [];
  const delays: number[] = [];
  const children = new ChildWatches({
    api,
    clock,
    logger: silent,
    wake: (key, afterMs) => {
      woken.push(key);
      delays.push(afterMs);
    },
    listed: () => undefined,
  });
  return { clock, api, children, woken, delays, open: (of = workload()) => children.open(KEY, deploymentKind, of) };
}

describe('the children of a workload', () => {
  it('are listed and not watched if one look is enough, as for an enrolment', async () => {
    const { clock, api, children, woken, open } = setUp();
    open();
    await clock.run(100);
    assert.deepEqual([api.lists.length, api.opened.length, woken.length > 0], [2, 0, true]);
    assert.ok(children.get(KEY, workload(), (object) => object));
    await children.close(KEY);
    await clock.run(600_000);
    assert.equal(api.opened.length, 0);
  });

  it('are watched if a decision on the lists still needs them, and then miss nothing', async () => {
    const { clock, api, children, woken, open } = setUp();
    api.put('a');
    open();
    open();
    await clock.run(100);
    assert.equal(api.opened.length, 0, 'nothing was decided on the lists yet');
    api.put('b');
    open();
    await clock.run(100);
    assert.deepEqual(
      api.opened.map(({ query }) => query['resourceVersion']),
      ['101', '101'],
      'from the lists on',
    );
    woken.length = 0;
    api.put('c');
    assert.deepEqual(new Set(woken), new Set([KEY]));
    await children.closeAll();
  });

  it('of a held workload cause a decision at once when a Pod becomes Ready', async () => {
    const { clock, api, children, delays, open } = setUp();
    open(workload({ annotations: { [HELD]: '{}' } }));
    await clock.run(100);
    const isTold = (status: string | undefined): boolean => {
      delays.length = 0;
      api.version += 1;
      const metadata = { name: 'a', namespace: 'ns', uid: 'u', resourceVersion: String(api.version) };
      const conditions = status === undefined ? [] : [{ type: 'Ready', status }];
      // Both watches get it.
      const object = { metadata, spec: { template: {} }, status: { conditions } };
      api.tell({ type: 'MODIFIED', object: object as KubeObject });
      return delays.includes(0);
    };
    assert.deepEqual([undefined, 'False', 'True', 'True', 'False', 'True'].map(isTold), [
      false,
      false,
      true,
      false,
      false,
      true,
    ]);
    await children.closeAll();
  });

  it('are watched at once if the workload is held', async () => {
    const { clock, api, children, open } = setUp();
    open(workload({ annotations: { [HELD]: '{}' } }));
    await clock.run(100);
    assert.equal(api.opened.length, 2);
    await children.closeAll();
  });

  it('are watched after a minute even if nothing was decided', async () => {
    const { clock, api, children, open } = setUp();
    open();
    await clock.run(59_000);
    assert.equal(api.opened.length, 0);
    await clock.run(2_000);
    assert.equal(api.opened.length, 2);
    await children.closeAll();
  });

  it('of another workload of the same name are listed anew', async () => {
    const { clock, api, children, open } = setUp();
    open();
    await clock.run(100);
    open(workload({ uid: 'u2' }));
    assert.equal(
      children.get(KEY, workload(), (object) => object),
      undefined,
    );
    await clock.run(100);
    assert.equal(api.lists.length, 4);
    await children.closeAll();
  });
});
