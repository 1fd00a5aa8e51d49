// Kinds that are computed and not stored: access reviews, self reviews, token requests.
import { badRequest, field, invalid, notFound } from '../core/errors.ts';
import { timestamp } from '../core/names.ts';
import type { Store } from '../core/store.ts';
import type { Attributes, Clock, FieldError, KubeObject, User } from '../core/types.ts';
import type { Decision, Rbac } from './rbac.ts';
import type { PolicyRule } from './rules.ts';
import { ISSUER, type BoundObject, type Tokens } from './tokens.ts';

export interface ReviewContext {
  user: User;
  /** The namespace of the path; "" without one. */
  namespace: string;
  /** The service account of a token request. */
  name: string;
}

/** Answers a POST of the resource (`subjectaccessreviews`, `serviceaccounts/token`, …) with the completed object. */
export type ReviewHandler = (object: KubeObject, context: ReviewContext) => KubeObject;

export interface ReviewDependencies {
  rbac: Rbac;
  tokens: Tokens;
  objects: Pick<Store, 'get'>;
  clock: Clock;
}

interface AccessSpec {
  user?: string;
  groups?: string[];
  uid?: string;
  extra?: Record<string, string[]>;
  resourceAttributes?: Record<string, string>;
  nonResourceAttributes?: { path?: string; verb?: string };
}

const AUTHORIZATION = 'authorization.k8s.io';
const MIN_EXPIRATION_SECONDS = 600;
const MAX_EXPIRATION_SECONDS = 2 ** 32;

export const reviewHandlers = (dependencies: ReviewDependencies): Record<string, ReviewHandler> => {
  const { rbac, tokens } = dependencies;
  const answer = (object: KubeObject, user: User, spec: AccessSpec): KubeObject => ({
    ...object,
    status: statusOf(rbac.authorize(attributesOf(user, spec))),
  });
  return {
    subjectaccessreviews(object) {
      const spec = object.spec as AccessSpec;
      refuse(object, [...checkSubject(spec), ...checkAttributes(spec)]);
      return answer(object, subjectOf(spec), spec);
    },
    localsubjectaccessreviews(object, { namespace }) {
      const spec = object.spec as AccessSpec;
      const asked = spec.resourceAttributes?.namespace;
      const wrong =
        asked === namespace
          ? []
          : [field.invalid('spec.resourceAttributes.namespace', asked ?? '', 'must match metadata.namespace')];
      refuse(object, [...checkSubject(spec), ...checkAttributes(spec), ...wrong]);
      return answer(object, subjectOf(spec), spec);
    },
    selfsubjectaccessreviews(object, { user }) {
      const spec = object.spec as AccessSpec;
      refuse(object, checkAttributes(spec));
      return answer(object, user, spec);
    },
    selfsubjectrulesreviews(object, { user }) {
      const namespace = (object.spec?.namespace as string | undefined) ?? '';
      if (!namespace) throw badRequest('no namespace on request');
      const { rules, errors } = rbac.rulesFor(user, namespace);
      return { ...object, status: rulesStatus(user, rules, errors) };
    },
    selfsubjectreviews(object, { user }) {
      return { ...object, status: { userInfo: user } };
    },
    tokenreviews(object) {
      if (!object.spec?.token) throw badRequest('token is required for TokenReview in authentication');
      const audiences = (object.spec?.audiences as string[] | undefined) ?? [ISSUER];
      const user = tokens.verify(object.spec.token as string, audiences);
      return {
        ...object,
        status: user ? { authenticated: true, user, audiences } : { user: {}, error: 'invalid bearer token' },
      };
    },
    'serviceaccounts/token': (object, context) => requestToken(dependencies, object, context),
  };
};

const statusOf = ({ allowed, reason }: Decision): object => ({ allowed, ...(reason ? { reason } : {}) });

const subjectOf = ({ user, groups, uid, extra }: AccessSpec): User => ({
  username: user ?? '',
  groups: groups ?? [],
  ...(uid ? { uid } : {}),
  ...(extra ? { extra } : {}),
});

const attributesOf = (user: User, { resourceAttributes: r, nonResourceAttributes: n }: AccessSpec): Attributes => ({
  user,
  verb: r?.verb ?? n?.verb ?? '',
  group: r?.group ?? '',
  version: r?.version ?? '',
  resource: r?.resource ?? '',
  subresource: r?.subresource ?? '',
  namespace: r?.namespace ?? '',
  name: r?.name ?? '',
  path: n?.path ?? '',
  resourceRequest: r !== undefined,
});

const checkSubject = (spec: AccessSpec): FieldError[] =>
  spec.user || spec.groups?.length
    ? []
    : [field.invalid('spec.user', spec.user ?? '', 'at least one of user or group must be specified')];

const checkAttributes = (spec: AccessSpec): FieldError[] => {
  const { resourceAttributes, nonResourceAttributes } = spec;
  if (resourceAttributes && nonResourceAttributes) {
    return [
      field.invalid(
        'spec.nonResourceAttributes',
        nonResourceAttributes,
        'cannot be specified in combination with resourceAttributes',
      ),
    ];
  }
  if (resourceAttributes || nonResourceAttributes) return [];
  return [
    field.invalid(
      'spec.resourceAttributes',
      resourceAttributes ?? null,
      'exactly one of nonResourceAttributes or resourceAttributes must be specified',
    ),
  ];
};

const refuse = (object: KubeObject, errors: FieldError[]): void => {
  if (errors.length > 0) throw invalid({ group: AUTHORIZATION, kind: object.kind }, '', errors);
};

const EVERYTHING: PolicyRule[] = [
  { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
  { verbs: ['*'], nonResourceURLs: ['*'] },
];

const rulesStatus = (user: User, rules: PolicyRule[], errors: string[]): object => {
  const all = user.groups.includes('system:masters') ? [...EVERYTHING, ...rules] : rules;
  return {
    resourceRules: all
      .filter((rule) => rule.resources?.length)
      .map(({ verbs, apiGroups, resources, resourceNames }) => ({
        verbs,
        apiGroups,
        resources,
        ...(resourceNames?.length ? { resourceNames } : {}),
      })),
    nonResourceRules: all
      .filter((rule) => rule.nonResourceURLs?.length)
      .map(({ verbs, nonResourceURLs }) => ({ verbs, nonResourceURLs })),
    incomplete: errors.length > 0,
    ...(errors.length > 0 ? { evaluationError: errors.join(', ') } : {}),
  };
};

interface BoundRef {
  kind?: string;
  apiVersion?: string;
  name?: string;
  uid?: string;
}

const requestToken = (
  dependencies: ReviewDependencies,
  object: KubeObject,
  { namespace, name }: ReviewContext,
): KubeObject => {
  const { objects, tokens, clock } = dependencies;
  const account = objects.get('/serviceaccounts', namespace, name);
  if (!account) throw notFound({ group: '', resource: 'serviceaccounts' }, name);
  const seconds = (object.spec?.expirationSeconds as number | undefined) ?? 3600;
  const audiences = object.spec?.audiences?.length ? (object.spec.audiences as string[]) : [ISSUER];
  const path = 'spec.expirationSeconds';
  const errors = [
    ...(seconds < MIN_EXPIRATION_SECONDS
      ? [field.invalid(path, seconds, 'may not specify a duration less than 10 minutes')]
      : []),
    ...(seconds > MAX_EXPIRATION_SECONDS
      ? [field.invalid(path, seconds, 'may not specify a duration larger than 2^32 seconds')]
      : []),
  ];
  if (errors.length > 0) throw invalid({ group: 'authentication.k8s.io', kind: 'TokenRequest' }, '', errors);
  const ref = object.spec?.boundObjectRef as BoundRef | undefined;
  const bound = ref && boundObject(objects, ref, account);
  return {
    ...object,
    metadata: { name, namespace, creationTimestamp: timestamp(clock.now()) },
    spec: { audiences, expirationSeconds: seconds, boundObjectRef: ref ?? null },
    status: {
      token: tokens.issue(account, audiences, seconds, bound),
      expirationTimestamp: timestamp(clock.now() + seconds * 1000),
    },
  };
};

const boundObject = (objects: Pick<Store, 'get'>, ref: BoundRef, account: KubeObject): BoundObject => {
  const wrong = (path: string, value: unknown, why: string): never => {
    throw invalid({ group: 'authentication.k8s.io', kind: 'TokenRequest' }, '', [field.invalid(path, value, why)]);
  };
  if (ref.kind !== 'Pod' && ref.kind !== 'Secret') {
    return wrong(
      'spec.boundObjectRef.kind',
      ref.kind ?? '',
      'cannot bind token for serviceaccount to this kind; use Pod or Secret',
    );
  }
  const resource = ref.kind === 'Pod' ? 'pods' : 'secrets';
  const found = objects.get(`/${resource}`, account.metadata.namespace!, ref.name ?? '');
  if (!found) throw notFound({ group: '', resource }, ref.name ?? '');
  if (ref.uid && ref.uid !== found.metadata.uid) {
    return wrong('spec.boundObjectRef.uid', ref.uid, `is not the UID of ${ref.kind} ${ref.name}`);
  }
  if (ref.kind === 'Pod' && (found.spec?.serviceAccountName ?? 'default') !== account.metadata.name) {
    return wrong(
      'spec.boundObjectRef.name',
      ref.name,
      `cannot bind token for serviceaccount "${account.metadata.name}" to pod running with different serviceaccount name.`,
    );
  }
  const nodeName = found.spec?.nodeName as string | undefined;
  const node = nodeName ? { name: nodeName, uid: objects.get('/nodes', '', nodeName)?.metadata.uid } : undefined;
  return { kind: ref.kind, name: found.metadata.name, uid: found.metadata.uid!, ...(node ? { node } : {}) };
};
