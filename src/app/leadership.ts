// Runs the operator while this process is the leader, and says who leads.
import { fenced } from '../kube/fence.ts';
import type { Api } from '../kube/api.ts';
import { steadyClock } from '../kube/clock.ts';
import { LeaderElection } from '../kube/lease.ts';
import type { Logger } from '../kube/log.ts';
import type { Operator } from '../operator/operator.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { DRAIN_IDENTITY, type Config } from './config.ts';

export interface LeadershipStart {
  readonly api: Api;
  /** Namespace of the Lease. */
  readonly namespace: string;
  /** Resolves when the caches are synced. A replica whose caches do not sync (false) does not try to lead. */
  readonly synced: Promise<boolean>;
  /** Makes an operator that writes with this Api. */
  readonly lead: (api: Api) => Operator;
}

interface Term {
  readonly operator: Operator;
  readonly lost: AbortController;
}

/** The Api of a term is fenced: it sends no writes after the lead is lost. */
export class Leadership {
  private readonly config: Pick<Config, 'leaderElect' | 'lease' | 'identity'>;
  private readonly logger: Logger;
  private readonly metrics: Pick<Metrics, 'leader'>;
  private election: LeaderElection | undefined;
  private term: Term | undefined;

  constructor(
    config: Pick<Config, 'leaderElect' | 'lease' | 'identity'>,
    logger: Logger,
    metrics: Pick<Metrics, 'leader'>,
  ) {
    this.config = config;
    this.logger = logger;
    this.metrics = metrics;
  }

  /** True if a drain has the lead, as last seen. */
  get draining(): boolean {
    return this.election?.holder?.startsWith(DRAIN_IDENTITY) ?? false;
  }

  start({ api, namespace, lead, synced }: LeadershipStart): void {
    const { leaderElect, lease, identity } = this.config;
    if (!leaderElect) return this.startTerm(api, lead, () => true);
    const election = new LeaderElection({
      api,
      // A change of the system time must not extend our lease or shorten the lease of another process.
      clock: steadyClock,
      namespace,
      name: lease,
      identity,
      logger: this.logger,
      onAcquired: () => this.startTerm(api, lead, () => election.held()),
      onEnd: (why) => this.endTerm(why),
    });
    this.election = election;
    void synced.then((ok) => ok && election.start());
  }

  /** Stops leading and the leader election. */
  async stop(): Promise<void> {
    await (this.election ? this.election.stop() : this.endTerm('stopping'));
  }

  private startTerm(api: Api, lead: (api: Api) => Operator, leads: () => boolean): void {
    const lost = new AbortController();
    const operator = lead(fenced(api, leads, lost.signal));
    this.term = { operator, lost };
    operator.start();
    this.metrics.leader(true);
  }

  private async endTerm(why: 'lost' | 'stopping'): Promise<void> {
    this.metrics.leader(false);
    if (why === 'lost') this.term?.lost.abort();
    await this.term?.operator.stop();
    this.term = undefined;
  }
}
