// Bodies that are too large, too deep, too slow or of an odd shape. A review gets a review: an HTTP error would leave it to the failurePolicy,
// which lets by what it is not told to refuse.
import assert from 'node:assert/strict';
import type { ReleasePolicy } from '../../src/api/policy.ts';
import * as keys from '../../src/api/keys.ts';
import { MAX_BODY_BYTES } from '../../src/admission/body.ts';
import { LANE } from '../../src/admission/lane.ts';
import type { AdmissionDeps } from '../../src/admission/deps.ts';
import { realClock } from '../../src/kube/clock.ts';
import { aDeployment, aReview, aRollout, someDeps, type Json } from '../admission/support.ts';
import { WebhookServer } from './webhook-server.ts';

/** `<`, `>`, `&` and two line separators take six bytes each. */
const asGoWrites = (char: string): string =>
  /[<>&\u2028\u2029]/.test(char) ? `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}` : char;

const withEnv = (name: string, value: string, tag?: string): ReturnType<typeof aDeployment> => {
  const { labels: _, ...metadata } = aDeployment().metadata;
  const plain = { ...aDeployment(tag), metadata: { ...metadata, name } };
  const { template } = plain.spec;
  const [container] = template.spec!['containers'] as Json[];
  const containers = [{ ...container, env: [{ name: 'A', value }] }];
  return { ...plain, spec: { ...plain.spec, template: { ...template, spec: { ...template.spec, containers } } } };
};

/** What a policy of the whole namespace is to the server. */
const ruling = (): NonNullable<AdmissionDeps['policy']> => ({
  policiesFor: () => [{ metadata: { name: 'p' }, spec: {} } as unknown as ReleasePolicy],
  inFlight: () => 0,
  calendar: {} as never,
  now: Date.now,
});

describe('Attacks with bodies', () => {
  let server: WebhookServer;
  /** It reads large bodies as slowly as a busy machine sends them. */
  let patient: WebhookServer;
  let failing: Error | undefined;
  const caches = someDeps({ rollouts: [aRollout(1, '100%')], deployments: [aDeployment()] });
  before(async () => {
    server = await WebhookServer.start({
      ...caches,
      rolloutFor(...args) {
        if (failing) throw failing;
        return caches.rolloutFor(...args);
      },
    });
  });
  afterEach(() => (failing = undefined));
  before(async () => {
    // Its limits are of seconds. The rests after a large body are shorter.
    const after = (ms: number, fn: () => void) => realClock.after(ms < 1_000 ? ms : 100 * ms, fn);
    const clock = { ...realClock, after };
    patient = await WebhookServer.start(caches, { clock });
  });
  after(() => Promise.all([server.stop(), patient.stop()]));

  for (const [what, char, bytes] of [
    ['1.3 MB of "<", six bytes each in JSON', '<', 1_300_000],
    ['2 MiB of "<", all that can be stored', '<', 2 * 1024 * 1024],
    ['0.7 MB of line separators', '\u2028', 700_000],
    ['2 MiB of letters', 'a', 2 * 1024 * 1024],
  ] as const) {
    it(`does not pass by ${what}, in the old object and the new`, async () => {
      const review = JSON.stringify(aReview(withEnv('web', 'MIDDLE', 'v2'), withEnv('web', 'MIDDLE')));
      const body = review.replaceAll('MIDDLE', asGoWrites(char).repeat(bytes));
      assert.ok(body.length < MAX_BODY_BYTES);
      const { allowed, patch } = await patient.review('/mutate', body);
      assert.equal(allowed, true);
      const ops = JSON.parse(Buffer.from(patch!, 'base64').toString()) as Json[];
      assert.ok(
        ops.some(({ path }) => path === '/spec/paused'),
        'it is held',
      );
    });
  }

  const [head, tail] = JSON.stringify(aReview(withEnv('web', 'MIDDLE', 'v2'))).split('MIDDLE') as [string, string];
  function* huge(bytes: number): Generator<string> {
    yield head;
    const piece = 'a'.repeat(1024 * 1024);
    for (let sent = 0; sent < bytes; sent += piece.length) yield piece;
    yield tail;
  }

  for (const [what, announced] of [
    ['announced', true],
    ['not announced', false],
  ] as const) {
    it(`refuses, with its uid, a review of 126 MB, ${what}: an API server makes it of 1 MiB of YAML with aliases`, async () => {
      const bytes = 126 * 1024 * 1024;
      const headers = announced ? { 'content-length': head.length + bytes + tail.length } : {};
      const { uid, allowed, status } = await patient.review('/mutate', huge(bytes), { headers });
      assert.deepEqual({ uid, allowed }, { uid: 'review-1', allowed: false });
      assert.deepEqual([status?.code, status?.reason], [413, 'RequestEntityTooLarge']);
      assert.match(status!.message, /^tranche cannot judge this request: the object is too large for the API server/);
    });
  }

  it('refuses what is too large also where no Rollout is: it cannot be stored', async () => {
    const [first, last] = JSON.stringify(aReview(withEnv('other', 'MIDDLE'))).split('MIDDLE') as [string, string];
    const headers = { 'content-length': first.length + MAX_BODY_BYTES + last.length };
    const { allowed } = await server.review('/mutate', [first, 'a'.repeat(MAX_BODY_BYTES), last], { headers });
    assert.equal(allowed, false);
  });

  it('answers a conversion that is too large with one that failed', async () => {
    const start = `{"kind":"ConversionReview","apiVersion":"apiextensions.k8s.io/v1","request":{"uid":"c-1","objects":["`;
    const headers = { 'content-length': 2 * MAX_BODY_BYTES };
    const reply = await server.send('/convert', [start, 'a'.repeat(1024 * 1024)], { headers });
    assert.equal(reply.status, 200);
    const { uid, result } = reply.body['response'] as Json;
    assert.equal(uid, 'c-1');
    assert.equal((result as Json)['status'], 'Failed');
  });

  describe('that cannot be judged', () => {
    const edit = (name: string): string => JSON.stringify(aReview(withEnv(name, 'x', 'v2'), withEnv(name, 'x')));
    const odd = (name: string): string =>
      JSON.stringify(aReview({ ...withEnv(name, 'x'), spec: 'none' }, withEnv(name, 'x')));
    const deep = (name: string): string => edit(name).replace('"x"', `${'['.repeat(200)}${']'.repeat(200)}`);
    const deletion = (): string => JSON.stringify(aReview(aRollout(1), undefined, { operation: 'DELETE' }));

    it('are refused where a Rollout names the Deployment: of an odd shape, too deep', async () => {
      for (const body of [odd('web'), deep('web')]) {
        const { uid, allowed, status } = await server.review('/mutate', body);
        assert.deepEqual({ uid, allowed, code: status?.code }, { uid: 'review-1', allowed: false, code: 400 });
        assert.match(
          status!.message,
          /^tranche cannot judge this request: .*; this is a bug of tranche, please report it/,
        );
      }
    });

    it('pass elsewhere, with a warning: our own failure is in nobody’s way', async () => {
      for (const body of [odd('other'), deep('other')]) {
        const { allowed, warnings } = await server.review('/mutate', body);
        assert.equal(allowed, true);
        assert.match(warnings!.join(), /^tranche: this edit was not checked: /);
      }
    });

    it('are refused with a policy in the namespace, which may ask for a Rollout; so is a deletion that it may protect', async () => {
      const buggy = { ...caches, workloadFor: () => assert.fail('a bug') };
      const ruled = await WebhookServer.start({ ...caches, policy: ruling() });
      const ruledBuggy = await WebhookServer.start({ ...buggy, policy: ruling() });
      const free = await WebhookServer.start(buggy);
      try {
        for (const body of [odd('other'), deep('other')])
          assert.equal((await ruled.review('/mutate', body)).allowed, false);
        assert.equal((await ruledBuggy.review('/validate', deletion())).allowed, false);
        assert.equal((await free.review('/validate', deletion())).allowed, true);
      } finally {
        for (const one of [ruled, ruledBuggy, free]) await one.stop();
      }
    });

    it('are refused when the caches are not filled, and when the lookup itself fails', async () => {
      failing = new Error('a bug');
      const { allowed, status } = await server.review('/mutate', edit('other'));
      assert.deepEqual([allowed, status?.code], [false, 500]);
      assert.equal(status?.message, 'tranche cannot judge this request: internal error; see the log of tranche');
    });

    it('of a Deployment whose label or record is in the cache are refused without a Rollout', async () => {
      for (const metadata of [
        { labels: { [keys.WORKLOAD_TYPE]: 'deployment' } },
        { annotations: { [keys.HELD]: '{}' } },
      ]) {
        const held = { ...aDeployment(), metadata: { ...aDeployment().metadata, labels: {}, ...metadata } };
        const cached = await WebhookServer.start(someDeps({ deployments: [held] }));
        try {
          assert.equal((await cached.review('/mutate', odd('web'))).allowed, false);
          assert.equal((await cached.review('/mutate', odd('other'))).allowed, true);
        } finally {
          await cached.stop();
        }
      }
    });

    it('about a Rollout are refused, whatever is wrong with it', async () => {
      for (const body of [
        JSON.stringify(aReview(aRollout(1))).replace('"spec":', `"x":${'['.repeat(200)}${']'.repeat(200)},"spec":`),
        JSON.stringify(aReview(aRollout(1), undefined, { object: [] })),
      ]) {
        assert.equal((await server.review('/validate', body)).allowed, false);
      }
    });
  });

  it('answers a review that does not come to its end, before the API server gives up', async () => {
    const timers = new Set<() => void>();
    const begun = Promise.withResolvers<void>();
    const clock = {
      ...realClock,
      after(ms: number, fn: () => void): () => void {
        // Its first bytes are there: it asks for room for the rest.
        if (ms === LANE.waitMs) begun.resolve();
        if (ms <= 3_000) timers.add(fn);
        return () => timers.delete(fn);
      },
    };
    const slow = await WebhookServer.start(caches, { clock });
    try {
      const body = JSON.stringify(aReview(withEnv('web', 'x', 'v2')));
      const reply = slow.review('/mutate', [body.slice(0, 500), ''], { headers: { 'content-length': 100_000 } });
      await begun.promise;
      for (const fire of timers) fire();
      const { uid, allowed, status } = await reply;
      assert.deepEqual({ uid, allowed, code: status?.code }, { uid: 'review-1', allowed: false, code: 504 });
    } finally {
      await slow.stop();
    }
  });
});
