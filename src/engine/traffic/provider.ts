// The seam of the kinds of routes: one file per kind, and a line in registry.ts. All of it is pure.
import type { Resource } from '../../api/resources.ts';
import type { HttpMatch, RouteMatch, RouteRule, TrafficRouting } from '../../api/traffic.ts';

/** Why a route cannot express a split. */
export interface Problem {
  /** The field of the step that cannot be expressed, or `route` if the route's own rules are the cause. */
  readonly about: 'traffic' | 'matches' | 'requestHeaderModifier' | 'route';
  readonly reason: string;
  readonly remedy: string;
}

/** The problem, for use inside the engine: callers outside engine/traffic get a {@link Problem} as a value. */
export class RouteError extends Error {
  override readonly name = 'RouteError';
  readonly problem: Problem;
  constructor(problem: Problem) {
    super(problem.reason);
    this.problem = problem;
  }
}

export interface TrafficProvider {
  readonly resource: Resource;
  /** The field of a routing that names the route: `gateway.httpRouteName`. */
  readonly field: string;
  /** The name of the route. Undefined if the routing names none of this kind. */
  nameIn(routing: TrafficRouting): string | undefined;
  /**
   * The matches of the requests of a rule that a step's matches select. Empty if there are none. Throws {@link RouteError} if the kind of route
   * cannot express them.
   */
  narrow(rule: RouteRule, wanted: readonly HttpMatch[]): readonly RouteMatch[];
}
