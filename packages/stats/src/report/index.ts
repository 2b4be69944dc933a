/** Report writers. */
export { formatInterval, formatNumber, formatPValue, formatSigned, significanceStars } from './format.js';
export { formatReport, REPORT_FORMATS, type ReportFormat } from './writers.js';
