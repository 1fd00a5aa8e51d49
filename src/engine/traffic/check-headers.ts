// Checks a TrafficRouting against its route and its Service, for admission.
import type { Route, Service } from '../../api/traffic.ts';
import type { Violation } from '../validate/violation.ts';
import type { RouteName } from './registry.ts';
import { userRules } from './route.ts';
import { engage, isRefusal } from './rules.ts';
import type { HeaderSplit } from './split.ts';
import { usesService } from './weights.ts';

export interface RoutedObjectsFound {
  /** Undefined if they do not exist. */
  readonly route: Route | undefined;
  readonly service: Service | undefined;
}

export function checkHeaders(
  { provider, name, split }: RouteName & { readonly split: HeaderSplit },
  { route, service }: RoutedObjectsFound,
): { readonly violations: readonly Violation[]; readonly warnings: readonly string[] } {
  const { kind } = provider.resource;
  const missing = (what: string): string =>
    `tranche: ${what} does not exist: no request gets other headers until it is created`;
  const warnings = [
    ...(route === undefined ? [missing(`${kind} ${name}`)] : []),
    ...(service === undefined ? [missing(`Service ${split.base}`)] : []),
  ];
  if (route === undefined) return { violations: [], warnings };
  const { namespace } = route.metadata;
  const rules = userRules(provider, route, split.base);
  const refuse = (field: string, value: unknown, reason: string, remedy: string) => ({
    violations: [{ field, value, reason, remedy }],
    warnings,
  });
  if (!rules.some((rule) => usesService(rule, split.base, namespace))) {
    const reason = `the ${kind} sends no requests to Service ${split.base} of its own namespace`;
    return refuse(`spec.objectRef[0].${provider.field}`, name, reason, `write the Service as the ${kind} names it`);
  }
  const made = engage(provider, rules, split, namespace);
  if (isRefusal(made)) {
    const { about, reason, remedy } = made.problem;
    const field = about === 'requestHeaderModifier' ? 'requestHeaderModifier' : 'matches';
    return refuse(`spec.strategy.${field}`, split[field], `the ${kind} cannot be changed: ${reason}`, remedy);
  }
  if (made.length > rules.length) return { violations: [], warnings };
  const reason = `no request that ${kind} ${name} sends to Service ${split.base} can match`;
  return refuse('spec.strategy.matches', split.matches, reason, 'write matches that fit its rules');
}
