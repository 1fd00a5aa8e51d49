// `authorizer` in admission expressions: `authorizer.group('apps').resource('deployments').name('x').check('update').allowed()`.
import type { Environment } from '@marcbachmann/cel-js';
import type { Attributes, User } from '../core/types.ts';

interface Decision {
  allowed: boolean;
  reason: string;
}

type Authorize = (attributes: Attributes) => Decision;

class Authorizer {
  readonly authorize: Authorize;
  readonly user: User;
  readonly requestResource: ResourceCheck;

  constructor(authorize: Authorize, user: User, request: Attributes) {
    this.authorize = authorize;
    this.user = user;
    const { group, resource, subresource, namespace, name } = request;
    this.requestResource = new ResourceCheck(this, { group, resource, subresource, namespace, name });
  }

  as(user: User): Authorizer {
    return new Authorizer(this.authorize, user, { ...NOTHING, user });
  }

  ask(verb: string, what: Partial<Attributes>): CheckResult {
    return new CheckResult(this.authorize({ ...NOTHING, user: this.user, verb, ...what }));
  }
}

class GroupCheck {
  readonly authorizer: Authorizer;
  readonly group: string;
  constructor(authorizer: Authorizer, group: string) {
    this.authorizer = authorizer;
    this.group = group;
  }
}

class PathCheck {
  readonly authorizer: Authorizer;
  readonly path: string;
  constructor(authorizer: Authorizer, path: string) {
    this.authorizer = authorizer;
    this.path = path;
  }
}

class ResourceCheck {
  readonly authorizer: Authorizer;
  readonly what: Partial<Attributes>;
  constructor(authorizer: Authorizer, what: Partial<Attributes>) {
    this.authorizer = authorizer;
    this.what = what;
  }

  with(more: Partial<Attributes>): ResourceCheck {
    return new ResourceCheck(this.authorizer, { ...this.what, ...more });
  }
}

class CheckResult {
  readonly decision: Decision;
  constructor(decision: Decision) {
    this.decision = decision;
  }
}

const NOTHING: Omit<Attributes, 'user'> = {
  verb: '',
  group: '',
  version: '*',
  resource: '',
  subresource: '',
  namespace: '',
  name: '',
  path: '',
  resourceRequest: true,
};

/** The value of `authorizer` for a request. */
export const authorizerOf = (auth: { authorize: Authorize }, request: Attributes): unknown =>
  new Authorizer((attributes) => auth.authorize(attributes), request.user, request);

const T = 'kubernetes.authorization';

export const registerAuthorizer = (env: Environment): void => {
  const define = (signature: string, handler: (...args: never[]) => unknown): void => {
    env.registerFunction(signature, handler as (...args: unknown[]) => unknown, { async: false });
  };
  env.registerType(`${T}.Authorizer`, Authorizer);
  env.registerType(`${T}.GroupCheck`, GroupCheck);
  env.registerType(`${T}.PathCheck`, PathCheck);
  env.registerType(`${T}.ResourceCheck`, ResourceCheck);
  env.registerType(`${T}.Decision`, CheckResult);
  define(`${T}.Authorizer.group(string): ${T}.GroupCheck`, (a: Authorizer, group: string) => new GroupCheck(a, group));
  define(`${T}.Authorizer.path(string): ${T}.PathCheck`, (a: Authorizer, path: string) => new PathCheck(a, path));
  define(
    `${T}.Authorizer.serviceAccount(string, string): ${T}.Authorizer`,
    (a: Authorizer, namespace: string, name: string) =>
      a.as({
        username: `system:serviceaccount:${namespace}:${name}`,
        groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
      }),
  );
  define(
    `${T}.GroupCheck.resource(string): ${T}.ResourceCheck`,
    (g: GroupCheck, resource: string) => new ResourceCheck(g.authorizer, { group: g.group, resource }),
  );
  for (const property of ['subresource', 'namespace', 'name'] as const) {
    define(`${T}.ResourceCheck.${property}(string): ${T}.ResourceCheck`, (r: ResourceCheck, value: string) =>
      r.with({ [property]: value }),
    );
  }
  define(`${T}.ResourceCheck.check(string): ${T}.Decision`, (r: ResourceCheck, verb: string) =>
    r.authorizer.ask(verb, r.what),
  );
  define(`${T}.PathCheck.check(string): ${T}.Decision`, (p: PathCheck, verb: string) =>
    p.authorizer.ask(verb, { path: p.path, resourceRequest: false }),
  );
  define(`${T}.Decision.allowed(): bool`, (d: CheckResult) => d.decision.allowed);
  define(`${T}.Decision.reason(): string`, (d: CheckResult) => d.decision.reason);
  define(`${T}.Decision.errored(): bool`, () => false);
  define(`${T}.Decision.error(): string`, () => '');
};
