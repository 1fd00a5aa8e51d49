// What a release looks like from outside: Pods counted by version, the Deployment and the Rollout as kubectl gets them.
import { isDeepStrictEqual } from 'node:util';
import type { Deployment, KubeObject, Rollout } from '../../src/api/types.ts';
import type { Client } from './harness/client.ts';

/** A promise was not kept; the message says what was expected and what was seen. */
export class PromiseBroken extends Error {
  override readonly name = 'PromiseBroken';
}

export interface PodSpec {
  readonly containers: readonly {
    readonly image?: string;
    readonly env?: readonly { name: string; value?: string }[];
  }[];
}
interface DemoPod extends KubeObject {
  readonly spec: PodSpec;
  readonly status?: { readonly conditions?: readonly { type: string; status: string }[] };
}

/** What there is at the moment. */
export interface Glance {
  readonly deployment: Deployment | undefined;
  /** Absent until it was applied. */
  readonly rollout: Rollout | undefined;
  /** Pods that are not on their way out, by the value of VERSION in their environment. */
  readonly pods: Readonly<Record<string, number>>;
  readonly readyPods: number;
}

/** With the Deployment. */
export type Observation = Glance & { readonly deployment: Deployment };

export async function observe(client: Client, namespace: string): Promise<Observation> {
  const seen = await glance(client, namespace);
  if (!hasDeployment(seen)) throw new PromiseBroken(`the Deployment workload-demo is not in namespace ${namespace}`);
  return seen;
}

export const hasDeployment = (seen: Glance): seen is Observation => seen.deployment !== undefined;

/** One look at a Deployment, its Rollout and its Pods (those with the label app=<its label>). */
export async function glance(client: Client, namespace: string): Promise<Glance> {
  const within = `namespaces/${namespace}`;
  const [deployment, rollout, all] = await Promise.all([
    client.look<Deployment>(`/apis/apps/v1/${within}/deployments/workload-demo`),
    client.look<Rollout>(`/apis/rollouts.kruise.io/v1beta1/${within}/rollouts/rollouts-demo`),
    client.look<{ items: readonly DemoPod[] }>(`/api/v1/${within}/pods?labelSelector=app%3Ddemo`),
  ]);
  const pods = all?.items.filter(({ metadata }) => !metadata.deletionTimestamp) ?? [];
  return {
    deployment,
    rollout,
    pods: countBy(pods, ({ spec }) => versionIn(spec)),
    readyPods: pods.filter(isReady).length,
  };
}

/** VERSION in the environment of a Pod or a Pod template. */
export const versionIn = ({ containers }: PodSpec): string =>
  containers[0]?.env?.find(({ name }) => name === 'VERSION')?.value ?? '(none)';

const isReady = (pod: DemoPod): boolean =>
  pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;

function countBy<T>(items: readonly T[], keyOf: (item: T) => string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const item of items) counts[keyOf(item)] = (counts[keyOf(item)] ?? 0) + 1;
  return counts;
}

/** Where a release is, in few words: for failures. */
export function describeRelease({ pods, readyPods, deployment, rollout }: Glance): string {
  const counts = Object.entries(pods).map(([version, count]) => `${count} of ${version}`);
  const status = rollout?.status;
  return [
    `Pods: ${counts.join(', ') || 'none'}, ${readyPods} Ready`,
    deployment === undefined
      ? 'no Deployment'
      : `Deployment: paused ${deployment.spec.paused ?? false}, updated ${deployment.status?.updatedReplicas ?? 0}`,
    `Rollout: ${status?.phase || 'no phase'}, step ${status?.currentStepIndex ?? '-'} ${status?.currentStepState ?? '-'}: ${status?.message ?? 'no message'}`,
  ].join('; ');
}

export interface Expectation {
  /** What is waited for, as a sentence's end: "1 Pod of version-2, waiting for approval". */
  readonly expected: string;
  readonly reached: (seen: Observation) => boolean;
  /** Must hold at every look, before and after; returns what is wrong. */
  readonly always?: (seen: Observation) => string | undefined;
  readonly withinSeconds?: number;
  /** Looks that must still agree after it was reached: it stops there. */
  readonly steadyLooks?: number;
}

const LOOK_EVERY_MS = 100;

/** Looks again and again until the expectation is reached, and says what was seen when it is not. */
export async function expectSoon(
  look: () => Promise<Observation>,
  { expected, reached, always, withinSeconds = 60, steadyLooks = 0 }: Expectation,
): Promise<Observation> {
  const deadline = Date.now() + withinSeconds * 1000;
  for (let steady = -1; ;) {
    const seen = await look();
    const wrong = always?.(seen);
    if (wrong) throw new PromiseBroken(`expected ${expected}, but ${wrong} (${describeRelease(seen)})`);
    if (reached(seen)) {
      if (++steady >= steadyLooks) return seen;
    } else if (steady >= 0) {
      throw new PromiseBroken(`expected ${expected} to last, but it changed (${describeRelease(seen)})`);
    } else if (Date.now() > deadline) {
      throw new PromiseBroken(`expected ${expected} within ${withinSeconds} s, but saw ${describeRelease(seen)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

/** The rest of a Deployment's spec, which is the user's and must come back as it was. */
export const settingsOf = ({ spec }: Deployment): unknown => ({ ...spec, template: undefined });

export function checkSame(what: string, actual: unknown, expected: unknown): void {
  if (!isDeepStrictEqual(actual, expected))
    throw new PromiseBroken(`expected ${what} to be ${JSON.stringify(expected)}, but it is ${JSON.stringify(actual)}`);
}

/** Is this the time to approve step N: done, and waiting for a decision? */
export const waitsAtStep =
  (step: number) =>
  ({ rollout }: Glance): boolean =>
    rollout?.status?.canaryStatus?.currentStepIndex === step &&
    rollout.status.canaryStatus.currentStepState === 'StepPaused';

/** The guide's own test of a client for "step N is ready". */
export const isStepReady =
  (step: number) =>
  ({ rollout }: Observation): boolean =>
    rollout?.status?.canaryStatus?.currentStepIndex === step &&
    ['StepReady', 'Completed'].includes(rollout.status.canaryStatus.currentStepState);
