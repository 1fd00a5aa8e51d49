// A template that the cache has in the same words is not read again, and no answer is another for it.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as keys from '../../src/api/keys.ts';
import type { Deployment, Rollout } from '../../src/api/types.ts';
import { handlersOf, parseBody } from '../../src/admission/app.ts';
import { areLentTheSame, isLent } from '../../src/kube/packed.ts';
import { trimDeployment } from '../../src/operator/trim.ts';
import { aDeployment, aReview, aRollout, someDeps, type Json } from './support.ts';

const folder = process.env['ADMISSION_REVIEWS'] ?? join(import.meta.dirname, 'fixtures');
interface Request {
  readonly name?: string;
  readonly operation: string;
  readonly object?: Deployment;
  readonly oldObject?: Deployment;
}
const recorded: readonly Json[] = readdirSync(folder)
  .toSorted()
  .flatMap((file) => (JSON.parse(readFileSync(join(folder, file), 'utf8')) as { reviews: Json[] }).reviews);
const requestOf = (review: unknown): Request => (review as { readonly request: Request }).request;
const rollout = (name: string): Rollout => {
  const { spec, ...rest } = aRollout(1, '50%', '100%');
  return { ...rest, spec: { ...spec, workloadRef: { ...spec.workloadRef, name } } };
};
const record = JSON.stringify({ v: 1, rollout: 'demo', user: { paused: null }, stable: 'x' });
const heldToo = ({ metadata, ...rest }: Deployment): Deployment => ({
  ...rest,
  metadata: { ...metadata, annotations: { ...metadata.annotations, [keys.HELD]: record } },
});

describe('a template that is known', () => {
  let [lent, both] = [0, 0];

  for (const [i, review] of recorded.entries()) {
    const { name = '', operation, object, oldObject } = requestOf(review);
    if (operation !== 'UPDATE' || !object?.spec?.template || !oldObject) continue;
    for (const [state, known] of [
      ['at rest', oldObject],
      ['in a release', heldToo(oldObject)],
      ['as it will be', object],
      ['with another template', { ...oldObject, spec: { ...oldObject.spec, template: { spec: {} } } }],
    ] as const) {
      it(`${name} ${i}, in the cache ${state}`, async () => {
        const text = Buffer.from(JSON.stringify(review));
        const deps = someDeps({ rollouts: [rollout(name)], deployments: [trimDeployment(known as Deployment)] });
        const { mutate } = handlersOf(deps);
        const parsed = parseBody('mutate', text, deps);
        const { object: next, oldObject: old } = requestOf(parsed);
        assert.equal(
          isLent(old!.spec),
          JSON.stringify(known.spec.template) === JSON.stringify(oldObject.spec.template),
        );
        lent += Number(isLent(old!.spec));
        both += Number(areLentTheSame(old!.spec, next!.spec));
        assert.deepEqual(await mutate(parsed), await mutate(JSON.parse(text.toString())));
        // Whoever does read it finds it as it was sent.
        assert.deepEqual([next!.spec.template, old!.spec.template], [object.spec.template, oldObject.spec.template]);
      });
    }
  }

  after(() => assert.ok(lent > 50 && both > 10, `${lent} were lent, ${both} in both objects`));

  it('is not parsed at all where the edit leaves it as it is', async () => {
    const known = trimDeployment(aDeployment());
    const deps = someDeps({ rollouts: [aRollout(1)], deployments: [known] });
    const scaled = { ...aDeployment(), spec: { ...aDeployment().spec, replicas: 11 } };
    const text = JSON.stringify(aReview(scaled, aDeployment()));
    const { parse } = JSON;
    const seen: string[] = [];
    JSON.parse = (json: string): unknown => (seen.push(json), parse(json));
    try {
      const { verdict } = await handlersOf(deps).mutate(parseBody('mutate', Buffer.from(text), deps));
      assert.equal(verdict, 'Passed');
    } finally {
      JSON.parse = parse;
    }
    assert.equal(seen.length, 1);
    assert.doesNotMatch(seen.join(), /containers/);
  });

  it('is known with all that Go escapes in JSON', async () => {
    const template = { spec: { containers: [{ name: 'c', args: ['a && b <in >out \u2028\u2029 "é😀"\n\t\u0001'] }] } };
    const deployment = { ...aDeployment(), spec: { ...aDeployment().spec, template } } as Deployment;
    // What encoding/json writes of it, with SetEscapeHTML as ever.
    const asGo = JSON.stringify(template)
      .replaceAll('&', '\\u0026')
      .replaceAll('<', '\\u003c')
      .replaceAll('>', '\\u003e')
      .replaceAll('\u2028', '\\u2028')
      .replaceAll('\u2029', '\\u2029');
    const json = JSON.stringify(aReview(deployment, deployment)).replaceAll(JSON.stringify(template), asGo);
    const deps = someDeps({ deployments: [trimDeployment(deployment)] });
    const { object, oldObject } = requestOf(parseBody('mutate', Buffer.from(json), deps));
    assert.ok(areLentTheSame(object!.spec, oldObject!.spec));
    assert.deepEqual(object!.spec.template, template);
  });

  it('of another object in the same words is no harm, and elsewhere than in the spec it is not taken for it', () => {
    const known = trimDeployment(aDeployment());
    const deps = someDeps({ deployments: [known] });
    const { template } = aDeployment().spec;
    const odd = { ...aDeployment(), template, spec: { ...aDeployment().spec, nested: { template }, template: null } };
    for (const review of [
      aReview(aDeployment(), odd),
      aReview(odd, { metadata: { template }, spec: {} } as unknown as Deployment),
      aReview(aDeployment(), { template, spec: null } as unknown as Deployment),
      { ...aReview(odd, odd), request: [] },
    ]) {
      const text = JSON.stringify(review);
      assert.deepEqual(parseBody('mutate', Buffer.from(text), deps), JSON.parse(text));
    }
  });
});
