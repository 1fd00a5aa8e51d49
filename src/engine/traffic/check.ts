// Checks a Rollout's traffic against its route and its Service, for admission: what cannot be routed, and warnings. The operator checks again.
import type { Route, Service, TrafficRouting } from '../../api/traffic.ts';
import type { CanaryStep, PodTemplate, Rollout } from '../../api/types.ts';
import { show, type Violation } from '../validate/violation.ts';
import { isRouted, matchesOf, pinned, routingOf, shareIn } from './plan.ts';
import type { Problem } from './provider.ts';
import { routesOf, type RouteName } from './registry.ts';
import { userRules } from './route.ts';
import { engage, isRefusal, legsIn } from './rules.ts';
import { obstacleOf } from './services.ts';
import { legName, type ApartSplit } from './split.ts';
import { usesService } from './weights.ts';

export interface RoutedFacts {
  readonly rollout: Rollout;
  /** Null if it does not exist. Undefined if it is not known: then nothing is said about it. */
  readonly route?: Route | null | undefined;
  readonly service?: Service | null | undefined;
  /** The existing Services with the names of the legs. */
  readonly legs?: readonly Service[];
  /** The Pod template of the workload. */
  readonly template?: PodTemplate | undefined;
  /** `spec.replicas` of the workload. */
  readonly replicas?: number | undefined;
}

export interface TrafficFindings {
  readonly violations: readonly Violation[];
  readonly warnings: readonly string[];
}

const STEPS = 'spec.strategy.canary.steps';
const AT = 'spec.strategy.canary.trafficRoutings[0]';

/** The Rollout itself is valid (validate.ts). */
export function checkTraffic(facts: RoutedFacts): TrafficFindings {
  const routing = routingOf(facts.rollout);
  const [name] = routing === undefined ? [] : routesOf(routing);
  if (routing === undefined || name === undefined) return { violations: [], warnings: [] };
  const violations = [...serviceErrors(routing, facts), ...routeErrors(routing, name, facts)];
  return { violations, warnings: violations.length > 0 ? [] : [...warningsOf(routing, name, facts)] };
}

function* serviceErrors({ service: value }: TrafficRouting, facts: RoutedFacts): Generator<Violation> {
  const { service, template, rollout, legs } = facts;
  const field = `${AT}.service`;
  if (service === null) {
    const reason = 'this Service does not exist';
    yield { field, value, reason, remedy: 'create it first, or write the name of the Service that the route names' };
  } else if (service !== undefined && template !== undefined) {
    const obstacle = obstacleOf(service, template, rollout, legs);
    if (obstacle !== undefined)
      yield { field, value, reason: `the Service ${obstacle.reason}`, remedy: obstacle.remedy };
  }
}

function* routeErrors(routing: TrafficRouting, name: RouteName, facts: RoutedFacts): Generator<Violation> {
  const { provider, name: value } = name;
  const { route } = facts;
  const field = `${AT}.${provider.field}`;
  const { kind } = provider.resource;
  if (route === undefined) return;
  if (route === null) {
    yield { field, value, reason: `this ${kind} does not exist`, remedy: 'create it first' };
    return;
  }
  const { service } = routing;
  const { namespace } = route.metadata;
  const rules = userRules(provider, route, service);
  const [leg] = legsIn(rules, service, namespace);
  if (leg !== undefined) {
    const reason = `the ${kind} names Service ${leg}, which is created for each release`;
    yield { field, value, reason, remedy: `in the ${kind}, name another Service` };
    return;
  }
  if (!rules.some((rule) => usesService(rule, service, namespace))) {
    const reason = `the ${kind} sends no requests to Service ${service} of its own namespace`;
    yield { field, value, reason, remedy: `write ${AT}.service as the ${kind} names it` };
    return;
  }
  // Each weight that a step or a wave may need: the smallest part has the largest weights.
  const finest = engage(provider, rules, { ...legs(routing), weight: 1 }, namespace);
  if (isRefusal(finest)) {
    yield problemAt(finest.problem, field, value, kind);
    return;
  }
  const steps = facts.rollout.spec.strategy.canary?.steps ?? [];
  for (const [index, step] of steps.entries()) {
    const matches = matchesOf(step);
    if (matches.length === 0) continue;
    const { requestHeaderModifier } = step;
    const split = { ...legs(routing), matches, ...(requestHeaderModifier && { requestHeaderModifier }) };
    const wanted = engage(provider, rules, split, namespace);
    if (isRefusal(wanted)) yield problemOf(wanted.problem, step, index, { field, value, kind });
    else if (wanted.length === rules.length) {
      const reason = `no request that ${kind} ${value} sends to Service ${service} can match`;
      yield { field: `${STEPS}[${index}].matches`, value: matches, reason, remedy: 'write matches that fit its rules' };
    }
  }
}

/** With both legs, whatever the mode of a release will be. */
const legs = (routing: TrafficRouting): ApartSplit & { readonly canary: string } => ({
  ...pinned(routing),
  canary: legName(routing.service, 'canary'),
});

const problemAt = ({ reason, remedy }: Problem, field: string, value: unknown, kind: string): Violation => ({
  field,
  value,
  reason: `the ${kind} cannot be changed for a release: ${reason}`,
  remedy,
});

function problemOf(
  problem: Problem,
  step: CanaryStep,
  index: number,
  of: { readonly field: string; readonly value: string; readonly kind: string },
): Violation {
  if (problem.about === 'route') return problemAt(problem, of.field, of.value, of.kind);
  const field = `${STEPS}[${index}].${problem.about}`;
  return problemAt(problem, field, step[problem.about], `${of.kind} ${of.value}`);
}

/** Controllers of load balancers that need longer than a proxy in the cluster, and whose policies name a Service. */
const CLOUD = /^(networking\.gke\.io|gateway\.k8s\.aws|alb\.networking\.azure\.io)\//;

function* warningsOf(
  { service, gracePeriodSeconds = 0 }: TrafficRouting,
  name: RouteName,
  facts: RoutedFacts,
): Generator<string> {
  const { rollout, route, replicas } = facts;
  const steps = rollout.spec.strategy.canary?.steps ?? [];
  const last = steps.length - 1;
  for (const [index, step] of steps.entries()) {
    const at = `tranche: ${STEPS}[${index}]`;
    const hasMatches = matchesOf(step).length > 0;
    if (hasMatches && shareIn(step) !== undefined) {
      yield `${at}.traffic: has no effect beside matches: only the requests that match go to the new version`;
    }
    const wants = hasMatches || (shareIn(step) ?? 100) < 100;
    if (replicas !== undefined && wants && !isRouted(step, replicas, index === last)) {
      yield `${at}.${hasMatches ? 'matches' : 'traffic'}: has no effect, because the step updates all Pods`;
    }
  }
  if (steps.every((step) => matchesOf(step).length === 0 && shareIn(step) === undefined)) {
    yield `tranche: ${AT}: has no effect, because no step has traffic or matches`;
  }
  const { kind } = name.provider.resource;
  const rules = route?.spec.rules ?? [];
  if (
    rules.some(
      (rule) => rule.sessionPersistence !== undefined && usesService(rule, service, rollout.metadata.namespace),
    )
  ) {
    yield `tranche: ${AT}: ${kind} ${name.name} has sessionPersistence: a client stays with its version, whatever share a step has`;
  }
  const cloud = route?.status?.parents?.find(({ controllerName = '' }) => CLOUD.test(controllerName));
  if (cloud !== undefined && gracePeriodSeconds < 30) {
    yield `tranche: ${AT}.gracePeriodSeconds: ${show(cloud.controllerName)} programs a load balancer outside the cluster, which can need a minute; write 60`;
  }
}
