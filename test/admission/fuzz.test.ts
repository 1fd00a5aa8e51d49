import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import { convertRollout, type Version } from '../../src/api/convert.ts';
import * as keys from '../../src/api/keys.ts';
import type { Deployment } from '../../src/api/types.ts';
import { handlersOf, parseBody } from '../../src/admission/app.ts';
import { createAdmissionServer } from '../../src/admission/index.ts';
import { BadRequest } from '../../src/admission/json.ts';
import type { PatchOp } from '../../src/engine/lib/json-patch.ts';
import { issueCa, issueLeaf } from '../../src/tls/issue.ts';
import { applyOps } from '../support/json-patch.ts';
import { aDeployment, aReview, aRollout, aV1alpha1Rollout, someDeps, type Json } from './support.ts';

const IN_PROCESS = 5_000;
const OVER_THE_SOCKET = 400;
const seed = Number(process.env['FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

/** Repeatable chance (mulberry32). */
const chance = (from: number): ((below: number) => number) => {
  let state = from;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
};

const held = (): Deployment => {
  const record = {
    v: 1,
    rollout: 'demo',
    user: { paused: null, maxSurge: '25%', maxUnavailable: '25%', minReadySeconds: null, progressDeadlineSeconds: 600 },
    stable: 'x',
  };
  const at = aDeployment('v2', { annotations: { [keys.HELD]: JSON.stringify(record) } });
  return { ...at, spec: { ...at.spec, paused: true } };
};
const statusOf = (currentStepState: string): object => ({
  ...aRollout(1, '100%'),
  status: { phase: 'Progressing', canaryStatus: { currentStepIndex: 1, nextStepIndex: 2, currentStepState } },
});
const partition = { [keys.ROLLING_STYLE]: 'partition' };
const conversion = (object: object, to: string): Json => ({
  kind: 'ConversionReview',
  apiVersion: 'apiextensions.k8s.io/v1',
  request: { uid: 'c', desiredAPIVersion: `rollouts.kruise.io/${to}`, objects: [object] },
});

/** A Rollout that was converted with a loss, and carries the note of it. */
const noted = (from: Version, to: Version): Json => {
  const path = { type: 'Exact', value: '/' };
  const canary = {
    steps: [
      { replicas: 1, matches: [{ path }] },
      { weight: 20, traffic: '30%' },
    ],
    stray: 1,
  };
  const spec = { rolloutID: 'x', objectRef: 1, workloadRef: 2, strategy: { canary, blueGreen: { steps: [] } } };
  const object = { apiVersion: `${keys.GROUP}/${from}`, kind: 'Rollout', metadata: { name: 'demo' }, spec };
  const converted = convertRollout(object, keys.GROUP, from, to) as Json;
  assert.ok(JSON.stringify(converted).includes(keys.CONVERSION));
  return converted;
};

const seeds: readonly (readonly ['mutate' | 'validate' | 'convert', Json])[] = [
  ['mutate', aReview(aDeployment('v2'), aDeployment())],
  ['mutate', aReview(aDeployment('v3'), held())],
  ['mutate', aReview({ ...held(), spec: { ...held().spec, paused: false } }, held())],
  ['mutate', aReview(aDeployment())],
  ['mutate', aReview(aRollout(1, '50%', '100%'))],
  ['mutate', aReview(statusOf('StepReady'), statusOf('StepPaused'), { subResource: 'status' })],
  ['validate', aReview(aRollout(1, '50%', '100%'), aRollout(1, '40%', '100%'))],
  ['validate', aReview(aV1alpha1Rollout(partition, 1, '50%'))],
  ['validate', aReview(statusOf('StepReady'), statusOf('StepPaused'), { subResource: 'status' })],
  ['convert', conversion(aV1alpha1Rollout(partition, 1, '50%'), 'v1beta1')],
  ['convert', conversion(aRollout(1, '50%'), 'v1alpha1')],
  ['convert', conversion(noted('v1alpha1', 'v1beta1'), 'v1alpha1')],
  ['convert', conversion(noted('v1beta1', 'v1alpha1'), 'v1beta1')],
  ['mutate', aReview(noted('v1alpha1', 'v1beta1'))],
];

const strange: readonly (() => unknown)[] = [
  () => null,
  () => true,
  () => -1,
  () => 1e308,
  () => 0.5,
  () => '',
  () => 'x'.repeat(5_000),
  () => '\u0000\ud800',
  () => [],
  () => [[[]]],
  () => ({}),
  () => JSON.parse('{"__proto__": {"paused": true}, "constructor": 1, "hasOwnProperty": null}') as unknown,
  () => JSON.parse('['.repeat(60) + ']'.repeat(60)) as unknown,
  () => '100%',
  () => 'StepReady',
];

/** JSON within JSON: our own annotations, which anybody can edit. */
const parsed = (value: unknown): Json | undefined => {
  if (typeof value !== 'string' || !value.startsWith('{')) return undefined;
  try {
    return JSON.parse(value) as Json;
  } catch {
    return undefined;
  }
};

/** Changes a few places of a JSON value, and now and then the text it becomes. */
const mutate = (value: Json, pick: (below: number) => number): Buffer => {
  const copy = structuredClone(value);
  for (let changes = pick(4); changes >= 0; changes--) {
    const places: [Record<string, unknown>, string][] = [];
    const collect = (node: unknown): void => {
      if (typeof node !== 'object' || node === null) return;
      for (const key of Object.keys(node)) {
        places.push([node as Record<string, unknown>, key]);
        collect((node as Record<string, unknown>)[key]);
      }
    };
    collect(copy);
    const [node, key] = places[pick(places.length)] ?? [copy, 'request'];
    const other = places[pick(places.length)] ?? [copy, 'request'];
    const change = pick(6);
    const inner = change === 5 ? parsed(node[key]) : undefined;
    if (inner) node[key] = mutate(inner, pick).toString();
    else if (change === 0) Reflect.deleteProperty(node, key);
    else if (change === 1) node[key] = structuredClone(other[0][other[1]]);
    else if (change === 2 && !Array.isArray(node)) node[strangeKeys[pick(strangeKeys.length)] ?? 'x'] = node[key];
    else node[key] = strange[pick(strange.length)]?.();
  }
  const bytes = Buffer.from(JSON.stringify(copy));
  const damage = pick(12);
  if (damage === 0) return bytes.subarray(0, pick(bytes.length + 1));
  if (damage === 1) bytes[pick(bytes.length)] = pick(256);
  return bytes;
};
const strangeKeys = ['__proto__', 'metadata', 'a/b~c', keys.HELD, 'replicas', 'spec', ''];

const deps = someDeps({ rollouts: [aRollout(1, '50%', '100%')], deployments: [aDeployment()] });

/** An answer is complete, and its patch fits the object that was sent. */
const checkReply = (webhook: string, sent: Json, review: Json): void => {
  const response = review['response'] as Json;
  const request = sent['request'] as Json;
  assert.equal(response['uid'], request['uid']);
  if (webhook === 'convert') {
    const { status } = response['result'] as Json;
    const { length } = response['convertedObjects'] as unknown[];
    assert.ok(status === 'Success' ? length === (request['objects'] as unknown[]).length : length === 0);
    return;
  }
  assert.equal(typeof response['allowed'], 'boolean');
  assert.equal(response['allowed'] === false, response['status'] !== undefined);
  if (response['patch'] === undefined) return;
  const ops = JSON.parse(Buffer.from(response['patch'] as string, 'base64').toString()) as PatchOp[];
  applyOps(request['object'], ops);
};

describe('mutated reviews', () => {
  it(`${IN_PROCESS} of them are answered or turned away: no crash, no hang, no patch that does not fit`, async () => {
    const handlers = handlersOf(deps);
    const pick = chance(seed);
    const counts = { answered: 0, refused: 0, turnedAway: 0 };
    for (let round = 0; round < IN_PROCESS; round++) {
      const [webhook, review] = seeds[round % seeds.length] ?? ['mutate', {}];
      const bytes = mutate(review, pick);
      try {
        const sent = parseBody(webhook, bytes) as Json;
        const reply = await handlers[webhook](sent);
        const text = JSON.parse(JSON.stringify(reply.review)) as Json;
        checkReply(webhook, sent, text);
        // Parsed the plain way, it is answered the same.
        assert.deepEqual(reply, await handlers[webhook](JSON.parse(bytes.toString())));
        if ((text['response'] as Json)['allowed'] === false) counts.refused++;
        else counts.answered++;
      } catch (error) {
        if (!(error instanceof BadRequest)) {
          throw new Error(`round ${round} of FUZZ_SEED=${seed} on /${webhook}: ${bytes.toString().slice(0, 2_000)}`, {
            cause: error,
          });
        }
        counts.turnedAway++;
      }
    }
    assert.equal(({} as Json)['paused'], undefined, 'no prototype was touched');
    for (const [what, count] of Object.entries(counts)) assert.ok(count > IN_PROCESS / 50, `${what}: ${count}`);
  });

  it(`${OVER_THE_SOCKET} of them over TLS get a 200 or a 4xx, and the server goes on`, async () => {
    const ca = await issueCa(Date.now(), 1);
    const server = createAdmissionServer({ ...deps, tls: await issueLeaf(ca, ['127.0.0.1'], Date.now(), 1) });
    const port = await server.listen(0, '127.0.0.1');
    const agent = new Agent({ keepAlive: true, maxSockets: 4, ca: ca.cert });
    const send = async (path: string, body: Buffer): Promise<number> => {
      const headers = { 'content-type': 'application/json' };
      const call = httpsRequest({ host: '127.0.0.1', port, path, method: 'POST', agent, headers });
      call.end(body);
      const [response] = (await once(call, 'response')) as [IncomingMessage];
      response.resume();
      await once(response, 'end');
      return response.statusCode ?? 0;
    };
    try {
      const pick = chance(seed + 1);
      for (let round = 0; round < OVER_THE_SOCKET; round++) {
        const [webhook, review] = seeds[pick(seeds.length)] ?? ['mutate', {}];
        const body = mutate(review, pick);
        const status = await send(`/${webhook}`, body);
        assert.ok(
          status === 200 || (status >= 400 && status < 500),
          `${status}, round ${round} of FUZZ_SEED=${seed}: ${body}`,
        );
      }
      assert.equal(await send('/mutate', Buffer.from(JSON.stringify(seeds[0]?.[1]))), 200);
    } finally {
      agent.destroy();
      await server.close(0);
    }
  });
});
