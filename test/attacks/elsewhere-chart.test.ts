// The program says of each namespace what the chart's webhooks do there: a Rollout is refused exactly where no Deployment would be held.
import assert from 'node:assert/strict';
import type { LabelSelector } from '../../src/api/types.ts';
import { selects } from '../../src/engine/policy/policy.ts';
import { unreachedBy } from '../../src/engine/release/reach.ts';
import { render } from '../charts/render.ts';

interface Webhook {
  readonly name: string;
  readonly namespaceSelector?: LabelSelector;
  readonly rules: readonly { readonly operations: readonly string[]; readonly resources: readonly string[] }[];
}

const NAMESPACES = ['kube-system', 'tranche-system', 'default', 'shop', 'pay', 'other'];
const URL = ['operator.enabled=false', 'webhook.url=https://10.0.0.1:9443'];
const cases: readonly [string, readonly string[], Parameters<typeof unreachedBy>[0]][] = [
  ['inside the cluster', [], { own: 'tranche-system', watched: [] }],
  ['outside of it', URL, { own: undefined, watched: [] }],
  ['in some namespaces', ['watchNamespaces={shop,pay}'], { own: 'tranche-system', watched: ['shop', 'pay'] }],
  [
    'in some, and its own',
    ['watchNamespaces={shop,tranche-system}'],
    { own: 'tranche-system', watched: ['shop', 'tranche-system'] },
  ],
  [
    'outside, in some namespaces',
    [...URL, 'watchNamespaces={shop,kube-system}'],
    { own: undefined, watched: ['shop', 'kube-system'] },
  ],
];

describe('the namespaces that the program calls reached', () => {
  for (const [what, values, reached] of cases)
    it(`are those that the chart's webhooks select, ${what}`, async () => {
      const webhooks = (await render(...values)).flatMap(
        (object) => (object as unknown as { webhooks?: Webhook[] }).webhooks ?? [],
      );
      const called = (namespace: string, resource: string, operation: string): string[] =>
        webhooks
          .filter(
            ({ rules, namespaceSelector }) =>
              rules.some((one) => one.resources.includes(resource) && one.operations.includes(operation)) &&
              selects(namespaceSelector, { 'kubernetes.io/metadata.name': namespace }),
          )
          .map(({ name }) => name);
      for (const namespace of NAMESPACES) {
        const holds = called(namespace, 'deployments', 'UPDATE').includes('enrolled.deployments.tranche.dev');
        assert.equal(unreachedBy(reached)(namespace) === undefined, holds, namespace);
        assert.ok(called(namespace, 'rollouts', 'CREATE').length > 0, `a new Rollout in ${namespace} is looked at`);
      }
    });

  it('let Rollouts elsewhere pass where another installation has them', async () => {
    const all = await render('watchNamespaces={shop}', 'webhook.refuseElsewhere=false');
    assert.doesNotMatch(JSON.stringify(all), /elsewhere\.rollouts/);
  });
});
