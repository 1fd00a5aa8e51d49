// What a check says about a release.

/**
 * `Worse`: the new version is shown to be worse. It stays Worse for the rest of the release. `Fine`: it is shown not to be. `Open`: there are data,
 * and nothing is shown yet. `Unknown`: there are no data, or the source does not answer. Unknown never becomes Worse by itself.
 */
export type Verdict = 'Worse' | 'Fine' | 'Open' | 'Unknown';

export interface Judgement {
  readonly verdict: Verdict;
  /** Milliseconds since the epoch: the first look with this verdict, in a row. */
  readonly since: number;
  /** Why the verdict is Unknown. */
  readonly why?: string;
}
