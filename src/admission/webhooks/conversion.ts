// The conversion webhook. It takes a few microseconds per object. One write in v1alpha1 calls it about ten times.
import { isObject, type Json } from '../../api/json.ts';
import { convertRollout, type Version } from '../../api/convert.ts';
import { GROUP } from '../../api/keys.ts';
import { BadRequest } from '../json.ts';

const API_VERSION = 'apiextensions.k8s.io/v1';
const VERSIONS: ReadonlySet<unknown> = new Set<Version>(['v1alpha1', 'v1beta1']);

/** Answers a ConversionReview. Throws BadRequest for other bodies. */
export function convertReview(body: unknown): { readonly verdict: string; readonly review: object } {
  if (!isObject(body) || body['kind'] !== 'ConversionReview' || body['apiVersion'] !== API_VERSION) {
    throw new BadRequest(`the body is not a ConversionReview of ${API_VERSION}`);
  }
  const request = body['request'];
  if (!isObject(request) || typeof request['uid'] !== 'string' || request['uid'] === '') {
    throw new BadRequest('request.uid: Required value');
  }
  const { uid, desiredAPIVersion, objects } = request;
  const answer = (verdict: string, response: object): { readonly verdict: string; readonly review: object } => ({
    verdict,
    review: { kind: 'ConversionReview', apiVersion: API_VERSION, response: { uid, ...response } },
  });
  const fail = (message: string): ReturnType<typeof answer> =>
    answer('Refused', { result: { status: 'Failed', message }, convertedObjects: [] });

  if (!Array.isArray(objects)) throw new BadRequest('request.objects: must be a list');
  const to = versionOf(desiredAPIVersion);
  if (to === undefined) return fail(`cannot convert to ${JSON.stringify(desiredAPIVersion)}`);
  const converted: Json[] = [];
  for (const object of objects as unknown[]) {
    const from = isObject(object) ? versionOf(object['apiVersion']) : undefined;
    if (!isObject(object) || from === undefined || object['kind'] !== 'Rollout') {
      const what = isObject(object)
        ? `${JSON.stringify(object['apiVersion'])} ${JSON.stringify(object['kind'])}`
        : 'the object';
      return fail(`cannot convert ${what}: not a Rollout of a supported version`);
    }
    converted.push(convertRollout(object, GROUP, from, to));
  }
  return answer('Converted', { result: { status: 'Success' }, convertedObjects: converted });
}

function versionOf(apiVersion: unknown): Version | undefined {
  if (typeof apiVersion !== 'string') return undefined;
  const [group, version, ...rest] = apiVersion.split('/');
  return group === GROUP && rest.length === 0 && VERSIONS.has(version) ? (version as Version) : undefined;
}
