// Writes the status of ReleasePolicies: numbers of matched objects and the last refusals. Each replica adds what it knows.
import type { PolicyRefusal, ReleasePolicy, ReleasePolicyStatus } from '../api/policy.ts';
import { sameJson } from '../engine/lib/template.ts';
import { formatTime } from '../engine/lib/time.ts';
import type { Api, Clock } from '../kube/api.ts';
import { isBusy, isConflict, isNotFound } from '../kube/errors.ts';
import type { Logger } from '../kube/log.ts';
import { POLICIES } from '../api/resources.ts';
import { pathOf } from '../kube/path.ts';

export interface PolicyStatusDeps {
  readonly api: Api;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly policies: () => Iterable<ReleasePolicy>;
  readonly counts: (policy: ReleasePolicy) => { readonly deployments: number; readonly rollouts: number };
}

const KEPT = 10;
const MAX_MESSAGE = 500;
/** Changes within this time are written together. */
const GATHER_MS = 3_000;

export class PolicyStatusWriter {
  private readonly deps: PolicyStatusDeps;
  private readonly refusals = new Map<string, PolicyRefusal[]>();
  private cancel: (() => void) | undefined;
  private writing: Promise<void> | undefined;
  private stopped = false;

  constructor(deps: PolicyStatusDeps) {
    this.deps = deps;
  }

  note(policy: string, refusal: Omit<PolicyRefusal, 'time'>): void {
    const time = formatTime(this.deps.clock.now());
    const known = this.refusals.get(policy) ?? [];
    const message = refusal.message.slice(0, MAX_MESSAGE);
    this.refusals.set(policy, [{ ...refusal, time, message }, ...known].slice(0, KEPT));
    this.touch();
  }

  /** Schedules a write, because the counts may have changed. */
  touch(): void {
    if (this.stopped) return;
    this.cancel ??= this.deps.clock.after(GATHER_MS, () => {
      this.cancel = undefined;
      this.writing = (this.writing ?? Promise.resolve()).then(() => this.writeAll());
    });
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.cancel?.();
    await this.writing;
  }

  private async writeAll(): Promise<void> {
    for (const policy of this.deps.policies()) {
      try {
        await this.write(policy);
      } catch (error) {
        if (isNotFound(error)) continue;
        // Another replica was faster, or the API server is busy: the refusals are kept for the next write.
        if (!isConflict(error))
          this.deps.logger[isBusy(error) ? 'info' : 'warn']('cannot write the status of a policy', { error });
        this.touch();
      }
    }
  }

  private async write(policy: ReleasePolicy): Promise<void> {
    const { name, resourceVersion, generation } = policy.metadata;
    const { deployments, rollouts } = this.deps.counts(policy);
    const news = this.refusals.get(name) ?? [];
    const refusals = [...news, ...(policy.status?.refusals ?? [])].slice(0, KEPT);
    const status: ReleasePolicyStatus = {
      observedGeneration: generation ?? 0,
      matchedDeployments: deployments,
      matchedRollouts: rollouts,
      ...(refusals.length > 0 && { refusals }),
    };
    if (news.length === 0 && sameJson(status, policy.status)) return;
    await this.deps.api.request({
      method: 'PATCH',
      path: pathOf(POLICIES, { name, subresource: 'status' }),
      contentType: 'application/merge-patch+json',
      body: { metadata: { resourceVersion }, status },
    });
    const later = (this.refusals.get(name) ?? []).filter((one) => !news.includes(one));
    if (later.length > 0) this.refusals.set(name, later);
    else this.refusals.delete(name);
  }
}
