// Patch: four kinds of patches. Each one reads the stored object, and retries if it changes in the meantime.
import { parseApply } from '../apply/index.ts';
import { applyPatch, type PatchType } from '../patch/index.ts';
import { badRequest, conflict, generic, unsupportedMediaType } from './errors.ts';
import { checkName, checkNamespace, ownCopy } from './body.ts';
import { groupResource, isBytes, type Call, type Machinery, type Result } from './call.ts';
import { timestamp } from './names.ts';
import { readOptions } from './options.ts';
import { updateObject } from './update.ts';

const JSON_PATCH = 'application/json-patch+json';
const MERGE_PATCH = 'application/merge-patch+json';
const STRATEGIC_PATCH = 'application/strategic-merge-patch+json';
const APPLY_PATCH = 'application/apply-patch+yaml';
const PATCH_TYPES = [JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH, 'application/apply-patch+cbor'];

export async function patch(m: Machinery, call: Call): Promise<Result> {
  const { type, info } = call;
  const contentType = (call.headers['content-type'] ?? '').split(';')[0]!.trim();
  if (!type.custom && !PATCH_TYPES.includes(contentType)) throw generic(415);
  const accepted = [JSON_PATCH, MERGE_PATCH, ...(type.strategicMerge ? [STRATEGIC_PATCH] : []), APPLY_PATCH];
  if (!accepted.includes(contentType)) throw unsupportedMediaType(accepted);
  const applying = contentType === APPLY_PATCH;
  const options = readOptions(call, 'PatchOptions', applying);

  if (applying) {
    const { applied, warnings } = parseApply(call.body ?? new Uint8Array(), options.validation);
    call.warnings.push(...warnings);
    const { fields } = m;
    if (!fields) throw badRequest('server-side apply is not available: this cluster does not track managed fields');
    return updateObject(m, call, options, {
      createsMissing: true,
      retries: true,
      next: async (old) => {
        const object = await fields.apply({
          live: old,
          applied,
          manager: options.manager,
          force: options.force,
          type,
          subresource: info.subresource,
          time: timestamp(m.clock.now()),
        });
        checkNamespace(call, object);
        checkName(call, object);
        if (!old && object.metadata.uid) {
          const why = `uid mismatch: the provided object specified uid ${object.metadata.uid}, and no existing object was found`;
          throw conflict(groupResource(type), info.name, why);
        }
        return { object, tracked: true };
      },
    });
  }

  const trusted = !isBytes(call.body);
  return updateObject(m, call, options, {
    createsMissing: false,
    retries: true,
    next: (old) => {
      const { object: patched, warnings } = applyPatch({
        type,
        object: old!,
        patchType: contentType as PatchType,
        body: call.body ?? new Uint8Array(),
        validation: options.validation,
        trusted,
      });
      for (const text of warnings) if (!call.warnings.includes(text)) call.warnings.push(text);
      const object = ownCopy(patched, old);
      checkNamespace(call, object);
      checkName(call, object);
      return { object, tracked: false };
    },
  });
}
