// What the judge of traffic knows: the stored objects of one route, its Rollout and its Deployment, and the release that goes on. It imports nothing of src/.
import { settingsOf, targetOf, templateText, type Settings } from '../judge.ts';
import * as read from './read.ts';

/* eslint-disable @typescript-eslint/no-explicit-any -- raw objects of the API server */

export interface Names {
  /** Name of the user's Service, of the route and of the Deployment. */
  readonly name: string;
  readonly rollout: string;
}

const HELD = 'tranche.dev/held';
const EXACT = 1e-9;

export interface PodFile {
  readonly object: any;
  /** When it stops to serve. Infinity while it serves. Undefined if it was never ready. */
  readonly servesUntil: number | undefined;
}

export class Known {
  readonly legs: readonly string[];
  route: any;
  rollout: any;
  deployment: any;
  /** The user's limits. */
  settings: Settings | undefined;
  /** The hash of the version that was there before the release. */
  stable: string | undefined;
  /** The versions are apart in this release: a step has matches, or asks for less than the share of its Pods. */
  isApart = false;
  readonly services = new Map<string, any>();
  readonly slices = new Map<string, any>();
  /** ReplicaSets by their template. */
  readonly sets = new Map<string, any>();
  readonly pods = new Map<string, PodFile>();
  private template = '';

  constructor({ name }: Names) {
    this.legs = [`${name}-canary`, `${name}-stable`];
  }

  get isHeld(): boolean {
    return this.deployment?.metadata.annotations?.[HELD] !== undefined;
  }

  get replicas(): number {
    return this.deployment?.spec.replicas ?? 1;
  }

  /** The ReplicaSet of the version that the Deployment asks for. */
  get newSet(): any {
    return this.sets.get(this.template);
  }

  /** The hash of the version that the Deployment asks for. */
  get newHash(): string | undefined {
    return this.newSet && read.hashOf(this.newSet);
  }

  get canary(): any {
    return this.rollout?.status?.canaryStatus;
  }

  get steps(): any[] {
    return this.rollout?.spec.strategy?.canary?.steps ?? [];
  }

  get index(): number {
    return this.canary?.currentStepIndex ?? 0;
  }

  /** The share that the step asks for. */
  get asked(): number | undefined {
    return read.askedBy(this.steps[this.index - 1]);
  }

  /** The Rollout wants to release in steps, and the release is in a step with traffic or matches. */
  get isRouted(): boolean {
    const { rollout } = this;
    const wants = rollout && !rollout.metadata.deletionTimestamp && rollout.spec.disabled !== true;
    return wants && this.canary !== undefined && this.index < this.steps.length && this.asked !== undefined;
  }

  /**
   * The template is the stable one again, of which all Pods still run. The Deployment controller then deletes all other Pods, even if the Deployment
   * is paused. `before`: the hash of the version that the Deployment asked for.
   */
  isFullAgain(before: string | undefined): boolean {
    const isBack = this.isHeld && this.newHash === this.stable && before !== this.stable;
    return isBack && this.newSet !== undefined && (this.newSet.spec.replicas ?? 1) >= this.replicas;
  }

  seeSet(set: any, isGone: boolean): void {
    put(this.sets, templateText(set.spec.template), isGone ? undefined : set);
  }

  /** Returns what happened: a release began, or the Deployment was given back. */
  seeDeployment(deployment: any): 'Held' | 'Freed' | undefined {
    const { isHeld: wasHeld, template: before } = this;
    this.deployment = deployment;
    if (deployment === undefined) return undefined;
    this.template = templateText(deployment.spec.template);
    if (!this.isHeld) this.settings = settingsOf(deployment);
    if (wasHeld === this.isHeld) return undefined;
    if (wasHeld) return 'Freed';
    this.stable = this.sets.has(before) ? read.hashOf(this.sets.get(before)) : undefined;
    this.isApart = this.steps.slice(0, -1).some((step) => {
      const asked = read.askedBy(step);
      if (asked === undefined) return false;
      return (step.matches ?? []).length > 0 || asked * this.replicas + EXACT < targetOf(step, this.replicas);
    });
    return 'Held';
  }
}

export function put(map: Map<string, any>, key: string, object: any): void {
  if (object === undefined) map.delete(key);
  else map.set(key, object);
}
