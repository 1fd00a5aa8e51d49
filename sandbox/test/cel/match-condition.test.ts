// The match condition of Tranche's chart, and the calls that a real API server made with it.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { compile } from '../../src/cel/index.ts';

const keysOf = (object: string, field: string): string =>
  `${object}.metadata.?${field}.orValue({}).filter(k, k.startsWith("rollouts.kruise.io/") || k.startsWith("tranche.dev/"))` +
  `.map(k, k + "=" + ${object}.metadata.${field}[k])`;

const expression = [
  'object.spec.template != oldObject.spec.template',
  ...['paused', 'strategy', 'minReadySeconds', 'progressDeadlineSeconds'].map(
    (field) => `object.spec.?${field} != oldObject.spec.?${field}`,
  ),
  ...['labels', 'annotations'].map((field) => `${keysOf('object', field)} != ${keysOf('oldObject', field)}`),
].join(' ||\n');

interface Draft {
  metadata: { labels?: Record<string, string>; annotations?: Record<string, string> };
  spec: Record<string, unknown> & { template: { spec: { containers: { image: string }[] } } };
}

const aDeployment = (): Draft => ({
  metadata: { labels: { app: 'demo', 'rollouts.kruise.io/workload-type': 'deployment' } },
  spec: {
    replicas: 10,
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
    progressDeadlineSeconds: 600,
    template: { spec: { containers: [{ image: 'busybox:latest' }] } },
  },
});

const cases: [edit: string, apply: (d: Draft) => void, called: boolean][] = [
  ['nothing', () => {}, false],
  ['a foreign label', (d) => (d.metadata.labels!.team = 'a'), false],
  ['a foreign annotation on an object without any', (d) => (d.metadata.annotations = { note: 'x' }), false],
  ['replicas', (d) => (d.spec.replicas = 11), false],
  ['the template', (d) => (d.spec.template.spec.containers[0]!.image = 'busybox:2'), true],
  ['paused, set where it was absent', (d) => (d.spec.paused = true), true],
  ['the strategy', (d) => (d.spec.strategy = { type: 'Recreate' }), true],
  ['the strategy, removed', (d) => delete d.spec.strategy, true],
  ['minReadySeconds', (d) => (d.spec.minReadySeconds = 5), true],
  ['progressDeadlineSeconds', (d) => (d.spec.progressDeadlineSeconds = 60), true],
  ['our label, removed', (d) => delete d.metadata.labels!['rollouts.kruise.io/workload-type'], true],
  ['our label, changed', (d) => (d.metadata.labels!['rollouts.kruise.io/workload-type'] = 'x'), true],
  ['our annotation, added', (d) => (d.metadata.annotations = { 'tranche.dev/held': '{}' }), true],
];

describe("the chart's match condition", () => {
  const program = compile(expression, { variables: ['object', 'oldObject', 'request'], returns: ['bool'] });

  for (const [edit, apply, called] of cases) {
    it(`${called ? 'calls' : 'does not call'} the webhook for an edit of ${edit}`, () => {
      const object = aDeployment();
      apply(object);
      assert.equal(program.evaluate({ object, oldObject: aDeployment(), request: {} }), called);
      // Equal either way round: an edit taken back is an edit.
      assert.equal(program.evaluate({ object: aDeployment(), oldObject: object, request: {} }), called);
    });
  }

  it('is an error for a field that is read without `.?`, and the failure policy decides', () => {
    const careless = compile('object.spec.paused != oldObject.spec.paused', { variables: ['object', 'oldObject'] });
    assert.throws(() => careless.evaluate({ object: aDeployment(), oldObject: aDeployment() }), {
      name: 'CelRuntimeError',
      message: 'no such key: paused',
    });
  });
});
