// A control plane with a program, Deployments with living Pods, and an observer of their releases.
import type { KubeObject } from '@tranche/sandbox/types';
import { DEPLOYMENTS, NAMESPACES, PODS, type Resource } from '../../../src/api/resources.ts';
import { realClock as clock } from '../../../src/kube/clock.ts';
import type { ApiClient } from '../../../src/kube/client.ts';
import { pathOf } from '../../../src/kube/path.ts';
import { Reflector } from '../../../src/kube/reflector.ts';
import type { Requests } from './audit.ts';
import { auditReader } from './audit-log.ts';
import { startControlPlane } from './control-plane.ts';
import { startKubelet } from './kubelet.ts';
import { placeOf, seenPod, STEP_SIZES, workloadOf, type Place } from './objects.ts';
import { Releases, type ReleaseTimes } from './releases.ts';
import type { RunningProgram, Subject } from './subject.ts';

/** Time that a Pod takes to become Ready, and its spread. */
const PODS_OWN = { readyMs: 1_000, jitter: 0.3 } as const;
const CLIENTS = 50;

export interface Site {
  readonly program: RunningProgram;
  /** Creates Deployments `from` to `to`, unless the Rollouts have the Pods, and waits until all of their Pods are Ready. */
  makeDeployments(group: string, from: number, to: number, replicas: number): Promise<void>;
  /** Creates these Rollouts at once, and waits until all of them are Healthy. */
  enroll(group: string, from: number, to: number, replicas: number): Promise<void>;
  /** Releases a version of these Deployments at once, and waits until all are done. */
  release(group: string, from: number, to: number, version: string): Promise<ReleaseTimes>;
  /** Requests since the last call. */
  requests(): Requests;
  stop(): Promise<void>;
}

/** `seed`: of the times that Pods take. */
export async function openSite(bin: string, subject: Subject, seed: number): Promise<Site> {
  const plane = await startControlPlane(bin);
  const [driver, node] = await Promise.all([plane.client('bench', CLIENTS), plane.client('bench-kubelet', CLIENTS)]);
  const kubelet = await startKubelet(node, { ...PODS_OWN, random: randomOf(seed) });
  const ready = new Map<string, Set<string>>();
  const healthy = new Set<string>();
  let releases = new Releases(STEP_SIZES);

  const watch = (api: ApiClient, resource: Resource, see: (object: KubeObject, isDeleted: boolean) => void) => {
    const reflector = new Reflector<KubeObject>({ api, clock, path: pathOf(resource) });
    reflector.on(({ object, type }) => see(object, type === 'deleted'));
    reflector.start();
    return reflector;
  };
  const pods = watch(node, PODS, (pod, isDeleted) => {
    kubelet.see(pod, isDeleted);
    const seen = seenPod(pod);
    const of = ready.get(seen.workload) ?? new Set();
    ready.set(seen.workload, of);
    if (seen.isReady && !isDeleted) of.add(seen.uid);
    else of.delete(seen.uid);
    releases.seePod(seen, performance.now());
  });
  const program = await subject.start(plane, driver);
  const rollouts = watch(driver, subject.rollouts, (object) => {
    const seen = subject.seen(object);
    if (seen.phase === 'Healthy') healthy.add(seen.workload);
    else healthy.delete(seen.workload);
    releases.seeRollout(seen, performance.now());
  });
  const create = (resource: Resource, namespace: string | undefined, body: object): Promise<unknown> =>
    driver.request({ method: 'POST', path: pathOf(resource, { namespace }), body });
  const namespaces = new Set<string>();

  return {
    program,
    async makeDeployments(group, from, to, replicas) {
      const places = placesOf(group, from, to);
      for (const { namespace: name } of places) {
        if (namespaces.has(name)) continue;
        namespaces.add(name);
        await create(NAMESPACES, undefined, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
      }
      const { deployment } = subject;
      if (!deployment) return;
      await inTurn(places, (place) => create(DEPLOYMENTS, place.namespace, deployment(place, replicas)));
      const isReady = (place: Place): boolean => (ready.get(workloadOf(place))?.size ?? 0) >= replicas;
      await until(() => places.every(isReady), 'Pods Ready');
    },
    async enroll(group, from, to, replicas) {
      const places = placesOf(group, from, to);
      await inTurn(places, (place) => create(subject.rollouts, place.namespace, subject.rollout(place, replicas)));
      await until(() => places.every((place) => healthy.has(workloadOf(place))), 'Rollouts Healthy');
    },
    async release(group, from, to, version) {
      releases = new Releases(STEP_SIZES);
      const of = releases;
      await inTurn(placesOf(group, from, to), (place) => {
        of.begin(workloadOf(place), version, performance.now());
        return driver.request(subject.release(place, version));
      });
      await until(() => of.unfinished.length === 0, 'releases done');
      return of.times();
    },
    requests: auditReader(plane.auditLog, subject.own),
    async stop() {
      await program.stop();
      kubelet.stop();
      for (const api of [driver, node]) api.close();
      await Promise.all([pods.stop(), rollouts.stop()]);
      await plane.stop();
    },
  };
}

const placesOf = (group: string, from: number, to: number): Place[] =>
  Array.from({ length: to - from }, (_, i) => placeOf(group, from + i));

/** All of them, at most as many at a time as there are clients. */
async function inTurn<T>(all: readonly T[], work: (one: T) => Promise<unknown>): Promise<void> {
  let next = 0;
  const client = async (): Promise<void> => {
    while (next < all.length) await work(all[next++]!);
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
}

const WAIT_SECONDS = 600;

async function until(condition: () => boolean, what: string): Promise<void> {
  for (const deadline = Date.now() + WAIT_SECONDS * 1000; !condition();) {
    if (Date.now() > deadline) throw new Error(`not within ${WAIT_SECONDS} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** mulberry32: the same times of Pods for each program. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
