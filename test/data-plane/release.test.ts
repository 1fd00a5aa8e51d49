// Releases with traffic through Envoy and Traefik at the same time: no request fails, and the new version gets the share that its step says.
import { Release, type ReleaseOptions } from './release.ts';
import { APART, LANE, namingRollout, SHARED, TESTER, trafficRouting } from './objects.ts';
import { outsideOrSkip } from './stage.ts';
import { startWhole, type Whole } from './whole.ts';

const MARK = { [TESTER.name]: TESTER.value };
const LANES = 'trafficroutings.rollouts.kruise.io';
/** In step 1 it gets the requests of testers only, with a header more. */
const MATCHES = [
  {
    replicas: 1,
    matches: [{ headers: [TESTER] }],
    requestHeaderModifier: { set: [{ name: 'x-track', value: 'new' }] },
  },
  { replicas: '50%', traffic: '50%' },
  { replicas: '100%' },
];

type Play = (release: Release) => Promise<void>;
type Scenario = readonly [title: string, options: ReleaseOptions, play: Play];

const success =
  (first: number, second: number): Play =>
  async (release) => {
    await release.version('v2');
    await release.untilPaused(1);
    await release.checkShare('v2', first);
    await release.approve();
    await release.untilPaused(2);
    await release.checkShare('v2', second);
    await release.approve();
    await release.untilDone('v2');
    await release.checkShare('v2', 1);
  };
const rollback: Play = async (release) => {
  await release.version('v2');
  await release.untilPaused(1);
  await release.version('v1');
  await release.untilDone('v1');
  await release.checkShare('v1', 1);
};
const continuous =
  (first: number): Play =>
  async (release) => {
    await release.version('v2');
    await release.untilPaused(1);
    await release.approve();
    await release.untilPaused(2);
    await release.version('v3');
    await release.untilPausedOf('v3', 1);
    await release.checkShare('v3', first);
  };

/** All of them go on at the same time, each with objects of its own. */
const SCENARIOS: readonly Scenario[] = [
  ['a success', { name: 'success', steps: SHARED }, success(0.3, 0.8)],
  ['a success with gRPC', { name: 'grpc', steps: SHARED, kind: 'GRPCRoute' }, success(0.3, 0.8)],
  ['a success with 5 % for a tenth of the Pods', { name: 'apart', steps: APART }, success(0.05, 0.5)],
  ['a rollback', { name: 'rollback', steps: SHARED }, rollback],
  ['a rollback with legs of their own', { name: 'rollback-apart', steps: APART }, rollback],
  ['a newer version in the middle', { name: 'continuous', steps: SHARED }, continuous(0.3)],
  ['a newer version with legs of their own', { name: 'continuous-apart', steps: APART }, continuous(0.05)],
  [
    'requests of testers only, with another header, and then of all',
    { name: 'matches', steps: MATCHES, client: { mark: MARK, echo: 'x-track' } },
    async (release) => {
      await release.version('v2');
      await release.untilPaused(1);
      await release.checkMarked('v2', 'v1', 'new');
      await release.approve();
      await release.untilPaused(2);
      await release.checkShare('v2', 0.5);
      await release.version('v1');
      await release.untilDone('v1');
    },
  ],
  [
    'a header for requests of testers, by a TrafficRouting',
    { name: 'lane', rollout: namingRollout('lane', 'lane'), client: { mark: MARK, echo: LANE.name } },
    async (release) => {
      const untilLane = (phase: string): Promise<string> =>
        release.kubectl('wait', `${LANES}/lane`, `--for=jsonpath={.status.phase}=${phase}`, '--timeout=600s');
      const isAsAlways = await release.untilEchoed(undefined);
      await release.apply(trafficRouting('lane'));
      await untilLane('Healthy');
      await isAsAlways();
      await release.version('v2');
      const areInLane = await release.untilEchoed(LANE.value);
      await release.untilPaused(1);
      await areInLane();
      await release.approve();
      await untilLane('Healthy');
      const isAsBefore = await release.untilEchoed(undefined);
      await release.untilDone('v2');
      await isAsBefore();
    },
  ],
  [
    'the deletion of the Rollout',
    { name: 'deleted', steps: APART },
    async (release) => {
      await release.version('v2');
      await release.untilPaused(1);
      await release.deleteRollout();
      await release.untilPods('v2');
      await release.untilNothingLeft();
    },
  ],
  [
    'more and fewer replicas in the middle',
    { name: 'scaled', steps: SHARED, replicas: 10 },
    async (release) => {
      await release.version('v2');
      await release.untilPaused(1);
      for (const replicas of [14, 6, 10]) {
        await release.kubectl('scale', `deployment/${release.name}`, `--replicas=${replicas}`);
        await release.untilReplicas(replicas);
      }
      await release.approve();
      await release.untilPaused(2);
      await release.checkShare('v2', 0.8);
    },
  ],
];

describe('A release through real gateways', function () {
  this.timeout(1_800_000);
  let whole: Whole;
  const playing = new Map<string, Promise<void>>();

  before(async function () {
    whole = await startWhole(await outsideOrSkip(this));
    for (const [title, options, play] of SCENARIOS) {
      const release = new Release(whole, options);
      const playOne = async (): Promise<void> => {
        try {
          await release.begin();
          await play(release);
          await release.checkNoneFailed();
        } finally {
          await release.stop();
        }
      };
      const played = playOne();
      // A failure is told where it is waited for.
      played.catch(() => undefined);
      playing.set(title, played);
    }
  });
  after(() => whole?.close());

  for (const [title] of SCENARIOS) it(`has no failed request: ${title}`, () => playing.get(title));
});
