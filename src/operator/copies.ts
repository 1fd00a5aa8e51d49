// Copies of stable templates, and other objects that are created and deleted by name: deletes only what the workload owns.
import type { KubeObject } from '../api/types.ts';
import type { Effect } from '../engine/decision.ts';
import { isCopyOf } from '../engine/workload/pods.ts';
import type { Api, ApiCall } from '../kube/api.ts';
import { ApiError } from '../kube/errors.ts';
import { findObject } from '../kube/get.ts';
import { pathOf } from '../kube/path.ts';
import { splitKey } from '../kube/store.ts';

type Create = Effect & { readonly kind: 'Create' };
type Delete = Effect & { readonly kind: 'Delete' };

export class Copies {
  private readonly api: Api;
  /** By key of the workload: the uids of the objects that this process created for it, by path. */
  private readonly created = new Map<string, Map<string, string>>();

  constructor(api: Api) {
    this.api = api;
  }

  forget(key: string): void {
    this.created.delete(key);
  }

  /** An existing object of this name is not changed. */
  async create(key: string, { resource, object }: Create): Promise<void> {
    const { namespace } = splitKey(key);
    const call: ApiCall = { method: 'POST', path: pathOf(resource, { namespace }), body: object };
    const made = (await this.unless([409], call)) as KubeObject | undefined;
    const { name, uid } = made?.metadata ?? {};
    if (!name || !uid) return;
    const known = this.created.get(key) ?? new Map<string, string>();
    this.created.set(key, known.set(pathOf(resource, { namespace, name }), uid));
  }

  /** Deletes only an object that the owner controls, because the name comes from a record that users can write. */
  async remove(key: string, { resource, name, owner }: Delete): Promise<void> {
    const asked = { namespace: splitKey(key).namespace, name };
    const path = pathOf(resource, asked);
    const uid = this.created.get(key)?.get(path);
    this.created.get(key)?.delete(path);
    if (uid !== undefined && (await this.isRemoved(path, uid))) return;
    const object = await findObject(this.api, resource, asked);
    if (object && isCopyOf(object, owner)) await this.unless([404], { method: 'DELETE', path });
  }

  /** Deletes what this process created, without reading it. False if another object has its name now. */
  private async isRemoved(path: string, uid: string): Promise<boolean> {
    try {
      await this.unless([404], { method: 'DELETE', path, body: { preconditions: { uid } } });
      return true;
    } catch (error) {
      if (error instanceof ApiError && error.code === 409) return false;
      throw error;
    }
  }

  /** Ignores these error codes, which mean that the work is already done. */
  private async unless(codes: readonly number[], call: ApiCall): Promise<unknown> {
    try {
      return await this.api.request(call);
    } catch (error) {
      if (!(error instanceof ApiError) || !codes.includes(error.code)) throw error;
      return undefined;
    }
  }
}
