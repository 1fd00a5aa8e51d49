// Releases with and without traffic: the requests of each step, the time from ready endpoints to the weight, and the memory of routed Rollouts.
import type { EndpointSlice, Route } from '../../../src/api/traffic.ts';
import type { KubeObject, Rollout } from '../../../src/api/types.ts';
import { SERVICE_NAME } from '../../../src/api/keys.ts';
import {
  DEPLOYMENTS,
  ENDPOINT_SLICES,
  HTTP_ROUTES,
  ROLLOUTS,
  SERVICES,
  type Resource,
} from '../../../src/api/resources.ts';
import type { ApiCall } from '../../../src/kube/api.ts';
import { realClock as clock } from '../../../src/kube/clock.ts';
import { pathOf } from '../../../src/kube/path.ts';
import { Reflector } from '../../../src/kube/reflector.ts';
import * as objects from '../../../test/data-plane/objects.ts';
import { GATEWAY } from '../../../test/data-plane/stage.ts';
import type { Requests } from '../plane/audit.ts';
import { summarize, type Summary } from '../stats.ts';
import { NAMESPACE, type Ground } from './ground.ts';

export type Mode = 'None' | 'Shared' | 'Apart';
const STEPS: Readonly<Record<Mode, readonly object[]>> = {
  None: objects.SHARED.map((step) => ({ ...step, traffic: undefined })),
  Shared: objects.SHARED,
  Apart: objects.APART,
};
const REPLICAS = 10;
const GRACE_SECONDS = 1;
export const PHASES = ['to the pause of step 1', 'to the pause of step 2', 'to the end'] as const;

/** Of one release. */
export interface Phase {
  readonly phase: (typeof PHASES)[number];
  readonly requests: Requests;
}

export interface MemoryFigure {
  readonly rollouts: number;
  /** After a garbage collection, with all Rollouts paused in step 1. */
  readonly plainHeapBytes: number;
  readonly routedHeapBytes: number;
  readonly plainRssBytes: number;
  readonly routedRssBytes: number;
}

export interface TrafficFigures {
  readonly releases: number;
  readonly graceSeconds: number;
  readonly requests: Readonly<Record<Mode, readonly Phase[]>>;
  /** From the last ready endpoint of step 2 until the route has its weight, shared. */
  readonly reactionMs: Summary;
  readonly memory: MemoryFigure;
}

export interface Sizes {
  /** At once, for requests and reaction. */
  readonly releases: number;
  /** For memory. */
  readonly rollouts: number;
}

const VERSIONS = ['v1', 'v2'] as const;

export async function measureTraffic(
  ground: Ground,
  { releases, rollouts }: Sizes,
  say: (line: string) => void,
): Promise<TrafficFigures> {
  const view = openView(ground);
  try {
    const requests = {} as Record<Mode, readonly Phase[]>;
    let reactions: readonly number[] = [];
    for (const mode of ['None', 'Shared', 'Apart'] as const) {
      const names = namesOf(mode.toLowerCase(), releases);
      await create(ground, names, mode, REPLICAS, STEPS[mode]);
      await view.until('Healthy', () => names.every((name) => view.phase(name) === 'Healthy' && view.isReady(name)));
      requests[mode] = await phasesOf(ground, view, names);
      if (mode === 'Shared') reactions = names.map((name) => view.reaction(name));
      say(`${mode}: ${requests[mode].map(({ requests: of }) => total(of).toFixed(1)).join(', ')} requests per release`);
    }
    return {
      ...{ releases, graceSeconds: GRACE_SECONDS, requests, reactionMs: summarize(reactions) },
      memory: await memoryOf(ground, view, rollouts, say),
    };
  } finally {
    await view.stop();
  }
}

const total = (requests: Requests): number => Object.values(requests).reduce((sum, count) => sum + count, 0);
const namesOf = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${prefix}-${i}`);

async function phasesOf({ api, requests }: Ground, view: View, names: readonly string[]): Promise<Phase[]> {
  requests();
  await releaseAll(api, names, VERSIONS[1]);
  const phases: Phase[] = [];
  for (const [index, phase] of PHASES.entries()) {
    const isLast = index === PHASES.length - 1;
    await view.until(phase, () =>
      names.every((name) =>
        isLast ? view.phase(name) === 'Healthy' && view.isOwn(name) : view.pausedIn(name) === index + 1,
      ),
    );
    const own = Object.entries(requests()).filter(([what]) => what.startsWith('tranche '));
    phases.push({ phase, requests: Object.fromEntries(own.map(([what, count]) => [what, count / names.length])) });
    if (!isLast) await approveAll(api, names);
  }
  return phases;
}

/** The same Deployments with and without traffic, all paused in step 1. */
async function memoryOf(
  ground: Ground,
  view: View,
  rollouts: number,
  say: (line: string) => void,
): Promise<MemoryFigure> {
  const last = { replicas: '100%' };
  const figures: { heap: number; rss: number }[] = [];
  for (const mode of ['None', 'Shared'] as const) {
    const names = namesOf(`memory-${mode.toLowerCase()}`, rollouts);
    const traffic = mode === 'None' ? {} : { traffic: '70%' };
    await create(ground, names, mode, 2, [{ replicas: 1, ...traffic }, last]);
    await view.until('Healthy', () => names.every((name) => view.phase(name) === 'Healthy' && view.isReady(name)));
    await releaseAll(ground.api, names, VERSIONS[1]);
    await view.until('the pause', () => names.every((name) => view.pausedIn(name) === 1));
    const { heapUsed, rss } = await ground.program.memory();
    figures.push({ heap: heapUsed, rss });
    say(
      `${rollouts} paused, ${mode}: heap ${(heapUsed / 2 ** 20).toFixed(1)} MiB, RSS ${(rss / 2 ** 20).toFixed(1)} MiB`,
    );
    await releaseAll(ground.api, names, VERSIONS[0]);
    await view.until('the end', () => names.every((name) => view.phase(name) === 'Healthy'));
    await remove(ground, names);
  }
  const [plain, routed] = figures;
  return {
    rollouts,
    ...{ plainHeapBytes: plain!.heap, routedHeapBytes: routed!.heap },
    ...{ plainRssBytes: plain!.rss, routedRssBytes: routed!.rss },
  };
}

async function create(
  { api }: Ground,
  names: readonly string[],
  mode: Mode,
  replicas: number,
  steps: readonly object[],
): Promise<void> {
  for (const name of names) {
    const labels = { app: name };
    const image = `web:${VERSIONS[0]}`;
    await post(api, SERVICES, objects.service(name, labels));
    const rules = [{ backendRefs: [objects.leg({ name })] }];
    await post(api, HTTP_ROUTES, objects.httpRoute({ name, gateways: [GATEWAY], rules }));
    await post(api, DEPLOYMENTS, objects.deployment({ name, image, replicas, labels, preStopSeconds: 0 }));
    await post(api, ROLLOUTS, rolloutOf(name, mode, steps));
  }
}

function rolloutOf(name: string, mode: Mode, steps: readonly object[]): object {
  const routed = objects.rollout({ name, kind: 'HTTPRoute', steps, graceSeconds: GRACE_SECONDS }) as {
    readonly spec: { readonly strategy: { readonly canary: { readonly trafficRoutings?: object } } };
  };
  if (mode !== 'None') return routed;
  return { ...routed, spec: { ...routed.spec, strategy: { canary: { steps } } } };
}

type Api = Ground['api'];

/** Admission may say that it must be tried again: after the first ones, it answers one question of a namespace in three seconds. */
const TRIES = 240;

async function retried(api: Api, call: ApiCall, tries = TRIES): Promise<unknown> {
  try {
    return await api.request(call);
  } catch (error) {
    if (tries === 0 || !/try again/.test(String(error))) throw error;
    await new Promise((resolve) => setTimeout(resolve, 500));
    return retried(api, call, tries - 1);
  }
}

const post = (api: Api, resource: Resource, body: object): Promise<unknown> =>
  retried(api, { method: 'POST', path: pathOf(resource, { namespace: NAMESPACE }), body });

const patchAll = (api: Api, names: readonly string[], resource: Resource, body: object, subresource?: string) =>
  Promise.all(
    names.map((name) =>
      retried(api, {
        method: 'PATCH',
        path: pathOf(resource, { namespace: NAMESPACE, name, subresource }),
        contentType:
          resource === DEPLOYMENTS ? 'application/strategic-merge-patch+json' : 'application/merge-patch+json',
        body,
      }),
    ),
  );
const releaseAll = (api: Api, names: readonly string[], version: string) =>
  patchAll(api, names, DEPLOYMENTS, {
    spec: { template: { spec: { containers: [{ name: 'web', image: `web:${version}` }] } } },
  });
const approveAll = (api: Api, names: readonly string[]) =>
  patchAll(api, names, ROLLOUTS, { status: { canaryStatus: { currentStepState: 'StepReady' } } }, 'status');

async function remove({ api }: Ground, names: readonly string[]): Promise<void> {
  for (const name of names)
    for (const resource of [ROLLOUTS, DEPLOYMENTS, HTTP_ROUTES, SERVICES])
      await api.request({ method: 'DELETE', path: pathOf(resource, { namespace: NAMESPACE, name }) });
}

/** What an observer sees. */
interface View {
  phase(name: string): string | undefined;
  /** All Pods are available. */
  isReady(name: string): boolean;
  /** The route names the user's Service only. */
  isOwn(name: string): boolean;
  /** The step that waits for an approval. */
  pausedIn(name: string): number | undefined;
  reaction(name: string): number;
  until(what: string, holds: () => boolean): Promise<void>;
  stop(): Promise<void>;
}

const WAIT_SECONDS = 600;
const SECOND_STEP = Math.ceil(REPLICAS / 2);

function openView({ api }: Ground): View {
  const watch = <T extends KubeObject>(resource: Resource): Reflector<T> => {
    const reflector = new Reflector<T>({ api, clock, path: pathOf(resource, { namespace: NAMESPACE }) });
    reflector.start();
    return reflector;
  };
  const [rollouts, deployments] = [watch<Rollout>(ROLLOUTS), watch<KubeObject>(DEPLOYMENTS)];
  const [routes, slices] = [watch<Route>(HTTP_ROUTES), watch<EndpointSlice>(ENDPOINT_SLICES)];
  const readyAt = new Map<string, number>();
  const writtenAt = new Map<string, number>();
  slices.on(({ object: { metadata, endpoints = [] } }) => {
    const name = /^(.*)-canary$/.exec(metadata.labels?.[SERVICE_NAME] ?? '')?.[1];
    const ready = (endpoints ?? []).filter(({ conditions }) => conditions?.ready !== false).length;
    if (name !== undefined && ready === SECOND_STEP && !readyAt.has(name)) readyAt.set(name, performance.now());
  });
  routes.on(({ object: { metadata, spec } }) => {
    const refs = spec.rules?.[0]?.backendRefs ?? [];
    const weight = (name: string): number => refs.find((ref) => ref.name === name)?.weight ?? 0;
    const [base, canary] = [weight(metadata.name), weight(`${metadata.name}-canary`)];
    // 80 % of the requests with half of the Pods: 60 % of what the Pods do not get by themselves.
    if (canary > base && !writtenAt.has(metadata.name)) writtenAt.set(metadata.name, performance.now());
  });
  const get = <T extends KubeObject>(of: Reflector<T>, name: string): T | undefined => of.get(`${NAMESPACE}/${name}`);
  return {
    phase: (name) => get(rollouts, name)?.status?.phase,
    isReady(name) {
      const { spec, status } = (get(deployments, name) ?? {}) as {
        spec?: { replicas?: number };
        status?: { availableReplicas?: number };
      };
      return spec?.replicas !== undefined && spec.replicas === status?.availableReplicas;
    },
    isOwn: (name) => get(routes, name)?.spec.rules?.[0]?.backendRefs?.length === 1,
    pausedIn(name) {
      const { currentStepIndex, currentStepState } = get(rollouts, name)?.status?.canaryStatus ?? {};
      return currentStepState === 'StepPaused' ? currentStepIndex : undefined;
    },
    reaction: (name) => (writtenAt.get(name) ?? NaN) - (readyAt.get(name) ?? NaN),
    async until(what, holds) {
      for (const deadline = Date.now() + WAIT_SECONDS * 1000; !holds();) {
        if (Date.now() > deadline) throw new Error(`not within ${WAIT_SECONDS} s: ${what}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    async stop() {
      await Promise.all([rollouts, deployments, routes, slices].map((one) => one.stop()));
    },
  };
}
