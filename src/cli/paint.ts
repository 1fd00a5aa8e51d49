// Colours, only where somebody looks: on a terminal, without --no-color and without NO_COLOR.

const CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const;

export type Colour = keyof typeof CODES;
export type Paint = (colour: Colour, text: string) => string;

export const painter =
  (on: boolean): Paint =>
  (colour, text) =>
    on && text !== '' ? `\x1b[${CODES[colour]}m${text}\x1b[0m` : text;

/** Without what painter adds: as many characters as a terminal shows. */
export const plain = (text: string): string => text.replace(/\x1b\[\d+m/g, '');
