// Validates the objects of files as the webhook does, and finds the lines of errors.
import { OWN_GROUP } from '../../api/keys.ts';
import { rolloutV1alpha1, rolloutV1beta1 } from '../../api/schema/rollout.ts';
import type { Deployment, Rollout } from '../../api/types.ts';
import { nameInVersion, validateRollout } from '../../engine/validate/rollout.ts';
import { unknownFields } from '../../engine/validate/unknown.ts';
import { sentence, type Violation } from '../../engine/validate/violation.ts';
import { asDeployment, asRollout, releases, sameNamespace, type FoundRollout } from './objects.ts';
import type { Contents, Found, Place } from './read.ts';

const SCHEMAS = { v1alpha1: rolloutV1alpha1, v1beta1: rolloutV1beta1 };

export interface Finding extends Place {
  readonly level: 'error' | 'warning';
  readonly message: string;
}

export async function checkContents(
  { objects, mistakes }: Contents,
  now: number,
): Promise<{ findings: Finding[]; checked: number }> {
  const rollouts = objects.map(asRollout).filter((found) => found !== undefined);
  const deployments = objects.map(asDeployment).filter((found) => found !== undefined);
  const findings: Finding[] = mistakes.map(({ place, message }) => ({ ...place, level: 'error', message }));
  const seen: Rollout[] = [];
  for (const found of rollouts) {
    findings.push(...lintRollout(found, seen, deployments));
    if (found.shape.rollout) seen.push(found.shape.rollout);
  }
  const policies = objects.filter(isPolicy);
  for (const found of policies) findings.push(...(await lintPolicy(found, now)));
  const order = new Map(findings.map(({ file }, i) => [file, i]));
  const placeOf = ({ file }: Finding): number => order.get(file) ?? 0;
  findings.sort((a, b) => placeOf(a) - placeOf(b) || a.line - b.line || a.column - b.column);
  return { findings, checked: rollouts.length + policies.length };
}

function lintRollout(found: FoundRollout, before: readonly Rollout[], deployments: readonly Deployment[]): Finding[] {
  const { version, shape, object } = found;
  const { rollout } = shape;
  const name = rollout?.spec.workloadRef.name;
  const other = rollout && before.find((one) => one.spec.workloadRef.name === name && sameNamespace(one, rollout));
  const deployment = rollout && deployments.find((one) => releases(rollout, one));
  const judged = rollout ? validateRollout({ rollout, version, other, deployment }) : { violations: [], warnings: [] };
  const said = new Set(judged.violations.map(({ field }) => field));
  const violations = [
    ...judged.violations,
    ...shape.violations.map((violation) => nameInVersion(version, violation)).filter(({ field }) => !said.has(field)),
  ];
  return findingsOf(found, violations, [...judged.warnings, ...unknownFields(object, SCHEMAS[version])]);
}

const isPolicy = ({ object }: Found): boolean =>
  object['kind'] === 'ReleasePolicy' && String(object['apiVersion']).startsWith(`${OWN_GROUP}/`);

/** Loads the calendar, which only policies need. */
async function lintPolicy(found: Found, now: number): Promise<Finding[]> {
  const { checkPolicy } = await import('../../schema/policy.ts');
  const { validatePolicy } = await import('../../engine/policy/validate.ts');
  const { createCalendar } = await import('../../schedule/calendar.ts');
  const { releasePolicy } = await import('../../api/schema/policy.ts');
  const { policy, violations: shape } = checkPolicy(found.object);
  const judged = policy ? validatePolicy(policy, now, createCalendar()) : { violations: [], warnings: [] };
  const said = new Set(judged.violations.map(({ field }) => field));
  return findingsOf(
    found,
    [...judged.violations, ...shape.filter(({ field }) => !said.has(field))],
    [...judged.warnings, ...unknownFields(found.object, releasePolicy)],
  );
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

/** The field at the start of a warning, or the unknown field that it quotes. */
const fieldIn = (message: string): string => {
  const [, quoted, first] = /^unknown field "([^"]+)"|^((?:spec|metadata)[^\s:]*)/.exec(message) ?? [];
  return quoted ?? first ?? 'spec';
};
