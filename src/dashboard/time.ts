// Ages and times of day, counted from the server's clock.
import { html, type TemplateResult } from 'lit-html';
import type { Time } from '../view/dashboard/types.ts';

/** Milliseconds that the server's clock is ahead of the browser's. */
let ahead = 0;

export const setServerClock = (now: number): void => {
  const difference = now - Date.now();
  // What the message took on its way is no difference of the clocks.
  ahead = Math.abs(difference) < 1000 ? 0 : difference;
};

export const serverNow = (): number => Date.now() + ahead;

/** `45s`, `12m`, `3h`, `2d`, with a second unit while the first is small, as kubectl writes it. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10) return join(`${minutes}m`, seconds % 60, 's');
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  if (hours < 8) return join(`${hours}h`, minutes % 60, 'm');
  if (hours < 48) return `${hours}h`;
  const days = Math.floor(hours / 24);
  return days < 8 ? join(`${days}d`, hours % 24, 'h') : `${days}d`;
}

const join = (first: string, rest: number, unit: string): string => (rest === 0 ? first : `${first}${rest}${unit}`);

/** `10:02`, with the day if it is not today. */
export function clock(at: Time): string {
  const date = new Date(at);
  const time = date.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' });
  if (date.toDateString() === new Date(serverNow()).toDateString()) return time;
  return `${date.toLocaleDateString('en-GB', { day: 'numeric', month: 'short' })} ${time}`;
}

const RFC_3339 = /\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)/g;

/** A sentence with its times as people read them: `continuing at 10:02` instead of `continuing at 2026-01-02T10:02:00Z`. */
export const told = (sentence: string | undefined): string =>
  (sentence ?? '').replace(RFC_3339, (at) => (Number.isNaN(Date.parse(at)) ? at : clock(at)));

/** How long ago: `12m`. `updateAges` fills it in. */
export const since = (at: Time | undefined): TemplateResult | '' =>
  at === undefined ? '' : html`<time datetime=${at} data-way="since" title=${full(at)}></time>`;

/** How long from now: `4m`. */
export const until = (at: Time | undefined): TemplateResult | '' =>
  at === undefined ? '' : html`<time datetime=${at} data-way="until" title=${full(at)}></time>`;

const full = (at: Time): string => new Date(at).toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'long' });

/** Writes the current ages. Called after each change of the page and once a second: no other part of the page changes with the time alone. */
export function updateAges(root: ParentNode): void {
  const now = serverNow();
  for (const element of root.querySelectorAll<HTMLTimeElement>('time[data-way]')) {
    const distance = Date.parse(element.dateTime) - now;
    const text = element.dataset['way'] === 'until' ? duration(distance) : duration(-distance);
    if (element.textContent !== text) element.textContent = text;
  }
}
