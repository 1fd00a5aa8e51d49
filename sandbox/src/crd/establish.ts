// The conditions of a definition: NamesAccepted and Established.
import type { KubeObject } from '../core/types.ts';
import { deepEqual } from '../patch/values.ts';
import { isTrue, specOf } from './definition.ts';
import type { Condition, DefinitionStatus } from './definition.ts';

/** The accepted names of other definitions in the same group. */
export type Others = KubeObject[];

/** The status after the check of the names. Undefined if nothing changes. */
export function establish(crd: KubeObject, now: string, others: Others = []): KubeObject | undefined {
  const { names, group } = specOf(crd);
  const before = crd['status'] as DefinitionStatus;
  const taken = others
    .filter((other) => specOf(other).group === group && other.metadata.name !== crd.metadata.name)
    .map((other) => (other['status'] as DefinitionStatus).acceptedNames);
  const resources = new Set(taken.flatMap((t) => [t.plural, t.singular, ...(t.shortNames ?? [])]));
  const kinds = new Set(taken.flatMap((t) => [t.kind, t.listKind]));
  const accepted = before.acceptedNames;
  const inUse = (name: string | undefined, was: string | undefined, used: Set<string | undefined>): boolean =>
    name !== was && used.has(name);
  const conflicts: [string, string][] = [];
  const check = (
    reason: string,
    name: string | undefined,
    was: string | undefined,
    used: Set<string | undefined>,
  ): void => {
    if (inUse(name, was, used)) conflicts.push([reason, `"${name}" is already in use`]);
  };
  check('PluralConflict', names.plural, accepted.plural, resources);
  check('SingularConflict', names.singular, accepted.singular, resources);
  const shortNames = (names.shortNames ?? []).filter(
    (name) => !accepted.shortNames?.includes(name) && inUse(name, '', resources),
  );
  if (shortNames.length) {
    const texts = shortNames.map((name) => `"${name}" is already in use`);
    conflicts.push(['ShortNamesConflict', texts.length > 1 ? `[${texts.join(', ')}]` : texts[0]!]);
  }
  check('KindConflict', names.kind, accepted.kind, kinds);
  check('ListKindConflict', names.listKind, accepted.listKind, kinds);
  const [reason, message] = conflicts.at(-1) ?? ['NoConflicts', 'no conflicts found'];
  const namesAccepted: Condition = {
    type: 'NamesAccepted',
    status: conflicts.length ? 'False' : 'True',
    reason,
    message,
  };
  const wasEstablished = isTrue(crd, 'Established');
  const established: Condition =
    conflicts.length && !wasEstablished
      ? { type: 'Established', status: 'False', reason: 'NotAccepted', message: 'not all names are accepted' }
      : {
          type: 'Established',
          status: 'True',
          reason: 'InitialNamesAccepted',
          message: 'the initial names have been accepted',
        };
  const status: DefinitionStatus = {
    ...before,
    acceptedNames: conflicts.length ? accepted : names,
    conditions: [namesAccepted, established].reduce<Condition[]>(
      (conditions, condition) => withCondition(conditions, condition, now),
      before.conditions ?? [],
    ),
  };
  return deepEqual(status, before) ? undefined : { ...crd, status };
}

/** Adds or replaces a condition. lastTransitionTime changes only with the status. */
export function withCondition(conditions: Condition[], condition: Condition, now: string): Condition[] {
  const old = conditions.find(({ type }) => type === condition.type);
  const lastTransitionTime = old?.status === condition.status ? (old.lastTransitionTime ?? now) : now;
  const next = { lastTransitionTime, ...condition };
  return old ? conditions.map((each) => (each === old ? next : each)) : [...conditions, next];
}
