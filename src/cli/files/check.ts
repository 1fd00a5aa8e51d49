// Validates the objects of files as the webhook does, and finds the lines of errors.
import { rolloutV1alpha1, rolloutV1beta1 } from '../../api/schema/rollout.ts';
import { releasePolicy } from '../../api/schema/policy.ts';
import { trafficRouting } from '../../api/schema/traffic.ts';
import type { Deployment, Rollout } from '../../api/types.ts';
import { rivals } from '../../engine/admit/routing.ts';
import { judgeRolloutEdit } from '../../engine/admit/rollout-policy.ts';
import { nameInVersion, validateRollout } from '../../engine/validate/rollout.ts';
import { unknownFields } from '../../engine/validate/unknown.ts';
import { sentence, type Violation } from '../../engine/validate/violation.ts';
import { sha256 } from '../../kube/digest.ts';
import { asDeployment, asRollout, releases, routedIn, sameNamespace, type FoundRollout } from './objects.ts';
import { applied, policiesAmong, type FoundPolicy, type Selected } from './policies.ts';
import type { Contents, Found, Place } from './read.ts';
import { routingsAmong } from './routings.ts';

const SCHEMAS = { v1alpha1: rolloutV1alpha1, v1beta1: rolloutV1beta1 };

export interface Finding extends Place {
  /** `note`: something was not checked. */
  readonly level: 'error' | 'warning' | 'note';
  readonly message: string;
}

/** `namespace`: from -n, for Rollouts without one. */
export async function checkContents(
  { objects, mistakes }: Contents,
  now: number,
  namespace?: string,
): Promise<{ findings: Finding[]; checked: number }> {
  const rollouts = objects.map(asRollout).filter((found) => found !== undefined);
  const deployments = objects.map(asDeployment).filter((found) => found !== undefined);
  const policies = await policiesAmong(objects, now);
  const findings: Finding[] = mistakes.map(({ place, message }) => ({ ...place, level: 'error', message }));
  const seen: Rollout[] = [];
  for (const found of rollouts) {
    const own = lintRollout(found, seen, deployments, objects);
    findings.push(...own);
    const { rollout } = found.shape;
    if (rollout) seen.push(rollout);
    if (!rollout || own.some(({ level }) => level === 'error')) continue;
    const deployment = deployments.find((one) => releases(rollout, one));
    findings.push(...applyPolicies(found, { rollout, deployment, namespace }, policies, objects, now));
  }
  for (const { violations, warnings, ...found } of policies)
    findings.push(...findingsOf(found, violations, [...warnings, ...unknownFields(found.object, releasePolicy)]));
  const routings = routingsAmong(objects, seen);
  for (const { violations, warnings, ...found } of routings)
    findings.push(...findingsOf(found, violations, [...warnings, ...unknownFields(found.object, trafficRouting)]));
  const order = new Map(findings.map(({ file }, i) => [file, i]));
  const placeOf = ({ file }: Finding): number => order.get(file) ?? 0;
  findings.sort((a, b) => placeOf(a) - placeOf(b) || a.line - b.line || a.column - b.column);
  return { findings, checked: rollouts.length + policies.length + routings.length };
}

function lintRollout(
  found: FoundRollout,
  before: readonly Rollout[],
  deployments: readonly Deployment[],
  objects: readonly Found[],
): Finding[] {
  const { version, shape, object } = found;
  const { rollout } = shape;
  const name = rollout?.spec.workloadRef.name;
  const other = rollout && before.find((one) => one.spec.workloadRef.name === name && sameNamespace(one, rollout));
  const deployment = rollout && deployments.find((one) => releases(rollout, one));
  const routed = rollout && routedIn(objects, rollout);
  const judged = rollout
    ? validateRollout({ rollout, version, other, deployment, routed })
    : { violations: [], warnings: [] };
  const twins = rollout
    ? [
        ...rivals(
          rollout,
          before.filter((one) => sameNamespace(one, rollout)),
        ),
      ]
    : [];
  const said = new Set(judged.violations.map(({ field }) => field));
  const violations = [
    ...judged.violations,
    ...twins.map((violation) => nameInVersion(version, violation)),
    ...shape.violations.map((violation) => nameInVersion(version, violation)).filter(({ field }) => !said.has(field)),
  ];
  return findingsOf(found, violations, [...judged.warnings, ...unknownFields(object, SCHEMAS[version])]);
}

/** What the webhook says when the Rollout is created under the policies among the files. */
function applyPolicies(
  found: FoundRollout,
  selected: Selected,
  policies: readonly FoundPolicy[],
  objects: readonly Found[],
  now: number,
): Finding[] {
  const usable = policies.filter(({ violations }) => violations.length === 0);
  const known = usable.map(({ policy }) => policy).filter((policy) => policy !== undefined);
  const { policies: chosen, unknown } = applied(known, selected, objects);
  const { rollout, deployment } = selected;
  const by = { request: '', user: '', groups: [], fieldManager: '', dryRun: true };
  const facts = { deployment, by, policies: chosen, now, sha256 };
  const said = judgeRolloutEdit({ ...facts, phase: 'validate', old: undefined, next: rollout });
  const notes = unknown.map(({ policy, why }): Finding => {
    const { place } = usable.find((one) => one.policy === policy)!;
    const message = `the policy is not applied to Rollout ${rollout.metadata.name}: ${why}`;
    return { ...place('spec.match'), level: 'note', message };
  });
  const violations = said.violations.map((violation) => nameInVersion(found.version, violation));
  return [...findingsOf(found, violations, said.warnings), ...notes];
}

function findingsOf(found: Found, violations: readonly Violation[], warnings: readonly string[]): Finding[] {
  return [
    ...violations.map((violation): Finding => {
      return { ...found.place(violation.field), level: 'error', message: sentence(violation) };
    }),
    ...warnings.map((text): Finding => {
      const message = text.replace(/^tranche: /, '');
      return { ...found.place(fieldIn(message)), level: 'warning', message };
    }),
  ];
}

/** The field at the start of a warning or of a policy's finding, or the unknown field that it quotes. */
const fieldIn = (message: string): string => {
  const [, quoted, first] =
    /^unknown field "([^"]+)"|^(?:policy \S+ warns: )?((?:spec|metadata)[^\s:]*)/.exec(message) ?? [];
  return quoted ?? first ?? 'spec';
};
