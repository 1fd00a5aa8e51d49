// A HorizontalPodAutoscaler that reads the desired replicas from an annotation, within minReplicas and maxReplicas.
import type { KubeObject } from '../core/types.ts';
import type { Registry } from '../core/resources.ts';
import {
  createController,
  isNotFound,
  type Controller,
  type ControllerOptions,
  type Session,
} from './framework/controller.ts';
import { findCondition, keyOf, pathOf, sameJson, splitKey, timestamp, type Condition } from './framework/meta.ts';
import type { Cache } from './framework/cache.ts';
import type { WorkQueue } from './framework/queue.ts';
import { DESIRED_REPLICAS } from './node/keys.ts';

const AUTOSCALERS = { group: 'autoscaling', resource: 'horizontalpodautoscalers' };
const SYNC_MS = 15_000;

export interface AutoscalerOptions extends ControllerOptions {
  registry: Registry;
}

export const createAutoscaler = (options: AutoscalerOptions): Controller =>
  createController('horizontal-pod-autoscaler', options, (session) => new Autoscaler(session, options.registry));

class Autoscaler {
  private readonly session: Session;
  private readonly registry: Registry;
  private readonly autoscalers: Cache;
  private readonly queue: WorkQueue;
  /** Autoscalers with a timer for the next sync. */
  private readonly armed = new Set<string>();

  constructor(session: Session, registry: Registry) {
    this.session = session;
    this.registry = registry;
    this.queue = session.queue((key) => this.sync(key));
    this.autoscalers = session.cache(AUTOSCALERS, ({ object }) => this.queue.add(keyOf(object)));
  }

  private async sync(key: string): Promise<void> {
    const { namespace, name } = splitKey(key);
    const autoscaler = this.autoscalers.get(namespace, name);
    if (!autoscaler) return;
    this.arm(key);
    const path = this.scalePath(autoscaler);
    const scale = path && (await this.session.request('GET', path).catch(ignoreNotFound));
    if (!path || !scale) {
      const { kind, name: target } = autoscaler.spec.scaleTargetRef;
      return this.report(autoscaler, {}, [
        { type: 'AbleToScale', status: 'False', reason: 'FailedGetScale', message: `${kind} ${target} not found` },
      ]);
    }
    const current: number = scale.spec.replicas ?? 0;
    const wanted = Number(autoscaler.metadata.annotations?.[DESIRED_REPLICAS] ?? NaN);
    const counts = { currentReplicas: scale.status?.replicas ?? 0, observedGeneration: autoscaler.metadata.generation };
    if (current === 0 || !Number.isInteger(wanted)) {
      const off =
        current === 0
          ? { reason: 'ScalingDisabled', message: 'scaling is disabled since the replica count of the target is zero' }
          : { reason: 'FailedGetResourceMetric', message: `write the annotation ${DESIRED_REPLICAS} with a number` };
      return this.report(autoscaler, { ...counts, desiredReplicas: current === 0 ? 0 : current }, [
        ABLE,
        { type: 'ScalingActive', status: 'False', ...off },
      ]);
    }
    const desired = Math.min(Math.max(wanted, autoscaler.spec.minReplicas ?? 1), autoscaler.spec.maxReplicas);
    let lastScaleTime: string | undefined = autoscaler.status?.lastScaleTime;
    if (desired !== current) {
      await this.session.request('PUT', path, { body: { ...scale, spec: { ...scale.spec, replicas: desired } } });
      lastScaleTime = timestamp(this.session.clock.now());
      const message = `New size: ${desired}; reason: annotation ${DESIRED_REPLICAS}`;
      this.session.events.record(autoscaler, 'Normal', 'SuccessfulRescale', message);
    }
    await this.report(
      autoscaler,
      { ...counts, desiredReplicas: desired, ...(lastScaleTime ? { lastScaleTime } : {}) },
      [
        ABLE,
        { type: 'ScalingActive', status: 'True', reason: 'ValidMetricFound', message: 'the annotation holds a number' },
        limited(wanted, desired),
      ],
    );
  }

  private arm(key: string): void {
    if (this.armed.has(key)) return;
    this.armed.add(key);
    this.session.after(SYNC_MS, () => {
      this.armed.delete(key);
      this.queue.add(key);
    });
  }

  private scalePath(autoscaler: KubeObject): string | undefined {
    const { apiVersion, kind, name } = autoscaler.spec.scaleTargetRef as Record<string, string>;
    const [version, group = ''] = (apiVersion ?? 'v1').split('/').reverse();
    const type = this.registry.findKind(group, version!, kind!);
    if (!type?.scale) return undefined;
    const root = group ? `/apis/${group}/${version}` : `/api/${version}`;
    return `${root}/namespaces/${autoscaler.metadata.namespace}/${type.plural}/${name}/scale`;
  }

  private async report(
    autoscaler: KubeObject,
    counts: object,
    conditions: readonly Omit<Condition, 'lastTransitionTime'>[],
  ): Promise<void> {
    const now = timestamp(this.session.clock.now());
    const status = {
      ...counts,
      currentMetrics: null,
      conditions: conditions.map((condition) => {
        const before = findCondition(autoscaler.status?.conditions, condition.type);
        return {
          ...condition,
          lastTransitionTime: before?.status === condition.status ? before.lastTransitionTime : now,
        };
      }),
    };
    if (sameJson(status, autoscaler.status)) return;
    await this.session.request(
      'PUT',
      pathOf(AUTOSCALERS, autoscaler.metadata.namespace, autoscaler.metadata.name, 'status'),
      { body: { ...autoscaler, status } },
    );
  }
}

const ABLE = {
  type: 'AbleToScale',
  status: 'True',
  reason: 'ReadyForNewScale',
  message: 'recommended size matches current size',
} as const;

const limited = (wanted: number, desired: number): Omit<Condition, 'lastTransitionTime'> =>
  wanted === desired
    ? {
        type: 'ScalingLimited',
        status: 'False',
        reason: 'DesiredWithinRange',
        message: 'the desired count is within the acceptable range',
      }
    : wanted > desired
      ? {
          type: 'ScalingLimited',
          status: 'True',
          reason: 'TooManyReplicas',
          message: 'the desired replica count is more than the maximum replica count',
        }
      : {
          type: 'ScalingLimited',
          status: 'True',
          reason: 'TooFewReplicas',
          message: 'the desired replica count is less than the minimum replica count',
        };

const ignoreNotFound = (error: unknown): undefined => {
  if (!isNotFound(error)) throw error;
  return undefined;
};
