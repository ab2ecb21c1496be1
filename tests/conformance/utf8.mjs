// SPDX-License-Identifier: Apache-2.0
// utf8.mjs - the byte sequences of groups 6.5 to 6.23: Markus Kuhn's UTF-8 decoder stress test in the order of the Autobahn suite.
// A row: [group, title, [[valid, bytes in hex], ...]].
const KOSME = 'cebae1bdb9cf83cebcceb5';
const isValid = (hex) => {
  try {
    new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(hex, 'hex'));
    return true;
  } catch {
    return false;
  }
};
const all = (valid, ...rows) => rows.map((hex) => [valid, hex]);
const hello = (hex) => `68656c6c6f${hex}776f726c64`;
const prefixes = Array.from({ length: KOSME.length / 2 }, (_, i) => KOSME.slice(0, 2 * (i + 1)));
const byte = (n) => n.toString(16).padStart(2, '0');
const range = (from, to) => Array.from({ length: to - from }, (_, i) => byte(from + i));
const missing = ['c0', 'e080', 'f08080', 'f8808080', 'fc80808080', 'df', 'efbf', 'f7bfbf', 'fbbfbfbf', 'fdbfbfbfbf'];
const nonCharacters = ['f0', 'f1', 'f2', 'f3', 'f4'].flatMap((a) =>
  ['8f', '9f', 'af', 'bf'].flatMap((b) => ((a === 'f4' && b !== '8f') || (a === 'f0' && b === '8f') ? [] : ['be', 'bf'].map((c) => `${a}${b}bf${c}`))),
);

export const sequences = [
  [5, 'some valid sequences', all(true, hello('24'), hello('c2a2'), hello('e282ac'), hello('f0a4ada2'), KOSME)],
  [6, 'all prefixes of a valid string', prefixes.map((hex) => [isValid(hex), hex])],
  [7, 'first sequence of a length', all(true, '00', 'c280', 'e0a080', 'f0908080')],
  [8, 'first sequence of length 5 and 6', all(false, 'f888808080', 'fc8480808080')],
  [9, 'last sequence of a length', all(true, '7f', 'dfbf', 'efbfbf', 'f48fbfbf')],
  [10, 'last sequence of length 4, 5 and 6', all(false, 'f7bfbfbf', 'fbbfbfbfbf', 'fdbfbfbfbfbf')],
  [11, 'other boundaries', [...all(true, 'ed9fbf', 'ee8080', 'efbfbd', 'f48fbfbf'), [false, 'f4908080']]],
  [12, 'unexpected continuation bytes', all(false, '80', 'bf', '80bf', '80bf80', '80bf80bf', '80bf80bf80', '80bf80bf80bf', range(0x80, 0xbf).join(''))],
  [13, 'lonely start characters', [[0xc0, 0xdf], [0xe0, 0xef], [0xf0, 0xf7], [0xf8, 0xfb], [0xfc, 0xfd]].map(([a, b]) => [false, range(a, b).map((h) => `${h}20`).join('')])],
  [14, 'last continuation byte missing', all(false, ...missing)],
  [15, 'incomplete sequences in a row', all(false, missing.join(''))],
  [16, 'impossible bytes', all(false, 'fe', 'ff', 'fefeffff')],
  [17, 'overlong ASCII', all(false, 'c0af', 'e080af', 'f08080af', 'f8808080af', 'fc80808080af')],
  [18, 'longest overlong sequences', all(false, 'c1bf', 'e09fbf', 'f08fbfbf', 'f887bfbfbf', 'fc83bfbfbfbf')],
  [19, 'overlong NUL', all(false, 'c080', 'e08080', 'f0808080', 'f880808080', 'fc8080808080')],
  [20, 'single surrogates', all(false, 'eda080', 'edadbf', 'edae80', 'edafbf', 'edb080', 'edbe80', 'edbfbf')],
  [21, 'paired surrogates', all(false, 'eda080edb080', 'eda080edbfbf', 'edadbfedb080', 'edadbfedbfbf', 'edae80edb080', 'edae80edbfbf', 'edafbfedb080', 'edafbfedbfbf')],
  [22, 'non-characters', all(true, 'efbfbe', 'efbfbf', ...nonCharacters)],
  [23, 'specials', all(true, 'efbfb9', 'efbfba', 'efbfbb', 'efbfbc', 'efbfbd', 'efbfbe', 'efbfbf')],
];
export { KOSME };
