// The ReleasePolicies among the objects of files, and the ones that apply to a Rollout.
import type { ReleasePolicy } from '../../api/policy.ts';
import type { Deployment, LabelSelector, Rollout } from '../../api/types.ts';
import { matching, selects, type Labels } from '../../engine/policy/policy.ts';
import type { Violation } from '../../engine/validate/violation.ts';
import { EXEMPT } from '../policies.ts';
import { isPolicy } from './objects.ts';
import type { Found } from './read.ts';

export interface FoundPolicy extends Found {
  /** Undefined if the object is too malformed to be read as a policy. */
  readonly policy: ReleasePolicy | undefined;
  readonly violations: readonly Violation[];
  readonly warnings: readonly string[];
}

/** Loads the calendar, which only policies need. */
export async function policiesAmong(objects: readonly Found[], now: number): Promise<FoundPolicy[]> {
  const found = objects.filter(isPolicy);
  if (found.length === 0) return [];
  const { checkPolicy } = await import('../../schema/policy.ts');
  const { validatePolicy } = await import('../../engine/policy/validate.ts');
  const { createCalendar } = await import('../../schedule/calendar.ts');
  return found.map((one) => {
    const { policy, violations: shape } = checkPolicy(one.object);
    const judged = policy ? validatePolicy(policy, now, createCalendar()) : { violations: [], warnings: [] };
    const said = new Set(judged.violations.map(({ field }) => field));
    const violations = [...judged.violations, ...shape.filter(({ field }) => !said.has(field))];
    return { ...one, policy, violations, warnings: judged.warnings };
  });
}

export interface Applied {
  readonly policies: readonly ReleasePolicy[];
  /** The policies for which the files do not tell whether they apply, each with what is missing. */
  readonly unknown: readonly { readonly policy: ReleasePolicy; readonly why: string }[];
}

export interface Selected {
  readonly rollout: Rollout;
  /** Undefined if it is not among the files. */
  readonly deployment: Deployment | undefined;
  /** From -n. */
  readonly namespace: string | undefined;
}

/** The policies that select the Rollout's Deployment, as far as the files tell. `objects`: all objects of the files. */
export function applied(
  policies: readonly ReleasePolicy[],
  { rollout, deployment, namespace: flag }: Selected,
  objects: readonly Found[],
): Applied {
  const namespace = rollout.metadata.namespace ?? flag;
  const written = namespace === undefined ? undefined : labelsOfNamespace(objects, namespace);
  // The API server gives this label to each namespace.
  const known = namespace === undefined ? {} : { 'kubernetes.io/metadata.name': namespace };
  const namespaceLabels = { ...written, ...known };
  const chosen: ReleasePolicy[] = [];
  const unknown: Applied['unknown'][number][] = [];
  for (const policy of policies) {
    const { namespaceSelector, workloadSelector } = policy.spec.match ?? {};
    const inNamespace = judge(namespaceSelector, namespaceLabels, written !== undefined);
    const ofWorkload = judge(workloadSelector, deployment?.metadata.labels ?? {}, deployment !== undefined);
    if (inNamespace === false || ofWorkload === false) continue;
    if (inNamespace === true && ofWorkload === true) chosen.push(policy);
    else
      unknown.push({
        policy,
        why:
          inNamespace === true
            ? `it selects workloads by labels, and ${rollout.spec.workloadRef.kind} ${rollout.spec.workloadRef.name} is not among the files`
            : namespace === undefined
              ? 'it selects namespaces by labels, and the Rollout has no namespace: write metadata.namespace, or use -n'
              : `it selects namespaces by labels, and Namespace ${namespace} is not among the files`,
      });
  }
  const workloadLabels = deployment ? [deployment.metadata.labels] : [];
  const subject = { namespace: namespace ?? '', namespaceLabels, workloadLabels };
  return { policies: matching(chosen, subject, EXEMPT), unknown };
}

/** `complete`: all labels are known. Undefined if the answer depends on an unknown label. */
function judge(selector: LabelSelector | undefined, labels: Labels & object, complete: boolean): boolean | undefined {
  const { matchLabels = {}, matchExpressions = [] } = selector ?? {};
  const parts: [key: string, part: LabelSelector][] = [
    ...Object.entries(matchLabels).map(([key, value]): [string, LabelSelector] => [
      key,
      { matchLabels: { [key]: value } },
    ]),
    ...matchExpressions.map((one): [string, LabelSelector] => [one.key, { matchExpressions: [one] }]),
  ];
  const known = parts.filter(([key]) => complete || Object.hasOwn(labels, key));
  if (!known.every(([, part]) => selects(part, labels))) return false;
  return known.length === parts.length ? true : undefined;
}

/** Undefined if the Namespace is not among the objects. */
function labelsOfNamespace(objects: readonly Found[], name: string): Labels | undefined {
  const found = objects
    .map(({ object }) => object as { kind?: unknown; metadata?: { name?: unknown; labels?: Labels } })
    .find(({ kind, metadata }) => kind === 'Namespace' && metadata?.name === name);
  return found && (found.metadata?.labels ?? {});
}
