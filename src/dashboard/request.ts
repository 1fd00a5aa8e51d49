// The requests of a dialog: whether an action is possible, in a dry run, and then the action.
import type { ActionAsk, ActionVerdict, ActionView } from '../view/dashboard/types.ts';
import type { Draft } from './dialog.ts';
import type { ActAnswer, ActBody, AskBody, Refused } from './wire.ts';

/** Returns the answer, or why there is none. */
async function post<T>(token: string, path: '/api/ask' | '/api/act', body: object): Promise<T | string> {
  try {
    const response = await fetch(path, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return response.ok ? ((await response.json()) as T) : ((await response.json()) as Refused).why;
  } catch {
    return 'the dashboard does not answer';
  }
}

function askOf(key: string, { name, version }: ActionView, { chosen, yes }: Draft): AskBody {
  const [namespace = '', rollout = ''] = key.split('/');
  const ask: ActionAsk = {
    ...{ name, version },
    ...(yes && { yes }),
    ...(name === 'jump' && chosen !== undefined && { step: chosen }),
    ...(name === 'undo' && chosen !== undefined && { revision: chosen }),
  };
  return { namespace, rollout, ask };
}

/** Asks the API server in a dry run of what is chosen. */
export async function check(token: string, key: string, shown: ActionView, draft: Draft): Promise<ActionVerdict> {
  const answer = await post<ActionVerdict>(token, '/api/ask', askOf(key, shown, draft));
  return typeof answer === 'string' ? { allowed: false, why: answer, unknown: true } : answer;
}

export async function send(token: string, key: string, shown: ActionView, draft: Draft): Promise<ActAnswer> {
  const message = draft.message.trim();
  const body: ActBody = {
    ...askOf(key, shown, draft),
    ...(shown.confirm === 'type' && { typed: draft.typed }),
    ...(message !== '' && { message }),
  };
  const answer = await post<ActAnswer>(token, '/api/act', body);
  if (typeof answer !== 'string') return answer;
  return {
    done: false,
    says: `${answer}, so it is not known whether this was done: look at the release`,
    warnings: [],
  };
}
