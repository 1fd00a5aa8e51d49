// What the demo of traffic does on its cluster: commands as a user types them, requests, and a bar of them while it waits.
import type { Rollout } from '../../../src/api/types.ts';
import { ROLLOUTS } from '../../../src/api/resources.ts';
import { pathOf } from '../../../src/kube/path.ts';
import { barOf } from '../../data-plane/client/bar.ts';
import { failed, sayFailures } from '../../data-plane/client/counts.ts';
import { CountingClient } from '../../data-plane/client/index.ts';
import { asTyped, CommandError } from '../../e2e/harness/client.ts';
import type { Cluster } from '../../e2e/harness/cluster.ts';
import { PromiseBroken } from '../../e2e/observe.ts';
import { paint, say, terminal } from '../terminal.ts';
import { NAME } from './manifests.ts';

export const NAMESPACE = 'default';
/** So long the bar shows what a step has come to. */
export const SHOW_MS = 6000;
const PER_SECOND = 100;
const LOOK_EVERY_MS = 250;
/** A terminal has one line that changes; a log gets a line now and then. */
const SHOW_EVERY_MS = terminal ? LOOK_EVERY_MS : 2000;
const PATIENCE_MS = 180_000;

export class Demo {
  readonly #cluster: Cluster;
  readonly #programs: string;
  readonly #url: URL;
  #client: CountingClient | undefined;
  #shownAt = -Infinity;

  constructor(cluster: Cluster, programs: string, url: URL) {
    this.#cluster = cluster;
    this.#programs = programs;
    this.#url = url;
  }

  /** As the user would type it. */
  async kubectl(args: readonly string[], input?: string): Promise<void> {
    const typed = asTyped('kubectl', args, input);
    this.#endLine();
    say(`${paint(36, '$')} ${typed}`);
    const env = { PATH: `${this.#programs}:${process.env.PATH}` };
    const result = await this.#cluster.client.attempt('kubectl', args, { input, env });
    process.stdout.write(result.stderr + result.stdout);
    if (result.code !== 0) throw new CommandError(typed, result);
  }

  release(version: string): Promise<void> {
    return this.kubectl(['set', 'image', `deployment/${NAME}`, `web=${NAME}:${version}`, '-n', NAMESPACE]);
  }

  /** As soon as the gateway answers. */
  async startClient(): Promise<void> {
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
      const answer = await fetch(this.#url).catch(() => undefined);
      if (answer?.ok) break;
      if (Date.now() > deadline) throw new PromiseBroken(`the gateway at ${this.#url.href} does not answer`);
      await sleep(LOOK_EVERY_MS);
    }
    this.#client = new CountingClient({ url: this.#url, perSecond: PER_SECOND });
    say(paint(33, `– users send ${PER_SECOND} requests a second to ${this.#url.href}`));
    await this.show(SHOW_MS / 2);
  }

  /** Shows the bar until it is so. */
  async until(expected: string, holds: (rollout: Rollout) => boolean): Promise<void> {
    const deadline = Date.now() + PATIENCE_MS;
    const at = pathOf(ROLLOUTS, { namespace: NAMESPACE, name: NAME });
    for (;;) {
      const rollout = await this.#cluster.client.look<Rollout>(at);
      // A version that was set a moment ago has not begun its release yet.
      const isCurrent = rollout?.status?.observedGeneration === rollout?.metadata.generation;
      if (rollout && isCurrent && holds(rollout)) return;
      if (Date.now() > deadline) throw new PromiseBroken(`expected ${expected}: ${rollout?.status?.message}`);
      this.#showBar();
      await sleep(LOOK_EVERY_MS);
    }
  }

  async untilPaused(step: number): Promise<void> {
    await this.until(`the pause of step ${step}`, ({ status }) => {
      const canary = status?.canaryStatus;
      return canary?.currentStepIndex === step && canary.currentStepState === 'StepPaused';
    });
    await this.show(SHOW_MS);
  }

  async show(ms: number): Promise<void> {
    for (const until = Date.now() + ms; Date.now() < until; await sleep(LOOK_EVERY_MS)) this.#showBar();
  }

  #showBar(): void {
    const client = this.#client;
    if (!client || client.nowMs - this.#shownAt < SHOW_EVERY_MS) return;
    this.#shownAt = client.nowMs;
    const bar = `  ${barOf(client.answers, client.nowMs, ['v1', 'v2', 'v3'])}`;
    process.stdout.write(terminal ? `\r\x1b[K${bar.slice(0, process.stdout.columns - 1)}` : `${bar}\n`);
  }

  #endLine(): void {
    if (terminal && this.#client) process.stdout.write('\n');
  }

  checkNoneFailed(): void {
    const answers = this.#client?.answers ?? [];
    const count = failed(answers).length;
    this.#endLine();
    say(`\n${paint(count === 0 ? 32 : 31, `${count} of ${answers.length} requests failed`)}`);
    if (count > 0) throw new PromiseBroken(sayFailures(answers));
  }

  async stop(): Promise<void> {
    await this.#client?.stop();
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
