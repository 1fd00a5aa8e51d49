import assert from 'node:assert/strict';
import type { PodTemplate } from '../../../src/api/types.ts';
import {
  canonicalTemplate,
  deploymentTemplate,
  isRestartOnly,
  sameTemplate,
  templateDigest,
} from '../../../src/engine/lib/template.ts';
import { randomOf } from '../../property/plan.ts';

const template = (spec: Record<string, unknown> = {}, metadata: PodTemplate['metadata'] = {}): PodTemplate => ({
  metadata: { labels: { app: 'demo' }, ...metadata },
  spec: { containers: [{ name: 'main', image: 'demo:1' }], ...spec },
});

describe('the same template', () => {
  const same: [string, PodTemplate, PodTemplate][] = [
    [
      'whatever the order of fields',
      { spec: { a: 1, b: { c: 2, d: 3 } }, metadata: { labels: { x: '1', y: '2' } } },
      { metadata: { labels: { y: '2', x: '1' } }, spec: { b: { d: 3, c: 2 }, a: 1 } },
    ],
    ['pod-template-hash left aside', template(), template({}, { labels: { app: 'demo', 'pod-template-hash': 'abc' } })],
    ['null is absent', template(), template({ nodeName: null })],
    [
      'a null creationTimestamp is absent',
      template(),
      template({}, { creationTimestamp: null } as PodTemplate['metadata']),
    ],
    ['an empty list is absent', template(), template({ tolerations: [], volumes: [] })],
    ['empty resources are absent', template(), template({ resources: { limits: {}, requests: {} } })],
    ['empty annotations are absent', template(), template({}, { annotations: {} })],
  ];
  for (const [name, a, b] of same) it(name, () => assert.ok(sameTemplate(a, b)));

  const different: [string, PodTemplate, PodTemplate][] = [
    ['an image', template(), template({ containers: [{ name: 'main', image: 'demo:2' }] })],
    ['a label', template(), template({}, { labels: { app: 'demo', tier: 'x' } })],
    ['an annotation', template(), template({}, { annotations: { a: 'b' } })],
    ['the order of a list', template({ list: [1, 2] }), template({ list: [2, 1] })],
    ['a number is not its text', template({ n: 1 }), template({ n: '1' })],
    ['false is not absent', template(), template({ automountServiceAccountToken: false })],
    ['an empty volume source is a volume', template({ v: { emptyDir: {} } }), template({ v: {} })],
    ['an empty selector selects everything', template({ labelSelector: {} }), template()],
    ['an empty string is a value', template({ e: [{ name: 'A', value: '' }] }), template({ e: [{ name: 'A' }] })],
  ];
  for (const [name, a, b] of different) it(`is not: ${name}`, () => assert.ok(!sameTemplate(a, b)));

  it('is told as the canonical texts tell it, whatever the templates', () => {
    const seed = Number(process.env['TEMPLATE_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
    const random = randomOf(seed);
    const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!;
    const names = ['metadata', 'labels', 'resources', 'emptyDir', 'pod-template-hash', 'constructor', '__proto__', '0'];
    const any = (depth: number): unknown => {
      const kind = depth === 0 ? 'scalar' : pick(['scalar', 'list', 'map', 'map']);
      if (kind === 'scalar') return pick([null, '', 'a', 0, false, 1]);
      const some = Array.from({ length: Math.floor(random() * 4) }, () => any(depth - 1));
      return kind === 'list' ? some : Object.fromEntries(some.map((value) => [pick(names), value]));
    };
    /** The same, or with a field more, less, in another place, or otherwise somewhere. */
    const near = (value: unknown): unknown => {
      if (random() < 0.08) return any(2);
      if (Array.isArray(value) && random() < 0.05) return { ...value };
      if (Array.isArray(value)) return value.map(near).slice(random() < 0.05 ? 1 : 0);
      if (typeof value !== 'object' || value === null) return value;
      const fields = Object.entries(value).map(([name, field]) => [name, near(field)]);
      if (random() < 0.2) fields.reverse();
      if (random() < 0.1) fields.push([pick(names), any(1)]);
      return Object.fromEntries(fields.slice(random() < 0.05 ? 1 : 0));
    };
    const counts = [0, 0];
    for (let i = 0; i < 5_000; i++) {
      const labels = (): object => pick([{}, { 'pod-template-hash': 'a' }, { 'pod-template-hash': 'b' }]);
      const a = { metadata: { labels: labels() }, spec: any(4) } as PodTemplate;
      const b = { metadata: { labels: labels() }, spec: near(a.spec) } as PodTemplate;
      const same = canonicalTemplate(structuredClone(a)) === canonicalTemplate(structuredClone(b));
      counts[Number(same)]!++;
      assert.equal(sameTemplate(a, b), same, `TEMPLATE_SEED=${seed}: ${JSON.stringify([a, b])}`);
    }
    assert.ok(Math.min(...counts) > 250, `of each kind: ${counts.join()}`);
  });
});

describe('the digest of a template', () => {
  it('is that of the canonical text, and does not see the hash label', () => {
    const digest = (text: string): string => `<${text}>`;
    assert.equal(templateDigest(template(), digest), `<${canonicalTemplate(template())}>`);
    const labelled = template({}, { labels: { app: 'demo', 'pod-template-hash': 'abc' } });
    assert.equal(templateDigest(labelled, digest), templateDigest(template(), digest));
  });
});

describe('a restart', () => {
  const restarted = (at: string): PodTemplate =>
    template({}, { annotations: { 'kubectl.kubernetes.io/restartedAt': at } });
  it('changes nothing but restartedAt', () => {
    assert.ok(isRestartOnly(template(), restarted('2026-01-01T00:00:00Z')));
    assert.ok(isRestartOnly(restarted('2026-01-01T00:00:00Z'), restarted('2026-01-02T00:00:00Z')));
  });
  it('is not a change of anything else, nor no change', () => {
    assert.ok(!isRestartOnly(template(), { ...restarted('x'), spec: { containers: [] } }));
    assert.ok(!isRestartOnly(template(), template()));
  });
});

describe("a ReplicaSet's template", () => {
  it('loses the hash label and nothing else', () =>
    assert.deepEqual(
      deploymentTemplate(template({}, { labels: { app: 'demo', 'pod-template-hash': 'abc' } })),
      template(),
    ));
});
