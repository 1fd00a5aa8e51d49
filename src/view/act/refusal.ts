// Why an action makes no sense in the state of a release.

/** The message names the action and the reason, and says what to do instead. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
}
