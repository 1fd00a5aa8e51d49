// The limits on requests to a source: one namespace cannot use all of them.
import assert from 'node:assert/strict';
import { Gate } from '../../src/metric-sources/gate.ts';

const { signal } = new AbortController();

/** Requests that end when they are told to. */
class Requests {
  readonly gate = new Gate();
  readonly running: string[] = [];
  private readonly ends: { readonly namespace: string; readonly end: () => void }[] = [];

  send(namespace: string): void {
    void this.gate.run(namespace, signal, async () => {
      this.running.push(namespace);
      await new Promise<void>((end) => this.ends.push({ namespace, end }));
      this.running.splice(this.running.indexOf(namespace), 1);
    });
  }
  async end(namespace: string): Promise<void> {
    const index = this.ends.findIndex((one) => one.namespace === namespace);
    this.ends.splice(index, 1)[0]!.end();
    await new Promise(setImmediate);
  }
}

describe('the requests to a source', () => {
  it('are four at once, and three of one namespace', async () => {
    const requests = new Requests();
    for (let i = 0; i < 100; i += 1) requests.send('slow');
    for (const namespace of ['shop', 'shop', 'bank']) requests.send(namespace);
    await new Promise(setImmediate);
    assert.deepEqual(requests.running, ['slow', 'slow', 'slow', 'shop']);
    await requests.end('shop');
    assert.deepEqual(requests.running, ['slow', 'slow', 'slow', 'shop']);
    await requests.end('slow');
    assert.deepEqual(requests.running, ['slow', 'slow', 'shop', 'bank']);
  });

  it('are made for the namespace that has the fewest, and all in the end', async () => {
    const requests = new Requests();
    for (const namespace of ['a', 'a', 'a', 'a', 'b', 'b', 'c']) requests.send(namespace);
    await new Promise(setImmediate);
    assert.deepEqual(requests.running, ['a', 'a', 'a', 'b']);
    await requests.end('a');
    assert.deepEqual(requests.running, ['a', 'a', 'b', 'c']);
    for (const namespace of ['b', 'c', 'a', 'a', 'b', 'a']) await requests.end(namespace);
    assert.deepEqual(requests.running, []);
  });
});
