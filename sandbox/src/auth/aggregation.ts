// The controller for ClusterRoles with an aggregationRule: collects the rules of all selected ClusterRoles.
import { same } from '../core/objects.ts';
import { labelSelectorOf, matchesLabels } from '../core/select.ts';
import { ApiError, type Client, type Clock, type KubeObject, type WatchEvent } from '../core/types.ts';
import { RBAC } from './rbac.ts';
import type { PolicyRule } from './rules.ts';

const RETRY_MS = 1000;

/** Runs until the returned function is called. */
export const startAggregation = (client: Client, clock: Clock): (() => void) => {
  const roles = new Map<string, KubeObject>();
  let planned: (() => void) | undefined;
  let busy = false;
  let stopped = false;

  const plan = (ms: number): void => {
    if (!stopped) planned ??= clock.after(ms, run);
  };
  const run = (): void => {
    planned = undefined;
    if (busy) return plan(RETRY_MS);
    busy = true;
    void fillAll().then((done) => {
      busy = false;
      if (!done) plan(RETRY_MS);
    });
  };
  const fillAll = async (): Promise<boolean> => {
    let done = true;
    for (const role of [...roles.values()]) {
      if (!role.aggregationRule) continue;
      const rules = gather(role, roles);
      if (same(rules, role.rules ?? [])) continue;
      try {
        await client.request('PUT', `/apis/${RBAC}/v1/clusterroles/${encodeURIComponent(role.metadata.name)}`, {
          body: { ...role, rules },
        });
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        done = false; // changed meanwhile, or gone: look again
      }
    }
    return done;
  };

  const unwatch = client.watch({ group: RBAC, resource: 'clusterroles' }, (event: WatchEvent) => {
    if (event.type === 'DELETED') roles.delete(event.object.metadata.name);
    else roles.set(event.object.metadata.name, event.object);
    plan(0);
  });
  return () => {
    stopped = true;
    planned?.();
    unwatch();
  };
};

/** The rules of the matching roles without duplicates, sorted by role name. */
const gather = (target: KubeObject, roles: ReadonlyMap<string, KubeObject>): PolicyRule[] => {
  const found: PolicyRule[] = [];
  for (const selector of target.aggregationRule.clusterRoleSelectors ?? []) {
    const parsed = labelSelectorOf(selector);
    const names = [...roles.keys()].filter((name) => name !== target.metadata.name).sort();
    for (const name of names) {
      const role = roles.get(name)!;
      if (!matchesLabels(parsed, role.metadata.labels)) continue;
      for (const rule of (role.rules ?? []) as PolicyRule[]) {
        if (!found.some((other) => same(other, rule))) found.push(rule);
      }
    }
  }
  return found;
};
