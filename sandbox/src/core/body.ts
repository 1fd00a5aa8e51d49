// The body of a write as the object of its kind: read, owned by the request, and about what the path says.
import { decode } from '../schema/index.ts';
import { badRequest, unsupportedMediaType } from './errors.ts';
import { apiVersionOf } from './resources.ts';
import { clone } from './objects.ts';
import { isBytes, type Call } from './call.ts';
import type { WriteOptions } from './options.ts';
import type { KubeObject } from './types.ts';

/** An object of the call's kind from its body: the caller's own copy. */
export function readBody(call: Call, options: WriteOptions, old?: KubeObject): KubeObject {
  const { type, body } = call;
  if (body === undefined || isBytes(body)) {
    const yaml = isYaml(call);
    const { object, warnings } = decode(type, body ?? new Uint8Array(), { validation: options.validation, yaml });
    call.warnings.push(...warnings);
    return object;
  }
  const object = ownCopy(body as KubeObject, old);
  object.apiVersion ??= apiVersionOf(type.group, type.version);
  object.kind ??= type.kind;
  return object;
}

/** Bodies come as JSON, where nothing else is said, or YAML. */
function isYaml({ headers, type }: Call): boolean {
  const media = (headers['content-type'] ?? '').split(';')[0]!.trim();
  if (media === 'application/yaml') return true;
  if (media === '' || media === 'application/json') return false;
  const protobuf = type.custom ? [] : ['application/vnd.kubernetes.protobuf'];
  throw unsupportedMediaType(['application/json', 'application/yaml', ...protobuf]);
}

/** A copy whose metadata can be changed; what is unchanged since `old` is shared. */
export function ownCopy(object: KubeObject, old: KubeObject | undefined): KubeObject {
  const copy = clone(object, old);
  return Object.isFrozen(copy) || !copy.metadata || Object.isFrozen(copy.metadata)
    ? { ...copy, metadata: { ...copy.metadata } }
    : copy;
}

/** The namespace of the path goes for the object too. */
export function checkNamespace(call: Call, object: KubeObject): void {
  const { namespace } = object.metadata;
  if (!call.type.namespaced) return;
  if (namespace && namespace !== call.info.namespace) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  }
  object.metadata.namespace = call.info.namespace;
}

export function checkName(call: Call, object: KubeObject): void {
  const { name } = object.metadata;
  if (!name) {
    throw badRequest(
      `the name of the object (${call.info.name} based on URL) was undeterminable: name must be provided`,
    );
  }
  if (name !== call.info.name) {
    throw badRequest(`the name of the object (${name}) does not match the name on the URL (${call.info.name})`);
  }
}
