// The CRD alone, on an API server: what a cluster without our webhooks still refuses, and what OpenKruise's users may keep writing.
import assert from 'node:assert/strict';
import { realClock } from '@tranche/sandbox/clock';
import { Cluster } from '@tranche/sandbox/cluster';
import { ApiError } from '@tranche/sandbox/types';
import * as keys from '../../src/api/keys.ts';
import { ROLLOUT_CRD_NAME, rolloutCrdSpec } from '../../src/api/schema/crd.ts';
import { aRollout, aV1alpha1Rollout, type Json } from '../admission/support.ts';

const RATIO = { bad: 'a', total: 'b', limit: '1%' };
const SLOW = { histogram: 'h', seconds: 1 };
const PODS = { resource: 'cpu', timesStable: 2 };
const CHECK = { name: 'a', ratio: RATIO };
const PARTITION = { [keys.ROLLING_STYLE]: 'partition' };

describe('without our webhooks', () => {
  let cluster: Cluster;
  let count = 0;

  before(async () => {
    cluster = new Cluster({ clock: realClock });
    await cluster.client().request('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', {
      type: 'application/json',
      body: {
        apiVersion: 'apiextensions.k8s.io/v1',
        kind: 'CustomResourceDefinition',
        metadata: { name: ROLLOUT_CRD_NAME },
        spec: rolloutCrdSpec,
      },
    });
    await established();
  });

  /** A definition is served a moment after it is made. */
  const established = async (): Promise<void> => {
    for (const deadline = Date.now() + 5_000; Date.now() < deadline;) {
      try {
        await cluster.client().request('GET', '/apis/rollouts.kruise.io/v1beta1/namespaces/default/rollouts');
        return;
      } catch {
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
    assert.fail('the CRD is not served');
  };

  /** The causes of the refusal; [] when it was accepted. */
  const create = async (rollout: object): Promise<string[]> => {
    const { apiVersion, metadata } = rollout as { apiVersion: string; metadata: object };
    const body = { ...rollout, metadata: { ...metadata, name: `r${++count}` } };
    try {
      await cluster
        .client()
        .request('POST', `/apis/${apiVersion}/namespaces/default/rollouts`, { type: 'application/json', body });
      return [];
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const causes = (error as unknown as { status: { details?: { causes?: { field: string; message: string }[] } } })
        .status.details?.causes;
      return (causes ?? [{ field: '', message: error.message }]).map(({ field, message }) => `${field}: ${message}`);
    }
  };
  const strategy = (value: unknown): Json => ({ ...aRollout(1), spec: { ...aRollout(1).spec, strategy: value } });
  const STEPS = 'spec.strategy.canary.steps';

  const refused: readonly (readonly [string, object, RegExp])[] = [
    [
      'steps that go back, as percents',
      aRollout('50%', 1, '40%'),
      /^spec\.strategy\.canary\.steps: .*the percentage of a step must not be less/,
    ],
    [
      'steps that go back, as Pods',
      aRollout(10, '50%', 9),
      /^spec\.strategy\.canary\.steps: .*replicas of a step must not be less/,
    ],
    ['no steps', strategy({ canary: { steps: [] } }), /^spec\.strategy\.canary\.steps: .*at least 1 items/],
    [
      'a step without replicas',
      strategy({ canary: { steps: [{}] } }),
      /^spec\.strategy\.canary\.steps\[0\]\.replicas: Required value/,
    ],
    ['more than 50 steps', aRollout(...Array.from({ length: 51 }, (_, i) => i + 1)), /must have at most 50 items/],
    ['no strategy', strategy({}), /exactly one strategy is required: write canary/],
    [
      'two strategies',
      strategy({ canary: { steps: [{ replicas: 1 }] }, blueGreen: {} }),
      /exactly one strategy is required: write canary/,
    ],
    ['no Pods', aRollout(0), /^spec\.strategy\.canary\.steps\[0\]\.replicas: .*greater than or equal to 1/],
    ['101%', aRollout('101%'), /^spec\.strategy\.canary\.steps\[0\]\.replicas: .*should match/],
    [
      'a pause below nothing',
      strategy({ canary: { steps: [{ replicas: 1, pause: { duration: -1 } }] } }),
      /pause\.duration: /,
    ],
    [
      'another choice',
      strategy({ canary: { steps: [{ replicas: 1 }], onFailure: 'Stop' } }),
      /onFailure: Unsupported value: "Stop"/,
    ],
    [
      'no workload',
      { ...aRollout(1), spec: { strategy: { canary: { steps: [{ replicas: 1 }] } } } },
      /^spec\.workloadRef: Required value/,
    ],
    ...(
      [
        ['a check of no kind', {}, /exactly one of ratio, value, pods and condition is required/],
        ['a check of two kinds', { ratio: RATIO, pods: PODS }, /exactly one of ratio/],
        ['a ratio that counts in two ways', { ratio: { ...RATIO, slowerThan: SLOW } }, /bad and total are required/],
        ['a ratio without all requests', { ratio: { bad: 'a', limit: '1%' } }, /bad and total are required/],
        ['a ratio without a limit', { ratio: { bad: 'a', total: 'b' } }, /limit or timesStable is required/],
        [
          'a ratio that is fine too soon',
          { ratio: { ...RATIO, timesStable: 2, fineBelowTimesStable: 1 } },
          /fineBelow/,
        ],
        [
          'a ratio that is fine alone',
          { ratio: { ...RATIO, fineBelowTimesStable: 1 } },
          /fineBelowTimesStable requires/,
        ],
        ['no value', { value: { max: 1 } }, /exactly one of query/],
        ['a value without limits', { value: { query: 'x' } }, /min or max is required/],
        ['a value that cannot be good', { value: { query: 'x', min: 2, max: 1 } }, /min must not be more than max/],
        ['Pods without a value', { pods: { timesStable: 2 } }, /exactly one of resource/],
        ['Pods that roll back', { pods: PODS, onFailure: 'Rollback' }, /a check of Pods never rolls back/],
        ['a document without a source', { value: { web: { path: '/', jsonPath: 'a' }, max: 1 } }, /source is required/],
      ] as const
    ).map(([what, check, text]): [string, object, RegExp] => [
      what,
      strategy({ canary: { analysis: [{ name: 'a', ...check }], steps: [{ replicas: 1 }] } }),
      text,
    ]),
    [
      'two checks of one name',
      strategy({ canary: { analysis: [CHECK, CHECK], steps: [{ replicas: 1 }] } }),
      /analysis\[1\]: Duplicate value/,
    ],
    [
      'a step with analysis and no check',
      strategy({ canary: { steps: [{ replicas: 1, analysis: { seconds: 1 } }] } }),
      /a step with analysis requires at least one check/,
    ],
    [
      'in v1alpha1, a step of nothing',
      {
        ...aV1alpha1Rollout(PARTITION),
        spec: { ...(aV1alpha1Rollout(PARTITION)['spec'] as Json), strategy: { canary: { steps: [{}] } } },
      },
      /replicas is required for every step/,
    ],
    [
      'in v1alpha1, steps that go back',
      aV1alpha1Rollout(PARTITION, '20%', '10%'),
      /the percentage of a step must not be less/,
    ],
  ];
  for (const [what, rollout, text] of refused) {
    it(`an API server refuses ${what}`, async () => {
      const causes = await create(rollout);
      assert.match(causes.join('\n'), text);
    });
  }

  it('good steps of both kinds are accepted, in both versions', async () => {
    assert.deepEqual(await create(aRollout(1, '50%', 6, '50%', '100%')), []);
    assert.deepEqual(await create(aRollout('1%', '9%', '10%', '99%', '100%')), [], `${STEPS} are numbers, not texts`);
    assert.deepEqual(await create(aV1alpha1Rollout(PARTITION, 1, '50%', '100%')), []);
    const analysis = [CHECK, { name: 'b', pods: PODS, onFailure: 'Hold' }];
    assert.deepEqual(
      await create(strategy({ canary: { analysis, steps: [{ replicas: 1, analysis: { seconds: 1 } }] } })),
      [],
    );
  });

  it("every field of OpenKruise's is kept: nothing of a manifest is dropped silently", async () => {
    const match = {
      headers: [{ type: 'Exact', name: 'user', value: 'x' }],
      path: { type: 'Exact', value: '/' },
      queryParams: [{ name: 'q', value: 'v' }],
    };
    const routing = {
      service: 's',
      gracePeriodSeconds: 3,
      ingress: { classType: 'nginx', name: 'i' },
      gateway: { httpRouteName: 'h', grpcRouteName: 'g' },
      customNetworkRefs: [{ apiVersion: 'v1', kind: 'K', name: 'n' }],
    };
    const spec = {
      workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
      disabled: true,
      strategy: {
        paused: true,
        canary: {
          steps: [
            {
              replicas: 1,
              traffic: '5%',
              pause: { duration: 5 },
              matches: [match],
              requestHeaderModifier: {
                set: [{ name: 'a', value: 'b' }],
                add: [{ name: 'c', value: 'd' }],
                remove: ['e'],
              },
            },
          ],
          trafficRoutings: [routing],
          failureThreshold: '10%',
          patchPodTemplateMetadata: { labels: { a: 'b' }, annotations: { c: 'd' } },
          enableExtraWorkloadForCanary: true,
          trafficRoutingRef: 't',
          disableGenerateCanaryService: true,
        },
      },
    };
    const path = '/apis/rollouts.kruise.io/v1beta1/namespaces/default/rollouts';
    const body = { ...aRollout(1), metadata: { name: 'all' }, spec };
    const stored = await cluster.client().request('POST', path, { type: 'application/json', body });
    assert.deepEqual((stored as unknown as Json)['spec'], spec);
  });
});
