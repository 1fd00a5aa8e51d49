// What others do to the objects of the demo while it runs: the difference between what the demo asked for and what it sees. Pure.
import { HELD, ROLLOUT_ID } from '../../src/api/keys.ts';
import type { Deployment } from '../../src/api/types.ts';
import { versionIn, type Glance, type PodSpec } from '../e2e/observe.ts';
import { IMAGE } from './walkthrough.ts';

/** What people can change in another window. */
export interface Sight {
  /** What the Pod template has. Undefined: there is no Deployment. */
  readonly version: string | undefined;
  readonly replicas: number;
  readonly hasRollout: boolean;
  readonly isPaused: boolean;
  readonly isDisabled: boolean;
  readonly inFlight: boolean;
  /** The step of the release in flight. 0: the status is not about it yet, or there is none. */
  readonly step: number;
}

/** Of the demo's Rollout. */
const STEPS = 3;

export function sightOf({ deployment, rollout }: Glance): Sight {
  const status = rollout?.status?.canaryStatus;
  const inFlight = deployment?.metadata.annotations?.[HELD] !== undefined;
  const isAboutIt = status !== undefined && status.observedRolloutID === deployment?.metadata.labels?.[ROLLOUT_ID];
  return {
    version: deployment && versionOf(deployment),
    replicas: deployment?.spec.replicas ?? 0,
    hasRollout: rollout !== undefined && rollout.metadata.deletionTimestamp === undefined,
    isPaused: rollout?.spec.strategy.paused === true,
    isDisabled: rollout?.spec.disabled === true,
    inFlight,
    step: inFlight && isAboutIt ? status.currentStepIndex : 0,
  };
}

/** VERSION, and what somebody has changed in the Pod template besides. */
function versionOf({ spec: { template } }: Deployment): string {
  const spec = template.spec as unknown as PodSpec;
  const image = spec.containers[0]?.image ?? '(none)';
  const isRestarted = template.metadata?.annotations?.[RESTARTED] !== undefined;
  return [versionIn(spec), ...(image === IMAGE ? [] : [`image ${image}`]), ...(isRestarted ? ['restarted'] : [])].join(
    ', ',
  );
}
const RESTARTED = 'kubectl.kubernetes.io/restartedAt';

const NOTHING: Sight = {
  version: undefined,
  replicas: 0,
  hasRollout: false,
  isPaused: false,
  isDisabled: false,
  inFlight: false,
  step: 0,
};

export class Others {
  /** The version that runs, apart from a release in flight. */
  stable = '';
  /** What there is if nobody but the demo does anything. `step`: the last one that the demo has asked for. */
  #expected: Sight = NOTHING;
  /** The step that was seen last of the release in flight. */
  #step = 0;

  /** The demo is about to do this itself. */
  expect(change: Partial<Sight>): void {
    this.#expected = { ...this.#expected, ...change };
  }

  /** Compares what is seen with what is expected. Returns a sentence for each thing that others did; from then on, it is expected. */
  follow(seen: Sight): string[] {
    const expected = this.#expected;
    const news = [...newsOfObjects(seen, expected), ...this.#newsOfRelease(seen, expected)];
    const isSame = seen.version === expected.version && seen.inFlight;
    const isOurs = isSame && seen.step <= expected.step && !this.#wentBack(seen);
    this.#expected = { ...seen, step: isOurs ? expected.step : seen.step };
    this.#step = isSame && seen.step === 0 ? this.#step : seen.step;
    if (!seen.inFlight && seen.version !== undefined) this.stable = seen.version;
    return news;
  }

  #newsOfRelease(seen: Sight, expected: Sight): string[] {
    if (seen.version === undefined || expected.version === undefined) return [];
    if (seen.version !== expected.version)
      return seen.version === this.stable
        ? [`somebody aborted the release of ${expected.version}: the Deployment has ${seen.version} again`]
        : [`somebody changed the Pod template to ${seen.version}`];
    if (expected.step === 0) return [];
    if (!seen.inFlight)
      return expected.step < STEPS && seen.hasRollout && !seen.isDisabled
        ? [`somebody took the release of ${seen.version} to its end`]
        : [];
    if (this.#wentBack(seen)) return [`somebody took the release back to step ${seen.step}`];
    if (seen.step <= expected.step) return [];
    return seen.step === expected.step + 1
      ? [`somebody approved step ${expected.step}`]
      : [`somebody took the release from step ${expected.step} to step ${seen.step}`];
  }

  #wentBack(seen: Sight): boolean {
    return seen.step > 0 && seen.step < this.#step;
  }
}

function newsOfObjects(seen: Sight, expected: Sight): string[] {
  const news: string[] = [];
  if (expected.version !== undefined && seen.version === undefined) news.push('somebody deleted the Deployment');
  if (expected.version !== undefined && seen.version !== undefined && seen.replicas !== expected.replicas)
    news.push(`somebody scaled the Deployment from ${expected.replicas} to ${seen.replicas} replicas`);
  if (!expected.hasRollout) return news;
  if (!seen.hasRollout) return [...news, 'somebody deleted the Rollout'];
  if (seen.isPaused !== expected.isPaused) news.push(`somebody ${seen.isPaused ? 'paused' : 'resumed'} the Rollout`);
  if (seen.isDisabled !== expected.isDisabled)
    news.push(`somebody ${seen.isDisabled ? 'disabled' : 'enabled'} the Rollout`);
  return news;
}
