// docs/fields.md misses no field, label or annotation, and shows each field that can be written in an example.
import assert from 'node:assert/strict';
import { parse } from 'yaml';
import * as keys from '../../src/api/keys.ts';
import { metricSource } from '../../src/api/schema/metric-source.ts';
import { releasePolicy } from '../../src/api/schema/policy.ts';
import { rolloutV1alpha1, rolloutV1beta1 } from '../../src/api/schema/rollout.ts';
import { isUnsupported, pathsOf } from '../../tools/generate/fields-docs.ts';
import { readPage } from './page.ts';

const page = readPage('docs/fields.md');

/** Of a value as written: `spec.steps[].pause`. */
function pathsIn(value: unknown, path: string): string[] {
  if (Array.isArray(value)) return [path, ...value.flatMap((item) => pathsIn(item, `${path}[]`))];
  if (typeof value !== 'object' || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([name, inner]) => pathsIn(inner, `${path}.${name}`))];
}

function shown(kind: string): Set<string> {
  const examples = page.blocks.filter(({ language, info }) => language === 'yaml' && info[0] === kind);
  return new Set(examples.flatMap(({ text }) => pathsIn((parse(text) as { spec?: unknown }).spec, 'spec')));
}

describe('docs/fields.md', () => {
  for (const [kind, schema, also] of [
    ['Rollout', rolloutV1beta1, []],
    // What the two versions have in common is shown in the other.
    ['RolloutV1alpha1', rolloutV1alpha1, ['Rollout']],
    ['ReleasePolicy', releasePolicy, []],
    ['MetricSource', metricSource, []],
  ] as const)
    it(`shows every field of ${kind} in an example, but for those that are refused`, () => {
      const examples = new Set([kind, ...also].flatMap((one) => [...shown(one)]));
      const fields = pathsOf('spec', schema.properties!.spec!);
      assert.ok(fields.length > 10);
      const missing = fields.filter(([path, field]) => !isUnsupported(field) && !examples.has(path));
      assert.deepEqual(
        missing.map(([path]) => path),
        [],
      );
    });

  it('has a description of every field', () => {
    for (const { properties } of [rolloutV1beta1, rolloutV1alpha1, releasePolicy, metricSource])
      for (const part of ['spec', 'status'] as const) {
        if (!properties![part]) continue;
        const silent = pathsOf(part, properties![part]!).filter(([, { description = '' }]) => description === '');
        assert.deepEqual(silent, []);
      }
  });

  it('names every label and annotation of ours', () => {
    const text = page.prose.map((line) => line.text).join('\n');
    const ours = Object.values(keys).filter((key) => /^(tranche\.dev|rollouts\.kruise\.io)\//.test(String(key)));
    assert.ok(ours.length > 10);
    assert.deepEqual(
      ours.filter((key) => !text.includes(`\`${key}\``)),
      [],
    );
  });
});
