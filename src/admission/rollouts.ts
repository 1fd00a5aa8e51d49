// The webhooks for Rollouts and their status: what is wrong is refused, what a client dropped is put back.
import { convertRollout, type Version } from '../api/convert.ts';
import { GROUP } from '../api/keys.ts';
import { rolloutV1alpha1, rolloutV1beta1 } from '../api/schema/rollout.ts';
import type { Rollout } from '../api/types.ts';
import { isOperators } from '../engine/intercept.ts';
import { adviseOnLeaving } from '../engine/validate-advice.ts';
import { isApproval, restoreDropped, validateStatusWrite } from '../engine/validate-status.ts';
import { unknownFields } from '../engine/validate-unknown.ts';
import { nameInVersion, validateRollout } from '../engine/validate.ts';
import type { Violation } from '../engine/validate-violation.ts';
import { checkRollout } from '../shapes/rollout.ts';
import type { AdmissionDeps } from './deps.ts';
import { BadRequest, parseJson } from './json.ts';
import { pass, refuse, refuseNotReady, type Answer } from './review.ts';
import type { AdmissionRequest } from './shapes.ts';

type Json = Readonly<Record<string, unknown>>;

const SCHEMAS = { v1alpha1: rolloutV1alpha1, v1beta1: rolloutV1beta1 };
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/** Called before the API server looks at the schema, so that a user reads everything that is wrong, in our words. */
export function mutateRollout(request: AdmissionRequest, deps: AdmissionDeps): Answer {
  if (request.subResource !== 'status') return judgeRollout(request, deps);
  if (request.operation !== 'UPDATE' || byOperator(request, deps)) return pass;
  const [old, next] = [asObject(request, 'oldObject'), asObject(request, 'object')];
  const status = restoreDropped(old['status'], next['status']);
  if (JSON.stringify(status) === JSON.stringify(next['status'])) return pass;
  return { verdict: 'Kept', patch: [{ op: 'add', path: '/status', value: status }] };
}

export function validateRolloutRequest(request: AdmissionRequest, deps: AdmissionDeps): Answer | Promise<Answer> {
  return request.subResource === 'status' ? judgeStatus(request, deps) : judgeRollout(request, deps);
}

function judgeRollout(request: AdmissionRequest, deps: AdmissionDeps): Answer {
  const { operation, subResource } = request;
  if (operation === 'DELETE') return adviseOnDeletion(request, deps);
  if (subResource || (operation !== 'CREATE' && operation !== 'UPDATE') || byOperator(request, deps)) return pass;
  const object = asObject(request, 'object');
  const version = asVersion(request.requestKind?.version ?? request.kind.version);
  const old = operation === 'UPDATE' ? toStored(asObject(request, 'oldObject')) : undefined;
  const stored = toStored(object);
  const { rollout, violations: shape } = checkRollout(stored, 'v1beta1');
  // What is stored already, or is on its way out, is not judged by its shape: its finalizers and labels must stay editable.
  const judged = old !== undefined && JSON.stringify(old['spec']) === JSON.stringify(stored['spec']) ? [] : shape;
  if (rollout === undefined) return judged.length > 0 ? refuseNamed(version, judged) : pass;
  if (rollout.metadata.deletionTimestamp != null) return pass;
  const missing = deps.notReady();
  if (missing !== undefined) return refuseNotReady(missing);

  const namespace = request.namespace ?? '';
  const { kind, name } = rollout.spec.workloadRef;
  const { violations, warnings } = validateRollout({
    rollout,
    old: old && checkRollout(old, 'v1beta1').rollout,
    version,
    other: deps.rolloutFor(namespace, kind, name),
    deployment: kind === 'Deployment' ? deps.deploymentFor(namespace, name) : undefined,
  });
  const said = new Set(violations.map(({ field }) => field));
  const all = [...violations, ...named(version, judged).filter(({ field }) => !said.has(field))];
  if (all.length > 0) return refuse('Refused', all);
  return { verdict: 'Passed', warnings: deps.warnings ? [...warnings, ...unknownIn(object, request)] : [] };
}

/** Deleting is never refused; and what cannot be read has nothing to say. */
function adviseOnDeletion(request: AdmissionRequest, deps: AdmissionDeps): Answer {
  const { rollout } = checkRollout(toStored(asObject(request, 'oldObject')), 'v1beta1');
  if (!deps.warnings || rollout === undefined || rollout.metadata.deletionTimestamp != null) return pass;
  const deployment = deps.deploymentFor(request.namespace ?? '', rollout.spec.workloadRef.name);
  return { ...pass, warnings: adviseOnLeaving(rollout, deployment) };
}

async function judgeStatus(request: AdmissionRequest, deps: AdmissionDeps): Promise<Answer> {
  if (request.operation !== 'UPDATE' || byOperator(request, deps)) return pass;
  const [old, next] = (['oldObject', 'object'] as const).map((where) => {
    const { rollout } = checkRollout(toStored(asObject(request, where)), 'v1beta1');
    if (rollout === undefined) throw new BadRequest(`request.${where} is no Rollout`);
    return rollout;
  }) as [Rollout, Rollout];
  const violations = validateStatusWrite(old, next);
  if (violations.length > 0) return refuse('Refused', violations);
  if (!isApproval(old, next)) return pass;
  const { username, groups } = request.userInfo ?? {};
  const approval = { rollout: old, user: username ?? '', groups: groups ?? [], dryRun: request.dryRun === true };
  const objections = (await deps.authorize?.(approval)) ?? [];
  return objections.length > 0 ? refuse('Refused', objections) : { verdict: 'Approved' };
}

const byOperator = ({ userInfo, options }: AdmissionRequest, { operatorUser }: AdmissionDeps): boolean =>
  isOperators({ user: userInfo?.username ?? '', fieldManager: options?.fieldManager ?? '' }, operatorUser);

const named = (version: Version, violations: readonly Violation[]): Violation[] =>
  violations.map((violation) => nameInVersion(version, violation));
const refuseNamed = (version: Version, violations: readonly Violation[]): Answer =>
  refuse('Refused', named(version, violations));

const asVersion = (version: string): Version => (version === 'v1alpha1' ? version : 'v1beta1');
const versionOf = (object: Json): Version => (object['apiVersion'] === `${GROUP}/v1alpha1` ? 'v1alpha1' : 'v1beta1');
const toStored = (object: Json): Json => convertRollout(object, GROUP, versionOf(object), 'v1beta1');

function asObject(request: AdmissionRequest, where: 'object' | 'oldObject'): Json {
  const object = request[where];
  if (typeof object !== 'object' || object === null || Array.isArray(object)) {
    throw new BadRequest(`request.${where} is not an object`);
  }
  return object as Json;
}

/**
 * Fields we do not know. An API server has taken them out of the object by now, but `kubectl apply` has noted what was written.
 */
function unknownIn(object: Json, request: AdmissionRequest): string[] {
  const written = lastApplied(object);
  const before = request.oldObject ? lastApplied(asObject(request, 'oldObject')) : undefined;
  const texts = written !== undefined && written !== before ? [parseText(written)] : [];
  const found = [object, ...texts].flatMap((one) => unknownFields(one, SCHEMAS[versionOf(one as Json)]));
  return [...new Set(found)].map((sentence) => `tranche: ${sentence}`);
}

function lastApplied(object: Json): string | undefined {
  const annotations = (object['metadata'] as Json | null | undefined)?.['annotations'] as Json | null | undefined;
  const text = annotations?.[LAST_APPLIED];
  return typeof text === 'string' ? text : undefined;
}

/** Anybody can write anything into an annotation. */
function parseText(text: string): Json {
  try {
    const value = parseJson(Buffer.from(text));
    return typeof value === 'object' && value !== null ? (value as Json) : {};
  } catch {
    return {};
  }
}
