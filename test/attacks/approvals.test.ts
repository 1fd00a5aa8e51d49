// Attacks on the policies that the documentation shows: somebody who may approve tries to bring a change out with fewer people than they say.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import { ON_RESTART, RESTARTED_AT } from '../../src/api/keys.ts';
import type { ReleasePolicy, ReleasePolicySpec } from '../../src/api/policy.ts';
import type { CanaryStep } from '../../src/api/types.ts';
import { template } from '../operator/world.ts';
import { accepted, person, serviceAccount, Stage, type Who } from './approval-stage.ts';

const PAGES = ['docs/policy.md', 'docs/ci.md', 'docs/fields.md', 'README.md'];
const LONG = 1_200_000;

/** Every policy of the documentation in which one person is not to be enough; of parts, the part. */
const examples = PAGES.flatMap((page) => {
  const text = readFileSync(new URL(`../../${page}`, import.meta.url), 'utf8');
  const blocks = [...text.matchAll(/```yaml(?: ReleasePolicy)?\n([^]*?)```/g)].map((match) => match[1]!);
  const found = blocks
    .flatMap((block) => parseAllDocuments(block).map((document) => document.toJS() as Partial<ReleasePolicy> | null))
    .filter((one) => one?.kind === undefined || one.kind === 'ReleasePolicy')
    .map((one) => one?.spec)
    .filter((spec) => spec?.approval !== undefined && (spec.enforcement ?? 'Deny') === 'Deny')
    .filter((spec) => (spec?.approval?.required ?? 1) > 1 || spec?.approval?.notAuthor === true);
  return found.map((spec, index) => ({
    name: `${page}, ${index + 1}`,
    // Neither the time of the day nor checks, which the Rollouts here do not have.
    spec: { ...spec, windows: {}, analysis: {} } as ReleasePolicySpec,
  }));
});

describe('the documented policies that ask for approvals', () => {
  it('are found', () => assert.ok(examples.length >= 4, String(examples.length)));
  for (const { name, spec } of examples) describe(`${name}: ${JSON.stringify(spec.approval)}`, () => attacks(spec));
});

function attacks(spec: ReleasePolicySpec): void {
  const { required = 1, users = [], groups = [], notAuthor = false } = spec.approval!;
  /** All of them may approve: the attacker is no outsider. */
  const insider = (user: string): Who => person(user, ...groups);
  const ed = insider(users[0] ?? 'ed');
  const people = ['mo', 'nia', 'oz'].map(insider);
  const bot = serviceAccount('default', 'bot');
  const plan: CanaryStep[] = [{ replicas: 1 }, { replicas: '50%' }, { replicas: '100%' }];
  let stage: Stage;

  afterEach(() => stage.stop());

  const begin = async (steps: readonly CanaryStep[] = plan, replicas = 10): Promise<void> => {
    stage = await new Stage().start(spec, steps, replicas);
  };
  const firstStep = (): Promise<void> => stage.world.untilPaused(1);
  /** Whatever was tried: long after no more than the first step is out. */
  const holds = async (most = 1): Promise<void> => {
    await stage.world.run(LONG);
    assert.ok(stage.updated <= most, stage.world.describe());
    assert.equal(stage.world.held, true);
    assert.equal(stage.world.canary.currentStepIndex, 1);
  };

  it('let a release on when enough people approve it', async () => {
    await begin();
    accepted(await stage.release(ed));
    for (const step of [1, 2]) {
      await stage.world.untilPaused(step);
      for (const who of people.slice(0, required)) accepted(await stage.approve(who));
    }
    await stage.world.untilCompleted();
  });

  it('hold against timed pauses of a second', async () => {
    await begin();
    const timed = plan.map((step) => ({ ...step, pause: { duration: 1 } }));
    await stage.setSteps(ed, timed);
    accepted(await stage.release(ed));
    await holds();
  });

  it('hold against timed pauses that were there before the policy', async () => {
    await begin(plan.map((step) => ({ ...step, pause: { duration: 1 } })));
    // The rules about plans, which the example may have, refuse it too.
    if ((await stage.release(ed)) !== undefined) return;
    await holds();
  });

  it('wait for the time of a pause when it is approved', async () => {
    await begin([{ replicas: 1, pause: { duration: 900 } }, ...plan.slice(1)]);
    if ((await stage.release(ed)) !== undefined) return;
    await firstStep();
    assert.match(stage.world.rollout.status?.message ?? '', /waiting for approval \(0 of \d\), and until 2026/);
    for (const who of people.slice(0, required)) accepted(await stage.approve(who));
    await stage.world.run(800_000);
    assert.equal(stage.updated, 1);
    await stage.world.untilPaused(2, 200_000);
  });

  it('hold against who approves the own change, alone or twice', async () => {
    await begin();
    accepted(await stage.release(ed));
    await firstStep();
    await stage.approve(ed);
    await stage.approve(ed);
    await holds();
  });

  it('hold against one person and a ServiceAccount, whoever of them is first', async () => {
    for (const who of [
      [ed, bot],
      [bot, ed],
    ]) {
      await begin();
      accepted(await stage.release(ed));
      await firstStep();
      for (const one of who) await stage.approve(one);
      await holds();
      await stage.stop();
    }
    await begin();
  });

  it('hold against several ServiceAccounts, and nodes', async () => {
    await begin();
    accepted(await stage.release(ed));
    await firstStep();
    for (const name of ['a', 'b', 'c']) await stage.approve(serviceAccount('default', name));
    for (const name of ['a', 'b'])
      await stage.approve({ user: `system:node:${name}`, groups: ['system:nodes', ...groups] });
    await holds();
  });

  if (notAuthor) {
    it('hold against a change that a CI account makes, and its person approves', async () => {
      await begin();
      accepted(await stage.release(serviceAccount('ci', 'deployer')));
      await firstStep();
      for (const who of [ed, ...people].slice(0, required)) await stage.approve(who);
      await holds();
      await stage.approve(people[2]!);
      await stage.world.untilPaused(2);
    });

    it('hold against a change that no webhook saw', async () => {
      await begin();
      await stage.world.release('v2');
      await firstStep();
      // What the native controller had begun before the operator held it stays.
      const begun = stage.updated;
      for (const who of [ed, ...people].slice(0, required)) await stage.approve(who);
      await holds(begun);
    });

    it('hold against an author who lets somebody else change a trifle', async () => {
      await begin();
      accepted(await stage.release(ed));
      await firstStep();
      accepted(await stage.release(insider('zoe'), 'v3'));
      await stage.world.until('v3 is at its first step', () => stage.world.sizes['v3'] === 1);
      await firstStep();
      for (const who of [ed, ...people].slice(0, required)) await stage.approve(who);
      await holds();
    });

    it('hold against who changes the plan and approves it', async () => {
      await begin();
      accepted(await stage.release(insider('zoe')));
      await firstStep();
      await stage.setSteps(ed, [plan[0]!, { replicas: 9 }, plan[2]!]);
      const wasRefused = JSON.stringify(stage.world.rollout.spec.strategy.canary?.steps) === JSON.stringify(plan);
      if (wasRefused) return;
      for (const who of [ed, ...people].slice(0, required)) await stage.approve(who);
      await holds();
    });
  }

  for (const [what, change] of [
    ['a larger step that waits', { steps: [{ replicas: 9 }, ...plan.slice(1)] }],
    ['one that is everything', { steps: [{ replicas: '100%' }, ...plan.slice(1)] }],
    ['no pauses', { steps: plan.map((step) => ({ ...step, pause: { duration: 0 } })) }],
    ['a larger step that follows', { steps: [plan[0]!, { replicas: '99%' }, plan[2]!] }],
    ['Pods that may be missing', { failureThreshold: '100%' }],
    ['no deadline', { stepDeadlineSeconds: 0 }],
    ['another end', { onFailure: 'Hold' }],
  ] as const) {
    for (const way of ['the webhooks', 'nobody'] as const) {
      it(`hold against a plan that becomes another one: ${what}; seen by ${way}`, async () => {
        await begin();
        accepted(await stage.release(ed));
        await firstStep();
        for (const who of people.slice(0, required)) accepted(await stage.approve(who));
        const body = { spec: { strategy: { canary: change } } };
        const done = way === 'nobody' ? await stage.world.patchRollout(body) : await stage.editRollout(ed, body);
        // Refused by another rule: then the approvals count, as they should.
        if (typeof done === 'string') return;
        await stage.world.run(LONG);
        assert.equal(stage.updated, 1, stage.world.describe());
        assert.match(stage.world.rollout.status?.message ?? '', /waiting for approval \(0 of/);
        assert.equal(stage.world.canary.currentStepState, 'StepPaused');
      });
    }
  }

  it('hold against a larger step while it runs', async () => {
    await begin();
    accepted(await stage.release(ed));
    await stage.world.until('step 1 runs', () => stage.world.canary.currentStepState === 'StepUpgrade');
    await stage.world.run(500);
    await stage.world.patchRollout({ spec: { strategy: { canary: { steps: [{ replicas: 9 }, ...plan.slice(1)] } } } });
    await holds();
  });

  it('hold against a pause that is taken off', async () => {
    await begin();
    accepted(await stage.release(ed));
    await firstStep();
    for (const who of people.slice(0, required)) accepted(await stage.approve(who));
    accepted(await stage.editRollout(people[0]!, { spec: { strategy: { paused: true } } }));
    await stage.world.run(60_000);
    accepted(await stage.editRollout(ed, { spec: { strategy: { paused: false } } }));
    await holds();
  });

  it('hold against a jump: alone, before the approvals, and past admission', async () => {
    await begin();
    accepted(await stage.release(insider('zoe')));
    await firstStep();
    assert.match(
      (await stage.editStatus(ed, { nextStepIndex: 3 })) ?? '',
      /a jump to another step requires an approval/,
    );
    for (const who of people.slice(0, required)) accepted(await stage.approve(who));
    await stage.world.patchStatus({ canaryStatus: { nextStepIndex: 3 } });
    await holds();
    assert.match(stage.world.rollout.status?.message ?? '', /\(0 of \d\) to jump to step 3; to roll back/);
    for (const who of people.slice(0, required)) accepted(await stage.approve(who));
    await stage.world.untilCompleted();
  });

  it('hold against StepReady that is written past admission, and say so', async () => {
    await begin();
    accepted(await stage.release(ed));
    await firstStep();
    await stage.world.approve();
    await holds();
    assert.equal(stage.world.canary.currentStepState, 'StepPaused');
    const events = stage.world.events.map(({ message }) => message);
    assert.ok(
      events.some((message) =>
        /StepReady was reset to StepPaused: policy documented requires more approvals/.test(message),
      ),
    );
  });

  it('hold against a restart', async () => {
    await begin();
    await stage.editRollout(ed, { metadata: { annotations: { [ON_RESTART]: 'Batches' } } });
    const restarted = { metadata: { annotations: { [RESTARTED_AT]: '2026-01-05T10:00:00Z' } } };
    accepted(await stage.editDeployment(ed, { spec: { template: restarted } }));
    await firstStep();
    await stage.world.run(LONG);
    assert.equal(stage.world.canary.currentStepIndex, 1);
  });

  it('hold against a plan of one step, and a Deployment of one Pod', async () => {
    for (const [steps, replicas] of [
      [[{ replicas: '100%' }], 10],
      [plan, 1],
      [[{ replicas: 1 }, { replicas: '100%' }], 1],
    ] as const) {
      await begin(steps, replicas);
      if ((await stage.release(ed)) === undefined) {
        await holds(0);
        assert.match(stage.world.rollout.status?.message ?? '', /updates all Pods: waiting for approval \(0 of/);
        for (const who of people.slice(0, required)) accepted(await stage.approve(who));
        await stage.world.until('it begins', () => stage.updated === replicas);
        if (steps.length === 1) await stage.world.untilCompleted();
      }
      await stage.stop();
    }
    await begin();
  });

  it('hold against a last step after which the rest follows', async () => {
    await begin([{ replicas: 1 }]);
    if ((await stage.release(ed)) !== undefined) return;
    await firstStep();
    await stage.world.approve();
    await holds();
  });

  if (spec.protectInFlight === true && spec.requireRollout === true) {
    it('hold against the ways beside the steps', async () => {
      await begin();
      accepted(await stage.release(ed));
      await firstStep();
      assert.match((await stage.deleteRollout(ed)) ?? '', /cannot be deleted/);
      assert.match((await stage.editRollout(ed, { spec: { disabled: true } })) ?? '', /cannot be set/);
      assert.match(
        (await stage.editDeployment(ed, { spec: { replicas: 0 } })) ?? '',
        /must be at least 1 during a release/,
      );
      await holds();
    });

    it('hold against a change without a Rollout', async () => {
      await begin();
      accepted(await stage.editRollout(ed, { spec: { disabled: true } }));
      await stage.world.until('it is disabled', () => stage.world.rollout.status?.phase === 'Disabled');
      assert.match(
        (await stage.editDeployment(ed, { spec: { template: template('v2') } })) ?? '',
        /requires a Rollout/,
      );
    });
  }
}
