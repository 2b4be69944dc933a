/** Event files for TensorBoard. */
export { decodeRecords, EventWriter, encodeRecord } from './event-writer.js';
