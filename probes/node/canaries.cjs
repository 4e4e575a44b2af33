'use strict';
// Finds canaries and marks in texts. A mark is another text that names one user; marks stand in a file, one a line.

const fs = require('fs');

const MOST_CANARIES = 8;
const SHORTEST = 6;               // what is shorter is no canary,
const SHORT_MARK = 2;             // but a mark; up to so many characters it counts only where it is a text as a whole
const LONG = 1024 * 1024, LONG_PART = 64 * 1024;
const KNOWN = 2048;               // texts that are longer are looked at once, while they are the same text
const latin1 = Buffer.prototype.latin1Slice;

module.exports = function canaries(pattern, marksFile) {
  const leastOfPattern = Math.max(SHORTEST, shortestMatch(pattern));
  const wholeTexts = new Set();
  const longTexts = new Map();
  let expression, every, shortest, marksTime = -1;

  function setMarks(all) {
    wholeTexts.clear();
    for (const mark of all) if (mark.length <= SHORT_MARK) wholeTexts.add(mark);
    const marks = all.filter(mark => mark.length > SHORT_MARK);
    const escaped = marks.sort((a, b) => b.length - a.length).map(mark => mark.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&'));
    const whole = ['(?:' + pattern + ')', ...escaped].join('|');
    expression = new RegExp(whole);
    every = new RegExp(whole, 'g');
    shortest = Math.min(leastOfPattern, ...marks.map(mark => mark.length));
    longTexts.clear();
  }
  setMarks([]);

  /** Reads the marks if their file has changed, and says whether there are any that were not known. */
  function readMarks() {
    if (!marksFile) return false;
    try {
      const time = fs.statSync(marksFile).mtimeMs;
      if (time === marksTime) return false;
      marksTime = time;
      const all = fs.readFileSync(marksFile, 'utf8').split(/\r?\n/).filter(Boolean);
      setMarks(all);
      return all.length > 0;
    } catch { return false; /* not there yet */ }
  }

  function textHolds(text) {
    const length = text.length;
    if (length < shortest) return length <= SHORT_MARK && wholeTexts.has(text);
    if (length < KNOWN) return expression.test(text);
    const known = longTexts.get(text);
    if (known !== undefined) return known;
    const found = expression.test(length > LONG ? text.slice(0, LONG_PART) : text);
    if (longTexts.size > 64) longTexts.clear();
    longTexts.set(text, found);
    return found;
  }

  const bytesText = value => Reflect.apply(latin1, value, [0, Math.min(value.length, value.length > LONG ? LONG_PART : LONG)]);

  /** Adds the canaries of a text to `found`, which has a `size` and can `add`. */
  function collectText(text, found) {
    if (text.length < shortest) { if (wholeTexts.has(text)) found.add(text); return; }
    every.lastIndex = 0;
    const part = text.length > LONG ? text.slice(0, LONG_PART) : text;
    for (let match; found.size < MOST_CANARIES && (match = every.exec(part));) {
      if (match[0] === '') { every.lastIndex++; continue; }
      found.add(match[0]);
    }
  }

  /** Canaries of a text as they stand, and percent-decoded. */
  function plainText(text, found) {
    collectText(text, found);
    if (text.includes('%')) {
      collectText(text.replace(/\+/g, ' ').replace(/(?:%[0-9a-f]{2})+/gi, part => { try { return decodeURIComponent(part); } catch { return part; } }), found);
    }
  }

  /** Short marks that stand alone: as a header's value, or as part of a query, a path, a cookie, or quoted as in JSON. */
  function words(text, found) {
    if (!wholeTexts.size) return;
    for (const [word] of text.matchAll(/^..?$|(?<=[=/"])[^=/&;?\s"]+(?=[/&;?\s"]|$)/gm)) if (wholeTexts.has(word)) found.add(word);
  }

  /** Those that a request brings: in base64 as well. */
  function ownText(text, found) {
    text = String(text);
    plainText(text, found);
    if (text.length < 20_000) {
      for (const [word] of text.matchAll(/[A-Za-z0-9+/_-]{16,}={0,2}/g)) {
        const decoded = Buffer.from(word, 'base64').toString('latin1');
        if (/^[\x09\x0a\x0d\x20-\x7e]+$/.test(decoded)) collectText(decoded, found);
      }
    }
  }

  return { readMarks, textHolds, bytesText, collectText, plainText, words, ownText, LONG, MOST_CANARIES };
};

/** The least number of characters that a regular expression matches: 0 where it has what this does not know. */
function shortestMatch(pattern) {
  let at = 0;
  const take = expression => {
    expression.lastIndex = at;
    const match = expression.exec(pattern);
    if (match) at = expression.lastIndex;
    return match;
  };
  function alternatives() {
    let least = Infinity, here = 0;
    while (at < pattern.length && pattern[at] !== ')') {
      if (take(/\|/y)) { least = Math.min(least, here); here = 0; } else here += part() * repeats();
    }
    return Math.min(least, here);
  }
  function part() {
    if (take(/[\^$]|\\[bB]/y)) return 0;
    if (take(/\[(?:[^\]\\]|\\.)*\]|\\[^a-zA-Z0-9]|\\[dDwWsSnrt]|[^()\\]/ys)) return 1;
    const group = take(/\((?:\?(?:(:|<\w+>)|(<?[=!])))?/y);
    if (!group || pattern[at] === '?') throw new Error('not known');
    const inner = alternatives();
    at++;
    return group[2] ? 0 : inner;
  }
  const repeats = () => {
    const quantifier = take(/(?:([*?])|\+|\{(\d+)(?:,\d*)?\})\??/y);
    return !quantifier ? 1 : quantifier[1] ? 0 : Number(quantifier[2] ?? 1);
  };
  try { return alternatives(); } catch { return 0; }
}

module.exports.shortestMatch = shortestMatch;
