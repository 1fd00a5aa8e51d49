// The two webhook steps of admission: mutating webhooks in order, with reinvocation; validating webhooks in parallel.
import { badRequest, forbidden, internal } from '../core/errors.ts';
import { newUid } from '../core/names.ts';
import { same } from '../core/objects.ts';
import type { AdmissionRequest, ApiError, Attributes, Clock, KubeObject } from '../core/types.ts';
import { conditionsHold, ConditionError, requestVariables, WEBHOOK_VARIABLES, type Condition } from './conditions.ts';
import {
  ADMISSION_GROUP,
  matchesResource,
  matchingType,
  type Rule,
  type Selector,
  type Surroundings,
} from './match.ts';
import { asKind, patched, PatchProblem } from './patched.ts';
import {
  CallError,
  decodePatch,
  denial,
  reviewOf,
  verifyResponse,
  type ReviewRequest,
  type ReviewResponse,
} from './review.ts';
import type { ClientConfig, Transport } from './transport.ts';
import { Versions, type Versioned } from './versions.ts';

interface Webhook {
  name: string;
  clientConfig: ClientConfig;
  rules?: Rule[];
  failurePolicy?: string;
  matchPolicy?: string;
  namespaceSelector?: Selector;
  objectSelector?: Selector;
  sideEffects?: string;
  timeoutSeconds?: number;
  reinvocationPolicy?: string;
  matchConditions?: Condition[];
}

/** A webhook in this process. It needs no sockets, so it works in virtual time. */
export interface InProcessWebhook {
  name: string;
  phase: 'mutate' | 'validate';
  /** Must be fast: called for each write. */
  concerns(attributes: Attributes): boolean;
  failurePolicy?: 'Fail' | 'Ignore';
  /** An exception counts as a failed call. */
  review(request: ReviewRequest): ReviewResponse | Promise<ReviewResponse>;
}

export interface WebhookDependencies extends Surroundings {
  clock: Clock;
  transport: Transport;
  inProcess: readonly InProcessWebhook[];
  authorizerFor(request: AdmissionRequest): unknown;
}

/** A webhook in this process or behind a URL. */
interface Hook {
  name: string;
  /** Identifies the webhook and its configuration, for reinvocation. */
  key: string;
  webhook?: Webhook;
  inProcess?: InProcessWebhook;
}

/** The state of reinvocation for one request, shared by both rounds. */
export interface Reinvocation {
  round: 0 | 1;
  /** Called webhooks with reinvocationPolicy IfNeeded. */
  called: Set<string>;
  /** Webhooks of these after which the object changed. */
  outdated: Set<string>;
  needed: boolean;
}

export const newReinvocation = (): Reinvocation => ({
  round: 0,
  called: new Set(),
  outdated: new Set(),
  needed: false,
});

/** The object changed. Webhooks that were called before have not seen the change. */
export const changedBy = (reinvocation: Reinvocation): void => {
  for (const key of reinvocation.called) reinvocation.outdated.add(key);
  reinvocation.called.clear();
  reinvocation.needed = true;
};

const RESOURCES = { mutate: 'mutatingwebhookconfigurations', validate: 'validatingwebhookconfigurations' } as const;
const DEFAULT_TIMEOUT_SECONDS = 10;

export class Webhooks {
  private readonly dependencies: WebhookDependencies;
  private readonly lists = new Map<string, { from: readonly KubeObject[]; hooks: Hook[] }>();

  constructor(dependencies: WebhookDependencies) {
    this.dependencies = dependencies;
  }

  /** Fast check: whether any rule contains the resource in any version. */
  concern(attributes: Attributes): boolean {
    if (this.dependencies.inProcess.some((hook) => hook.concerns(attributes))) return true;
    return (['mutate', 'validate'] as const).some((phase) =>
      this.hooks(phase).some((hook) =>
        hook.webhook?.rules?.some(
          (rule) =>
            (rule.apiGroups?.includes('*') || rule.apiGroups?.includes(attributes.group)) &&
            matchesResource(rule.resources, attributes.resource, attributes.subresource),
        ),
      ),
    );
  }

  async mutate(request: AdmissionRequest, reinvocation: Reinvocation): Promise<void> {
    const versions = new Versions(request);
    for (const hook of this.hooks('mutate')) {
      const versioned = await this.select(hook, request, versions);
      if (!versioned) continue;
      if (reinvocation.round === 1 && !reinvocation.outdated.has(hook.key)) continue;
      const changed = await this.patchWith(hook, request, versioned);
      if (changed && !same(changed, versioned.object)) {
        await versions.update(versioned.type, changed);
        changedBy(reinvocation);
      }
      if (hook.webhook?.reinvocationPolicy === 'IfNeeded') reinvocation.called.add(hook.key);
    }
  }

  async validate(request: AdmissionRequest): Promise<void> {
    const versions = new Versions(request);
    // Select all webhooks first, because selection may fail. Then call them in parallel.
    const selected: [Hook, Versioned][] = [];
    for (const hook of this.hooks('validate')) {
      const versioned = await this.select(hook, request, versions);
      if (versioned) selected.push([hook, versioned]);
    }
    const calls = selected.map(([hook, versioned]) => this.call(hook, request, versioned, false));
    // If several webhooks refuse, the client sees the first refusal.
    for (const result of await Promise.allSettled(calls))
      if (result.status === 'rejected') throw result.reason as Error;
  }

  /** Sorted by the names of their configurations. Webhooks in this process come last. */
  private hooks(phase: 'mutate' | 'validate'): Hook[] {
    const from = this.dependencies.store.list(`${ADMISSION_GROUP}/${RESOURCES[phase]}`);
    const known = this.lists.get(phase);
    if (known?.from === from) return known.hooks;
    const hooks: Hook[] = from.flatMap((configuration) =>
      ((configuration.webhooks ?? []) as Webhook[]).map((webhook, i) => ({
        name: webhook.name,
        key: `${configuration.metadata.name}/${webhook.name}/${i}`,
        webhook,
      })),
    );
    for (const inProcess of this.dependencies.inProcess) {
      if (inProcess.phase === phase) hooks.push({ name: inProcess.name, key: `/${inProcess.name}`, inProcess });
    }
    this.lists.set(phase, { from, hooks });
    return hooks;
  }

  /** The request in the version for the hook. Undefined if the hook does not match. */
  private async select(hook: Hook, request: AdmissionRequest, versions: Versions): Promise<Versioned | undefined> {
    const { webhook, inProcess } = hook;
    if (!webhook) return inProcess!.concerns(request.attributes) ? versions.in(request.type) : undefined;
    const type = matchingType(request, { ...webhook, rules: webhook.rules ?? [] }, this.dependencies);
    if (!type) return undefined;
    const versioned = await versions.in(type).catch((error: unknown) => {
      throw internal((error as Error).message);
    });
    if (!webhook.matchConditions?.length) return versioned;
    const values = requestVariables(request, versioned, this.dependencies.authorizerFor(request));
    try {
      return conditionsHold(webhook.matchConditions, WEBHOOK_VARIABLES, values) ? versioned : undefined;
    } catch (error) {
      if (!(error instanceof ConditionError)) throw error;
      if (webhook.failurePolicy === 'Ignore') return undefined;
      throw forbidden(request.attributes, request.attributes.name, error.message);
    }
  }

  /** The object after the patch of the hook. Undefined without a change. */
  private async patchWith(
    hook: Hook,
    request: AdmissionRequest,
    versioned: Versioned,
  ): Promise<KubeObject | undefined> {
    const response = await this.call(hook, request, versioned, true);
    let operations: object[];
    try {
      operations = decodePatch(response?.patch);
    } catch (error) {
      return this.failed(hook, error);
    }
    if (operations.length === 0) return undefined;
    if (!versioned.object) {
      throw internal(
        `admission webhook ${JSON.stringify(hook.name)} attempted to modify the object, which is not supported for this operation`,
      );
    }
    try {
      return asKind(versioned.type, request.attributes.subresource, patched(versioned.object, operations));
    } catch (error) {
      throw error instanceof PatchProblem ? internal(error.message) : error;
    }
  }

  /** Undefined if the call failed and failurePolicy is Ignore. Otherwise throws the error for the client. */
  private async call(
    hook: Hook,
    request: AdmissionRequest,
    versioned: Versioned,
    mutating: boolean,
  ): Promise<ReviewResponse | undefined> {
    const { webhook, inProcess } = hook;
    if (request.dryRun && webhook && !['None', 'NoneOnDryRun'].includes(webhook.sideEffects ?? '')) {
      throw dryRunUnsupported(hook.name);
    }
    const uid = newUid(() => this.dependencies.clock.random());
    const asked = reviewOf(request, versioned, uid);
    let response: ReviewResponse;
    try {
      if (inProcess) response = await inProcess.review(asked);
      else {
        const body = { kind: 'AdmissionReview', apiVersion: 'admission.k8s.io/v1', request: asked };
        const timeout = webhook!.timeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS;
        const answer = await this.dependencies.transport.post(webhook!.clientConfig, body, timeout);
        response = verifyResponse(answer, uid, mutating);
      }
    } catch (error) {
      return this.failed(hook, error);
    }
    request.warnings.push(...(response.warnings ?? []));
    if (!response.allowed) throw denial(hook.name, response.status);
    return response;
  }

  private failed({ name, webhook, inProcess }: Hook, error: unknown): undefined {
    if (!(error instanceof CallError) && !inProcess) throw error;
    if ((webhook ?? inProcess)?.failurePolicy === 'Ignore') return undefined;
    throw internal(`failed calling webhook ${JSON.stringify(name)}: ${(error as Error).message}`);
  }
}

const dryRunUnsupported = (name: string): ApiError =>
  badRequest(`admission webhook ${JSON.stringify(name)} does not support dry run`);
