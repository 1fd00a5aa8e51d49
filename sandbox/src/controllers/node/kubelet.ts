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

export interface KubeletOptions extends ControllerOptions {
  /** Milliseconds from scheduling to Ready. */
  readyMs: number;
  /** Milliseconds from deletion to removal, at most the grace period of the Pod. */
  stopMs: number;
  /** Each delay is multiplied by a number from this range. */
  jitter: readonly [number, number];
  /** Also report containers that are being created. Without it, each Pod needs one write less. */
  reportCreating: boolean;
}

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
    // Existing addresses stay in use after a restart.
    for (const { status } of this.pods.objects.values())
      this.addresses = Math.max(this.addresses, numberOf(status?.podIP as string | undefined));
  }

  private forget(uid: string): void {
    for (const cancel of this.known.get(uid)?.timers.values() ?? []) cancel();
    this.known.delete(uid);
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
    await this.report(pod, known);
  }

  private know(pod: KubeObject): Known {
    let known = this.known.get(pod.metadata.uid!);
    if (!known) {
      const host = Number(/\d+$/.exec(pod.spec.nodeName)?.[0] ?? 0) % 250;
      const n = ++this.addresses;
      known = {
        lives: new Map(containersOf(pod).map((container) => [container.name, rememberedLife(pod, container)])),
        address: {
          hostIP: this.nodes.get(undefined, pod.spec.nodeName)?.status?.addresses?.[0]?.address ?? `10.0.0.${host + 1}`,
          podIP: pod.status?.podIP ?? `10.244.${(n >> 8) & 255}.${n & 255}`,
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

  /** A new image restarts the container. A new value of the OOM annotation kills it once. */
  private followSpec(pod: KubeObject, known: Known): void {
    for (const { name, image } of containersOf(pod)) {
      const life = known.lives.get(name);
      if (life?.image === image) continue;
      known.timers.get(name)?.();
      known.timers.delete(name);
      known.lives.set(name, { ...newLife(image), restarts: life ? life.restarts + 1 : 0 });
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

  private async report(pod: KubeObject, known: Known): Promise<void> {
    const lives = [...known.lives.values()];
    if (
      !this.options.reportCreating &&
      !pod.status?.containerStatuses &&
      lives.every((life) => life.stage === 'creating')
    )
      return;
    const status = podStatus(pod, known.lives, known.address, this.session.clock.now());
    if (sameJson(status, pod.status)) return;
    await this.session.request('PUT', pathOfObject(PODS, pod, 'status'), { body: { ...pod, status } });
  }

  private stop(pod: KubeObject, known: Known): void {
    if (known.stopping) return;
    known.stopping = true;
    for (const cancel of known.timers.values()) cancel();
    for (const { name } of containersOf(pod)) {
      this.event(pod, 'Normal', 'Killing', `Stopping container ${name}`);
    }
    const graceMs = (pod.metadata.deletionGracePeriodSeconds ?? 30) * 1000;
    this.session.after(Math.min(graceMs, this.options.stopMs * this.jitter()), () => void this.remove(pod, known));
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
    const { image, stage } = life;
    if (stage === 'running' || stage === 'crashed' || stage === 'completed') {
      this.event(pod, 'Normal', 'Pulled', `Successfully pulled image "${image}"`);
      this.event(pod, 'Normal', 'Created', `Container created`);
      this.event(pod, 'Normal', 'Started', `Container started`);
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

/** The counter in an address 10.244.x.y. */
const numberOf = (address = ''): number => {
  const [, , high = 0, low = 0] = address.split('.').map(Number);
  return address.startsWith('10.244.') ? high * 256 + low : 0;
};

const containersOf = (pod: KubeObject): Container[] => pod.spec.containers as Container[];

/** After a restart, the kubelet keeps running containers and starts all others again. */
const rememberedLife = (pod: KubeObject, { name, image }: Container): Life => {
  const status = (pod.status?.containerStatuses ?? []).find((each: { name: string }) => each.name === name);
  const startedAt: string | undefined = status?.state?.running?.startedAt;
  if (!status || status.image !== image) return newLife(image);
  const restarts: number = status.restartCount ?? 0;
  if (!startedAt) return { ...newLife(image), restarts };
  return { image, stage: 'running', ready: true, restarts, startedAt, last: status.lastState?.terminated };
};
