import assert from 'node:assert/strict';
import type { Api, ApiCall } from '../../src/kube/api.ts';
import { fenced } from '../../src/kube/fence.ts';

const get: ApiCall = { method: 'GET', path: '/' };
const patch: ApiCall = { method: 'PATCH', path: '/', body: {} };

function setUp() {
  const sent: string[] = [];
  const hang = ({ signal }: ApiCall): Promise<never> =>
    new Promise((_, reject) => signal!.addEventListener('abort', () => reject(new Error('aborted'))));
  const api: Api = {
    request: (call) => {
      sent.push(call.method);
      return call.query ? hang(call) : Promise.resolve('done');
    },
    watch: (call) => hang(call),
  };
  const state = { leads: true };
  const lost = new AbortController();
  return { sent, state, lost, api: fenced(api, () => state.leads, lost.signal) };
}

describe('the fence', () => {
  it('lets a leader read and write', async () => {
    const { api } = setUp();
    assert.equal(await api.request(get), 'done');
    assert.equal(await api.request(patch), 'done');
  });

  it('stops a write, not a read, of a process that does not lead any more and has not heard of it', async () => {
    const { api, state, sent } = setUp();
    state.leads = false;
    await assert.rejects(api.request(patch), { name: 'NotLeadingError' });
    assert.equal(await api.request(get), 'done');
    assert.deepEqual(sent, ['GET']);
  });

  it('ends what is under way when the lease is lost, and begins nothing', async () => {
    const { api, lost, sent } = setUp();
    const underWay = [
      api.request({ ...get, query: {} }),
      api.request({ ...patch, query: {} }),
      api.watch(get, () => undefined),
    ];
    lost.abort();
    for (const call of underWay) await assert.rejects(call, { message: 'aborted' });
    await assert.rejects(api.request(get), { name: 'NotLeadingError' });
    assert.equal(sent.length, 2);
  });

  it('still follows the signal of the call itself', async () => {
    const { api } = setUp();
    const own = new AbortController();
    const call = api.request({ ...get, query: {}, signal: own.signal });
    own.abort();
    await assert.rejects(call, { message: 'aborted' });
  });
});
