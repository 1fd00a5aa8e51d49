// Counts the requests in an audit log of the API server: the program's own, and the writes of all controllers. Pure.

/** The fields of an event of audit.k8s.io/v1 that are read. */
interface AuditEvent {
  readonly stage: string;
  readonly verb: string;
  readonly user: { readonly username: string };
  readonly objectRef?: { readonly resource?: string; readonly subresource?: string };
}

/** Number of requests, by e.g. `tranche patch deployments` or `deployment-controller update replicasets/status`. */
export type Requests = Readonly<Record<string, number>>;

const WRITES: ReadonlySet<string> = new Set(['create', 'update', 'patch', 'delete', 'deletecollection']);
const CONTROLLERS = 'system:serviceaccount:kube-system:';
const MANAGER = 'system:kube-controller-manager';
/** The name of Tranche in the counts. */
export const OWN = 'tranche';

/** The program: its user in the audit log, and its name in the counts. */
export interface Own {
  readonly user: string;
  readonly name: string;
}

/** Renewals of leases are left out: they are as many without a release. */
export function requestsIn(lines: readonly string[], own: Own): Requests {
  const counts: Record<string, number> = {};
  for (const line of lines) {
    const event = JSON.parse(line) as AuditEvent;
    // A watch has two events: one when it starts, and one when it ends, which may be in another measurement.
    if (event.verb === 'watch' ? event.stage !== 'ResponseStarted' : event.stage !== 'ResponseComplete') continue;
    const who = nameOf(event.user.username, own);
    const { resource = 'other', subresource } = event.objectRef ?? {};
    if (who === undefined || resource === 'leases' || (who !== own.name && !WRITES.has(event.verb))) continue;
    const what = `${who} ${event.verb} ${subresource === undefined ? resource : `${resource}/${subresource}`}`;
    counts[what] = (counts[what] ?? 0) + 1;
  }
  return counts;
}

function nameOf(username: string, { user, name }: Own): string | undefined {
  if (username === user) return name;
  if (username === MANAGER) return 'controller-manager';
  return username.startsWith(CONTROLLERS) ? username.slice(CONTROLLERS.length) : undefined;
}

const sumOf = (counts: Requests, isCounted: (what: string) => boolean): number =>
  Object.entries(counts).reduce((sum, [what, count]) => sum + (isCounted(what) ? count : 0), 0);

/** All requests of the program. */
export const ownRequests = (counts: Requests, { name }: Own): number =>
  sumOf(counts, (what) => what.startsWith(`${name} `));

/** The writes of the program and of the native controllers. */
export const allWrites = (counts: Requests): number => sumOf(counts, (what) => WRITES.has(what.split(' ')[1] ?? ''));
