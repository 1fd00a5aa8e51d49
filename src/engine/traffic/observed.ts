// Whether the controllers of a route have read its last change. Their proxies follow later: for this there is the grace period.
import type { ParentStatus, Route } from '../../api/traffic.ts';
import { conditionOf } from '../status.ts';
import { show } from '../validate/violation.ts';

/** Reasons of Accepted=False that do not depend on the rules of a route: this parent never served it. */
const NOT_ATTACHED = new Set([
  'NotAllowedByListeners',
  'NoMatchingListenerHostname',
  'NoMatchingParent',
  // Of Traefik: an older route of the other kind, HTTPRoute or GRPCRoute, has the hostname.
  'HostnameConflict',
]);

type ParentCondition = NonNullable<ParentStatus['conditions']>[number];

const isAttached = (parent: ParentStatus): boolean => {
  const accepted = conditionOf(parent.conditions, 'Accepted');
  return !(accepted?.status === 'False' && NOT_ATTACHED.has(accepted.reason ?? ''));
};

/** What is not observed yet, or why the route is not accepted, for a message. Undefined if every parent that serves it accepts the route as it is. */
export function pendingOn(route: Route): string | undefined {
  const { kind = 'route', metadata, status } = route;
  const parents = status?.parents ?? [];
  const attached = parents.filter(isAttached);
  const name = `${kind} ${metadata.name}`;
  if (parents.length === 0) return `no Gateway has accepted ${name}`;
  for (const parent of attached.length > 0 ? attached : parents) {
    const pending = pendingOf(parent, metadata.generation ?? 0, name);
    if (pending !== undefined) return pending;
  }
  return undefined;
}

function pendingOf(parent: ParentStatus, generation: number, name: string): string | undefined {
  const { kind = 'Gateway', name: of = '' } = parent.parentRef ?? {};
  const who = `${show(kind).slice(1, -1)} ${show(of)} (${show(parent.controllerName ?? '')})`;
  for (const type of ['Accepted', 'ResolvedRefs']) {
    const found = conditionOf(parent.conditions, type);
    if (found === undefined || (found.observedGeneration ?? 0) < generation) {
      return `${who} has not read generation ${generation} of ${name} yet`;
    }
    if (found.status !== 'True') return `${who} says of ${name}: ${told(found)}`;
  }
  const partly = conditionOf(parent.conditions, 'PartiallyInvalid');
  return partly?.status === 'True' ? `${who} says of ${name}: ${told(partly)}` : undefined;
}

const told = ({ type, status, reason = '', message = '' }: ParentCondition): string =>
  `${show(`${type}=${status}`).slice(1, -1)}, ${show(`${reason}: ${message}`)}`;
