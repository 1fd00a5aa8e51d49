// Converts custom resources between versions: only their apiVersion, or with a webhook and a ConversionReview.
import { ApiError } from '../core/types.ts';
import type { KubeObject } from '../core/types.ts';
import { isObject } from '../patch/values.ts';
import type { DefinitionSpec, WebhookClientConfig } from './definition.ts';

/** Sends a review to a webhook and returns its answer. Rejects with an Error in the wording of Go's client. */
export type SendReview = (config: WebhookClientConfig, review: object) => Promise<unknown>;

export interface Conversion {
  send: SendReview;
  /** Returns a new uid for each review. */
  uid(): string;
}

/** The API server returns these errors unchanged and without a reason. */
const failed = (message: string): ApiError => new ApiError({ code: 500, reason: '', message });

/** The objects in another version, in the same order. One call for all objects that need it. */
export async function convertObjects(
  spec: DefinitionSpec,
  objects: KubeObject[],
  toVersion: string,
  conversion: Conversion | undefined,
): Promise<KubeObject[]> {
  const apiVersion = `${spec.group}/${toVersion}`;
  const pending = objects.filter((object) => object.apiVersion !== apiVersion);
  if (!pending.length) return objects;
  if (spec.conversion?.strategy !== 'Webhook')
    return objects.map((object) => (object.apiVersion === apiVersion ? object : { ...object, apiVersion }));
  const [group, version] = pending[0]!.apiVersion.split('/');
  const kind = objects.length > 1 ? (spec.names.listKind ?? `${spec.names.kind}List`) : spec.names.kind;
  const what = `conversion webhook for ${group}/${version}, Kind=${kind}`;
  const converted = await callWebhook(spec, pending, apiVersion, conversion, what);
  const results = new Map(pending.map((object, i) => [object, accept(object, converted[i], apiVersion, what, i)]));
  return objects.map((object) => results.get(object) ?? object);
}

async function callWebhook(
  spec: DefinitionSpec,
  objects: KubeObject[],
  desiredAPIVersion: string,
  conversion: Conversion | undefined,
  what: string,
): Promise<unknown[]> {
  if (!conversion) throw failed(`${what} failed: this cluster has no way to call webhooks`);
  const { clientConfig, conversionReviewVersions = [] } = spec.conversion!.webhook!;
  const version = conversionReviewVersions.find((each) => each === 'v1' || each === 'v1beta1');
  if (!version) throw failed('no supported conversion review versions');
  const uid = conversion.uid();
  let answer: unknown;
  try {
    answer = await conversion.send(clientConfig!, {
      kind: 'ConversionReview',
      apiVersion: `apiextensions.k8s.io/${version}`,
      request: { uid, desiredAPIVersion, objects },
      response: { uid: '', convertedObjects: null, result: { metadata: {} } },
    });
  } catch (error) {
    throw failed(`${what} failed: ${error instanceof Error ? error.message : String(error)}`);
  }
  const problem = problemOf(answer, uid, version);
  if (problem) throw failed(`${what} failed: ${problem}`);
  const converted = (answer as { response: { convertedObjects?: unknown[] } }).response.convertedObjects ?? [];
  if (converted.length !== objects.length)
    throw failed(`${what} returned ${converted.length} objects, expected ${objects.length}`);
  return converted;
}

/** Returns the reason why the answer is invalid, if it is. */
function problemOf(answer: unknown, uid: string, version: string): string | undefined {
  const review = isObject(answer) ? answer : {};
  if (version === 'v1' && (review['kind'] !== 'ConversionReview' || review['apiVersion'] !== 'apiextensions.k8s.io/v1'))
    return `expected webhook response of apiextensions.k8s.io/v1, Kind=ConversionReview, got ${review['apiVersion'] ?? ''}, Kind=${review['kind'] ?? ''}`;
  const { response } = review;
  if (!isObject(response)) return 'no response provided';
  if (version === 'v1' && response['uid'] !== uid)
    return `expected response.uid="${uid}", got ${JSON.stringify(response['uid'] ?? '')}`;
  const result = isObject(response['result']) ? response['result'] : {};
  if (result['status'] === 'Success') return undefined;
  return typeof result['message'] === 'string' && result['message']
    ? result['message']
    : `response.result.status was '${typeof result['status'] === 'string' ? result['status'] : ''}', not 'Success'`;
}

/** The converted object with the original metadata, except labels and annotations. */
function accept(original: KubeObject, converted: unknown, apiVersion: string, what: string, index: number): KubeObject {
  const invalid = `${what} returned invalid converted object at index ${index}: `;
  if (!isObject(converted)) throw failed(`${invalid}it is no object`);
  if (converted['apiVersion'] !== apiVersion)
    throw failed(
      `${invalid}invalid groupVersion (expected ${apiVersion}, received ${String(converted['apiVersion'])})`,
    );
  if (converted['kind'] !== original.kind)
    throw failed(`${invalid}invalid kind (expected ${original.kind}, received ${String(converted['kind'])})`);
  const { metadata } = converted;
  if (!isObject(metadata))
    throw failed(`${what} returned invalid metadata in object at index ${index}: missing metadata in converted object`);
  for (const [key, label] of [
    ['name', 'name'],
    ['namespace', 'namespace'],
    ['uid', 'UID'],
  ] as const) {
    const [was, is] = [original.metadata[key] ?? '', metadata[key] ?? ''];
    if (was !== is)
      throw failed(`${what} returned invalid object: must have the same ${label}: ${was} != ${String(is)}`);
  }
  const { labels: _, annotations: __, ...kept } = original.metadata;
  return {
    ...converted,
    metadata: {
      ...kept,
      ...(isObject(metadata['labels']) ? { labels: metadata['labels'] } : {}),
      ...(isObject(metadata['annotations']) ? { annotations: metadata['annotations'] } : {}),
    },
  } as unknown as KubeObject;
}
