/** Argument checks shared by every public function. */
export * from './arrays.js';
export * from './scalars.js';
