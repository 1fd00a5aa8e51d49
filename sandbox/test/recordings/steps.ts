// The steps of the scenarios: requests for a StatefulSet `web` and a DaemonSet `agent`.
import type { Step } from './run.ts';

export const APPS = '/apis/apps/v1/namespaces/${ns}';
const SETS = `${APPS}/statefulsets`;
export const SET = `${SETS}/web`;
const DAEMONS = `${APPS}/daemonsets`;
export const DAEMON = `${DAEMONS}/agent`;
const MERGE = 'application/merge-patch+json';
const STRATEGIC = 'application/strategic-merge-patch+json';

export const template = (image: string): object => ({
  metadata: { labels: { app: 'web' } },
  spec: { containers: [{ name: 'web', image }] },
});

export const selector = { matchLabels: { app: 'web' } };

export const createSet = (spec: object = {}): Step => ({
  do: 'create',
  method: 'POST',
  path: SETS,
  body: {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'web' },
    spec: { serviceName: 'web', replicas: 3, selector, template: template('web:1'), ...spec },
  },
});

export const createDaemon = (spec: object = {}): Step => ({
  do: 'create',
  method: 'POST',
  path: DAEMONS,
  body: {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'agent' },
    spec: { selector, template: template('web:1'), ...spec },
  },
});

export const patch = (what: string, path: string, body: object, type = MERGE): Step => ({
  do: what,
  method: 'PATCH',
  path,
  type,
  body,
});

export const spec = (what: string, path: string, fields: object): Step => patch(what, path, { spec: fields });
export const image = (path: string, to: string, more: object = {}): Step =>
  spec(`image ${to}`, path, { template: { spec: { containers: [{ name: 'web', image: to }] } }, ...more });
export const rolling = (fields: object): object => ({
  updateStrategy: { type: 'RollingUpdate', rollingUpdate: fields },
});
export const partition = (to: number): Step => spec(`partition ${to}`, SET, rolling({ partition: to }));
export const scale = (replicas: number): Step => patch(`scale to ${replicas}`, `${SET}/scale`, { spec: { replicas } });
export const remove = (what: string, path: string): Step => ({ do: what, method: 'DELETE', path });
export const removePod = (name: string): Step => remove(`delete Pod ${name}`, `/api/v1/namespaces/\${ns}/pods/${name}`);
export const removePods = (): Step => remove('delete all Pods', '/api/v1/namespaces/${ns}/pods');
export const restart = (path: string): Step =>
  patch(
    'restart',
    path,
    {
      spec: {
        template: { metadata: { annotations: { 'kubectl.kubernetes.io/restartedAt': '2026-01-01T00:00:00Z' } } },
      },
    },
    STRATEGIC,
  );
/** As kubectl rollout undo does it. */
export const undo = (path: string, to: string): Step =>
  patch(
    `undo to ${to}`,
    path,
    {
      spec: {
        template: {
          $patch: 'replace',
          metadata: { labels: { app: 'web' } },
          spec: {
            containers: [
              {
                image: to,
                imagePullPolicy: 'IfNotPresent',
                name: 'web',
                resources: {},
                terminationMessagePath: '/dev/termination-log',
                terminationMessagePolicy: 'File',
              },
            ],
            dnsPolicy: 'ClusterFirst',
            restartPolicy: 'Always',
            schedulerName: 'default-scheduler',
            securityContext: {},
            terminationGracePeriodSeconds: 30,
          },
        },
      },
    },
    STRATEGIC,
  );

export const invalid = (create: (fields: object) => Step, cases: Record<string, object>): Step[] =>
  Object.entries(cases).map(([what, fields]) => ({ ...create(fields), do: what, afterMs: 1 }));

const BUDGETS = '/apis/policy/v1/namespaces/${ns}/poddisruptionbudgets';
export const BUDGET = `${BUDGETS}/web`;
export const createBudget = (fields: object): Step => ({
  do: 'create a budget',
  method: 'POST',
  path: BUDGETS,
  body: {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: 'web' },
    spec: { selector, ...fields },
  },
});
export const evict = (name: string): Step => ({
  do: `evict ${name}`,
  method: 'POST',
  path: `/api/v1/namespaces/\${ns}/pods/${name}/eviction`,
  body: { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name } },
});

export const NODE = '/api/v1/nodes/n9';
export const createNode: Step = {
  do: 'a new node',
  method: 'POST',
  path: '/api/v1/nodes',
  body: { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n9' } },
};
export const OFF = { 'disk.example.com/kind': 'slow' };
export const taint = (effect: string): object[] => [{ key: 'example.com/out', effect }];
export const taints = (what: string, list: object[] | null): Step => patch(what, NODE, { spec: { taints: list } });
