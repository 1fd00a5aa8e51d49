// What a check says about a release.

import type { CheckStatus, Verdict } from '../../api/analysis.ts';

export type { Verdict };

export interface Judgement {
  readonly verdict: Verdict;
  /** Milliseconds since the epoch: the first look with this verdict, in a row. */
  readonly since: number;
  /** Why the verdict is Unknown, or why nothing can be shown yet. */
  readonly why?: string;
}

/** The check stops the release: it is Worse, and nobody has let the release go on. */
export const isFailed = ({ verdict, acceptedBy }: CheckStatus): boolean =>
  verdict === 'Worse' && acceptedBy === undefined;
