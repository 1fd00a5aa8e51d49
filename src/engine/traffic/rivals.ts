// Which of several Rollouts has a route, or a Service. Admission refuses the others. Two that are created at the same time may both pass, so the operator decides again.
import { ROLLOUT_RESOURCE } from '../../api/keys.ts';
import { SERVICES } from '../../api/resources.ts';
import type { Rollout } from '../../api/types.ts';
import { namespaceFlag } from '../lib/text.ts';
import { olderFirst, ownerOf } from '../release/governing-rollout.ts';
import { askOf } from './aims.ts';
import type { TrafficAsk } from './facts.ts';
import { knownTraffic } from './known.ts';
import { namesIn, sameNames } from './registry.ts';

/** The Rollout that has a route or a Service, and what to do. */
export interface Rival {
  readonly name: string;
  /** Name of its Service. */
  readonly service: string;
  readonly about: 'route' | 'service';
  readonly reason: string;
  readonly remedy: string;
}

const sameRoute = (a: TrafficAsk, b: TrafficAsk): boolean => sameNames({ ...a, service: '' }, { ...b, service: '' });

/** The Rollouts among these that have the route or the Service. `namesOf`: what a Rollout changes. */
export function* rivalsOf(
  rollout: Rollout,
  names: TrafficAsk,
  others: readonly Rollout[],
  namesOf: (other: Rollout) => TrafficAsk | undefined,
): Generator<Rival> {
  const say = (about: Rival['about'], what: string, holds: (of: TrafficAsk) => boolean): Rival[] => {
    const rival = ownerOf(
      others.filter((other) => {
        const theirs = namesOf(other);
        return theirs !== undefined && holds(theirs);
      }),
    );
    if (rival === undefined) return [];
    const { name } = rival.metadata;
    const reason = `already routed by Rollout ${name}`;
    const remedy = `write another ${what}, or delete that Rollout first: kubectl delete ${ROLLOUT_RESOURCE} ${name}${namespaceFlag(rollout)}`;
    return [{ name, service: namesOf(rival)?.service ?? '', about, reason, remedy }];
  };
  yield* say('route', names.route.resource.kind, (of) => sameRoute(names, of));
  yield* say('service', SERVICES.kind, (of) => of.service === names.service);
}

/**
 * The older Rollout that has the route or the Service of a release. The order is that of `ownerOf`. A Rollout that is being deleted counts as long as
 * something of it may be left.
 */
export function rivalOf(rollout: Rollout, routers: readonly Rollout[] = []): Rival | undefined {
  const names = askOf(rollout);
  if (names === undefined || routers.length === 0) return undefined;
  const older = routers.filter(
    (other) =>
      other.metadata.uid !== rollout.metadata.uid &&
      olderFirst(other, rollout) < 0 &&
      (other.metadata.deletionTimestamp === undefined || knownTraffic(other.status?.canaryStatus) !== undefined),
  );
  const [rival] = rivalsOf(rollout, names, older, askOf);
  return rival;
}

/** Keys of the index of Rollouts by what they route: `<namespace>/<kind>/<name>`. */
export function routedKeys(rollout: Rollout): string[] {
  const names = namesIn(rollout);
  const { namespace = '' } = rollout.metadata;
  if (names === undefined || typeof names.service !== 'string') return [];
  const { route, service } = names;
  return [`${namespace}/${route.resource.kind}/${route.name}`, `${namespace}/${SERVICES.kind}/${service}`];
}
