import assert from 'node:assert/strict';
import { VirtualClock } from '@tranche/sandbox/clock';
import type { Api, ApiCall } from '../../src/kube/api.ts';
import { ApiError, NetworkError } from '../../src/kube/errors.ts';
import { LeaderElection } from '../../src/kube/lease.ts';

interface Spec {
  holderIdentity?: string;
  leaseTransitions?: number;
}

const LEASE = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' };

/** One Lease on a server, as all candidates see it. */
class LeaseServer {
  version = 0;
  lease: { metadata: { name: string; namespace: string; resourceVersion: string }; spec: Spec } | undefined;
  writes = 0;

  /** The server as one candidate sees it; `state` cuts it off. */
  for(state: { reach: 'ok' | 'refused' | 'hangs' }): Api {
    return {
      request: (call) => {
        if (state.reach === 'ok') return this.answer(call);
        if (state.reach === 'refused') return Promise.reject(new NetworkError('connect ECONNREFUSED', 'ECONNREFUSED'));
        return new Promise((_, reject) => call.signal?.addEventListener('abort', () => reject(new Error('aborted'))));
      },
      watch: () => Promise.reject(new Error('not here')),
    };
  }

  private async answer(call: ApiCall): Promise<unknown> {
    const body = call.body as { metadata: { resourceVersion?: string }; spec: Spec };
    if (call.method === 'POST') {
      if (this.lease) throw new ApiError(409, { reason: 'AlreadyExists', message: 'exists' });
      return this.store(body.spec);
    }
    if (!this.lease) throw new ApiError(404, { reason: 'NotFound', message: 'not found' });
    if (call.method === 'GET') return this.lease;
    if (body.metadata.resourceVersion !== this.lease.metadata.resourceVersion) {
      throw new ApiError(409, { reason: 'Conflict', message: 'modified' });
    }
    return this.store({ ...this.lease.spec, ...body.spec });
  }

  store(spec: Spec): unknown {
    this.writes += 1;
    this.version += 1;
    const metadata = { name: 'tranche', namespace: 'tranche', resourceVersion: String(this.version) };
    this.lease = { ...LEASE, metadata, spec };
    return this.lease;
  }
}

function candidate(server: LeaseServer, clock: VirtualClock, identity: string, stopWorkersMs = 0) {
  const state: { reach: 'ok' | 'refused' | 'hangs' } = { reach: 'ok' };
  const log: string[] = [];
  const election = new LeaderElection({
    api: server.for(state),
    clock,
    namespace: 'tranche',
    name: 'tranche',
    identity,
    onAcquired: () => log.push('leads'),
    onEnd: (why) =>
      new Promise((resolve) => {
        log.push(why);
        clock.after(stopWorkersMs, () => {
          log.push('stopped');
          resolve();
        });
      }),
  });
  return { state, log, election };
}

describe('leader election', () => {
  it('lets one of two lead, and renews with one request every five seconds', async () => {
    const server = new LeaseServer();
    const clock = new VirtualClock(1);
    const [a, b] = [candidate(server, clock, 'a'), candidate(server, clock, 'b')];
    a.election.start();
    b.election.start();
    await clock.run(1_000);
    assert.deepEqual([...a.log, ...b.log], ['leads']);
    const [leader, other] = a.election.held() ? [a, b] : [b, a];
    await clock.run(100_000);
    assert.equal(leader.election.held(), true);
    assert.equal(other.election.held(), false);
    assert.equal(server.writes, 21);
    assert.equal(server.lease!.spec.leaseTransitions, 0);
    await Promise.all([a.election.stop(), b.election.stop(), clock.run(100)]);
  });

  it('is woken only to renew: once every five seconds', async () => {
    const server = new LeaseServer();
    const clock = new VirtualClock(1);
    let woken = 0;
    const after = clock.after.bind(clock);
    clock.after = (ms, fn) =>
      after(ms, () => {
        woken += 1;
        fn();
      });
    const { election } = candidate(server, clock, 'a');
    election.start();
    await clock.run(1_000);
    woken = 0;
    await clock.run(100_000);
    assert.equal(election.held(), true);
    assert.equal(woken, 20);
    await Promise.all([election.stop(), clock.run(100)]);
  });

  it('tries again every two seconds after a failure, three times before it stops leading', async () => {
    const server = new LeaseServer();
    const clock = new VirtualClock(1);
    const { state, log, election } = candidate(server, clock, 'a');
    election.start();
    await clock.run(1_000);
    state.reach = 'refused';
    await clock.run(7_500);
    assert.deepEqual(log, ['leads']);
    state.reach = 'ok';
    await clock.run(60_000);
    assert.deepEqual([log, election.held()], [['leads'], true], 'the third attempt succeeded');
    await Promise.all([election.stop(), clock.run(100)]);
  });

  it('takes over 15 seconds after the leader was last heard of, as seen on its own clock', async () => {
    const server = new LeaseServer();
    const clock = new VirtualClock(1);
    // A leader that died; its clock was a day ahead.
    server.store({
      holderIdentity: 'dead',
      renewTime: '2026-01-02T00:00:00.000000Z',
      leaseDurationSeconds: 15,
    } as Spec);
    const { election, log } = candidate(server, clock, 'a');
    election.start();
    await clock.run(14_900);
    assert.deepEqual(log, []);
    await clock.run(3_200);
    assert.deepEqual(log, ['leads']);
    assert.equal(server.lease!.spec.leaseTransitions, 1);
    await Promise.all([election.stop(), clock.run(100)]);
  });

  it('stops the workers first and gives the lease up after, so that the next need not wait', async () => {
    const server = new LeaseServer();
    const clock = new VirtualClock(1);
    const a = candidate(server, clock, 'a', 3_000);
    a.election.start();
    await clock.run(1_000);
    const b = candidate(server, clock, 'b');
    b.election.start();
    await clock.run(1_000);
    void a.election.stop();
    await clock.run(2_900);
    assert.deepEqual([a.log, b.log], [['leads', 'stopping'], []]);
    assert.equal(server.lease!.spec.holderIdentity, 'a');
    await clock.run(3_200);
    assert.deepEqual([a.log, b.log], [['leads', 'stopping', 'stopped'], ['leads']]);
    await Promise.all([b.election.stop(), clock.run(100)]);
    assert.equal(server.lease!.spec.holderIdentity, '');
  });

  for (const reach of ['refused', 'hangs'] as const) {
    it(`stops the workers before anyone else can lead when the server cannot be reached (${reach})`, async () => {
      const server = new LeaseServer();
      const clock = new VirtualClock(1);
      const a = candidate(server, clock, 'a');
      a.election.start();
      await clock.run(500);
      const b = candidate(server, clock, 'b');
      b.election.start();
      await clock.run(20_000);
      a.state.reach = reach;
      const cut = clock.now();
      assert.equal(await clock.runUntil(() => a.log.includes('stopped'), 60_000), true);
      const stopped = clock.now() - cut;
      assert.ok(stopped <= 10_000, `stopped after ${stopped} ms`);
      assert.equal(a.election.held(), false);
      assert.deepEqual(b.log, []);
      assert.equal(await clock.runUntil(() => b.log.includes('leads'), 60_000), true);
      assert.ok(clock.now() - cut > stopped);
      // Back again, it follows.
      a.state.reach = 'ok';
      await clock.run(60_000);
      assert.deepEqual(a.log, ['leads', 'lost', 'stopped']);
      assert.equal(a.election.holder, 'b');
      await Promise.all([a.election.stop(), b.election.stop(), clock.run(100)]);
    });
  }

  it('does not believe that it leads after it was paused, before any timer has run', async () => {
    const server = new LeaseServer();
    const clock = new VirtualClock(1);
    let skippedMs = 0;
    const paused = { now: () => clock.now() + skippedMs, after: clock.after.bind(clock), random: () => clock.random() };
    const log: string[] = [];
    const election = new LeaderElection({
      api: server.for({ reach: 'ok' }),
      clock: paused,
      namespace: 'tranche',
      name: 'tranche',
      identity: 'a',
      onAcquired: () => log.push('leads'),
      onEnd: () => Promise.resolve(void log.push('stops')),
    });
    election.start();
    await clock.run(5_000);
    assert.equal(election.held(), true);
    skippedMs = 3_600_000;
    assert.equal(election.held(), false);
    server.store({ holderIdentity: 'b', leaseTransitions: 1 });
    await clock.run(5_100);
    assert.deepEqual(log, ['leads', 'stops']);
    await Promise.all([election.stop(), clock.run(100)]);
    assert.equal(server.lease!.spec.holderIdentity, 'b');
  });

  it('stops when its next attempts show that somebody else has taken the lease', async () => {
    const server = new LeaseServer();
    const clock = new VirtualClock(1);
    const a = candidate(server, clock, 'a');
    a.election.start();
    await clock.run(1_000);
    server.store({ holderIdentity: 'b', leaseTransitions: 1 });
    await clock.run(7_100);
    assert.deepEqual(a.log, ['leads', 'lost', 'stopped']);
    await Promise.all([a.election.stop(), clock.run(100)]);
  });

  it('goes on leading through a write that took effect although its answer was lost', async () => {
    const server = new LeaseServer();
    const clock = new VirtualClock(1);
    const state = { reach: 'ok' as const };
    const inner = server.for(state);
    let lose = 0;
    const api: Api = {
      ...inner,
      async request(call) {
        const answer = await inner.request(call);
        if (call.method === 'PATCH' && lose-- > 0) throw new NetworkError('socket hang up', 'ECONNRESET');
        return answer;
      },
    };
    const log: string[] = [];
    const election = new LeaderElection({
      api,
      clock,
      namespace: 'tranche',
      name: 'tranche',
      identity: 'a',
      onAcquired: () => log.push('leads'),
      onEnd: () => Promise.resolve(void log.push('stops')),
    });
    election.start();
    await clock.run(1_000);
    lose = 1;
    await clock.run(60_000);
    assert.deepEqual(log, ['leads']);
    assert.equal(election.held(), true);
    await Promise.all([election.stop(), clock.run(100)]);
  });

  it('gives the lease up although a renewal was on its way when it was stopped', async () => {
    const server = new LeaseServer();
    const clock = new VirtualClock(1);
    const inner = server.for({ reach: 'ok' });
    let renewing = (): void => {};
    const renewal = new Promise<void>((resolve) => (renewing = resolve));
    const api: Api = {
      ...inner,
      async request(call) {
        const answer = await inner.request(call);
        const renews = call.method === 'PATCH' && (call.body as { spec: Spec }).spec.holderIdentity === 'a';
        // It took effect, and its answer does not come.
        if (renews) await new Promise((_, reject) => (renewing(), call.signal?.addEventListener('abort', reject)));
        return answer;
      },
    };
    const election = new LeaderElection({
      ...{ api, clock, namespace: 'tranche', name: 'tranche', identity: 'a' },
      onAcquired: () => {},
      onEnd: () => Promise.resolve(),
    });
    election.start();
    await clock.run(5_100);
    await renewal;
    await Promise.all([election.stop(), clock.run(100)]);
    assert.equal(server.lease!.spec.holderIdentity, '');
  });
});
