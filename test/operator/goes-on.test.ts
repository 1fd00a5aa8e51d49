// A step that does not wait: its end is written together with the budget of the next step, and whatever becomes of either write, the release ends the same.
import assert from 'node:assert/strict';
import type { CanaryStep } from '../../src/api/types.ts';
import type { ApiCall } from '../../src/kube/api.ts';
import type { Fault, Misbehaviour } from './api.ts';
import { versionOf, World } from './world.ts';

const STEPS: readonly CanaryStep[] = ['10%', '50%', '100%'].map((replicas) => ({ replicas, pause: { duration: 0 } }));

const isPatchOf = (call: ApiCall, path: RegExp): boolean => call.method === 'PATCH' && path.test(call.path);
/** The status that enters step 2. */
const entersStep2 = (call: ApiCall): boolean =>
  isPatchOf(call, /\/rollouts\/[^/]+\/status$/) &&
  (call.body as { status: { currentStepIndex?: number } }).status.currentStepIndex === 2;
const movesDeployment = (call: ApiCall): boolean => isPatchOf(call, /\/deployments\/[^/]+$/);

describe('a step that goes on without a wait', () => {
  let world: World;
  /** Sizes of the new version, one after the other. */
  const sizes: number[] = [];
  let end = (): void => {};

  const begin = async (fault: (call: ApiCall) => Fault | undefined, limits: object = {}): Promise<void> => {
    const misbehaviour = (made: World): Misbehaviour => ({
      fault,
      line: () => undefined,
      onCrash: () => {
        made.crash();
        made.virtual.clock.after(8_000, () => made.startOperator());
      },
    });
    world = await new World({ seed: 11, misbehaviour }).start();
    await world.createDeployment({ spec: { strategy: { rollingUpdate: limits } } });
    await world.createRollout(STEPS);
    await world.untilHealthy();
    await world.until('all Pods count', () => world.deployment.status?.availableReplicas === 10);
    sizes.length = 0;
    end = world.virtual.observe(() => {
      const size = world.replicaSets.find(({ spec }) => versionOf(spec.template) === 'v2')?.spec.replicas;
      if (size !== undefined && size !== sizes.at(-1)) sizes.push(size);
    });
    await world.release('v2');
  };
  afterEach(async () => {
    end();
    await world.stop();
  });
  const stepsStarted = (): readonly string[] =>
    world.events
      .filter(({ reason }) => reason === 'StepStarted')
      .map(({ message }) => message.split(';').at(-1)!.trim());

  const isDone = (): void => {
    assert.deepEqual(
      sizes,
      sizes.toSorted((a, b) => a - b),
    );
    for (const size of [1, 5, 10]) assert.ok(sizes.includes(size), `${size} in ${sizes.join()}`);
    assert.deepEqual(world.sizes, { v2: 10 });
  };

  it('sends the status and the budget without waiting for one of them', async () => {
    await begin(() => undefined);
    let [inFlight, most] = [0, 0];
    const api = world.apis.at(-1)!;
    const request = api.request.bind(api);
    api.request = async (call) => {
      if (!isEither(call)) return request(call);
      inFlight += 1;
      most = Math.max(most, inFlight);
      return request(call).finally(() => (inFlight -= 1));
    };
    await world.untilCompleted();
    assert.equal(most, 2);
    isDone();
  });
  const isEither = (call: ApiCall): boolean => movesDeployment(call) || isPatchOf(call, /\/status$/);

  /** Once, for the status that enters step 2, or for the budget that is sent with it. */
  const once = (write: 'status' | 'move', fault: Fault): ((call: ApiCall) => Fault | undefined) => {
    let [entered, done] = [false, false];
    return (call) => {
      entered ||= world?.apis.at(-1)!.calls.some(entersStep2) === true;
      if (done || !entered || !(write === 'status' ? entersStep2(call) : movesDeployment(call))) return undefined;
      done = true;
      return fault;
    };
  };

  for (const limits of [{}, { maxSurge: 0, maxUnavailable: '50%' }])
    for (const write of ['status', 'move'] as const)
      for (const fault of ['conflict', 'forbidden', 'broken', 'lost', 'crash-before', 'crash-after'] as Fault[])
        it(`${fault} for the ${write}, limits ${JSON.stringify(limits)}: no new Pod is deleted`, async () => {
          let met = 0;
          const meets = once(write, fault);
          await begin((call) => {
            const found = meets(call);
            if (found) met += 1;
            return found;
          }, limits);
          await world.untilCompleted();
          assert.equal(met, 1);
          isDone();
          assert.equal(world.history[0]?.outcome, 'Completed');
          assert.deepEqual(
            world.history[0].steps?.map(({ step }) => step),
            [1, 2, 3],
          );
          // A write whose answer is lost takes its event along, as a crash does.
          if (fault === 'conflict')
            assert.deepEqual(stepsStarted(), ['step 2/3: updating 5 of 10 Pods', 'step 3/3: updating 10 of 10 Pods']);
        });

  it('the status cannot be written until the Pods of the next step are there: they stay', async () => {
    let refuses = true;
    await begin((call) => (refuses && entersStep2(call) ? 'conflict' : undefined), {
      maxSurge: 0,
      maxUnavailable: '50%',
    });
    await world.until('the Pods of step 2 are there', () => sizes.at(-1) === 5);
    await world.run(20_000);
    refuses = false;
    await world.untilCompleted();
    isDone();
  });

  it('the Rollout is paused in that moment: the release stays at the sizes that were granted, and goes on from them', async () => {
    let paused = false;
    await begin((call) => {
      if (paused || !entersStep2(call)) return undefined;
      paused = true;
      void world.patchRollout({ spec: { strategy: { paused: true } } });
      return 'conflict';
    });
    await world.until('it says so', () => world.condition('Progressing')?.reason === 'Paused');
    await world.run(60_000);
    assert.equal(world.canary.currentStepIndex, 1);
    assert.equal(world.deployment.spec.paused, true);
    assert.deepEqual(sizes, [1, 3, 5]);
    await world.patchRollout({ spec: { strategy: { paused: null } } });
    await world.untilCompleted();
    assert.deepEqual(
      sizes,
      sizes.toSorted((a, b) => a - b),
    );
    assert.deepEqual(world.sizes, { v2: 10 });
  });

  it('the step is to wait from that moment on: it waits with its own Pods', async () => {
    let edited = false;
    await begin((call) => {
      if (edited || !entersStep2(call)) return undefined;
      edited = true;
      const steps = [{ replicas: '10%' }, ...STEPS.slice(1)];
      void world.patchRollout({ spec: { strategy: { canary: { steps } } } });
      return 'conflict';
    });
    await world.untilPaused(1);
    await world.run(60_000);
    assert.deepEqual(world.sizes, { v1: 9, v2: 1 });
    await world.approve();
    await world.untilCompleted();
  });

  it('gives one budget while the status cannot be written', async () => {
    let refuses = true;
    await begin((call) => (refuses && entersStep2(call) ? 'conflict' : undefined), { maxSurge: 1, maxUnavailable: 0 });
    await world.until('the first Pod of step 2 is there', () => sizes.at(-1) === 2);
    await world.run(20_000);
    assert.deepEqual(sizes, [1, 2]);
    assert.equal(world.canary.currentStepIndex, 1);
    refuses = false;
    await world.untilCompleted();
    assert.deepEqual(sizes, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });
});
