// No request fails when the program is killed after each of its writes, and none when it does not come back and its users go on without it.
import assert from 'node:assert/strict';
import { TRAFFIC } from '../../src/api/keys.ts';
import { wasInterrupted } from '../support/processes.ts';
import { Release, type ReleaseOptions } from './release.ts';
import { APART, SHARED } from './objects.ts';
import { outsideOrSkip } from './stage.ts';
import { startWhole, type Whole } from './whole.ts';

const PER_SECOND = 30;
/** A release has fewer states. */
const MOST_KILLS = 60;

describe('Requests while the program is killed', function () {
  this.timeout(900_000);
  let whole: Whole;
  let release: Release | undefined;

  before(async function () {
    whole = await startWhole(await outsideOrSkip(this));
  });
  afterEach(() => release?.stop());
  after(() => whole?.close());

  const begin = async (options: Omit<ReleaseOptions, 'perSecond'>): Promise<Release> => {
    const begun = (release = new Release(whole, { ...options, perSecond: PER_SECOND }));
    await begun.begin();
    return begun;
  };

  /** Kills the program as soon as a state is seen that was not seen before, and starts it again. Returns the number of kills. */
  async function killAtEachState(of: Release, isDone: () => boolean): Promise<number> {
    const seen = new Set<string>();
    while (!isDone() && seen.size < MOST_KILLS && !wasInterrupted()) {
      const state = await of.state();
      if (!seen.has(state)) {
        seen.add(state);
        await whole.kill();
        await whole.revive();
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return seen.size;
  }

  async function playKilled(of: Release, play: () => Promise<void>): Promise<void> {
    let isDone = false;
    const played = play().finally(() => (isDone = true));
    played.catch(() => undefined);
    const kills = await killAtEachState(of, () => isDone);
    await played;
    assert.ok(kills >= 8, `${kills} kills`);
    await of.checkNothingLeft();
    await of.checkNoneFailed();
  }

  for (const [mode, steps] of [
    ['shared', SHARED],
    ['apart', APART],
  ] as const) {
    it(`do not fail after each write of a success, ${mode}`, async () => {
      const of = await begin({ name: `killed-${mode}`, steps });
      await of.version('v2');
      await playKilled(of, async () => {
        for (const step of [1, 2]) {
          await of.untilPaused(step);
          await of.untilApproved();
        }
        await of.untilDone('v2');
      });
    });

    it(`do not fail after each write of a rollback, ${mode}`, async () => {
      const of = await begin({ name: `back-${mode}`, steps });
      await of.version('v2');
      await of.untilPaused(1);
      await of.version('v1');
      await playKilled(of, () => of.untilDone('v1'));
    });

    it(`do not fail while nothing of ours is alive, and the user’s own route and a resume finish the release, ${mode}`, async () => {
      const of = await begin({ name: `dead-${mode}`, steps });
      await of.version('v2');
      await of.untilPaused(1);
      await whole.kill();
      try {
        await of.nextAnswers(60);
        await of.apply(of.route);
        await of.untilUserRoute();
        await resume(of);
        await of.untilPods('v2');
        await of.checkShare('v2', 1, {}, 100);
      } finally {
        await whole.revive();
      }
      await of.until('nothing of ours', () =>
        of.checkNothingLeft().then(
          () => true,
          () => false,
        ),
      );
      await of.checkNoneFailed();
    });
  }
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
