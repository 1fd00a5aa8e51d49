// Converts a request for webhooks and policies: each one receives the objects in the version of its rules.
import { apiVersionOf } from '../core/resources.ts';
import type { AdmissionRequest, KubeObject, ResourceType } from '../core/types.ts';

export interface Versioned {
  type: ResourceType;
  object: KubeObject | null;
  oldObject: KubeObject | null;
}

export class Versions {
  private readonly request: AdmissionRequest;
  private readonly known = new Map<ResourceType, Versioned>();

  constructor(request: AdmissionRequest) {
    this.request = request;
  }

  async in(type: ResourceType): Promise<Versioned> {
    let versioned = this.known.get(type);
    if (!versioned) {
      versioned = {
        type,
        object: await this.to(type, this.request.object),
        oldObject: await this.to(type, this.request.oldObject),
      };
      this.known.set(type, versioned);
    }
    return versioned;
  }

  /** Replaces the object of the request by one that was changed in another version. */
  async update(type: ResourceType, object: KubeObject): Promise<void> {
    this.request.object = await convert(type, object, this.request.type);
    for (const [other, versioned] of this.known) {
      if (other === type) versioned.object = object;
      else this.known.delete(other);
    }
  }

  private to(type: ResourceType, object: KubeObject | null): Promise<KubeObject | null> {
    // A Scale is the same in all versions of the scaled resource.
    if (object === null || this.request.attributes.subresource === 'scale') return Promise.resolve(object);
    return convert(this.request.type, object, type);
  }
}

const convert = async (from: ResourceType, object: KubeObject, to: ResourceType): Promise<KubeObject> => {
  if (from === to) return object;
  if (from.convert) return (await from.convert([object], to.version))[0]!;
  const stored = from.toStorage?.(object) ?? object;
  const converted = to.fromStorage?.(stored) ?? stored;
  return { ...converted, apiVersion: apiVersionOf(to.group, to.version), kind: to.kind };
};
