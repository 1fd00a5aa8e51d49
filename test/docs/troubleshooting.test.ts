// The pages about troubleshooting have an entry for every message that a user can meet and that does not say all itself, and none for what nobody says.
import assert from 'node:assert/strict';
import path from 'node:path';
import { EVENTS } from '../../src/api/reasons.ts';
import { anything, messages, type Message } from './messages.ts';
import { readPage } from './page.ts';

const PAGES = ['docs/troubleshooting.md', 'docs/troubleshooting-installation.md', 'docs/status.md'];

/** The words of others: the API server's, kubectl's and helm's. */
const NOT_OURS = 'Errors of the API server and of kubectl';

interface Entry {
  readonly text: string;
  readonly section: string;
}

/** An entry begins with the messages that it is about, each in backquotes; a row of a table has reasons in its first two cells. */
function entriesOf(page: string): Entry[] {
  const entries: Entry[] = [];
  let section = '';
  let item = '';
  const close = (): void => {
    const [, spans = ''] =
      /^- ((?:`[^`]+`(?:[,:]|\s\([^)]*\):)\s+)+)/.exec(item) ?? /^\| ((?:`\w+`[,: |]+)+)/.exec(item) ?? [];
    for (const [, text] of spans.matchAll(/`([^`]+)`/g)) entries.push({ text: text!, section });
    item = '';
  };
  for (const { text } of readPage(page).prose) {
    if (/^\s+\S/.test(text) && item !== '') item += ` ${text.trim()}`;
    else {
      close();
      section = /^## (.*)/.exec(text)?.[1] ?? section;
      if (/^(- |\| `)/.test(text)) item = text;
    }
  }
  close();
  return entries;
}

const entries = PAGES.flatMap(entriesOf);
const partsOf = (text: string): string[] =>
  text
    .split('…')
    .map((part) => part.trim())
    .filter((part) => /\w/.test(part));
const lengthOf = (text: string): number => partsOf(text).join('').length;

/** The words of the entry are in the message, in their order. */
function fits(entry: string, message: string): boolean {
  let at = 0;
  for (const part of partsOf(entry)) {
    const found = message.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return true;
}

/** Enough of its words to find the one by the other. */
const covers = (entry: string, message: string): boolean =>
  fits(entry, message) && lengthOf(entry) >= Math.min(24, lengthOf(message) / 2);

const isInWords = ({ text }: Message): boolean => /[a-z]{2,}.* .*[a-z]{2,}/.test(text);
const remedies =
  /^(use|write|add|remove|wait|name|set|change|put|ask|try|keep|leave|give|end|shorten|see|approve|make)\b/;

/** A warning or an error with the command to run, or with what to write, needs no entry. */
const REMEDY = /\bkubectl [a-z]|[;:] (set|write|name|finish|install|to [a-z ]+, (select|write))\b/;
const open = (texts: readonly string[]): string[] => texts.filter((text) => !REMEDY.test(text));

/** Messages in words of these files, below src. */
function saidIn(files: readonly string[], how: (message: Message) => boolean = () => true): string[] {
  const found = files.map((glob) => messages.filter(({ file }) => path.matchesGlob(file, `src/${glob}.ts`)));
  const idle = files.filter((_, index) => found[index]!.length === 0);
  assert.deepEqual(idle, [], 'no file of src with a message has such a name');
  return found
    .flat()
    .filter((message) => isInWords(message) && how(message))
    .map(({ text }) => text);
}
const given =
  (...names: string[]) =>
  ({ within }: Message): boolean =>
    names.includes(within[0]!);

/** Types of conditions, and what they can be. */
const CONDITIONS = new Set('Progressing Succeeded Stalled Bypassed PolicyBlocked Terminating True False'.split(' '));

/** What is in words and no message of its own. */
const NOT_SAID = new Set([
  // Parts of sentences, said with others.
  'the rest of the Pods',
  'a member of …',
  'approval by the author',
  'spec.strategy.canary.steps[…].replicas',
  '… and … more',
  'no Rollout names it',
  'Rollout … is …',
]);

const groups: Readonly<Record<string, readonly string[]>> = {
  'reason of an event': Object.keys(EVENTS),
  'reason of a condition': messages
    .filter(({ within }) =>
      ['StalledReason', 'ProgressingReason', 'BlockedReason', 'setCondition'].includes(within.at(-1)!),
    )
    .map(({ text }) => text)
    .filter((text) => /^[A-Z]\w+$/.test(text) && !CONDITIONS.has(text)),
  // Errors in a field of a Rollout (src/schema, src/engine/validate/rollout.ts, analysis.ts and traffic.ts) say what to write.
  refusal: saidIn(
    [
      'engine/admit/*',
      'engine/policy/*',
      'engine/release/*',
      'engine/validate/!(rollout|analysis|names|advice|traffic|traffic-advice)',
      'engine/workload/*',
      'admission/*',
    ],
    (message) => !/^tranche: /.test(message.text) && !remedies.test(message.text) && isRefusal(message),
  ),
  warning: open(saidIn(['engine/**/*', 'admission/**/*'], ({ text }) => text.startsWith('tranche: '))).map((text) =>
    text.replace(/^tranche: /, ''),
  ),
  'word of a status': saidIn(['engine/messages', 'engine/workload/deployment/view']),
  // An error about a flag or an argument (usageError) says what to write.
  'error of the plugin': open(saidIn(['cli/**/*'], given('CliError'))),
  'refusal of a takeover': saidIn(['engine/release/takeover'], given('refuse', 'why')).filter(
    (text) => !/^(kubectl|change|write|… --finish)[ ,]/.test(text),
  ),
  // A problem has a command.
  'finding of the doctor': saidIn(['cli/doctor/*'], given('note')).filter((text) => !/^(kubectl|helm) /.test(text)),
  'complaint of readyz': saidIn(['app/caches', 'tls/inject', 'tls/bundle'], ({ within }) =>
    within.some((name) => ['notSynced', 'inDoubt', 'flawOf', 'flawOfChain'].includes(name)),
  ),
  'reason not to start': saidIn(
    ['app/*', 'kube/connection'],
    given('ConfigError', 'StartError', 'ConnectionError', 'DrainError'),
  ),
  'line of the log': saidIn(['!(cli)/**/*', 'main'], given('.warn', '.error')),
};

function isRefusal({ within }: Message): boolean {
  const [inner = ''] = within;
  return ['reason', 'notYet', 'what', 'find'].includes(inner) || (inner === 'reason' && within.length > 0);
}

describe('the pages about troubleshooting', () => {
  for (const [what, texts] of Object.entries(groups)) {
    const all = [...new Set(texts)].filter((text) => !NOT_SAID.has(text));
    it(`has an entry for every ${what}`, () => {
      assert.ok(all.length > 2, 'some are found in the source');
      const missing = all.filter((text) => !entries.some((entry) => covers(entry.text, text)));
      assert.deepEqual(
        missing,
        [],
        `${PAGES.join(', ')} say nothing about these: add them, or take them to an entry that fits`,
      );
    });
  }

  it('has no entry for what nobody says', () => {
    const idle = entries.filter(
      ({ text, section }) => section !== NOT_OURS && !anything.some((message) => fits(text, message)),
    );
    assert.deepEqual(idle, [], `nobody says these any more: change the entries in ${PAGES.join(', ')}`);
  });

  it('is read right: an entry that is gone is missed', () => {
    assert.ok(entries.length > 150);
    assert.equal(covers('is less than step …: steps must', "is less than step …'s …: steps must not go back"), true);
    assert.equal(covers('is less', "is less than step …'s …: steps must not go back"), false);
    assert.equal(fits('steps … is less', 'is less than the steps'), false);
  });
});
