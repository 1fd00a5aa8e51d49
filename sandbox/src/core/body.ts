// Reads the body of a write as an object of its kind, and checks it against the path.
import { decode } from '../schema/index.ts';
import { badRequest, unsupportedMediaType } from './errors.ts';
import { apiVersionOf } from './resources.ts';
import { clone } from './objects.ts';
import { isBytes, type Call } from './call.ts';
import type { WriteOptions } from './options.ts';
import type { KubeObject } from './types.ts';

/** Returns an object of the call's kind. The caller owns it. */
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

/** The default content type is JSON. YAML is also accepted. */
function isYaml({ headers, type }: Call): boolean {
  const media = (headers['content-type'] ?? '').split(';')[0]!.trim();
  if (media === 'application/yaml') return true;
  if (media === '' || media === 'application/json') return false;
  const protobuf = type.custom ? [] : ['application/vnd.kubernetes.protobuf'];
  throw unsupportedMediaType(['application/json', 'application/yaml', ...protobuf]);
}

/** A copy with mutable metadata. Parts that are unchanged since `old` are shared. */
export function ownCopy(object: KubeObject, old: KubeObject | undefined): KubeObject {
  const copy = clone(object, old);
  return Object.isFrozen(copy) || !copy.metadata || Object.isFrozen(copy.metadata)
    ? { ...copy, metadata: { ...copy.metadata } }
    : copy;
}

/** Sets the namespace of the path on the object. */
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
