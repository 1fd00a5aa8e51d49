import assert from 'node:assert/strict';
import fc from 'fast-check';
import { convertRollout, type Version } from '../../src/api/convert.ts';
import { CONVERSION, GROUP, ROLLING_STYLE, TRAFFIC_ROUTING } from '../../src/api/keys.ts';
import type { JsonSchema } from '../../src/api/schema/json-schema.ts';
import { rolloutV1alpha1, rolloutV1beta1 } from '../../src/api/schema/rollout.ts';

type Json = Record<string, unknown>;
const convert = (object: unknown, from: Version, to: Version): Json =>
  convertRollout(object as Json, GROUP, from, to) as Json;
const toBeta = (object: unknown): Json => convert(object, 'v1alpha1', 'v1beta1');
const toAlpha = (object: unknown): Json => convert(object, 'v1beta1', 'v1alpha1');
const annotationsOf = (object: Json): Json | undefined =>
  (object['metadata'] as Json)['annotations'] as Json | undefined;

const alpha = (canary: Json, annotations: Json = { [ROLLING_STYLE]: 'partition' }): Json => ({
  apiVersion: `${GROUP}/v1alpha1`,
  kind: 'Rollout',
  metadata: { name: 'demo', annotations },
  spec: {
    objectRef: { workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' } },
    strategy: { canary },
  },
});
const beta = (strategy: Json, more: Json = {}): Json => ({
  apiVersion: `${GROUP}/v1beta1`,
  kind: 'Rollout',
  metadata: { name: 'demo' },
  spec: { workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }, strategy },
  ...more,
});

/** Anything that a schema allows, and now and then what it does not (a field it does not know, a value of the wrong type). */
const arbitrary = (schema: JsonSchema): fc.Arbitrary<unknown> => {
  if (schema.properties) {
    const fields = Object.entries(schema.properties).map(([name, child]) =>
      fc.option(arbitrary(child), { nil: undefined, freq: 3 }).map((value) => [name, value] as const),
    );
    return fc
      .tuple(fc.tuple(...fields), fc.option(fc.constant(['unknown', 1] as const), { nil: undefined, freq: 9 }))
      .map(([entries, extra]) =>
        Object.fromEntries([...entries, ...(extra ? [extra] : [])].filter(([, value]) => value !== undefined)),
      );
  }
  if (schema.items) return fc.array(arbitrary(schema.items), { maxLength: 3 });
  if (schema.additionalProperties) return fc.dictionary(fc.constantFrom('a', '__proto__'), fc.constantFrom('', 'x'));
  if (schema['x-kubernetes-int-or-string']) return fc.constantFrom<unknown>(1, 5, '5%', '20%', '100%');
  if (schema.type === 'boolean') return fc.boolean();
  if (schema.type === 'integer') return fc.integer({ min: -1, max: 100 });
  return fc.constantFrom<unknown>('', 'x', '5%', '20%', '020%', ...(schema.enum ?? []));
};

const rollouts = (schema: JsonSchema, version: Version): fc.Arbitrary<Json> =>
  fc
    .record({
      apiVersion: fc.constant(`${GROUP}/${version}`),
      kind: fc.constant('Rollout'),
      metadata: fc.record(
        {
          name: fc.constant('demo'),
          managedFields: fc.constant([{ manager: 'kubectl' }]),
          annotations: fc
            .record(
              {
                [ROLLING_STYLE]: fc.constantFrom('partition', 'Partition', 'canary', '', 'odd'),
                [TRAFFIC_ROUTING]: fc.constantFrom('', 'tr'),
                note: fc.constant('x'),
              },
              { requiredKeys: [] },
            )
            .filter((annotations) => Object.keys(annotations).length > 0),
        },
        { requiredKeys: ['name'] },
      ),
      spec: arbitrary(schema.properties?.['spec'] ?? {}),
      status: arbitrary(schema.properties?.['status'] ?? {}),
    })
    // As it comes from the wire: plain objects.
    .map((object) => JSON.parse(JSON.stringify(object)) as Json);

describe('conversion of a Rollout', () => {
  for (const [from, to, schema] of [
    ['v1alpha1', 'v1beta1', rolloutV1alpha1],
    ['v1beta1', 'v1alpha1', rolloutV1beta1],
  ] as const) {
    it(`loses nothing from ${from} to ${to} and back, whatever the schema can say`, () => {
      fc.assert(
        fc.property(rollouts(schema, from), (object) => {
          const there = convert(object, from, to);
          assert.equal(there['apiVersion'], `${GROUP}/${to}`);
          assert.deepEqual(convert(there, to, from), object);
          assert.deepEqual(convert(convert(convert(there, to, from), from, to), to, from), object);
        }),
        { numRuns: 500 },
      );
    });

    it(`changes nothing in the metadata of ${from} but annotations, as an API server demands`, () => {
      fc.assert(
        fc.property(rollouts(schema, from), (object) => {
          const { annotations: _before, ...before } = object['metadata'] as Json;
          const { annotations: _after, ...after } = convert(object, from, to)['metadata'] as Json;
          assert.deepEqual(after, before);
        }),
        { numRuns: 100 },
      );
    });
  }

  it('carries over whatever is no Rollout at all', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom('metadata', 'spec', 'status'), fc.jsonValue()), (object) => {
        toAlpha(object);
        toBeta(object);
      }),
      { numRuns: 300 },
    );
  });

  it('of the first walkthrough needs no note: v1beta1 looks as if written by hand', () => {
    const steps = [{ replicas: 1 }, { replicas: '50%' }, { replicas: '100%' }];
    assert.deepEqual(toBeta(alpha({ steps })), {
      ...beta({ canary: { steps } }),
      metadata: { name: 'demo', annotations: { [ROLLING_STYLE]: 'partition' } },
    });
  });

  it('makes a weight without replicas a share of Pods, and traffic as OpenKruise does', () => {
    const converted = toBeta(alpha({ steps: [{ weight: 20 }, { weight: 40, replicas: 3 }] }));
    assert.deepEqual((converted['spec'] as Json)['strategy'], {
      canary: {
        steps: [
          { replicas: '20%', traffic: '20%' },
          { replicas: 3, traffic: '40%' },
        ],
      },
    });
  });

  it('takes a missing rolling style for the extra canary Deployment that it means in v1alpha1', () => {
    const converted = toBeta(alpha({ steps: [{ replicas: 1 }] }, { note: 'x' }));
    assert.deepEqual((converted['spec'] as Json)['strategy'], {
      canary: { steps: [{ replicas: 1 }], enableExtraWorkloadForCanary: true },
    });
  });

  it('says partition to v1alpha1, which would take its absence for the canary style', () => {
    assert.equal(annotationsOf(toAlpha(beta({ canary: { steps: [] } })))?.[ROLLING_STYLE], 'partition');
  });

  it('repeats the step beside canaryStatus, so that an approval in v1alpha1 is one in v1beta1', () => {
    const status = {
      currentStepIndex: 1,
      currentStepState: 'StepPaused',
      canaryStatus: { currentStepIndex: 1, currentStepState: 'StepPaused' },
    };
    const seen = toAlpha(beta({ canary: { steps: [] } }, { status }));
    const approved = { ...seen, status: { canaryStatus: { currentStepIndex: 1, currentStepState: 'StepReady' } } };
    assert.deepEqual(toBeta(approved)['status'], {
      currentStepIndex: 1,
      currentStepState: 'StepReady',
      canaryStatus: { currentStepIndex: 1, currentStepState: 'StepReady' },
    });
  });

  describe('after an edit in the other version', () => {
    it('keeps the edit where it touches what was noted', () => {
      const seen = toBeta(alpha({ steps: [{ weight: 20 }] }));
      const edited = structuredClone(seen) as { spec: { strategy: { canary: { steps: Json[] } } } };
      edited.spec.strategy.canary.steps[0] = { replicas: '30%', traffic: '20%' };
      const back = toAlpha(edited) as typeof edited;
      assert.deepEqual(back.spec.strategy.canary.steps, [{ replicas: '30%', weight: 20 }]);
    });

    it('keeps what the other version cannot see with its step, also when steps come and go before it', () => {
      const path = { type: 'Exact', value: '/new' };
      const seen = toAlpha(beta({ canary: { steps: [{ replicas: 1 }, { replicas: 2, matches: [{ path }] }] } }));
      const edited = structuredClone(seen) as { spec: { strategy: { canary: { steps: Json[] } } } };
      edited.spec.strategy.canary.steps.shift();
      const back = toBeta(edited) as typeof edited;
      assert.deepEqual(back.spec.strategy.canary.steps, [{ replicas: 2, matches: [{ path }] }]);
    });

    for (const [what, lost] of Object.entries<unknown>({
      nothing: { fields: { spec: null } },
      'fields that are none': { fields: 1 },
      'items that are none': {
        fields: { spec: { fields: { strategy: { items: [null, 1, { index: -1 }, { index: 1e9 }] } } } },
      },
      'a list': [],
    })) {
      it(`a note of ${what} does no harm`, () => {
        const text = JSON.stringify({ of: 'v1beta1', lost });
        const object = alpha({ steps: [] }, { [ROLLING_STYLE]: 'partition', [CONVERSION]: text });
        assert.deepEqual(toBeta(object)['spec'], toBeta(alpha({ steps: [] }))['spec']);
      });
    }

    it('a note that nests without end is none', () => {
      const note = `{"of":"v1beta1","lost":${'{"fields":{"spec":'.repeat(50_000)}1${'}}'.repeat(50_000)}}`;
      const object = alpha({ steps: [] }, { [ROLLING_STYLE]: 'partition', [CONVERSION]: note });
      assert.equal(annotationsOf(toBeta(object))?.[CONVERSION], note);
    });

    it('a note that is not ours is left where it is', () => {
      const object = {
        ...beta({ canary: { steps: [] } }),
        metadata: { name: 'demo', annotations: { [CONVERSION]: 'not json' } },
      };
      assert.equal(annotationsOf(toBeta(toAlpha(object)))?.[CONVERSION], 'not json');
    });
  });
});
