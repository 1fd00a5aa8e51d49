// The demo plays the guide's walkthrough: as the documentation describes it when nobody else does anything, and on when somebody does.
import assert from 'node:assert/strict';
import type { Context } from 'mocha';
import { Player, type Stage } from '../demo/player.ts';
import { walkthrough, type Step } from '../demo/walkthrough.ts';
import { afterStep, atTheEnd, invitation, titleOf } from '../demo/words.ts';
import { leadsSomewhere } from '../docs/anchors.ts';
import { makePrograms } from '../support/programs.ts';
import { theCluster, makeNamespace } from './harness/session.ts';
import { glance } from './observe.ts';

/** The demo in a namespace of its own, and what it does. */
class Window {
  readonly said: string[] = [];
  readonly commands: string[] = [];
  /** What somebody does as soon as the demo says a thing. */
  readonly answers = new Map<string, () => Promise<unknown>>();
  readonly namespace: string;
  readonly steps: readonly Step[];
  readonly player: Player;
  #programs = '';

  private constructor(namespace: string) {
    this.namespace = namespace;
    this.steps = walkthrough(namespace);
    const { client } = theCluster();
    const stage: Stage = {
      namespace,
      patienceSeconds: 60,
      say: (text) => {
        this.said.push(text);
        void this.answers.get(text)?.();
      },
      kubectl: (args, input) => {
        this.commands.push(args.join(' '));
        return client.kubectl(args, { input });
      },
      look: () => glance(client, namespace),
    };
    this.player = new Player(stage);
  }

  static async open(name: string): Promise<Window> {
    return new Window(await makeNamespace(name));
  }

  /** The number of a step, as the demo counts. */
  step(number: number): Promise<boolean> {
    return this.player.play(this.steps[number - 1]!);
  }

  /** As in the second window, with the PATH that the demo prints. */
  async somebody(...args: string[]): Promise<void> {
    this.#programs ||= await makePrograms();
    const env = { PATH: `${this.#programs}:${process.env.PATH}` };
    await theCluster().client.kubectl([...args, '-n', this.namespace], { env });
  }

  /** What was said since the last question. */
  news(): string[] {
    return this.said.splice(0);
  }

  approvals(): number {
    return this.commands.filter((command) => command.includes('StepReady')).length;
  }
}

describe('The walkthrough of the basic-usage guide', function () {
  this.timeout(240_000);
  let demo: Window;
  let broken = false;

  before(async () => {
    demo = await Window.open('walkthrough');
  });

  for (const [index, { title }] of walkthrough('').entries())
    it(title, async function (this: Context) {
      if (broken) this.skip(); // Each step goes on from the one before.
      broken = true;
      assert.equal(await demo.step(index + 1), true);
      assert.deepEqual(demo.news(), []);
      broken = false;
    });

  it('leaves no warning and no error in the log: the rights that the chart gives are enough', () => {
    const lines =
      theCluster()
        .services.find(({ name }) => name === 'the program')
        ?.output()
        .split('\n') ?? [];
    assert.ok(lines.some((line) => line.includes('"level":"info"')));
    const bad = lines
      .filter((line) => /"level":"(warn|error)"|forbidden/i.test(line))
      // The tests of the analysis stop their source.
      .filter((line) => !line.includes('the metric source has no answer'));
    assert.deepEqual(bad, []);
  });
});

describe('Somebody who plays along with the demo', function () {
  this.timeout(240_000);

  it('approves, pauses, resumes and aborts: the demo says so and goes on', async () => {
    const demo = await Window.open('along');
    for (const step of [1, 2, 3]) assert.equal(await demo.step(step), true);
    assert.deepEqual(demo.news(), []);

    await demo.somebody('tranche', 'approve', 'rollouts-demo');
    assert.equal(await demo.step(4), false);
    assert.deepEqual(demo.news(), ['– somebody approved step 1']);
    assert.equal(demo.approvals(), 0);

    const wait = '– the demo waits until somebody resumes it: kubectl tranche resume rollouts-demo';
    demo.answers.set(wait, () => demo.somebody('tranche', 'resume', 'rollouts-demo'));
    await demo.somebody('tranche', 'pause', 'rollouts-demo');
    assert.equal(await demo.step(5), false);
    assert.deepEqual(demo.news(), ['– somebody paused the Rollout', wait, '– somebody resumed the Rollout']);
    assert.equal(demo.approvals(), 1);

    assert.equal(await demo.step(6), true);
    await demo.somebody('tranche', 'abort', 'rollouts-demo');
    const changes = demo.commands.filter((command) => command.includes('VERSION')).length;
    assert.equal(await demo.step(7), false);
    assert.deepEqual(demo.news(), ['– somebody aborted the release of version-3: the Deployment has version-2 again']);
    assert.equal(demo.commands.filter((command) => command.includes('VERSION')).length, changes);
  });

  it('takes away what the demo needs, or makes something else of it: it begins again and goes on', async () => {
    const demo = await Window.open('away');
    for (const step of [1, 2, 3]) assert.equal(await demo.step(step), true);
    await demo.somebody('delete', 'rollout/rollouts-demo', 'deployment/workload-demo');
    assert.equal(await demo.step(4), false);
    assert.deepEqual(demo.news(), [
      '– somebody deleted the Deployment',
      '– somebody deleted the Rollout',
      '– The demo needs what somebody took away. It applies its objects again.',
      '– the release of version-2 is over: the Deployment has version-1',
    ]);
    await demo.somebody('scale', 'deployment/workload-demo', '--replicas=4');
    assert.equal(await demo.step(6), false);
    assert.deepEqual(demo.news(), ['– somebody scaled the Deployment from 10 to 4 replicas']);
    assert.equal(await demo.step(7), true);
    assert.match(demo.commands.at(-1)!, /version-1/, 'what ran before');
  });
});

describe('What the demo prints', () => {
  const printed = [
    invitation('/a folder/bin', '/a folder/kubeconfig'),
    ...walkthrough('default').flatMap((step, index) => [
      titleOf(index + 1, step),
      afterStep(step, true),
      afterStep(step, false),
    ]),
    atTheEnd(7, 7),
    atTheEnd(5, 7),
  ].join('\n');

  it('has no codes, and names sections of the documentation that exist', () => {
    assert.doesNotMatch(printed, /\b[A-Z]\d+\b/);
    const named = [...printed.matchAll(/docs\/\S+\.md(?:#[\w-]+)?/g)].map(([page]) => page);
    assert.ok(named.length > 10);
    for (const page of named) assert.ok(leadsSomewhere('README.md', page), page);
  });

  it('can be pasted into a shell, whatever the path', () => {
    assert.match(printed, /export PATH='\/a folder\/bin':"\$PATH"\n {2}export KUBECONFIG='\/a folder\/kubeconfig'\n/);
  });
});
