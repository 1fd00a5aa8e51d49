// A world in virtual time with both webhooks in front of it: everybody's requests go through the handlers, as who makes them.
import assert from 'node:assert/strict';
import type { AdmissionDeps } from '../../src/admission/deps.ts';
import { mutateWorkload, validateScaleToZero } from '../../src/admission/webhooks/workload.ts';
import { readReview, type Answer } from '../../src/admission/review.ts';
import { mutateRollout, validateRolloutRequest } from '../../src/admission/webhooks/rollout.ts';
import { GROUP } from '../../src/api/keys.ts';
import type { ReleasePolicySpec } from '../../src/api/policy.ts';
import type { CanaryStep, Deployment, Rollout } from '../../src/api/types.ts';
import { matching } from '../../src/engine/policy/policy.ts';
import { createCalendar } from '../../src/schedule/calendar.ts';
import { aReview, type Json } from '../admission/support.ts';
import { policy } from '../engine/policy/support.ts';
import { OPERATOR } from '../operator/api.ts';
import { NAME, ROLLOUT, template, World } from '../operator/world.ts';
import { applyOps } from '../support/json-patch.ts';

export interface Who {
  readonly user: string;
  readonly groups: readonly string[];
}

export const person = (user: string, ...groups: string[]): Who => ({
  user,
  groups: ['system:authenticated', ...groups],
});
export const serviceAccount = (namespace: string, name: string): Who => ({
  user: `system:serviceaccount:${namespace}:${name}`,
  groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
});

const NAMESPACE = 'default';
const LABELS = { env: 'production' };
const DEPLOYMENT = `/apis/apps/v1/namespaces/${NAMESPACE}/deployments/${NAME}`;
const ROLLOUT_PATH = `/apis/${GROUP}/v1beta1/namespaces/${NAMESPACE}/rollouts/${ROLLOUT}`;
const MERGE = 'application/merge-patch+json';

export class Stage {
  readonly world = new World({ seed: 11, policies: true });
  private spec: ReleasePolicySpec = {};

  /** A Healthy Rollout at v1, and then the policy. */
  async start(spec: ReleasePolicySpec, steps: readonly CanaryStep[], replicas = 10): Promise<this> {
    const { world } = this;
    await world.start();
    world.webhook = false;
    await world.virtual.client.request('PATCH', `/api/v1/namespaces/${NAMESPACE}`, {
      type: MERGE,
      body: { metadata: { labels: LABELS } },
    });
    await world.createDeployment({ replicas });
    await world.createRollout(steps);
    await world.untilHealthy();
    this.spec = spec;
    await world.createPolicy('documented', spec);
    await world.run(1000);
    return this;
  }

  stop(): Promise<void> {
    return this.world.stop();
  }

  /** What is refused, and why; undefined = done. */
  async editDeployment(who: Who, change: object): Promise<string | undefined> {
    const old = this.world.deployment;
    // As an API server asks: with its defaults filled in.
    const dry = { type: MERGE, query: { dryRun: 'All' }, body: change };
    const next = (await this.world.virtual.client.request('PATCH', DEPLOYMENT, dry)) as unknown as Deployment;
    const request = readReview(aReview(next, old, asked(who)));
    const answer = await mutateWorkload(request, this.deps);
    if (answer.status) return answer.status.message;
    const scaled = validateScaleToZero({ ...request, name: NAME }, this.deps);
    if (scaled.status) return scaled.status.message;
    await this.put(DEPLOYMENT, applyOps(next, answer.patch ?? []));
    return undefined;
  }

  editRollout(who: Who, change: object): Promise<string | undefined> {
    return this.throughRollouts(who, change, ROLLOUT_PATH, {});
  }

  /** The status subresource: only the status of what is written counts. */
  editStatus(who: Who, canaryStatus: object): Promise<string | undefined> {
    return this.throughRollouts(who, { status: { canaryStatus } }, `${ROLLOUT_PATH}/status`, { subResource: 'status' });
  }

  async deleteRollout(who: Who): Promise<string | undefined> {
    const { rollout } = this.world;
    const more = { operation: 'DELETE', object: null, ...asked(who) };
    const answer = await validateRolloutRequest(readReview(aReview(rollout, rollout, more)), this.deps);
    if (answer.status) return answer.status.message;
    await this.world.deleteRollout();
    return undefined;
  }

  release(who: Who, version = 'v2', more: object = {}): Promise<string | undefined> {
    return this.editDeployment(who, { ...more, spec: { template: template(version) } });
  }

  approve(who: Who, more: object = {}): Promise<string | undefined> {
    return this.editStatus(who, { currentStepState: 'StepReady', ...more });
  }

  setSteps(who: Who, steps: readonly CanaryStep[], canary: object = {}): Promise<string | undefined> {
    return this.editRollout(who, { spec: { strategy: { canary: { steps, ...canary } } } });
  }

  /** Pods that are not of v1. */
  get updated(): number {
    return Object.entries(this.world.sizes).reduce((sum, [version, pods]) => sum + (version === 'v1' ? 0 : pods), 0);
  }

  private async throughRollouts(who: Who, change: object, path: string, more: Json): Promise<string | undefined> {
    const old = this.world.rollout;
    const request = readReview(aReview(merged(old, change), old, { ...more, ...asked(who) }));
    const first: Answer = await mutateRollout(request, this.deps);
    if (first.status) return first.status.message;
    const object = applyOps(request.object as Rollout, first.patch ?? []);
    const second = await validateRolloutRequest({ ...request, object }, this.deps);
    if (second.status) return second.status.message;
    await this.put(path, object);
    return undefined;
  }

  private put(path: string, body: object): Promise<unknown> {
    return this.world.virtual.client.request('PUT', path, { body });
  }

  private get deps(): AdmissionDeps {
    const { world } = this;
    const policies = [policy('documented', this.spec)];
    return {
      tls: { key: '', cert: '' },
      operatorUser: OPERATOR.username,
      warnings: true,
      notReady: () => undefined,
      rolloutFor: () => world.rolloutOf(),
      workloadFor: () => world.deployment,
      policy: {
        policiesFor: (namespace, workloadLabels) =>
          matching(policies, { namespace, namespaceLabels: LABELS, workloadLabels }, new Set()),
        inFlight: () => 0,
        calendar: createCalendar(),
        now: () => world.now,
      },
    };
  }
}

const asked = ({ user, groups }: Who): Json => ({ userInfo: { username: user, groups } });

/** RFC 7386. */
function merged(object: unknown, change: unknown): object {
  if (!isObject(change)) return change as object;
  const result: Record<string, unknown> = { ...(isObject(object) ? object : {}) };
  for (const [key, value] of Object.entries(change)) {
    if (value === null) delete result[key];
    else result[key] = merged(result[key], value);
  }
  return result;
}
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export const accepted = (refusal: string | undefined): void => assert.equal(refusal, undefined);
