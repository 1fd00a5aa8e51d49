// The stand-in for the kubelets: Pods become Ready after a delay, fail as their image specifies, and end when deleted.
import type { KubeObject } from '../../core/types.ts';
import type { Cache } from '../framework/cache.ts';
import {
  createController,
  isNotFound,
  type Controller,
  type ControllerOptions,
  type Session,
} from '../framework/controller.ts';
import { keyOf, NODES, pathOfObject, PODS, sameJson, splitKey } from '../framework/meta.ts';
import type { WorkQueue } from '../framework/queue.ts';
import { killed, newLife, nextLife, stayMs, type Life } from './container.ts';
import { fateOf, OOM } from './keys.ts';
import { isTask, podStatus, type Address } from './pod-status.ts';
import { behaviourOf } from '../../serving/behaviour.ts';
import { LISTENS, preStopMs, type Running, type Serving } from '../../serving/index.ts';

export interface KubeletOptions extends ControllerOptions {
  /** Milliseconds from scheduling to Ready. */
  readyMs: number;
  /** Milliseconds from the end of the preStop hooks to removal, at most the grace period of the Pod. */
  stopMs: number;
  /** Each delay is multiplied by a number from this range. */
  jitter: readonly [number, number];
  /** Also report containers that are being created. Without it, each Pod needs one write less. */
  reportCreating: boolean;
  /** Serves the ports of running containers. Absent: nothing listens. */
  serving?: Serving | undefined;
}

/** A container has this time to end, even if its preStop hook has used the whole grace period. */
const SHORTEST_END_MS = 2000;

export const createKubelet = (options: KubeletOptions): Controller =>
  createController('kubelet', options, (session) => new Kubelet(session, options));

/** The state of a Pod beyond its status. */
interface Known {
  lives: Map<string, Life>;
  address: Address;
  /** Container → cancels the timer for its next stage. */
  timers: Map<string, () => void>;
  stopping: boolean;
  /** The last value of the OOM annotation that was handled. */
  killed: string | undefined;
}

interface Container {
  name: string;
  image: string;
}

class Kubelet {
  private readonly session: Session;
  private readonly options: KubeletOptions;
  private readonly nodes: Cache;
  private readonly pods: Cache;
  private readonly queue: WorkQueue;
  private readonly known = new Map<string, Known>();
  private addresses = 0;

  constructor(session: Session, options: KubeletOptions) {
    this.session = session;
    this.options = options;
    this.queue = session.queue((key) => this.sync(key));
    this.nodes = session.cache(NODES);
    this.pods = session.cache(PODS, ({ type, object }) => {
      if (type === 'DELETED') this.forget(object.metadata.uid!);
      else if (object.spec.nodeName) this.queue.add(keyOf(object));
    });
    options.serving?.keepOnly(new Set([...this.pods.objects.values()].map(({ metadata }) => metadata.uid!)));
    // Existing addresses stay in use after a restart.
    for (const { status } of this.pods.objects.values())
      this.addresses = Math.max(this.addresses, numberOf(status?.podIP as string | undefined));
  }

  private forget(uid: string): void {
    for (const cancel of this.known.get(uid)?.timers.values() ?? []) cancel();
    this.known.delete(uid);
    this.options.serving?.forget(uid);
  }

  private async sync(key: string): Promise<void> {
    const { namespace, name } = splitKey(key);
    const pod = this.pods.get(namespace, name);
    if (!pod?.spec.nodeName) return;
    const known = this.know(pod);
    if (pod.metadata.deletionTimestamp) return this.stop(pod, known);
    if (pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed') return;
    this.followSpec(pod, known);
    for (const { name: container } of containersOf(pod)) this.arm(pod, known, container);
    const { serving } = this.options;
    const listens = serving && (await serving.follow(pod, runningOf(known)));
    await this.report(pod, known, listens);
  }

  private know(pod: KubeObject): Known {
    let known = this.known.get(pod.metadata.uid!);
    if (!known) {
      const host = Number(/\d+$/.exec(pod.spec.nodeName)?.[0] ?? 0) % 250;
      const n = ++this.addresses;
      known = {
        lives: new Map(
          containersOf(pod).map((container) => [container.name, rememberedLife(pod, container, this.serves(pod))]),
        ),
        address: {
          hostIP: this.nodes.get(undefined, pod.spec.nodeName)?.status?.addresses?.[0]?.address ?? `10.0.0.${host + 1}`,
          podIP: this.options.serving?.addressOf(pod) ?? pod.status?.podIP ?? `10.244.${(n >> 8) & 255}.${n & 255}`,
        },
        timers: new Map(),
        stopping: false,
        killed: [...(pod.status?.containerStatuses ?? [])].some(
          (status: { lastState?: { terminated?: object } }) => status.lastState?.terminated,
        )
          ? pod.metadata.annotations?.[OOM]
          : undefined,
      };
      this.known.set(pod.metadata.uid!, known);
    }
    return known;
  }

  private serves(pod: KubeObject): boolean {
    return this.options.serving !== undefined && !isTask(pod);
  }

  /** A new image restarts the container. A new value of the OOM annotation kills it once. */
  private followSpec(pod: KubeObject, known: Known): void {
    for (const { name, image } of containersOf(pod)) {
      const life = known.lives.get(name);
      if (life?.image === image) continue;
      known.timers.get(name)?.();
      known.timers.delete(name);
      known.lives.set(name, { ...newLife(image, this.serves(pod)), restarts: life ? life.restarts + 1 : 0 });
    }
    const order = pod.metadata.annotations?.[OOM];
    if (order === undefined || order === known.killed) return;
    if (![...known.lives.values()].some(({ stage }) => stage === 'running')) return;
    known.killed = order;
    for (const [name, life] of known.lives) known.lives.set(name, killed(life, this.session.clock.now()));
  }

  /** Sets the timer for the next stage of the container, if there is one and no timer is set. */
  private arm(pod: KubeObject, known: Known, container: string): void {
    const life = known.lives.get(container)!;
    const waitMs = stayMs(life, fateOf(life.image), this.options.readyMs);
    if (waitMs === undefined || known.timers.has(container)) return;
    const cancel = this.session.after(waitMs * this.jitter(), () => {
      known.timers.delete(container);
      const now = this.session.clock.now();
      const task = isTask(pod);
      const again = pod.spec.restartPolicy !== 'Never';
      const next = nextLife(known.lives.get(container)!, fateOf(life.image), task, again, now);
      known.lives.set(container, next);
      this.announce(pod, container, next);
      this.queue.add(keyOf(pod));
    });
    known.timers.set(container, cancel);
  }

  private jitter(): number {
    const [from, to] = this.options.jitter;
    return from === to ? from : from + this.session.clock.random() * (to - from);
  }

  private async report(pod: KubeObject, known: Known, listens: string | undefined): Promise<void> {
    const lives = [...known.lives.values()];
    if (
      !this.options.reportCreating &&
      !pod.status?.containerStatuses &&
      lives.every((life) => life.stage === 'creating')
    )
      return;
    const status = podStatus(pod, known.lives, known.address, this.session.clock.now());
    const isSame = pod.metadata.annotations?.[LISTENS] === listens;
    if (isSame && sameJson(status, pod.status)) return;
    const metadata = isSame ? pod.metadata : withListens(pod.metadata, listens);
    await this.session.request('PUT', pathOfObject(PODS, pod, 'status'), { body: { ...pod, metadata, status } });
  }

  private stop(pod: KubeObject, known: Known): void {
    if (known.stopping) return;
    known.stopping = true;
    for (const cancel of known.timers.values()) cancel();
    for (const { name } of containersOf(pod)) {
      this.event(pod, 'Normal', 'Killing', `Stopping container ${name}`);
    }
    const graceMs = (pod.metadata.deletionGracePeriodSeconds ?? 30) * 1000;
    const stopMs = this.options.stopMs * this.jitter();
    const { serving } = this.options;
    if (!serving) return void this.session.after(Math.min(graceMs, stopMs), () => void this.remove(pod, known));
    const hooksMs = Math.min(graceMs, preStopMs(pod));
    this.session.after(hooksMs, () => void this.end(pod, known, serving, stopMs, graceMs - hooksMs));
  }

  /** As after SIGTERM: the containers answer their open requests in what is left of the grace period, and end. */
  private async end(pod: KubeObject, known: Known, serving: Serving, stopMs: number, leftMs: number): Promise<void> {
    const stopped = new Promise<void>((resolve) => this.session.after(Math.min(leftMs, stopMs), resolve));
    await serving.drain(pod.metadata.uid!, Math.max(leftMs, SHORTEST_END_MS));
    await stopped;
    await this.remove(pod, known);
  }

  private async remove(pod: KubeObject, known: Known): Promise<void> {
    try {
      await this.session.request('DELETE', pathOfObject(PODS, pod), {
        body: {
          apiVersion: 'v1',
          kind: 'DeleteOptions',
          gracePeriodSeconds: 0,
          preconditions: { uid: pod.metadata.uid },
        },
      });
    } catch (error) {
      if (isNotFound(error)) return;
      known.stopping = false;
      this.queue.addRateLimited(keyOf(pod));
    }
  }

  private announce(pod: KubeObject, container: string, life: Life): void {
    const { image, stage, serves, ready } = life;
    // It has run for some time.
    if (serves && ready) return;
    if (stage === 'running' || stage === 'crashed' || stage === 'completed') {
      this.event(pod, 'Normal', 'Pulled', `Successfully pulled image "${image}"`);
      this.event(pod, 'Normal', 'Created', `Container created`);
      this.event(pod, 'Normal', 'Started', `Container started`);
      const { problem } = behaviourOf(image);
      if (serves && problem) this.event(pod, 'Warning', 'TagNotFollowed', problem);
    } else if (stage === 'pull-failed') {
      this.event(pod, 'Normal', 'Pulling', `Pulling image "${image}"`);
      this.event(pod, 'Warning', 'Failed', `Failed to pull image "${image}": not found`);
    } else if (stage === 'pull-backoff') {
      this.event(pod, 'Normal', 'BackOff', `Back-off pulling image "${image}"`);
    } else if (stage === 'crash-backoff') {
      const message = `Back-off restarting failed container ${container} in pod ${pod.metadata.name}`;
      this.event(pod, 'Warning', 'BackOff', message);
    }
  }

  private event(pod: KubeObject, type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.session.events.record(pod, type, reason, message, pod.spec.nodeName as string);
  }
}

const runningOf = ({ lives }: Known): Running[] =>
  [...lives]
    .filter(([, { stage, serves }]) => serves && stage === 'running')
    .map(([name, { image, restarts }]) => ({ name, image, restarts }));

function withListens(metadata: KubeObject['metadata'], listens: string | undefined): KubeObject['metadata'] {
  const { [LISTENS]: _, ...annotations } = metadata.annotations ?? {};
  return { ...metadata, annotations: { ...annotations, ...(listens ? { [LISTENS]: listens } : {}) } };
}

/** The counter in an address 10.244.x.y. */
const numberOf = (address = ''): number => {
  const [, , high = 0, low = 0] = address.split('.').map(Number);
  return address.startsWith('10.244.') ? high * 256 + low : 0;
};

const containersOf = (pod: KubeObject): Container[] => pod.spec.containers as Container[];

/** After a restart, the kubelet keeps running containers and starts all others again. */
const rememberedLife = (pod: KubeObject, { name, image }: Container, serves: boolean): Life => {
  const status = (pod.status?.containerStatuses ?? []).find((each: { name: string }) => each.name === name);
  const startedAt: string | undefined = status?.state?.running?.startedAt;
  if (!status || status.image !== image) return newLife(image, serves);
  const restarts: number = status.restartCount ?? 0;
  if (!startedAt) return { ...newLife(image, serves), restarts };
  return { image, stage: 'running', ready: true, serves, restarts, startedAt, last: status.lastState?.terminated };
};
