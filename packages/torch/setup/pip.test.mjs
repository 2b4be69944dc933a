/** pip's many ways to fail must lead to the right advice. */
import { expect, test } from 'vitest';
import { diagnose } from './pip.mjs';

test.each(
  /** @type {[string, string, RegExp][]} */ ([
    [
      "WARNING: Retrying (Retry(total=1)) after connection broken by 'NameResolutionError: Failed to resolve: Temporary failure in name resolution'\nERROR: Could not find a version that satisfies the requirement torch (from versions: none)\nERROR: No matching distribution found for torch",
      'network',
      /Temporary failure/,
    ],
    ['ERROR: Could not install: ProxyError(Cannot connect to proxy)', 'network', /Proxy/],
    [
      'Attempting to resume incomplete download\nerror: incomplete-download\n× Download failed',
      'network',
      /incomplete/,
    ],
    ['ERROR: HTTP error 503 while getting https://example.org/torch.whl', 'network', /503/],
    [
      'ERROR: Could not find a version that satisfies the requirement torch==99\nERROR: No matching distribution found for torch==99',
      'no-match',
      /torch==99/,
    ],
    ['OSError: [Errno 28] No space left on device', 'disk', /No space/],
    ['ERROR: THESE PACKAGES DO NOT MATCH THE HASHES', 'other', /HASHES/],
    ['', 'other', /^$/],
  ]),
)('diagnoses %j', (output, problem, detail) => {
  const found = diagnose(output);
  expect(found.problem).toBe(problem);
  expect(found.detail).toMatch(detail);
});
