// No request fails when the program is killed after each of its writes, and none when it does not come back and its users go on without it.
import assert from 'node:assert/strict';
import { TRAFFIC } from '../../src/api/keys.ts';
import { Killer } from './killer.ts';
import { Release } from './release.ts';
import { APART, SHARED } from './objects.ts';
import { outsideOrSkip } from './stage.ts';
import { startWhole, type Whole } from './whole.ts';

type Act = (of: Release) => Promise<unknown>;

interface Scenario {
  readonly title: string;
  readonly name: string;
  /** Done before the first kill. */
  readonly first: Act;
  readonly killed: Act;
  /** States of the traffic that it comes to, in both modes. */
  readonly states: readonly string[];
}

const untilVersion = (of: Release, version: string): Promise<void> =>
  of.untilAccepted(`version ${version}`, () => of.version(version));
const untilApproved = (of: Release): Promise<void> => of.untilAccepted('an approval', () => of.approve());

const SCENARIOS: readonly Scenario[] = [
  {
    title: 'a success',
    name: 'success',
    first: async () => undefined,
    async killed(of) {
      await untilVersion(of, 'v2');
      for (const step of [1, 2]) {
        await of.untilPaused(step);
        await untilApproved(of);
      }
      await of.untilDone('v2');
    },
    states: ['Warm', 'Refer', 'Shift', 'Watch', 'Unroute'],
  },
  {
    title: 'a rollback',
    name: 'rollback',
    async first(of) {
      await of.version('v2');
      await of.untilPaused(1);
    },
    async killed(of) {
      await untilVersion(of, 'v1');
      await of.untilDone('v1');
    },
    states: ['Unroute'],
  },
  {
    title: 'a newer version in the middle, and its rollback',
    name: 'newer',
    async first(of) {
      await of.version('v2');
      await of.untilPaused(1);
      await of.approve();
      await of.untilPaused(2);
    },
    async killed(of) {
      await untilVersion(of, 'v3');
      await of.untilPausedOf('v3', 1);
      await untilVersion(of, 'v1');
      await of.untilDone('v1');
    },
    states: ['Warm', 'Refer', 'Shift', 'Watch', 'Unroute'],
  },
  {
    title: 'the deletion of the Rollout',
    name: 'deleted',
    async first(of) {
      await of.version('v2');
      await of.untilPaused(1);
    },
    async killed(of) {
      await of.untilAccepted('the deletion', () => of.deleteRollout());
      await of.untilPods('v2');
      await of.untilNothingLeft();
    },
    states: ['Unroute'],
  },
];
const MODES = [
  ['shared', SHARED],
  ['apart', APART],
] as const;

describe('Requests while the program is killed', function () {
  this.timeout(1_800_000);
  let whole: Whole;
  let alone: Release | undefined;

  before(async function () {
    whole = await startWhole(await outsideOrSkip(this));
  });
  afterEach(() => alone?.stop());
  after(() => whole?.close());

  const begin = async (name: string, steps: readonly object[]): Promise<Release> => {
    const begun = new Release(whole, { name, steps, replicas: 4 });
    await begun.begin();
    return begun;
  };

  describe('after each of its writes', () => {
    const playing = new Map<string, Promise<void>>();
    let killer: Killer | undefined;

    before(async () => {
      const all = MODES.flatMap(([mode, steps]) => SCENARIOS.map((scenario) => ({ ...scenario, mode, steps })));
      const ready = await Promise.all(
        all.map(async (scenario) => {
          const name = `${scenario.name}-${scenario.mode}`;
          const of = await begin(name, scenario.steps);
          await scenario.first(of);
          return { ...scenario, name, of };
        }),
      );
      const begun = (killer = new Killer(
        whole,
        ready.map(({ name }) => name),
      ));
      for (const { title, mode, name, of, killed, states } of ready) {
        const play = async (): Promise<void> => {
          try {
            await killed(of);
            await of.checkNothingLeft();
            await of.checkNoneFailed();
            const missing = states.filter((state) => !begun.seen(name).has(state));
            assert.deepEqual(missing, [], 'it was killed in these states, too');
          } finally {
            await of.stop();
          }
        };
        const played = play();
        // A failure is told where it is waited for.
        played.catch(() => undefined);
        playing.set(`${title}, ${mode}`, played);
      }
    });
    after(async () => {
      await killer?.stop();
      process.stdout.write(`      ${killer?.kills} kills\n`);
    });

    for (const [mode] of MODES)
      for (const { title } of SCENARIOS) it(`do not fail: ${title}, ${mode}`, () => playing.get(`${title}, ${mode}`));
  });

  for (const [mode, steps] of MODES)
    it(`do not fail while nothing of ours is alive, and the user’s own route and a resume finish the release, ${mode}`, async () => {
      const of = (alone = await begin(`dead-${mode}`, steps));
      await of.version('v2');
      await of.untilPaused(1);
      await whole.kill();
      try {
        await of.nextAnswers(60);
        await of.apply(of.route);
        await of.untilUserRoute();
        await resume(of);
        await of.untilPods('v2');
        await of.untilOnly('v2');
      } finally {
        await whole.revive();
      }
      await of.untilNothingLeft();
      await of.checkNoneFailed();
    });
});

/** As a person does it: with the command of kubectl, or with the one that its refusal says. */
async function resume(of: Release): Promise<void> {
  const { metadata } = await of.deployment();
  if (metadata.annotations?.[TRAFFIC] !== 'Apart') {
    await of.kubectl('rollout', 'resume', `deployment/${of.name}`);
    return;
  }
  const refused = await of.kubectl('rollout', 'resume', `deployment/${of.name}`).then(
    () => 'not refused',
    (error: Error) => error.message,
  );
  const [, patch] =
    /kubectl apply -f ROUTE\.yaml; then run: kubectl patch deployment .* -p '([^']+)'/.exec(refused) ?? [];
  assert.ok(patch !== undefined, refused);
  await of.kubectl('patch', 'deployment', of.name, '-p', patch);
}
