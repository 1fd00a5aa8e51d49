// The webhooks for Rollouts and their status: decode the request, call the engine, encode the response.
import { convertRollout } from '../../api/convert.ts';
import type { Json } from '../../api/json.ts';
import { GROUP } from '../../api/keys.ts';
import type { Rollout, Workload } from '../../api/types.ts';
import {
  admitRollout,
  concernsRollout,
  versionOf,
  type RolloutFacts,
  type WrittenRollout,
} from '../../engine/admit/rollout.ts';
import { admitStatus, concernsStatus, mendStatus } from '../../engine/admit/rollout-status.ts';
import { restoreDropped } from '../../engine/validate/status.ts';
import { routedKeys } from '../../engine/traffic/rivals.ts';
import { routingRefOf } from '../../engine/traffic/routing-object.ts';
import { kindOf } from '../../engine/workload/registry.ts';
import { sha256 } from '../../kube/digest.ts';
import { checkRollout } from '../../schema/rollout.ts';
import { answerOf, decide } from '../decide.ts';
import type { AdmissionDeps } from '../deps.ts';
import { factsOf } from '../facts.ts';
import { BadRequest, parseJson } from '../json.ts';
import { pass, type Answer } from '../review.ts';
import type { AdmissionRequest } from '../shapes.ts';

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/** Called before the API server validates the schema, so that the user gets all errors at once. */
export function mutateRollout(request: AdmissionRequest, deps: AdmissionDeps): Answer | Promise<Answer> {
  return request.subResource === 'status' ? mutateStatus(request, deps) : reviewRollout(request, deps, 'mutate');
}

export function validateRolloutRequest(request: AdmissionRequest, deps: AdmissionDeps): Answer | Promise<Answer> {
  return request.subResource === 'status' ? validateStatus(request, deps) : reviewRollout(request, deps, 'validate');
}

function reviewRollout(
  request: AdmissionRequest,
  deps: AdmissionDeps,
  phase: RolloutFacts['phase'],
): Answer | Promise<Answer> {
  const head = factsOf(request, deps);
  if (!concernsRollout(head)) return pass;
  const namespace = request.namespace ?? '';
  const old = request.operation === 'CREATE' ? undefined : read(request, 'oldObject');
  const next = request.operation === 'DELETE' ? undefined : read(request, 'object');
  const ref = next?.rollout?.spec.workloadRef;
  const kind = ref && kindOf(ref);
  const facts = {
    ...head,
    phase,
    version: (request.requestKind?.version ?? request.kind.version) === 'v1alpha1' ? 'v1alpha1' : 'v1beta1',
    old,
    next,
    deployments: {
      old: old?.rollout && workloadOf(old.rollout, namespace, deps),
      next: next?.rollout && workloadOf(next.rollout, namespace, deps),
    },
    other: kind && ref && deps.rolloutFor(namespace, kind, ref.name),
    routers: (next?.rollout && deps.routersOf?.(next.rollout)) ?? [],
    ...routingsOf(next?.rollout, namespace, deps),
    gatewayApi: deps.gatewayApi,
    unreached: deps.unreached?.(namespace),
    texts: () => textsOf(request),
    sha256,
  } as const;
  return decide(admitRollout, facts, deps, namespace);
}

/** The TrafficRoutings that concern a Rollout: the one that it names, and those of its route. */
function routingsOf(rollout: Rollout | undefined, namespace: string, deps: AdmissionDeps) {
  const name = rollout && routingRefOf(rollout);
  const [route] = rollout === undefined ? [] : routedKeys(rollout);
  return {
    routing: name === undefined ? undefined : deps.routingFor?.(namespace, name),
    routings: (route === undefined ? undefined : deps.rivalsOf?.(route).routings) ?? [],
  };
}

function mutateStatus(request: AdmissionRequest, deps: AdmissionDeps): Answer {
  const head = factsOf(request, deps);
  if (!concernsStatus(head)) return pass;
  const [oldObject, object] = [asObject(request, 'oldObject'), asObject(request, 'object')];
  const [before, written] = [oldObject['status'], object['status']] as (Json | undefined)[];
  const mended = restoreDropped(before, written) as Json | undefined;
  const statuses = { before, written, mended };
  return answerOf(mendStatus({ ...statusFacts(request, deps, { ...object, status: mended }), statuses }), deps);
}

function validateStatus(request: AdmissionRequest, deps: AdmissionDeps): Answer | Promise<Answer> {
  if (!concernsStatus(factsOf(request, deps))) return pass;
  const facts = statusFacts(request, deps, asObject(request, 'object'));
  return decide(admitStatus, facts, deps, request.namespace ?? '');
}

/** `object`: the new object to check. */
function statusFacts(request: AdmissionRequest, deps: AdmissionDeps, object: Json) {
  const old = asRollout(asObject(request, 'oldObject'), 'oldObject');
  const next = asRollout(object, 'object');
  const deployment = workloadOf(old, request.namespace ?? '', deps);
  return { ...factsOf(request, deps), old, next, deployment, sha256 };
}

function asRollout(json: Json, where: string): Rollout {
  const { rollout } = checkRollout(toStored(json));
  if (rollout === undefined) throw new BadRequest(`request.${where}: must be a Rollout`);
  return rollout;
}

function read(request: AdmissionRequest, where: 'object' | 'oldObject'): WrittenRollout {
  const json = toStored(asObject(request, where));
  const { rollout, violations: shape } = checkRollout(json);
  return { json, rollout, shape };
}

function workloadOf({ spec }: Rollout, namespace: string, deps: AdmissionDeps): Workload | undefined {
  const kind = kindOf(spec.workloadRef);
  return kind && deps.workloadFor(kind, namespace, spec.workloadRef.name);
}

const toStored = (object: Json): Json => convertRollout(object, GROUP, versionOf(object), 'v1beta1');

function asObject(request: AdmissionRequest, where: 'object' | 'oldObject'): Json {
  const object = request[where];
  if (typeof object !== 'object' || object === null || Array.isArray(object)) {
    throw new BadRequest(`request.${where}: must be an object`);
  }
  return object as Json;
}

/** What the user wrote: the object, and kubectl's last-applied configuration if it changed. */
function textsOf(request: AdmissionRequest): Json[] {
  const object = asObject(request, 'object');
  const noted = lastApplied(object);
  const before = request.oldObject ? lastApplied(asObject(request, 'oldObject')) : undefined;
  return noted !== undefined && noted !== before ? [object, parseText(noted)] : [object];
}

function lastApplied(object: Json): string | undefined {
  const annotations = (object['metadata'] as Json | null | undefined)?.['annotations'] as Json | null | undefined;
  const text = annotations?.[LAST_APPLIED];
  return typeof text === 'string' ? text : undefined;
}

/** Parses the annotation, which may contain anything. */
function parseText(text: string): Json {
  try {
    const value = parseJson(Buffer.from(text));
    return typeof value === 'object' && value !== null ? (value as Json) : {};
  } catch {
    return {};
  }
}
