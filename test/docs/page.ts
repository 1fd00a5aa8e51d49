// Reads a page of Markdown: its blocks of code, what each is for, and the commands in them with the output that the page shows.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../', import.meta.url));

export interface Command {
  /** As written, continuation lines and here-documents included. */
  readonly text: string;
  /** The line of the page that it begins at. */
  readonly line: number;
  /** What the page shows under it; undefined where it shows nothing. */
  readonly output?: string;
}

export interface Block {
  /** The first word after the fence: sh, console, yaml, json, text, ... Empty where there is none. */
  readonly language: string;
  /** The words after it. */
  readonly info: readonly string[];
  readonly text: string;
  readonly line: number;
  /** Inside an HTML comment: run, and not seen by a reader. */
  readonly hidden: boolean;
  /** The heading that it stands under. */
  readonly section: string;
}

export interface Page {
  /** From the root of the project, e.g. docs/quickstart.md. */
  readonly file: string;
  readonly blocks: readonly Block[];
  /** Lines that are not inside a fence. */
  readonly prose: readonly { readonly line: number; readonly text: string }[];
}

export const readPage = (file: string): Page => parsePage(file, readFileSync(`${root}${file}`, 'utf8'));

export function parsePage(file: string, markdown: string): Page {
  const blocks: Block[] = [];
  const prose: { line: number; text: string }[] = [];
  const lines = markdown.split('\n');
  let section = '';
  let hidden = false;
  for (let at = 0; at < lines.length; at++) {
    const text = lines[at]!;
    const fence = /^( *)(`{3,})\s*([^`]*)$/.exec(text);
    if (!fence) {
      prose.push({ line: at + 1, text });
      section = /^#{1,6} (.*)/.exec(text)?.[1] ?? section;
      if (text.includes('<!--')) hidden = true;
      if (text.includes('-->')) hidden = false;
      continue;
    }
    const [, indent = '', ticks = '', info = ''] = fence;
    const line = at + 1;
    const body: string[] = [];
    for (at++; at < lines.length && lines[at]!.trim() !== ticks; at++) {
      const inner = lines[at]!;
      body.push(inner.startsWith(indent) ? inner.slice(indent.length) : inner.trimStart());
    }
    if (at === lines.length) throw new Error(`${file}:${line}: the block has no end`);
    const [language = '', ...words] = info.trim().split(/\s+/);
    blocks.push({ language, info: words, text: body.join('\n'), line, hidden, section });
  }
  return { file, blocks, prose };
}

/** The name that a block gives its file in its first line: `# web.yaml`. */
export const fileNameOf = ({ text }: Block): string | undefined =>
  /^(?:#|\/\/) ([\w./-]+\.\w+)$/.exec(text.split('\n', 1)[0]!)?.[1];

/**
 * The commands of a block. In `sh` each line is one, in `console` each that follows `$ `, and what comes after it is its output;
 * a command goes on over lines for as long as the shell would ask for more (`isComplete`).
 */
export function commandsOf(block: Block, isComplete: (text: string) => boolean): Command[] {
  const prompt = block.language === 'console';
  const lines = block.text.split('\n');
  const commands: Command[] = [];
  for (let at = 0; at < lines.length;) {
    const first = lines[at]!;
    if (!prompt && /^\s*(#|$)/.test(first)) {
      at++;
      continue;
    }
    if (prompt && !first.startsWith('$ ')) throw new Error(`line ${block.line + 1}: a console block begins with "$ "`);
    const line = block.line + 1 + at;
    let text = prompt ? first.slice(2) : first;
    for (at++; at < lines.length && !isComplete(text); at++) text += `\n${lines[at]!}`;
    const shown: string[] = [];
    while (prompt && at < lines.length && !lines[at]!.startsWith('$ ')) shown.push(lines[at++]!);
    const output = shown.join('\n').trim();
    commands.push({ text, line, ...(prompt && output !== '' ? { output } : {}) });
  }
  return commands;
}
