// What becomes of the steps of Argo Rollouts and Flagger: what cannot be carried waits for approval, and everything dropped is named.
import assert from 'node:assert/strict';
import type { Json } from '../../src/api/json.ts';
import { convertObject } from '../../src/cli/convert/convert.ts';
import type { Converted } from '../../src/cli/convert/types.ts';

const argo = (strategy: object, spec: object = {}): Json => ({
  apiVersion: 'argoproj.io/v1alpha1',
  kind: 'Rollout',
  metadata: { name: 'web' },
  spec: { selector: {}, template: {}, ...spec, strategy },
});
const canary = (steps: readonly object[], more: object = {}): Json => argo({ canary: { ...more, steps } });
const flagger = (analysis: object, spec: object = {}): Json => ({
  apiVersion: 'flagger.app/v1beta1',
  kind: 'Canary',
  metadata: { name: 'web' },
  spec: { targetRef: { kind: 'Deployment', name: 'web' }, ...spec, analysis },
});

const convert = (object: Json): Converted => convertObject(object, [object]);
const made = ({ objects }: Converted) => objects.find(({ apiVersion }) => apiVersion === 'rollouts.kruise.io/v1beta1');
const strategyOf = (object: Json) =>
  (made(convert(object)) as { spec: { strategy: { paused?: boolean; canary: Json & { steps: Json[] } } } }).spec
    .strategy;

/** `20% waits, 50% 600s, 100%` */
const stepsOf = (object: Json): string =>
  strategyOf(object)
    .canary.steps.map(({ replicas, pause }, i, all) => {
      const seconds = (pause as { duration?: number } | undefined)?.duration;
      const end = i === all.length - 1 ? '' : seconds === undefined ? ' waits' : ` ${seconds}s`;
      return `${String(replicas)}${end}`;
    })
    .join(', ');
const lostIn = (object: Json): string[] =>
  convert(object).remarks.flatMap(({ lost, text }) => (lost ? [text.replace(/: .*/s, '')] : []));

const pause = (duration?: unknown) => ({ pause: duration === undefined ? {} : { duration } });
const weight = (setWeight: unknown) => ({ setWeight });
const CANARY = 'spec.strategy.canary';

describe('the steps of an Argo Rollout', () => {
  for (const [what, object, steps, lost] of [
    [
      'are carried: weights, pauses, and a pause at the end',
      canary([weight(10), pause(), weight(50), pause('10m'), pause(30), weight(100), pause()]),
      '10% waits, 50% 630s, 100% waits, 100%',
      [],
    ],
    [
      'go on without a pause, as they did',
      canary([weight(10), weight(50), pause('1h30m')]),
      '10% 0s, 50% 5400s, 100%',
      [],
    ],
    ['are one step if there are none', canary([]), '100%', []],
    [
      'wait where an analysis was',
      canary([weight(10), pause('5m'), { analysis: {} }, weight(50), pause('5m')]),
      '10% waits, 50% 300s, 100%',
      [`${CANARY}.steps[2]`],
    ],
    [
      'wait where an analysis was in the middle of pauses',
      canary([weight(10), pause('5m'), { analysis: {} }, pause('5m')]),
      '10% waits, 100%',
      [`${CANARY}.steps[2]`],
    ],
    [
      'wait before all follow, where an analysis was at the end',
      canary([weight(100), { analysis: {} }]),
      '100% waits, 100%',
      [`${CANARY}.steps[1]`],
    ],
    [
      'have one Pod that waits, where something came before the first weight',
      canary([{ setCanaryScale: { replicas: 1 } }, pause('5m'), weight(10), pause('5m')]),
      '1 waits, 10% 300s, 100%',
      [`${CANARY}.steps[0]`],
    ],
    [
      'have one Pod for a pause before the first weight',
      canary([pause('5m'), weight(10), pause('1m')]),
      '1 waits, 10% 60s, 100%',
      [`${CANARY}.steps[0]`],
    ],
    [
      'wait where an experiment, a route, a plugin or the unknown was',
      canary([
        ...[weight(1), { experiment: {} }, weight(2), { setHeaderRoute: {} }, weight(3), { setMirrorRoute: {} }],
        ...[
          weight(4),
          { plugin: {} },
          weight(5),
          { magic: {} },
          weight(6),
          { setWeight: 7, pause: {} },
          weight(8),
          pause('1s'),
        ],
      ]),
      '1% waits, 2% waits, 3% waits, 4% waits, 5% waits, 6% waits, 8% 1s, 100%',
      [1, 3, 5, 7, 9, 11].map((i) => `${CANARY}.steps[${i}]`),
    ],
    [
      'wait where the weight goes down',
      canary([weight(50), pause('1m'), weight(20), pause('1m')]),
      '50% waits, 100%',
      [`${CANARY}.steps[2]`],
    ],
    [
      'wait where there was no traffic',
      canary([weight(0), pause('1m'), weight(20), pause('1m')]),
      '1 waits, 20% 60s, 100%',
      [`${CANARY}.steps[0]`],
    ],
    [
      'wait for a duration that is none',
      canary([weight(20), pause('soon')]),
      '20% waits, 100%',
      [`${CANARY}.steps[1]`],
    ],
    [
      'wait for a weight that is none',
      canary([weight(20), pause('1m'), weight('{{x}}')]),
      '20% waits, 100%',
      [`${CANARY}.steps[2]`],
    ],
    [
      'wait where only traffic was moved',
      canary([weight(20), weight(40), pause('1m'), weight(100)], { trafficRouting: { nginx: {} } }),
      '20% waits, 40% 60s, 100%',
      [`${CANARY}.trafficRouting (nginx)`, `${CANARY}.steps[0]`],
    ],
    [
      'all wait if an analysis ran beside them',
      canary([weight(20), pause('1m'), weight(40), weight(100), pause('1m')], { analysis: { templates: [] } }),
      '20% waits, 40% waits, 100% waits, 100%',
      [`${CANARY}.analysis (templates)`],
    ],
    [
      'have one Pod that waits if an analysis ran beside none',
      canary([], { analysis: {} }),
      '1 waits, 100%',
      [`${CANARY}.analysis`],
    ],
    [
      'have one Pod that waits if an analysis ran beside all',
      canary([weight(100)], { analysis: {} }),
      '1 waits, 100%',
      [`${CANARY}.analysis`],
    ],
    [
      'have one Pod that waits for blue and green',
      argo({ blueGreen: { activeService: 'web', prePromotionAnalysis: { templates: [] } } }),
      '1 waits, 100%',
      [
        'spec.strategy.blueGreen.activeService "web"',
        'spec.strategy.blueGreen.prePromotionAnalysis (templates)',
        'spec.strategy',
      ],
    ],
    ['have one Pod that waits for what nobody knows', argo({}), '1 waits, 100%', ['spec.strategy']],
  ] as const)
    it(what, () => {
      assert.equal(stepsOf(object), steps);
      assert.deepEqual(lostIn(object), lost);
    });

  it('have the deadline and the failure of the Argo Rollout', () => {
    const { canary: strategy } = strategyOf(
      argo({ canary: {} }, { progressDeadlineSeconds: 300, progressDeadlineAbort: true }),
    );
    assert.deepEqual(strategy, { stepDeadlineSeconds: 300, onFailure: 'Rollback', steps: [{ replicas: '100%' }] });
    assert.deepEqual(strategyOf(argo({ canary: {} })).canary, { steps: [{ replicas: '100%' }] });
  });

  it('have the rollback window of the Argo Rollout, of ten versions at most', () => {
    const windowOf = (revisions: number) =>
      strategyOf(argo({ canary: {} }, { rollbackWindow: { revisions } })).canary['rollbackWindow'];
    assert.deepEqual(windowOf(3), { revisions: 3 });
    assert.deepEqual(windowOf(30), { revisions: 10 });
    assert.deepEqual(lostIn(argo({ canary: {} }, { rollbackWindow: { revisions: 3 } })), []);
  });

  it('are paused by the Rollout: a new Deployment that is paused gets no Pods', () => {
    const object = argo({ canary: {} }, { paused: true });
    assert.equal(strategyOf(object).paused, true);
    const [deployment] = convert(object).objects as unknown as [{ kind: string; spec: Json }];
    assert.equal(deployment.kind, 'Deployment');
    assert.equal(deployment.spec['paused'], undefined);
  });

  it('name everything that stays behind: fields of a Deployment that exists, Services, annotations and what is unknown', () => {
    const object: Json = {
      ...argo(
        {
          canary: { stableService: 'a', canaryService: 'b', pingPong: { pingService: 'c' }, maxSurge: 1, newThing: 1 },
        },
        {
          workloadRef: { kind: 'PodTemplate', name: 'web' },
          ...{ replicas: 4, minReadySeconds: 5, rollbackWindow: {}, restartAt: 'now', analysis: {}, future: 1 },
        },
      ),
      metadata: {
        name: 'web',
        labels: { team: 'a' },
        finalizers: ['x'],
        ownerReferences: [],
        annotations: { 'notifications.argoproj.io/subscribe': 'x', mine: 'y' },
      },
    };
    assert.deepEqual(lostIn(object).toSorted(), [
      'metadata.annotations[notifications.argoproj.io/subscribe]',
      'metadata.finalizers',
      'metadata.ownerReferences',
      'spec.analysis',
      'spec.future',
      'spec.minReadySeconds 5',
      'spec.replicas 4',
      'spec.restartAt',
      'spec.rollbackWindow',
      'spec.selector',
      `${CANARY}.canaryService "b"`,
      `${CANARY}.maxSurge 1`,
      `${CANARY}.newThing`,
      `${CANARY}.pingPong (pingService)`,
      `${CANARY}.stableService "a"`,
      'spec.template',
      'spec.workloadRef',
    ]);
    // The Deployment exists, so the Rollout keeps what was on Argo's.
    assert.deepEqual(made(convert(object))?.['metadata'], {
      name: 'web',
      labels: { team: 'a' },
      annotations: { mine: 'y' },
    });
  });
});

describe('the steps of a Canary of Flagger', () => {
  const hook = (type: string) => ({ name: type, type });
  const weights = { interval: '30s', stepWeight: 20, maxWeight: 50 };
  for (const [what, object, steps, lost] of [
    ['are carried', flagger(weights), '20% 30s, 40% 30s, 100%', []],
    ['are carried from a list', flagger({ interval: '1m', stepWeights: [50, 5] }), '5% 60s, 50% 60s, 100%', []],
    [
      'all wait where metrics decided',
      flagger({ ...weights, metrics: [{ name: 'x' }] }),
      '20% waits, 40% waits, 100%',
      ['spec.analysis.metrics', 'spec.analysis.metrics "x"'],
    ],
    ['take their time where no metrics were', flagger({ ...weights, metrics: [] }), '20% 30s, 40% 30s, 100%', []],
    ...['rollout', 'pre-rollout', 'rollback', 'confirm-traffic-increase', 'new-type'].map(
      (type) =>
        [
          `all wait where ${type} decided`,
          flagger({ ...weights, webhooks: [hook(type)] }),
          '20% waits, 40% waits, 100%',
          [`spec.analysis.webhooks "${type}" (${type})`],
        ] as const,
    ),
    ...['event', 'post-rollout'].map(
      (type) =>
        [
          `go on where ${type} was told`,
          flagger({ ...weights, webhooks: [hook(type)] }),
          '20% 30s, 40% 30s, 100%',
          [`spec.analysis.webhooks "${type}" (${type})`],
        ] as const,
    ),
    [
      'wait at the end for a promotion',
      flagger({ ...weights, webhooks: [hook('confirm-promotion')] }),
      '20% 30s, 40% waits, 100%',
      ['spec.analysis.webhooks "confirm-promotion" (confirm-promotion)'],
    ],
    [
      'have one Pod that waits for a confirmed start',
      flagger({ ...weights, webhooks: [hook('confirm-rollout')] }),
      '1 waits, 20% 30s, 40% 30s, 100%',
      ['spec.analysis.webhooks "confirm-rollout" (confirm-rollout)'],
    ],
    [
      'have one Pod that waits for A/B and blue-green',
      flagger({ interval: '1m', iterations: 10 }),
      '1 waits, 100%',
      ['spec.analysis.iterations', 'spec.analysis'],
    ],
    [
      'wait for an interval that is none',
      flagger({ ...weights, interval: 'soon' }),
      '20% waits, 40% waits, 100%',
      ['spec.analysis.interval'],
    ],
    [
      'are one step without an analysis, as in Flagger',
      flagger({ ...weights, metrics: [{}] }, { skipAnalysis: true }),
      '100%',
      [],
    ],
  ] as const)
    it(what, () => {
      assert.equal(stepsOf(object), steps);
      assert.deepEqual(lostIn(object).toSorted(), [...lost].toSorted());
    });

  it('are at most 50, and keep the first and the last', () => {
    const object = flagger({ interval: '1m', stepWeight: 1 });
    const { steps } = strategyOf(object).canary;
    assert.ok(steps.length <= 50);
    assert.deepEqual([steps[0]?.['replicas'], steps.at(-2)?.['replicas']], ['1%', '99%']);
    assert.deepEqual(lostIn(object), ['spec.analysis.stepWeight']);
  });

  it('have the deadline of the Canary, and are none of another kind', () => {
    assert.equal(strategyOf(flagger(weights, { progressDeadlineSeconds: 60 })).canary['stepDeadlineSeconds'], 60);
    const other = flagger(weights, { targetRef: { kind: 'DaemonSet', name: 'web' } });
    assert.deepEqual(convert(other).objects, []);
    assert.deepEqual(lostIn(other), ['spec.targetRef']);
  });
});

describe('the other objects of the files', () => {
  it('are templates of metrics, which become checks', () => {
    for (const [apiVersion, kind] of [
      ['argoproj.io/v1alpha1', 'AnalysisTemplate'],
      ['argoproj.io/v1alpha1', 'ClusterAnalysisTemplate'],
      ['flagger.app/v1beta1', 'MetricTemplate'],
    ] as const)
      assert.deepEqual(convert({ apiVersion, kind, metadata: { name: 'a' } }), {
        objects: [],
        remarks: [{ lost: false, text: 'its metrics become checks of the Rollouts that name it' }],
      });
  });

  it('are named, and what a release touches with what to do', () => {
    for (const [apiVersion, kind, said] of [
      ['v1', 'Service', /keep it as it is, but select the Pods of both versions/],
      ['policy/v1', 'PodDisruptionBudget', /keep it as it is, but select the Pods of both versions/],
      ['networking.istio.io/v1', 'VirtualService', /send all requests to one Service/],
      ['v1', 'ConfigMap', /keep it as it is$/],
      ['argoproj.io/v1alpha1', 'AnalysisRun', /the status of the Rollout says what the checks say/],
      ['argoproj.io/v1alpha1', 'Application', /keep it as it is$/],
    ] as const) {
      const { objects, remarks } = convert({ apiVersion, kind, metadata: { name: 'web' } });
      assert.deepEqual(objects, []);
      assert.equal(remarks.length, 1);
      assert.ok(remarks[0]?.lost);
      assert.match(remarks[0].text, said);
    }
  });
});
