// What the server of the dashboard and the page say to each other, one JSON text per line or body. Types only: the browser loads nothing of it.
import type { ActionAsk, DashboardEvent } from '../view/dashboard/types.ts';

/** A line of `GET /api/stream`. */
export type StreamLine =
  /** `id`: with it, a later stream continues after this line. Only lines about the overview have one. */
  | { readonly id?: string; readonly event: DashboardEvent }
  /** Nothing has changed. `at`: the server's clock, in milliseconds since the epoch. It is also the first line. */
  | { readonly beat: number };

/** The body of `POST /api/ask`: whether the API server would accept the action, in a dry run. The answer is an ActionVerdict. */
export type AskBody = Pick<ActBody, 'namespace' | 'rollout' | 'ask'>;

/** The body of `POST /api/act`. */
export interface ActBody {
  readonly namespace: string;
  /** Name of the Rollout. */
  readonly rollout: string;
  readonly ask: ActionAsk;
  /** What the user typed as the name of the Rollout, for actions that require it. */
  readonly typed?: string;
  /** Reason of an approval, for an event of the Rollout. At most 500 characters. */
  readonly message?: string;
}

/** The answer of `POST /api/act`. */
export interface ActAnswer {
  readonly done: boolean;
  /** The result, or why it was refused, in words. */
  readonly says: string;
  /** Warnings of the API server. */
  readonly warnings: readonly string[];
}

/** The answer to a request that is refused. */
export interface Refused {
  readonly why: string;
}
