// The identity of a drain while Tranche is installed: how it is chosen, and what is read for the choice.
import assert from 'node:assert/strict';
import { HELD, TRAFFIC_ROUTING, WORKLOAD_TYPE } from '../../src/api/keys.ts';
import type { Resource } from '../../src/api/resources.ts';
import type { KubeObject } from '../../src/api/types.ts';
import type { Cluster } from '../../src/cli/cluster.ts';
import { CliError } from '../../src/cli/exit.ts';
import { watchedBy, type WebhookConfiguration } from '../../src/cli/doctor/webhooks.ts';
import { accountOf, identityFor, type Identity } from '../../src/cli/drain-identity.ts';
import { ApiError } from '../../src/kube/errors.ts';
import type { ResourceAttributes } from '../../src/kube/self.ts';
import { render } from '../charts/render.ts';

const US = 'system:serviceaccount:tranche-system:tranche';
const SUBJECT = { kind: 'ServiceAccount', name: 'tranche', namespace: 'tranche-system' };
const ROUTED: KubeObject = {
  kind: 'Rollout',
  metadata: { name: 'web', namespace: 'shop' },
  ...{ status: { canaryStatus: { traffic: { mode: 'Apart' } } } },
};
const CLONES: KubeObject = {
  kind: 'CloneSet',
  metadata: { name: 'web', namespace: 'shop', labels: { [WORKLOAD_TYPE]: 'cloneset' }, annotations: { [HELD]: '{}' } },
};
const LANE: KubeObject = {
  kind: 'TrafficRouting',
  metadata: { name: 'lane', namespace: 'shop', finalizers: [TRAFFIC_ROUTING] },
};

interface World {
  readonly named?: readonly string[];
  readonly watched?: readonly string[];
  readonly chosen?: boolean;
  readonly me?: string;
  /** Undefined: there is no binding. */
  readonly subjects?: readonly object[] | undefined;
  /** `VERB RESOURCE` that the user, or the ServiceAccount, lacks. */
  readonly lacks?: { readonly user?: readonly string[]; readonly account?: readonly string[] };
  /** Only in this namespace. */
  readonly limits?: string;
  readonly routed?: readonly KubeObject[];
  /** Resources that the cluster does not serve. */
  readonly absent?: readonly string[];
}

const ANSWERS: Readonly<Record<number, 'Forbidden' | 'NotFound'>> = { 403: 'Forbidden', 404: 'NotFound' };
const forbidden = (): ApiError => new ApiError(403, { reason: 'Forbidden', message: 'forbidden' });

/** Resolves with the identity, or with the message. `acted`: the users that were impersonated. */
async function identityIn(world: World): Promise<{ found: Identity | string; acted: string[] }> {
  const {
    named = [],
    watched = [],
    chosen = false,
    me = 'alice',
    lacks = {},
    limits,
    routed = [],
    absent = [],
  } = world;
  const subjects = 'subjects' in world ? world.subjects : [SUBJECT];
  const acted: string[] = [];
  const clusterOf = (user: string, missing: readonly string[] = []): Cluster => {
    const may = ({ verb, resource, subresource, namespace }: ResourceAttributes): boolean =>
      !missing.includes(`${verb} ${subresource === undefined ? resource : `${resource}/${subresource}`}`) &&
      (limits === undefined || user !== US || namespace === limits || namespace === 'tranche-system');
    const cluster: Pick<Cluster, 'answerOf' | 'whoAmI' | 'mayI' | 'find' | 'list'> = {
      answerOf: (error) => (error instanceof ApiError ? ANSWERS[error.code] : undefined),
      whoAmI: async () => user,
      mayI: async (asked) => may(asked),
      find: async <T>(_: Resource, { name }: { readonly name: string }) => {
        if (missing.includes('get clusterrolebindings')) throw forbidden();
        return (name === 'tranche-policies' && subjects ? { metadata: { name }, subjects } : undefined) as
          T | undefined;
      },
      list: async <T>({ plural, kind }: Resource, { namespace }: { readonly namespace?: string | undefined } = {}) => {
        if (!may({ verb: 'list', group: '', resource: plural, namespace })) throw forbidden();
        if (absent.includes(plural)) throw new ApiError(404, { reason: 'NotFound', message: '' });
        const here = routed.filter(({ metadata }) => namespace === undefined || metadata.namespace === namespace);
        return here.filter((one) => one.kind === kind) as T[];
      },
    };
    return cluster as Cluster;
  };
  const installation = { name: 'tranche', namespace: 'tranche-system', watched };
  const connectAs = async (username: string): Promise<Cluster> => {
    acted.push(username);
    return clusterOf(username, lacks.account);
  };
  const user = clusterOf(me, me === US ? lacks.account : lacks.user);
  try {
    return { found: await identityFor(user, { installation, named, chosen, connectAs }), acted };
  } catch (error) {
    assert.ok(error instanceof CliError, String(error));
    assert.equal(error.exitCode, 4);
    return { found: error.message, acted };
  }
}

const account = { name: 'tranche', namespace: 'tranche-system' };
const as = (more: Partial<Identity> = {}): Identity => ({ account, namespaces: [], openkruise: true, ...more });
const own = (namespaces: readonly string[] = []): Identity => ({ namespaces, openkruise: true });
const UNREAD = ['list trafficroutings', 'list clonesets'];
const IMPERSONATE = { user: ['impersonate serviceaccounts'] };
const UNREADING = { user: [...IMPERSONATE.user, ...UNREAD] };

type Row = readonly [title: string, world: World, expected: Identity, impersonated?: boolean];

const ROWS: readonly Row[] = [
  ['the ServiceAccount, if the user may impersonate it', {}, as(), true],
  ['the same, while a route is changed', { routed: [ROUTED, LANE] }, as(), true],
  ['the user without the verb, if no route is changed', { lacks: IMPERSONATE }, own()],
  ['the user without the verb, who may not list TrafficRoutings', { lacks: UNREADING, routed: [LANE] }, own()],
  ['the user that --as names', { chosen: true }, own()],
  ['the user, in the namespaces of the installation', { watched: ['shop'], lacks: IMPERSONATE }, own(['shop'])],
  ['the ServiceAccount itself', { me: US, routed: [ROUTED] }, own()],
  ['the ServiceAccount itself, with --as', { me: US, chosen: true, routed: [ROUTED] }, own()],
  [
    'the ServiceAccount in the namespaces of the installation',
    { watched: ['shop'], limits: 'shop' },
    as({ namespaces: ['shop'] }),
    true,
  ],
  ['the user elsewhere', { watched: ['pay'], named: ['shop'], routed: [ROUTED] }, own(['shop'])],
  [
    'the ServiceAccount in the named namespaces',
    { named: ['shop'], routed: [ROUTED] },
    as({ namespaces: ['shop'] }),
    true,
  ],
  [
    'the user, if one of the named namespaces is elsewhere',
    { watched: ['pay'], named: ['pay', 'shop'], limits: 'pay', routed: [ROUTED] },
    own(['pay', 'shop']),
    true,
  ],
  [
    'the ServiceAccount, without the workloads of OpenKruise',
    { lacks: { account: ['patch clonesets'] } },
    as({ openkruise: false }),
    true,
  ],
  [
    'the ServiceAccount without rights on routes, if none is changed',
    { lacks: { account: ['patch httproutes'] } },
    as(),
    true,
  ],
  [
    'the ServiceAccount, if CloneSets are not enrolled and it may not patch them',
    { lacks: { account: ['patch clonesets'] }, routed: [{ ...CLONES, metadata: { name: 'web', namespace: 'shop' } }] },
    as({ openkruise: false }),
    true,
  ],
  [
    'the ServiceAccount, if nobody may list TrafficRoutings and CloneSets',
    { lacks: { user: UNREAD, account: ['patch clonesets', ...UNREAD] }, routed: [LANE, CLONES] },
    as({ openkruise: false }),
    true,
  ],
  [
    'the ServiceAccount, if the cluster serves none of these kinds',
    {
      lacks: { account: ['patch clonesets', 'patch httproutes'] },
      absent: ['rollouts', 'trafficroutings', 'clonesets', 'statefulsets', 'daemonsets'],
      routed: [ROUTED, LANE, CLONES],
    },
    as({ openkruise: false }),
    true,
  ],
  ['the user, if roles of the ServiceAccount are gone', { lacks: { account: ['list rollouts'] } }, own(), true],
  ['the user, if the binding is gone', { subjects: undefined }, own()],
  ['the user, if the binding cannot be read', { lacks: { user: ['get clusterrolebindings'] } }, own()],
  ['nobody of another namespace', { subjects: [{ ...SUBJECT, namespace: 'attack' }] }, own()],
  ['no user', { subjects: [{ ...SUBJECT, kind: 'User' }] }, own()],
  ['no second subject', { subjects: [SUBJECT, SUBJECT] }, own()],
  ['no name that is none', { subjects: [{ ...SUBJECT, name: 'a\r\nImpersonate-Group: system:masters' }] }, own()],
];

const REFUSED: readonly (readonly [title: string, world: World, why: RegExp])[] = [
  [
    'the user lacks the verb',
    { lacks: IMPERSONATE },
    /^only the ServiceAccount of Tranche can give back the route of Rollout shop\/web: you do not have the verb impersonate on ServiceAccount tranche in namespace tranche-system; ask for this permission, or first end these releases: kubectl tranche finish, or kubectl tranche undo$/,
  ],
  [
    'the user has chosen another identity',
    { chosen: true },
    /: you act as another user; remove --as, --as-group and --as-uid, or/,
  ],
  [
    'the ServiceAccount lacks a right',
    { lacks: { account: ['patch rollouts/status'] } },
    /: it may not patch rollouts\.rollouts\.kruise\.io\/status in all namespaces; repair/,
  ],
  [
    'traffic routing was switched off',
    { lacks: { account: ['patch httproutes'] } },
    /: it may not patch httproutes\.gateway\.networking\.k8s\.io in all namespaces; set traffic\.gatewayAPI\.enabled to true with helm upgrade, or/,
  ],
  [
    'traffic routing was switched off, so that only the user sees the TrafficRouting',
    { routed: [LANE], lacks: { account: ['list trafficroutings', 'patch httproutes'] } },
    /^only the ServiceAccount of Tranche can give back the route of TrafficRouting shop\/lane: it may not patch httproutes\.\S+ in all namespaces; set traffic\.gatewayAPI\.enabled to true with helm upgrade, or first end the releases of the Rollouts that use it: kubectl tranche finish, or/,
  ],
  [
    'the ServiceAccount alone may not list TrafficRoutings',
    { routed: [LANE, LANE], lacks: { account: ['list trafficroutings'] } },
    /: it may not list trafficroutings\.rollouts\.kruise\.io in all namespaces; set traffic\.gatewayAPI\.enabled .* of the Rollouts that use them: /,
  ],
  [
    'only the ServiceAccount may list Rollouts',
    { lacks: { user: ['list rollouts'], account: ['patch httproutes'] } },
    /^only the ServiceAccount of Tranche can give back the route of Rollout shop\/web: it may not patch/,
  ],
  [
    'it is of a TrafficRouting, too',
    { routed: [ROUTED, LANE], lacks: IMPERSONATE },
    /Rollout shop\/web, the route of TrafficRouting shop\/lane: .* or first end these releases, and those of the Rollouts that use a TrafficRouting: /,
  ],
  [
    'the namespace of the installation is another',
    { subjects: [{ ...SUBJECT, namespace: 'tranche' }] },
    /does not name one ServiceAccount in namespace tranche-system; name the namespace of the installation with --system-namespace, or/,
  ],
  [
    'the binding is gone',
    { subjects: undefined },
    /: ClusterRoleBinding tranche-policies does not name one ServiceAccount in namespace tranche-system; repair/,
  ],
  [
    'the binding cannot be read',
    { lacks: { user: ['get clusterrolebindings'] } },
    /: you may not get ClusterRoleBinding tranche-policies, which names it; ask/,
  ],
  [
    'one of the named namespaces is elsewhere',
    { watched: ['shop'], named: ['shop', 'pay'], limits: 'shop' },
    /: it may not list rollouts\.rollouts\.kruise\.io in namespace pay; name only namespaces of the installation \(its value watchNamespaces\), or/,
  ],
];

describe('what the chart says about its ServiceAccount', () => {
  for (const [values, name, watched] of [
    [[], 'tranche', []],
    [['operator.enabled=false', 'webhook.url=https://127.0.0.1:9443'], 'tranche', []],
    [
      ['fullnameOverride=releases', 'serviceAccount.name=robot', 'watchNamespaces={shop,pay}'],
      'robot',
      ['shop', 'pay'],
    ],
  ] as const)
    it(`is found with ${values.join(' ') || 'its defaults'}`, async () => {
      const objects = (await render(...values)) as readonly KubeObject[];
      const hook = objects.find(({ kind }) => kind === 'MutatingWebhookConfiguration') as WebhookConfiguration;
      assert.deepEqual(watchedBy(hook), watched);
      const cluster = {
        answerOf: () => undefined,
        find: async <T>(resource: Resource, asked: { readonly name: string }) =>
          objects.find(({ kind, metadata }) => kind === resource.kind && metadata.name === asked.name) as T | undefined,
      };
      const installation = { name: hook.metadata.name, namespace: 'tranche-system', watched };
      assert.deepEqual(await accountOf(cluster, installation), { name, namespace: 'tranche-system' });
    });
});

describe('who drains while Tranche is installed', () => {
  for (const [title, world, expected, impersonated = false] of ROWS)
    it(title, async () => {
      assert.deepEqual(await identityIn(world), { found: expected, acted: impersonated ? [US] : [] });
    });

  for (const [title, world, why] of REFUSED)
    it(`nobody, if a route is changed and ${title}`, async () => {
      const { found } = await identityIn({ routed: [ROUTED], ...world });
      assert.match(String(found), why);
    });

  it('nobody, if a CloneSet is held and its kinds were switched off', async () => {
    const { found } = await identityIn({ routed: [CLONES], lacks: { account: ['list clonesets', 'patch clonesets'] } });
    assert.equal(
      found,
      'the ServiceAccount of Tranche may not give back CloneSet.apps.kruise.io shop/web: set openkruiseWorkloads.enabled to true with helm upgrade',
    );
  });

  it('does not act for a user whom the kubeconfig names, if only that user may impersonate the ServiceAccount', async () => {
    const refused = { whoAmI: () => Promise.reject(forbidden()) } as unknown as Cluster;
    const cluster: Partial<Cluster> = {
      answerOf: (error) => (error instanceof ApiError ? 'Forbidden' : undefined),
      whoAmI: async () => 'bob',
      mayI: async () => true,
      find: async <T>() => ({ metadata: { name: 'tranche-policies' }, subjects: [SUBJECT] }) as T,
      list: async () => [],
    };
    const found = await identityFor(cluster as Cluster, {
      installation: { name: 'tranche', namespace: 'tranche-system', watched: [] },
      named: [],
      chosen: false,
      connectAs: async () => refused,
    });
    assert.deepEqual(found, own());
  });
});
