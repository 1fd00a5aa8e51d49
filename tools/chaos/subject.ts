// A Deployment that is released during faults, from the perspective of its user: their settings and their actions.
import { setTimeout as pause } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Deployment, Rollout } from '../../src/api/types.ts';
import { Workload } from '../../test/main/workload.ts';
import { settingsOf, type Settings } from './judge.ts';
import type { Stage } from './stage.ts';
import { ROUTES, rulesOf, SERVICES } from './traffic/gateway.ts';
import type { TrafficJudge } from './traffic/judge.ts';

/** Keys that Tranche sets on a Deployment only while it is held. */
const OURS = ['tranche.dev/held', 'rollouts.kruise.io/in-progressing', 'rollouts.kruise.io/stable-revision'];
const ROLLOUTS = '/apis/rollouts.kruise.io/v1beta1/namespaces/default/rollouts';

export interface Look {
  readonly deployment: Deployment;
  readonly rollout: Rollout | undefined;
}

export class Subject extends Workload {
  private readonly stage: Stage;
  /** Watches its route, if it has one. */
  traffic: TrafficJudge | undefined;
  /** The spec as its user wrote it, without the template. */
  private written: Record<string, unknown> = {};

  constructor(stage: Stage, name: string) {
    super(stage.api, name);
    this.stage = stage;
  }

  get key(): string {
    return `default/${this.name}`;
  }

  get rolloutPath(): string {
    return `${ROLLOUTS}/${this.name}`;
  }

  /** Waits until the condition is true. Errors count as not true. */
  override async until(what: string, condition: () => Promise<boolean>, seconds?: number): Promise<void> {
    await this.stage.until(`${this.name}: ${what}`, condition, seconds);
  }

  /** Sets the expected state of the Deployment when it is not held. */
  async remember(): Promise<void> {
    this.written = specOf(await this.deployment());
  }

  /** Changes the size or the limits. Retries until the API server has certainly accepted or refused the change. */
  async edit(change: { replicas?: number; settings?: Partial<Settings> }): Promise<void> {
    const { replicas, settings } = change;
    const { judge } = this.stage.observer;
    const strategy = this.written['strategy'] as { rollingUpdate?: object };
    const { maxSurge, maxUnavailable, minReadySeconds } = settings ?? {};
    const rollingUpdate = { ...(maxSurge && { maxSurge }), ...(maxUnavailable && { maxUnavailable }) };
    const next = {
      ...this.written,
      ...(replicas === undefined ? {} : { replicas }),
      // The API server does not store a 0.
      ...(minReadySeconds === undefined ? {} : { minReadySeconds: minReadySeconds || undefined }),
      strategy: { ...strategy, rollingUpdate: { ...strategy.rollingUpdate, ...rollingUpdate } },
    };
    const wanted = settingsOf({ spec: next });
    if (settings) judge.wants(this.key, wanted);
    const spec = {
      ...(replicas === undefined ? {} : { replicas }),
      ...(minReadySeconds === undefined ? {} : { minReadySeconds }),
      ...(settings ? { strategy: { rollingUpdate } } : {}),
    };
    for (let tries = 0; ; tries++) {
      try {
        await this.patch({ spec });
        this.written = JSON.parse(JSON.stringify(next)) as typeof next;
        if (settings) judge.wantsIndeed(this.key, wanted, Date.now());
        return;
      } catch (error) {
        // An answer of the API server is certain, unless an earlier attempt without an answer has taken effect.
        const refused = tries === 0 && (error as { name?: string }).name === 'ApiError';
        if (refused && settings) judge.wantsNot(this.key, wanted);
        if (refused || tries > 300) throw error;
        await pause(300);
      }
    }
  }

  async look(): Promise<Look> {
    const rollout = await this.rollout().catch((error: { code?: number }) => {
      if (error.code === 404) return undefined;
      throw error;
    });
    return { deployment: await this.deployment(), rollout };
  }

  waits = async (step?: number): Promise<boolean> => {
    const canary = (await this.rollout()).status?.canaryStatus;
    return canary?.currentStepState === 'StepPaused' && (step === undefined || canary.currentStepIndex === step);
  };

  /** Waits until the batch of this step has started. On a slow machine it may already be done. */
  moves(step: number): Promise<void> {
    return this.until('moving', async () => (await this.deployment()).spec.paused !== true || this.waits(step));
  }

  /** Waits until this step is done and waits. Returns the elapsed seconds. */
  async stands(step: number, seconds = 60): Promise<number> {
    const what = `${this.name}: step ${step} done`;
    return this.stage
      .until(what, () => this.waits(step), seconds)
      .catch(async (error: Error) => {
        const { status } = await this.rollout();
        throw new Error(`${error.message}; status: ${status?.message}`, { cause: error });
      });
  }

  isReleased = async (image?: string): Promise<boolean> => {
    const { deployment, rollout } = await this.look();
    const { replicas, template, paused } = deployment.spec;
    const status = deployment.status ?? {};
    return (
      rollout?.status?.phase === 'Healthy' &&
      !paused &&
      OURS.every((key) => !(key in { ...deployment.metadata.labels, ...deployment.metadata.annotations })) &&
      (status.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0) &&
      [status.replicas ?? 0, status.updatedReplicas ?? 0, status.availableReplicas ?? 0].every((n) => n === replicas) &&
      (image === undefined || JSON.stringify(template).includes(`"app:${image}"`))
    );
  };

  /** Approves all steps until the release is complete, and checks that the Deployment is as its user wrote it. Returns the elapsed seconds. */
  async toEnd(image?: string, seconds = 120): Promise<number> {
    const took = await this.stage.until(
      `${this.name}: released${image ? ` to ${image}` : ''}`,
      async () => {
        if (await this.isReleased(image)) return true;
        if (await this.waits()) await this.approve();
        return false;
      },
      seconds,
    );
    await this.checkWritten();
    return took;
  }

  /** Checks T6 and T9 at the end: the route is as its user wrote it, and nothing of the release is left. */
  async checkRoute(): Promise<void> {
    const { name, stage } = this;
    const { metadata, spec } = (await stage.get(`${ROUTES}/${name}`)) as Deployment & { spec: { rules: unknown } };
    const { violations } = stage.observer.judge;
    if ((this.traffic?.samples ?? 0) === 0) violations.push(`T12: no request to ${name} was looked at`);
    if (!isDeepStrictEqual(spec.rules, rulesOf(name)))
      violations.push(`T6: route ${name} is ${JSON.stringify(spec.rules)} at the end`);
    const keys = Object.keys({ ...metadata.labels, ...metadata.annotations }).filter((key) =>
      key.startsWith('tranche.dev/'),
    );
    if (keys.length > 0) violations.push(`T9: route ${name} still has ${keys.join(', ')}`);
    const { managedFields = [] } = metadata as { readonly managedFields?: readonly { readonly manager?: string }[] };
    if (managedFields.some(({ manager }) => manager === 'tranche'))
      violations.push(`T9: tranche still manages fields of route ${name}`);
    for (const leg of [`${name}-canary`, `${name}-stable`]) {
      const found = await stage.get(`${SERVICES}/${leg}`).then(
        () => true,
        ({ code }: { code?: number }) => code !== 404,
      );
      if (found) violations.push(`T9: Service ${leg} is left`);
    }
  }

  /** Checks I5 at the end: the spec must be exactly as the user wrote it. */
  async checkWritten(): Promise<void> {
    const deployment = await this.deployment();
    const now = specOf(deployment);
    if (!isDeepStrictEqual(now, this.written))
      this.stage.observer.judge.violations.push(
        `I5: ${this.key} is ${JSON.stringify(now)} at the end, but its user wrote ${JSON.stringify(this.written)}`,
      );
    const left = OURS.filter((key) => key in { ...deployment.metadata.labels, ...deployment.metadata.annotations });
    if (left.length > 0) this.stage.observer.judge.violations.push(`I5: ${this.key} still has ${left.join(', ')}`);
  }
}

const specOf = ({ spec }: Deployment): Record<string, unknown> =>
  JSON.parse(JSON.stringify({ ...spec, template: undefined })) as Record<string, unknown>;
