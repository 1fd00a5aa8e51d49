// The webhook for Deployments: decode, let the engine decide, encode. No call to the API server.
import { hash } from 'node:crypto';
import { HELD, WORKLOAD_TYPE } from '../../api/keys.ts';
import type { Deployment, Rollout } from '../../api/types.ts';
import { intercept, isOperators, type Edit } from '../../engine/admit/intercept.ts';
import { judgeScaleToZero } from '../../engine/policy/rules.ts';
import { judge } from '../../engine/policy/policy.ts';
import type { Violation } from '../../engine/validate/violation.ts';
import { managedFieldsOf } from '../../kube/without-managed-fields.ts';
import type { AdmissionDeps, Decided } from '../deps.ts';
import { BadRequest } from '../json.ts';
import { judgeEdit, nothingSaid, personOf, say, standingGlass, type Said } from '../policy.ts';
import { pass, refuse, refuseNotReady, type Answer } from '../review.ts';
import { explain, isDeployment, type AdmissionRequest } from '../shapes.ts';

const sha256 = (text: string): string => hash('sha256', text);

export function mutateDeployment(request: AdmissionRequest, deps: AdmissionDeps): Answer | Promise<Answer> {
  const { operation, namespace, name, dryRun } = request;
  if (request.subResource || (operation !== 'CREATE' && operation !== 'UPDATE')) return pass;
  const edit: Edit = {
    operation,
    old: operation === 'UPDATE' ? read(request.oldObject, 'oldObject') : undefined,
    next: read(request.object, 'object'),
    user: request.userInfo?.username ?? '',
    fieldManager: request.options?.fieldManager ?? '',
    managedFields: { old: () => managedFieldsOf(request.oldObject), next: () => managedFieldsOf(request.object) },
  };
  const { operatorUser } = deps;
  if (isOperators(edit, operatorUser)) return pass;
  const missing = deps.notReady();
  if (missing !== undefined) return isEnrolled(edit) ? refuseNotReady(missing) : pass;

  const workload = { namespace: namespace ?? '', name: name || (edit.next.metadata.name ?? '') };
  const rollout = workload.name === '' ? undefined : deps.rolloutFor(workload.namespace, 'Deployment', workload.name);
  const tracing = deps.sampling && { ...deps.sampling, admitted: new Date().toISOString() };
  const options = { operatorUser, sha256, tracing };
  let decision = intercept(edit, rollout, options);
  const ruled =
    edit.old === undefined || deps.policy === undefined
      ? nothingSaid
      : judgeEdit({ old: edit.old, next: edit.next, decision }, rollout, request, deps.policy);
  const tell = (verdict: Decided['verdict']): void => {
    if (dryRun === true) return;
    deps.onDecision?.({ request: request.uid, verdict, ...workload, rollout: rollout?.metadata.name, user: edit.user });
  };
  if (ruled.violations.length > 0) {
    tell('Denied');
    return refuse('Denied', ruled.violations);
  }
  if (ruled.glass !== undefined) decision = intercept(edit, rollout, { ...options, glass: ruled.glass });
  const { verdict, patch, refusal } = decision;
  const warnings = [...decision.warnings, ...ruled.warnings];
  if (verdict === 'TakenOver' && rollout !== undefined) return takeOver(request, deps, rollout, tell);
  tell(verdict);
  if (refusal !== undefined) return refuse(verdict, [refusal]);
  return { verdict, patch, warnings: deps.warnings ? warnings : [] };
}

/** The record says what is stable, and nobody but us may say that: whoever takes over needs a right for it. */
async function takeOver(
  request: AdmissionRequest,
  deps: AdmissionDeps,
  rollout: Rollout,
  tell: (verdict: Decided['verdict']) => void,
): Promise<Answer> {
  const { username, groups } = request.userInfo ?? {};
  const person = { rollout, user: username ?? '', groups: groups ?? [], dryRun: request.dryRun === true };
  const objections = (await deps.authorizeTakeover?.(person)) ?? [nobodyToAsk(person.user)];
  tell(objections.length > 0 ? 'Refused' : 'TakenOver');
  return objections.length > 0 ? refuse('Refused', objections) : { ...pass, verdict: 'TakenOver' };
}

const nobodyToAsk = (value: string): Violation => ({
  field: 'takeover by',
  value,
  reason: 'cannot be checked here',
  remedy: 'run the operator with access to the API server',
});

/** A Deployment or its scale goes to 0: in the middle of a release that would bring it up again in the new version only. */
export function validateScaleToZero(request: AdmissionRequest, deps: AdmissionDeps): Answer {
  const { policy } = deps;
  const namespace = request.namespace ?? '';
  const [before, after] = [request.oldObject, request.object].map(replicasIn);
  if (request.operation !== 'UPDATE' || policy === undefined || after !== 0 || before === 0) return pass;
  const deployment = deps.deploymentFor(namespace, request.name ?? '');
  const rollout = deps.rolloutFor(namespace, 'Deployment', request.name ?? '');
  if (deployment === undefined || deps.notReady() !== undefined) return pass;
  const policies = policy.policiesFor(namespace, [deployment.metadata.labels]);
  const findings = judgeScaleToZero(policies, rollout, deployment);
  const person = personOf(request, standingGlass(rollout, rollout, deployment, request)?.reason);
  const judged = judge(findings, person);
  const dry = request.dryRun === true;
  const said: Said = say(judged, deployment, person, policy, dry ? [] : ['denied', 'warned', 'audited', 'broken']);
  if (said.violations.length > 0) return refuse('Denied', said.violations);
  return { ...pass, warnings: deps.warnings ? said.warnings : [] };
}

/** Of a Deployment or a Scale, which leaves 0 out. */
function replicasIn(object: unknown): number {
  const spec = (object as { readonly spec?: { readonly replicas?: unknown } | null } | null | undefined)?.spec;
  return typeof spec?.replicas === 'number' ? spec.replicas : 0;
}

/** In the old object or the new: taking the label off is itself an edit of an enrolled Deployment. */
const isEnrolled = ({ old, next }: Edit): boolean =>
  [old, next].some((d) => d?.metadata.labels?.[WORKLOAD_TYPE] !== undefined || d?.metadata.annotations?.[HELD]);

function read(object: unknown, where: string): Deployment {
  if (!isDeployment(object)) throw new BadRequest(`request.${where}: ${explain(isDeployment.errors)}`);
  return object;
}
