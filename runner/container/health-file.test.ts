import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readHealthReport, writeHealthReport } from './health-file.ts';

test('what was told is read again, but for the failures of a run before', () => {
  const directory = mkdtempSync(join(tmpdir(), 'berth-health-'));
  try {
    const path = join(directory, 'health.json');
    expect(readHealthReport(path)).toBeUndefined();
    const last = [{ startedAtMs: 1000, endedAtMs: 2000, exitCode: -1, output: 'Grüße\n' }];
    writeHealthReport(path, { failures: 3, last });
    expect(readHealthReport(path, 500)).toEqual({ failures: 3, last });
    expect(readHealthReport(path, 5000)).toEqual({ failures: 0, last });
    writeHealthReport(path, { failures: 0, last: [] });
    expect(readHealthReport(path, 500)).toEqual({ failures: 0, last: [] });
    for (const broken of ['', '{"failures":', '{"failures":1}', '[]']) {
      writeFileSync(path, broken);
      expect(readHealthReport(path)).toBeUndefined();
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
});
