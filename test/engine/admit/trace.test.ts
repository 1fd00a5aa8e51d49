import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { ROLLOUT_ID, TRACEPARENT } from '../../../src/api/keys.ts';
import type { Deployment, HistoryEntry, Rollout, TraceContext } from '../../../src/api/types.ts';
import { readHeld } from '../../../src/engine/workload/deployment/hold.ts';
import { intercept, type Interception } from '../../../src/engine/admit/intercept.ts';
import type { Tracing } from '../../../src/engine/trace/trace.ts';
import { applyOps } from '../../support/json-patch.ts';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const tracing: Tracing = { ratio: 1, parentBased: true, admitted: '2030-01-01T00:00:00.123Z' };
const CI = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;

const rollout = (history: readonly HistoryEntry[] = []): Rollout => ({
  metadata: { name: 'web', namespace: 'shop' },
  spec: {
    workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
    strategy: { canary: { steps: [{ replicas: 1 }, { replicas: '100%' }] } },
  },
  status: { currentStepIndex: 0, currentStepState: '', history },
});

const web = (image: string, annotations: Record<string, string> = {}, resourceVersion = '7'): Deployment => ({
  metadata: { name: 'web', namespace: 'shop', uid: 'u-1', generation: 1, resourceVersion, annotations },
  spec: {
    replicas: 4,
    selector: { matchLabels: { app: 'web' } },
    template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'app', image }] } },
  },
});

const edit = (
  old: Deployment,
  next: Deployment,
  of = rollout(),
  traced: Tracing | 'not traced' = tracing,
): Interception =>
  intercept({ operation: 'UPDATE', old, next, user: 'ann', fieldManager: 'kubectl' }, of, {
    operatorUser: 'us',
    sha256,
    tracing: traced === 'not traced' ? undefined : traced,
  });

const traceIn = (next: Deployment, { patch }: Interception): TraceContext | undefined =>
  readHeld(applyOps(next, patch))?.trace;

describe('the trace that an edit begins', () => {
  const v1 = web('v1');
  const v2 = web('v2');

  it('is on the record of the hold, and on nothing else', () => {
    const decision = edit(v1, v2);
    assert.match(traceIn(v2, decision)?.traceparent ?? '', /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    assert.equal(traceIn(v2, decision)?.admitted, tracing.admitted);
    const untraced = edit(v1, v2, rollout(), 'not traced');
    assert.deepEqual(
      decision.patch.map(({ op, path }) => [op, path]),
      untraced.patch.map(({ op, path }) => [op, path]),
    );
    assert.doesNotMatch(JSON.stringify(untraced), /trace/);
  });

  it('is the same when the webhook is called again, also later, on what it answered', () => {
    const first = edit(v1, v2);
    const held = applyOps(v2, first.patch);
    const later = { ...tracing, admitted: '2030-01-01T00:00:01.000Z' };
    assert.deepEqual(edit(v1, held, rollout(), later).patch, []);
    const newer = edit(held, web('v3', held.metadata.annotations));
    assert.equal(newer.verdict, 'Superseded');
    const again = applyOps(web('v3', held.metadata.annotations), newer.patch);
    assert.deepEqual(edit(held, again, rollout(), later).patch, []);
    assert.notEqual(readHeld(again)?.trace?.traceparent, readHeld(held)?.trace?.traceparent);
  });

  it('is another one for the same id at another time', () => {
    const labelled = (of: Deployment): Deployment => ({
      ...of,
      metadata: { ...of.metadata, labels: { [ROLLOUT_ID]: 'r1' } },
    });
    const one = traceIn(labelled(v2), edit(v1, labelled(v2)));
    const other = traceIn(labelled(v2), edit(web('v1', {}, '8'), labelled(v2)));
    assert.notEqual(one?.traceparent, other?.traceparent);
  });

  it('is a part of the one that the edit names: not of an earlier one, nor of one that a release had', () => {
    const named = web('v2', { [TRACEPARENT]: CI });
    const fresh = traceIn(named, edit(v1, named));
    assert.equal(fresh?.parent, 'b'.repeat(16));
    assert.equal(fresh.traceparent.slice(3, 35), 'a'.repeat(32));
    assert.equal(traceIn(named, edit(web('v1', { [TRACEPARENT]: CI }), named))?.parent, undefined);
    const before = rollout([{ rolloutID: 'r0', revision: 'x', startTime: '2029-01-01T00:00:00Z', trace: fresh }]);
    assert.equal(traceIn(named, edit(v1, named, before))?.parent, undefined);
  });

  it('is recorded as the pipeline’s is, or by its share', () => {
    const flags = (decision: Interception, next: Deployment): string | undefined =>
      traceIn(next, decision)?.traceparent.slice(-2);
    const off = web('v2', { [TRACEPARENT]: CI.replace(/01$/, '00') });
    assert.equal(flags(edit(v1, off), off), '00');
    assert.equal(flags(edit(v1, v2, rollout(), { ...tracing, ratio: 0 }), v2), '00');
    let sampled = 0;
    for (let i = 0; i < 200; i++) {
      const next = web(`v${i + 2}`);
      if (flags(edit(v1, next, rollout(), { ...tracing, ratio: 0.25 }), next) === '01') sampled++;
    }
    assert.ok(sampled > 30 && sampled < 70, `${sampled} of 200`);
  });

  it('is one of its own where the annotation is no traceparent, and the user is told', () => {
    const wrong = web('v2', { [TRACEPARENT]: 'abc' });
    const decision = edit(v1, wrong);
    assert.match(
      decision.warnings.join('\n'),
      /tranche\.dev\/traceparent\]: Invalid value: "abc": must be a W3C traceparent.*write 00-TRACE-SPAN-01/,
    );
    assert.ok(traceIn(wrong, decision));
  });

  it('is left out of the record when somebody has spoilt it', () => {
    const held = applyOps(v2, edit(v1, v2).patch);
    const [key] = Object.entries(held.metadata.annotations ?? {}).find(([, value]) => value.includes('traceparent'))!;
    const record = JSON.parse(held.metadata.annotations![key]!) as object;
    const spoilt = {
      ...held,
      metadata: { ...held.metadata, annotations: { [key]: JSON.stringify({ ...record, trace: 7 }) } },
    };
    assert.equal(readHeld(spoilt)?.rollout, 'web');
    assert.equal(readHeld(spoilt)?.trace, undefined);
  });
});
