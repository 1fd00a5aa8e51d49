// The webhooks for Rollouts and their status: what is wrong is refused, what a client dropped is put back.
import { convertRollout, type Version } from '../../api/convert.ts';
import { GROUP } from '../../api/keys.ts';
import { rolloutV1alpha1, rolloutV1beta1 } from '../../api/schema/rollout.ts';
import type { Deployment, Rollout } from '../../api/types.ts';
import { isHeld } from '../../engine/release/in-flight.ts';
import { isOperators } from '../../engine/admit/intercept.ts';
import { adviseOnLeaving } from '../../engine/validate/advice.ts';
import { sameJson } from '../../engine/lib/template.ts';
import { isApproval, restoreDropped, validateStatusWrite } from '../../engine/validate/status.ts';
import { unknownFields } from '../../engine/validate/unknown.ts';
import { nameInVersion, validateRollout } from '../../engine/validate/rollout.ts';
import { sentence, type Violation } from '../../engine/validate/violation.ts';
import { checkRollout } from '../../schema/rollout.ts';
import type { AdmissionDeps } from '../deps.ts';
import { BadRequest, parseJson } from '../json.ts';
import {
  addedApproval,
  approvalByEdit,
  judgeApproval,
  judgeRolloutEdit,
  marksOf,
  nothingSaid,
  protects,
  recordApproval,
} from '../policy.ts';
import { pass, refuse, refuseNotReady, type Answer } from '../review.ts';
import type { AdmissionRequest } from '../shapes.ts';

type Json = Readonly<Record<string, unknown>>;

const SCHEMAS = { v1alpha1: rolloutV1alpha1, v1beta1: rolloutV1beta1 };
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/** Called before the API server looks at the schema, so that a user reads everything that is wrong, in our words. */
export function mutateRollout(request: AdmissionRequest, deps: AdmissionDeps): Answer | Promise<Answer> {
  return request.subResource === 'status' ? mendStatus(request, deps) : judgeNow(request, deps, 'mutate');
}

export function validateRolloutRequest(request: AdmissionRequest, deps: AdmissionDeps): Answer | Promise<Answer> {
  if (request.subResource === 'status') return judgeStatus(request, deps);
  const answer = judgeNow(request, deps, 'validate');
  return answer instanceof Promise
    ? answer.then((one) => judgeShorterPause(one, request, deps))
    : judgeShorterPause(answer, request, deps);
}

/** A shorter pause in the step that waits is an approval. */
function judgeShorterPause(answer: Answer, request: AdmissionRequest, deps: AdmissionDeps): Answer | Promise<Answer> {
  if (answer.status !== undefined || request.operation !== 'UPDATE' || byOperator(request, deps)) return answer;
  const [old, next] = (['oldObject', 'object'] as const).map(
    (where) => checkRollout(toStored(asObject(request, where)), 'v1beta1').rollout,
  );
  const approves = old !== undefined && next !== undefined && approvalByEdit(old, next) !== undefined;
  return approves ? approve(old, request, deps, answer) : answer;
}

/** What the client dropped is put back, and an approval is put on record: one that is not the last needed leaves the step waiting. */
function mendStatus(request: AdmissionRequest, deps: AdmissionDeps): Answer {
  if (request.operation !== 'UPDATE' || byOperator(request, deps)) return pass;
  const [oldObject, object] = [asObject(request, 'oldObject'), asObject(request, 'object')];
  let status = restoreDropped(oldObject['status'], object['status']) as Json | undefined;
  let warning: string | undefined;
  const { old, next } = readEdit(request, { ...object, status });
  const approves =
    next.status?.canaryStatus?.currentStepState === 'StepReady' &&
    old.status?.canaryStatus?.currentStepState === 'StepPaused';
  if (approves && deps.policy !== undefined) {
    const violations = validateStatusWrite(old, next);
    if (violations.length > 0) return refuse('Refused', violations);
    const missing = deps.notReady();
    if (missing !== undefined) return refuseNotReady(missing);
    const record = recordApproval({ old, next }, deploymentOf(old, request, deps), request, deps.policy);
    const before = oldObject['status'] as Json;
    const base = (record.enough ? status : before) as Json;
    const canaryStatus = { ...(base['canaryStatus'] as Json), approvals: record.approvals };
    status = { ...base, canaryStatus };
    warning = record.warning;
  }
  const warnings = warning === undefined || !deps.warnings ? {} : { warnings: [warning] };
  if (JSON.stringify(status) === JSON.stringify(object['status'])) return { ...pass, ...warnings };
  return { verdict: 'Kept', patch: [{ op: 'add', path: '/status', value: status }], ...warnings };
}

/**
 * Where a policy protects releases in flight, the Deployment is read first: a release that began a moment ago is in no cache yet. One GET
 * for an edit or a deletion of a Rollout under such a policy, and none where the cache shows the release already.
 */
function judgeNow(
  request: AdmissionRequest,
  deps: AdmissionDeps,
  phase: 'mutate' | 'validate',
): Answer | Promise<Answer> {
  const named = nameOfWorkload(request);
  const cached = named === undefined ? undefined : deps.deploymentFor(request.namespace ?? '', named);
  const judge = (live: AdmissionDeps): Answer =>
    request.operation === 'DELETE' ? judgeDeletion(request, live) : judgeRollout(request, live, phase);
  const asks =
    named !== undefined &&
    (request.operation === 'DELETE' || request.operation === 'UPDATE') &&
    !byOperator(request, deps) &&
    !isHeld(cached) &&
    deps.policy !== undefined &&
    protects(request, cached, deps.policy);
  return asks && deps.readDeployment !== undefined ? judgeLive(deps, request, named, judge) : judge(deps);
}

async function judgeLive(
  deps: AdmissionDeps,
  request: AdmissionRequest,
  name: string,
  judge: (live: AdmissionDeps) => Answer,
): Promise<Answer> {
  try {
    const live = await deps.readDeployment!(request.namespace ?? '', name);
    return judge({ ...deps, deploymentFor: () => live });
  } catch {
    return refuseNotReady('the API server did not say whether a release is in flight');
  }
}

/** Of the Rollout as it was; undefined where it names no Deployment that can be read. */
function nameOfWorkload(request: AdmissionRequest): string | undefined {
  if (request.oldObject === undefined || request.oldObject === null) return undefined;
  const { rollout } = checkRollout(toStored(asObject(request, 'oldObject')), 'v1beta1');
  return rollout?.spec.workloadRef.kind === 'Deployment' ? rollout.spec.workloadRef.name : undefined;
}

function judgeRollout(request: AdmissionRequest, deps: AdmissionDeps, phase: 'mutate' | 'validate'): Answer {
  const { operation, subResource } = request;
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
  const deployment = kind === 'Deployment' ? deps.deploymentFor(namespace, name) : undefined;
  const before = old && checkRollout(old, 'v1beta1').rollout;
  const { violations, warnings } = validateRollout({
    rollout,
    old: before,
    version,
    other: deps.rolloutFor(namespace, kind, name),
    deployment,
  });
  const said = new Set(violations.map(({ field }) => field));
  const unreached = deps.unreached?.(namespace);
  const nowhere = unreached === undefined ? [] : [unreached];
  const all = [
    ...(old === undefined ? nowhere : []),
    ...violations,
    ...named(version, judged).filter(({ field }) => !said.has(field)),
  ];
  if (all.length > 0 && !onlyTurnsOff(old, stored)) return refuse('Refused', all);
  const edit = { old: before, next: rollout, deployment };
  const ruled = deps.policy ? judgeRolloutEdit(edit, request, deps.policy, phase) : nothingSaid;
  if (ruled.violations.length > 0) return refuse('Denied', named(version, ruled.violations));
  const patch = deps.policy && phase === 'mutate' ? marksOf(edit, request, deps.policy) : [];
  const idle = old !== undefined && !sameJson(old['spec'], stored['spec']) ? nowhere : [];
  const sentences = [
    ...idle.map((one) => `tranche: ${sentence(one)}`),
    ...warnings,
    ...ruled.warnings,
    ...unknownIn(object, request),
  ];
  return {
    verdict: 'Passed',
    ...(patch.length > 0 && { patch }),
    warnings: deps.warnings ? sentences : [],
  };
}

/** One that came from elsewhere, and asks for what we do not do, can be turned off as it is. */
const onlyTurnsOff = (old: Json | undefined, next: Json): boolean => {
  const [before, after] = [old?.['spec'], next['spec']] as (Json | undefined)[];
  return after?.['disabled'] === true && before !== undefined && sameJson({ ...before, disabled: true }, after);
};

/** Kubernetes' own, when a namespace goes, or what owns the Rollout. */
const CLEANERS = new Set(
  ['namespace-controller', 'generic-garbage-collector'].map((name) => `system:serviceaccount:kube-system:${name}`),
);

/** Deleting is refused where a policy protects it; and what cannot be read has nothing to say. */
function judgeDeletion(request: AdmissionRequest, deps: AdmissionDeps): Answer {
  const { rollout } = checkRollout(toStored(asObject(request, 'oldObject')), 'v1beta1');
  if (rollout === undefined || rollout.metadata.deletionTimestamp != null) return pass;
  const deployment = deploymentOf(rollout, request, deps);
  const edit = { old: rollout, next: undefined, deployment };
  const cleans = CLEANERS.has(request.userInfo?.username ?? '');
  const ruled = deps.policy && !cleans ? judgeRolloutEdit(edit, request, deps.policy, 'validate') : nothingSaid;
  if (ruled.violations.length > 0) return refuse('Denied', ruled.violations);
  return deps.warnings ? { ...pass, warnings: [...adviseOnLeaving(rollout, deployment), ...ruled.warnings] } : pass;
}

async function judgeStatus(request: AdmissionRequest, deps: AdmissionDeps): Promise<Answer> {
  if (request.operation !== 'UPDATE' || byOperator(request, deps)) return pass;
  const { old, next } = readEdit(request);
  const deployment = deploymentOf(old, request, deps);
  const added = deps.policy && addedApproval({ old, next }, deployment, request, deps.policy);
  const violations = validateStatusWrite(old, added ? withApprovals(next, old) : next);
  if (violations.length > 0) return refuse('Refused', violations);
  if (!isApproval(old, next) && added === undefined) return pass;
  const ruled = deps.policy
    ? judgeApproval({ old, next }, added !== undefined, deployment, request, deps.policy)
    : nothingSaid;
  if (ruled.violations.length > 0) return refuse('Denied', ruled.violations);
  const warnings = deps.warnings && ruled.warnings.length > 0 ? { warnings: ruled.warnings } : {};
  return approve(old, request, deps, { verdict: 'Approved', ...warnings });
}

/** The answer, if this person may approve at all. */
async function approve(
  rollout: Rollout,
  request: AdmissionRequest,
  deps: AdmissionDeps,
  answer: Answer,
): Promise<Answer> {
  const { username, groups } = request.userInfo ?? {};
  const approval = { rollout, user: username ?? '', groups: groups ?? [], dryRun: request.dryRun === true };
  const objections = (await deps.authorize?.(approval)) ?? [];
  return objections.length > 0 ? refuse('Refused', objections) : answer;
}

function readEdit(request: AdmissionRequest, object = asObject(request, 'object')): { old: Rollout; next: Rollout } {
  const [old, next] = (
    [
      ['oldObject', asObject(request, 'oldObject')],
      ['object', object],
    ] as const
  ).map(([where, json]) => {
    const { rollout } = checkRollout(toStored(json), 'v1beta1');
    if (rollout === undefined) throw new BadRequest(`request.${where} is no Rollout`);
    return rollout;
  }) as [Rollout, Rollout];
  return { old, next };
}

/** With the record of approvals as the other has it. */
function withApprovals(next: Rollout, { status }: Rollout): Rollout {
  const { approvals: _, ...rest } = next.status!.canaryStatus!;
  const approvals = status?.canaryStatus?.approvals;
  return { ...next, status: { ...next.status!, canaryStatus: { ...rest, ...(approvals && { approvals }) } } };
}

const deploymentOf = (rollout: Rollout, request: AdmissionRequest, deps: AdmissionDeps): Deployment | undefined =>
  deps.deploymentFor(request.namespace ?? '', rollout.spec.workloadRef.name);

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
