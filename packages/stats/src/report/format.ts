/** Numbers as a paper prints them. */
import type { ConfidenceInterval } from '../hypothesis/index.js';

/** Fixed decimals with a true minus sign left to the writer; non-finite values in words. */
export function formatNumber(value: number, decimals = 3): string {
  if (Number.isNaN(value)) return 'n/a';
  if (value === Number.POSITIVE_INFINITY) return 'inf';
  if (value === Number.NEGATIVE_INFINITY) return '-inf';
  const text = value.toFixed(decimals);
  return Number(text) === 0 && text.startsWith('-') ? text.slice(1) : text;
}

export function formatSigned(value: number, decimals = 3): string {
  const text = formatNumber(value, decimals);
  return value > 0 && Number(text) !== 0 ? `+${text}` : text;
}

/** `mean [low, high]` */
export function formatInterval(
  value: number,
  { low, high }: Pick<ConfidenceInterval, 'low' | 'high'>,
  decimals = 3,
  signed = false,
): string {
  const show = signed ? formatSigned : formatNumber;
  return `${show(value, decimals)} [${show(low, decimals)}, ${show(high, decimals)}]`;
}

/** Three significant digits, never "0.000": `<0.001`. */
export function formatPValue(p: number): string {
  if (Number.isNaN(p)) return 'n/a';
  if (p < 0.001) return '<0.001';
  return p >= 0.0995 ? p.toFixed(2) : p.toFixed(3);
}

/** `***` below 0.001, `**` below 0.01, `*` below 0.05, otherwise nothing. */
export function significanceStars(p: number): '' | '*' | '**' | '***' {
  if (p < 0.001) return '***';
  if (p < 0.01) return '**';
  return p < 0.05 ? '*' : '';
}
