// The webhook for Deployments: decode, let the engine decide, encode. No call to the API server.
import { createHash } from 'node:crypto';
import { HELD, WORKLOAD_TYPE } from '../api/keys.ts';
import type { Deployment } from '../api/types.ts';
import { intercept, isOperators, type Edit } from '../engine/intercept.ts';
import type { AdmissionDeps } from './deps.ts';
import { BadRequest } from './json.ts';
import { pass, refuse, refuseNotReady, type Answer } from './review.ts';
import { explain, isDeployment, type AdmissionRequest } from './shapes.ts';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

export function mutateDeployment(request: AdmissionRequest, deps: AdmissionDeps): Answer {
  const { operation, namespace, name, dryRun } = request;
  if (request.subResource || (operation !== 'CREATE' && operation !== 'UPDATE')) return pass;
  const edit: Edit = {
    operation,
    old: operation === 'UPDATE' ? read(request.oldObject, 'oldObject') : undefined,
    next: read(request.object, 'object'),
    user: request.userInfo?.username ?? '',
    fieldManager: request.options?.fieldManager ?? '',
  };
  const { operatorUser } = deps;
  if (isOperators(edit, operatorUser)) return pass;
  const missing = deps.notReady();
  if (missing !== undefined) return isEnrolled(edit) ? refuseNotReady(missing) : pass;

  const workload = { namespace: namespace ?? '', name: name || (edit.next.metadata.name ?? '') };
  const rollout = workload.name === '' ? undefined : deps.rolloutFor(workload.namespace, 'Deployment', workload.name);
  const { verdict, patch, warnings, refusal } = intercept(edit, rollout, { operatorUser, sha256 });
  if (dryRun !== true) {
    deps.onDecision?.({ verdict, ...workload, rollout: rollout?.metadata.name, user: edit.user });
  }
  if (refusal !== undefined) return refuse(verdict, [refusal]);
  return { verdict, patch, warnings: deps.warnings ? warnings : [] };
}

/** In the old object or the new: taking the label off is itself an edit of an enrolled Deployment. */
const isEnrolled = ({ old, next }: Edit): boolean =>
  [old, next].some((d) => d?.metadata.labels?.[WORKLOAD_TYPE] !== undefined || d?.metadata.annotations?.[HELD]);

function read(object: unknown, where: string): Deployment {
  if (!isDeployment(object)) throw new BadRequest(`request.${where}: ${explain(isDeployment.errors)}`);
  return object;
}
