// Reviews that no API server has sent: who may ask at all, what a forged one can lead to, and what many of them do to the one that counts.
import assert from 'node:assert/strict';
import { connect, type TLSSocket } from 'node:tls';
import { once } from 'node:events';
import { createAuthority, type Authority } from '@tranche/sandbox/certificates';
import type { KubeObject, Rollout } from '../../src/api/types.ts';
import { askAccess } from '../../src/admission/access.ts';
import { Lane, type LaneLimits } from '../../src/admission/lane.ts';
import type { Client } from '../../src/admission/peer.ts';
import type { Api, ApiCall } from '../../src/kube/api.ts';
import { realClock } from '../../src/kube/clock.ts';
import { BURST, Proof } from '../../src/admission/proof.ts';
import { aDeployment, aReview, aRollout, someDeps } from '../admission/support.ts';
import { WebhookServer } from './webhook-server.ts';

const edit = JSON.stringify(aReview(aDeployment('v2'), aDeployment()));
const deps = someDeps({ rollouts: [aRollout(1, '100%')] });

describe('Forged reviews', () => {
  describe('where the client certificate of the API server is checked', () => {
    let trusted: Authority;
    let server: WebhookServer;
    before(async () => {
      trusted = await createAuthority();
      server = await WebhookServer.start({ ...deps, peers: () => ({ ca: trusted.certificate, names: ['api'] }) });
    });
    after(() => server.stop());

    const as = async (authority: Authority | undefined, name = 'api'): Promise<number> => {
      const pair = await authority?.client(name, []);
      const { status } = await server.send('/mutate', edit, pair && { cert: pair.certificate, key: pair.key });
      return status;
    };

    it('are refused: without a certificate, with one of another CA, with one of another name', async () => {
      assert.equal(await as(trusted), 200);
      assert.equal(await as(undefined), 403);
      assert.equal(await as(await createAuthority()), 403);
      assert.equal(await as(trusted, 'a-kubelet'), 403);
    });

    it('say why', async () => {
      const { status, body } = await server.send('/validate', edit);
      assert.deepEqual(
        [status, body],
        [403, { message: 'no client certificate: only API servers may call the webhooks' }],
      );
    });

    it('for conversion are answered: an API server shows no certificate to it', async () => {
      const request = { uid: 'c', desiredAPIVersion: 'rollouts.kruise.io/v1beta1', objects: [] };
      const review = { kind: 'ConversionReview', apiVersion: 'apiextensions.k8s.io/v1', request };
      assert.equal((await server.send('/convert', JSON.stringify(review))).status, 200);
    });

    it('are checked by another CA from the moment that there is one', async () => {
      const before = trusted;
      let now = trusted;
      const rotating = await WebhookServer.start({ ...deps, peers: () => ({ ca: now.certificate, names: [] }) });
      try {
        now = await createAuthority();
        rotating.reload();
        const status = async (authority: Authority): Promise<number> => {
          const { certificate: cert, key } = await authority.client('x', []);
          return (await rotating.send('/mutate', edit, { cert, key })).status;
        };
        assert.deepEqual([await status(before), await status(now)], [403, 200]);
      } finally {
        await rotating.stop();
      }
    });
  });

  describe('where nobody checks', () => {
    const calls: ApiCall[] = [];
    const live = aDeployment('v1', { name: 'free', uid: 'd-9' });
    const api = {
      request(call: ApiCall) {
        calls.push(call);
        const namespace = /namespaces\/([^/]+)/.exec(call.path)?.[1] ?? '';
        const found = { ...live, metadata: { ...live.metadata, namespace } };
        const ok = call.method === 'POST' ? { status: { allowed: true } } : found;
        return call.path.endsWith('/free') || call.method === 'POST'
          ? Promise.resolve(ok)
          : Promise.reject(new Error('none'));
      },
    } as unknown as Api;
    const status = {
      phase: 'Progressing',
      canaryStatus: { currentStepState: 'StepPaused' },
    } as unknown as Rollout['status'];
    const rollout = { ...aRollout(1), metadata: { ...aRollout(1).metadata, resourceVersion: '7' }, status } as Rollout;
    const proofOf = (verified = false, clock = realClock): Proof =>
      new Proof({
        api,
        clock,
        verified,
        rollout: (namespace, name) => (namespace === 'default' && name === 'demo' ? rollout : undefined),
        workload: (_kind, namespace, name) => (namespace === 'default' && name === 'web' ? aDeployment() : undefined),
      });
    const about = (kind: string, name: string, uid: string | undefined, namespace = 'default'): KubeObject =>
      ({
        apiVersion: kind === 'Rollout' ? 'rollouts.kruise.io/v1beta1' : 'apps/v1',
        kind,
        metadata: { name, namespace, uid },
      }) as KubeObject;
    beforeEach(() => (calls.length = 0));

    it('lead to no event and no line in a status, unless they know the uid of the object', async () => {
      const proof = proofOf();
      assert.equal(await proof.mayReport(about('Rollout', 'demo', 'r-1')), true);
      assert.equal(await proof.mayReport(about('Rollout', 'demo', 'guessed')), false);
      assert.equal(await proof.mayReport(about('Rollout', 'none', 'r-1')), false);
      assert.equal(await proof.mayReport(about('Rollout', 'demo', undefined)), false);
      assert.equal(await proof.mayReport(about('Deployment', 'web', 'd-1')), true);
      assert.equal(await proof.mayReport(about('Deployment', 'web', 'x')), false);
      assert.deepEqual(calls, [], 'of what is in the cache nobody is asked');
      assert.equal(await proof.mayReport(about('Deployment', 'free', 'd-9')), true);
      assert.equal(await proof.mayReport(about('Deployment', 'free', 'x')), false);
      assert.equal(await proof.mayReport(about('Deployment', 'gone', 'x')), false);
    });

    it('ask the API server for no path but that of a Deployment', async () => {
      const proof = proofOf();
      for (const name of ['../../secrets/x', 'a/b', 'x?y', '..', '', 'A'])
        assert.equal(await proof.mayReport(about('Deployment', name, 'x')), false);
      assert.equal(await proof.mayReport(about('Deployment', 'free', 'd-9', '../kube-system')), false);
      assert.deepEqual(calls, []);
    });

    it('take nothing from another namespace when there are many', async () => {
      let now = 0;
      const proof = proofOf(false, { ...realClock, now: () => now });
      const flood = async (): Promise<number> => {
        let reported = 0;
        for (let i = 0; i < 3 * BURST; i++) if (await proof.mayReport(about('Rollout', 'demo', 'r-1'))) reported++;
        return reported;
      };
      assert.equal(await flood(), BURST);
      assert.equal(await proof.mayReport(about('Deployment', 'free', 'd-9', 'other')), true);
      now += 3_000;
      assert.equal(await flood(), 1, 'and again in time');
    });

    it('are no oracle for SubjectAccessReviews: only the Rollout as it is leads to one', async () => {
      const proof = proofOf();
      const ask = askAccess(api, (old) => proof.mayAsk(old));
      const approval = (old: Rollout) => ({ rollout: old, user: 'root', groups: [], dryRun: false });
      assert.deepEqual(await ask(approval(rollout)), []);
      const moved = { ...rollout, metadata: { ...rollout.metadata, resourceVersion: '9' } };
      assert.deepEqual(await ask(approval(moved)), [], 'a label was changed meanwhile: its status is what counts');
      const before = { ...rollout, metadata: { ...rollout.metadata, resourceVersion: '6' }, status: undefined };
      assert.deepEqual(
        await ask(approval(before as unknown as Rollout)),
        [],
        'another approval came first: a conflict follows',
      );
      assert.equal(calls.length, 3);
      for (const forged of [
        { ...before, metadata: { ...before.metadata, uid: 'x' } } as unknown as Rollout,
        { ...rollout, metadata: { ...rollout.metadata, uid: 'x' } },
        { ...rollout, metadata: { ...rollout.metadata, name: 'other' } },
        { ...moved, status: undefined } as unknown as Rollout,
      ]) {
        const [violation] = await ask(approval(forged));
        assert.match(violation!.reason, /^cannot check the verb approve: /);
      }
      assert.equal(calls.length, 3);
    });

    it('ask a bounded number of questions', async () => {
      const proof = proofOf(false, { ...realClock, now: () => 0 });
      const ask = askAccess(api, (old) => proof.mayAsk(old));
      for (let i = 0; i < 3 * BURST; i++) await ask({ rollout, user: `u${i}`, groups: [], dryRun: false });
      assert.equal(calls.length, BURST);
    });

    it('are not looked at where the peers are verified: then they are none', async () => {
      const proof = proofOf(true);
      assert.equal(await proof.mayReport(about('Rollout', 'none', undefined)), true);
      assert.equal(await proof.mayAsk(aRollout(1)), true);
    });
  });
});

describe('Many reviews at once', () => {
  const [one, another] = ['10.0.0.1', '10.0.0.2'].map((key) => ({ key, verified: false })) as [Client, Client];
  const server: Client = { key: 'API server', verified: true };
  /** Its clock stands still, so no request waits too long. */
  const aLane = (limits: Partial<LaneLimits> = {}): Lane =>
    new Lane(
      { ...realClock, now: () => 0, after: () => () => undefined },
      { bytes: 10, clientBytes: 10, waitMs: 1, waiting: 99, ...limits },
    );
  /** Enters, and notes who may. */
  const entering =
    (lane: Lane, order: string[]) =>
    (client: Client, bytes: number): Promise<boolean> =>
      lane.enter(client, bytes).then((may) => (order.push(`${client.key}: ${may ? bytes : 'no'}`), may));

  it('take no more memory for large bodies than there is room for, the smallest first', async () => {
    const lane = aLane({ waiting: 3 });
    const order: number[] = [];
    const enter = (bytes: number): Promise<boolean> =>
      lane.enter(one, bytes).then((may) => (may && order.push(bytes), may));
    assert.equal(await enter(8), true);
    const [six, two, four] = [enter(6), enter(2), enter(4)];
    assert.equal(await two, true);
    assert.equal(lane.bytesInFlight, 10);
    const [nine, three] = [enter(9), enter(3)];
    assert.equal(await nine, false, 'one too many: the largest is turned away at once');
    lane.leave(one, 8);
    assert.deepEqual(await Promise.all([three, four]), [true, true]);
    lane.leave(one, 2);
    lane.leave(one, 3);
    lane.leave(one, 4);
    assert.equal(await six, true);
    assert.deepEqual(order, [8, 2, 3, 4, 6]);
  });

  it('of one client leave room for those of another, however many it sends', async () => {
    const order: string[] = [];
    const lane = aLane({ clientBytes: 6 });
    const enter = entering(lane, order);
    const flood = Array.from({ length: 40 }, () => enter(one, 3));
    await flood[1];
    assert.equal(lane.bytesInFlight, 6, 'the rest of the room is not for it');
    assert.equal(await enter(another, 4), true);
    assert.deepEqual(order, ['10.0.0.1: 3', '10.0.0.1: 3', '10.0.0.2: 4']);
  });

  it('may be larger than the share of a client, if it sends no other', async () => {
    const lane = aLane({ clientBytes: 6 });
    assert.equal(await lane.enter(one, 9), true);
  });

  it('of a client that has the least come next, and those of a verified API server before all', async () => {
    const order: string[] = [];
    const lane = aLane();
    const enter = entering(lane, order);
    await enter(one, 9);
    const rest = [enter(one, 1), enter(one, 2), enter(another, 5), enter(server, 8)];
    await rest[0];
    lane.leave(one, 9);
    await rest[3];
    lane.leave(server, 8);
    await Promise.all(rest);
    assert.deepEqual(order, ['10.0.0.1: 9', '10.0.0.1: 1', 'API server: 8', '10.0.0.2: 5', '10.0.0.1: 2']);
  });

  it('turn away the one too many of the client that has the most', async () => {
    const order: string[] = [];
    const lane = aLane({ waiting: 3 });
    const enter = entering(lane, order);
    await enter(another, 10);
    const many = [enter(one, 4), enter(one, 5), enter(another, 9), enter(server, 9)];
    assert.equal(await many[1], false);
    assert.deepEqual(order, ['10.0.0.2: 10', '10.0.0.1: no']);
  });

  it('are worked on in turns of the clients: forty of one do not come before the first of another', async () => {
    const lane = aLane();
    const order: string[] = [];
    const work = (client: Client, bytes = 7): Promise<unknown> =>
      lane.turn(client, bytes, () => order.push(client.key));
    const all = [...Array.from({ length: 40 }, () => work(one)), work(another, 20), work(another), work(server)];
    await Promise.all(all);
    assert.deepEqual(order.slice(0, 3), ['API server', '10.0.0.1', '10.0.0.2']);
    // By bytes: twenty of one client are as much as three times seven of the other.
    assert.deepEqual(order.slice(3, 6), ['10.0.0.1', '10.0.0.1', '10.0.0.2']);
    assert.equal(order.length, 43);
  });

  it('go on after work that fails', async () => {
    const lane = aLane();
    const failed = lane.turn(one, 1, () => assert.fail('broken'));
    await assert.rejects(failed, /broken/);
    assert.equal(await lane.turn(one, 1, () => 'done'), 'done');
  });

  it('are refused by a review when there is no room for too long, and small ones pass', async () => {
    let passWait = (): void => {};
    const lane = new Lane(
      { ...realClock, after: (_ms, fn) => ((passWait = fn), () => undefined) },
      { bytes: 1, clientBytes: 1, waitMs: 1, waiting: 9 },
    );
    await lane.enter(one, 1);
    const server = await WebhookServer.start(deps, { lane });
    try {
      passWait = () => {};
      const large = edit.replace('"uid":"d-1"', `"uid":"d-1","selfLink":"${'x'.repeat(200_000)}"`);
      const waits = server.review('/mutate', large);
      assert.equal((await server.review('/mutate', edit)).allowed, true);
      const timer = setInterval(() => passWait(), 10);
      const { uid, allowed, status } = await waits.finally(() => clearInterval(timer));
      assert.deepEqual([uid, allowed, status?.code, status?.reason], ['review-1', false, 429, 'TooManyRequests']);
    } finally {
      await server.stop();
    }
  });

  it('on more connections than there may be: those go that ask for nothing, and a new one is served', async () => {
    const server = await WebhookServer.start(deps, { connections: 10 });
    const idle: TLSSocket[] = [];
    try {
      for (let i = 0; i < 10; i++) {
        const socket = connect({ host: '127.0.0.1', port: server.port, ca: server.ca.cert });
        socket.on('error', () => undefined);
        idle.push(socket);
        await once(socket, 'secureConnect');
      }
      const closed = once(idle[0]!, 'close');
      assert.equal((await server.review('/mutate', edit)).allowed, true);
      await closed;
      assert.equal(idle.filter(({ destroyed }) => destroyed).length, 1);
    } finally {
      for (const socket of idle) socket.destroy();
      await server.stop();
    }
  });

  it('of no meaning are cut off after their first bytes', async () => {
    const lane = new Lane(realClock);
    const server = await WebhookServer.start(deps, { lane });
    try {
      const headers = { 'content-length': 6_900_000 };
      const junk = Array.from({ length: 50 }, () => server.send('/mutate', ['x'.repeat(100_000)], { headers }));
      for (const { status } of await Promise.all(junk)) assert.equal(status, 400);
      assert.equal(lane.bytesInFlight, 0);
    } finally {
      await server.stop();
    }
  });
});
