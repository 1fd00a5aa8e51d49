// The frame of the page: the bar with the state of the connection, and the states in which there is nothing else to show.
import { html, nothing, type TemplateResult } from 'lit-html';
import { sign } from './marks.ts';
import type { State } from './state.ts';
import { clock, told } from './time.ts';

export function bar(state: State, help: () => void): TemplateResult {
  const { connection } = state;
  const where = connection?.namespace ?? 'all namespaces';
  return html`<header class="bar">
    <h1>
      <a href="#/"><img src="/icon.svg" alt="" width="22" height="22" />Tranche</a>
    </h1>
    ${
      connection
        ? html`<p class="where">
            ${connection.context === undefined ? nothing : html`<span title="Context of the kubeconfig">${connection.context}</span>`}
            <b title="Namespace">${where}</b>
            ${connection.user === undefined ? nothing : html`<span class="user" title="You, as the API server sees you">${connection.user}</span>`}
            ${connection.readOnly ? html`<span class="tag">read-only</span>` : nothing}
          </p>`
        : nothing
    }
    ${liveness(state)}
    <button type="button" class="help" @click=${help} aria-label="Keyboard help" title="Keyboard help">?</button>
  </header>`;
}

/** Since when what is shown may be out of date, and why. Undefined: it is live. */
export function staleness({ stream, lostAt, connection }: State): { since: string; why: string } | undefined {
  if (stream === 'lost')
    return {
      since: new Date(lostAt ?? Date.now()).toISOString(),
      why: 'the command in the terminal does not answer; if it has ended, start it again: kubectl tranche dashboard',
    };
  if (connection && !connection.live) return { since: connection.since, why: connection.why ?? 'not known why' };
  return undefined;
}

function liveness(state: State): TemplateResult | typeof nothing {
  if (state.stream === 'locked') return nothing;
  const stale = staleness(state);
  if (stale) return html`<p class="live not"><i></i>not live since ${clock(stale.since)}</p>`;
  return state.connection
    ? html`<p class="live"><i></i>live</p>`
    : html`<p class="live starting"><i></i>connecting</p>`;
}

/** The reason, over the whole width. It goes away by itself. */
export function staleBanner(state: State): TemplateResult | typeof nothing {
  const stale = staleness(state);
  if (!stale || state.stream === 'locked') return nothing;
  return html`<aside class="banner" aria-label="Connection">
    ${sign('waits')}<span>Not live since ${clock(stale.since)}: ${stale.why}. It reconnects automatically.</span>
  </aside>`;
}

export const locked = (): TemplateResult =>
  html`<div class="empty">
    <h2>This tab may not read the dashboard</h2>
    <p>
      Each start of the command has its own secret, which is in the address that it prints. This tab has none, or that
      of an earlier start. Open the address that the terminal shows, or start the dashboard again:
    </p>
    <pre tabindex="0">kubectl tranche dashboard</pre>
  </div>`;

export function notice({ notice: shown }: State, close: () => void): TemplateResult | typeof nothing {
  if (!shown) return nothing;
  return html`<aside class="notice ${shown.good ? '' : 'bad'}" aria-label="Result">
    ${sign(shown.good ? 'done' : 'bad')}<span>${told(shown.text)}</span>
    <button type="button" aria-label="Close" @click=${close}>×</button>
  </aside>`;
}
